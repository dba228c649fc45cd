/**
 * What a connector says about itself and about the objects it reads.
 *
 * @module
 */

/**
 * @typedef {object} AuthScheme
 * @property {string} name what an integration picks the scheme by
 * @property {{tag: string, val?: any}} kind
 * @property {string[]} hosts hosts that may see this credential; empty for every declared host
 */

/**
 * @typedef {object} Manifest
 * @property {string} name
 * @property {string} version
 * @property {string} title
 * @property {string} configSchema
 * @property {AuthScheme[]} auth
 * @property {string[]} hosts
 * @property {{requests: number, perSeconds: number, concurrency: number}} [rate]
 * @property {[string, string][]} attributes
 */

/**
 * @typedef {object} ObjectType
 * @property {string} name
 * @property {string} interactionType
 * @property {string} schema
 * @property {string[]} primaryKey
 * @property {"incremental" | "full"} mode
 * @property {"none" | "tombstones" | "by-absence"} deletes
 * @property {number} [defaultInterval]
 * @property {[string, string][]} attributes
 */

/**
 * A manifest. What is left out: no configuration, no authentication, no published limit.
 *
 * @param {object} facts
 * @param {string} facts.name `[a-z][a-z0-9-]*`, at most 64 bytes: what integrations call the provider
 * @param {string} facts.version semantic version of the connector
 * @param {string} facts.title name for people
 * @param {object} [facts.configSchema] JSON Schema (draft 2020-12) of the configuration; never of credentials
 * @param {AuthScheme[]} [facts.auth] ways to authenticate, the default first
 * @param {string[]} facts.hosts `api.example.com`, `*.example.com`, `{subdomain}.example.com`
 * @param {{requests: number, perSeconds: number, concurrency?: number}} [facts.rate] the provider's published limit
 * @returns {Manifest}
 */
export function manifest({ name, version, title, configSchema, auth = [], hosts, rate }) {
  const schema = JSON.stringify(configSchema ?? { type: "object", additionalProperties: false });
  const hint = rate && { concurrency: 0, ...rate };
  return { name, version, title, configSchema: schema, auth, hosts, rate: hint, attributes: [] };
}

/**
 * An object that can tell what changed; deletes do not show until said otherwise.
 *
 * @param {string} name the provider's name for it
 * @param {string} interactionType `account`, `contact`, `ticket`, ..., or `custom`
 * @param {Facts} [facts]
 * @returns {ObjectType}
 */
export const incremental = (name, interactionType, facts) =>
  objectType(name, interactionType, "incremental", { deletes: "none", ...facts });

/**
 * An object that is read as a whole; what a complete pass lacks is deleted, until said otherwise.
 *
 * @param {string} name
 * @param {string} interactionType
 * @param {Facts} [facts]
 * @returns {ObjectType}
 */
export const full = (name, interactionType, facts) =>
  objectType(name, interactionType, "full", { deletes: "by-absence", ...facts });

/**
 * @typedef {object} Facts
 * @property {object} [schema] JSON Schema of a record's data
 * @property {string[]} [primaryKey] names of the properties that make the id; `id` otherwise
 * @property {"none" | "tombstones" | "by-absence"} [deletes]
 * @property {number} [defaultInterval] seconds, where nobody configured an interval
 */

/**
 * @param {string} name
 * @param {string} interactionType
 * @param {"incremental" | "full"} mode
 * @param {Facts} facts
 * @returns {ObjectType}
 */
function objectType(name, interactionType, mode, { schema, primaryKey = ["id"], deletes = "none", defaultInterval }) {
  const text = JSON.stringify(schema ?? { type: "object" });
  return { name, interactionType, schema: text, primaryKey, mode, deletes, defaultInterval, attributes: [] };
}

/** Ways to authenticate. The host adds the credentials; a connector never sees them. */
export const auth = {
  /**
   * `Authorization: Bearer <token>`; credential field `token`.
   *
   * @param {string} name
   * @param {string[]} [hosts]
   * @returns {AuthScheme}
   */
  bearer: (name, hosts = []) => ({ name, kind: { tag: "bearer" }, hosts }),

  /**
   * HTTP basic; credential fields `username` and `password`.
   *
   * @param {string} name
   * @param {string[]} [hosts]
   * @returns {AuthScheme}
   */
  basic: (name, hosts = []) => ({ name, kind: { tag: "basic" }, hosts }),

  /**
   * A header of this name carries the key; credential field `key`.
   *
   * @param {string} name
   * @param {string} header
   * @param {string[]} [hosts]
   * @returns {AuthScheme}
   */
  header: (name, header, hosts = []) => ({ name, kind: { tag: "header", val: header }, hosts }),

  /**
   * A query parameter of this name carries the key; credential field `key`.
   *
   * @param {string} name
   * @param {string} parameter
   * @param {string[]} [hosts]
   * @returns {AuthScheme}
   */
  query: (name, parameter, hosts = []) => ({ name, kind: { tag: "query", val: parameter }, hosts }),

  /**
   * OAuth 2.0; credential fields `client-id`, `client-secret`, `refresh-token`.
   *
   * @param {string} name
   * @param {{tokenUrl: string, authorizeUrl?: string, scopes?: string[], grants?: string[]}} provider
   * @param {string[]} [hosts]
   * @returns {AuthScheme}
   */
  oauth2: (name, { tokenUrl, authorizeUrl, scopes = [], grants = ["refresh-token"] }, hosts = []) => ({
    name,
    kind: { tag: "oauth2", val: { tokenUrl, authorizeUrl, scopes, grants, attributes: [] } },
    hosts,
  }),
};
