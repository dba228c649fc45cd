/**
 * What there is to configure and to read.
 *
 * @module
 */

import { full, incremental } from "../../sdk-js/syncline.js";

const seconds = (/** @type {number} */ normal, /** @type {string} */ description) => ({ type: "integer", minimum: 0, maximum: 86_400, default: normal, description });

/** Schema of the configuration. */
export const CONFIG = {
  type: "object",
  required: ["domain"],
  additionalProperties: false,
  properties: {
    domain: { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9-]{0,62}$", description: "The account: `acme` of acme.freshdesk.com" },
    include: {
      type: "array",
      items: { enum: ["description", "requester", "stats", "company"] },
      uniqueItems: true,
      default: ["description"],
      description: "Parts of a ticket that lists leave out; each costs two more credits a request",
    },
    page_size: { type: "integer", minimum: 2, maximum: 100, default: 100, description: "Rows of one request" },
    overlap_seconds: seconds(120, "How far a reading reaches back into the one before"),
    settle_seconds: seconds(60, "How far the watermark stays behind Freshdesk's clock"),
  },
};

const integer = { type: ["integer", "null"] };
const string = { type: ["string", "null"] };
const strings = { type: ["array", "null"], items: string };
const boolean = { type: ["boolean", "null"] };
const object = { type: ["object", "null"] };
const stamps = { created_at: string, updated_at: string };

/**
 * @param {Record<string, object>} properties
 * @param {string[]} required
 */
const schema = (properties, required = ["id"]) => ({ type: "object", required, properties: { id: { type: "integer" }, ...properties, ...stamps } });

/** @type {import("../../sdk-js/syncline.js").ObjectType[]} */
export const OBJECTS = [
  incremental("tickets", "ticket", {
    deletes: "tombstones",
    schema: schema(
      {
        subject: string,
        description_text: string,
        type: string,
        status: integer,
        priority: integer,
        source: integer,
        requester_id: integer,
        responder_id: integer,
        company_id: integer,
        group_id: integer,
        tags: strings,
        spam: boolean,
        due_by: string,
        custom_fields: object,
      },
      ["id", "updated_at"],
    ),
  }),
  incremental("contacts", "contact", {
    deletes: "tombstones",
    schema: schema({ name: string, email: string, phone: string, mobile: string, company_id: integer, active: boolean, tags: strings, custom_fields: object }),
  }),
  full("companies", "account", {
    schema: schema({ name: string, description: string, note: string, domains: strings, industry: string, custom_fields: object }),
  }),
  full("agents", "user", { schema: schema({ available: boolean, type: string, ticket_scope: integer, contact: object }) }),
];
