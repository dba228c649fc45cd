/**
 * What a fetch returns: records and the page they are on.
 *
 * @module
 */

/**
 * One record. At most 1 MiB.
 *
 * @typedef {object} Interaction
 * @property {string} id the provider's id: unique in the object, 1 to 512 bytes
 * @property {string} [version] the provider's own version or stamp of this state
 * @property {string} [updatedAt] when the provider last changed it: RFC 3339, UTC
 * @property {{tag: "present" | "deleted"} | {tag: "merged-into", val: string}} state
 * @property {string} data the provider's JSON object as it came; may be empty unless present
 */

/**
 * A part of the result: at most 1,000 records and 8 MiB.
 *
 * @typedef {object} Page
 * @property {Interaction[]} interactions
 * @property {string} cursor where the next call continues: opaque text, 1 byte to 16 KiB
 * @property {boolean} more whether to call again at once
 * @property {number} [wait] seconds to wait before the next call; on an empty page only
 * @property {[string, string][]} attributes
 */

/** @typedef {{version?: string, updatedAt?: string, data?: string}} Details */

/**
 * A record that exists, with the provider's JSON as it came.
 *
 * @param {string} id
 * @param {string} data
 * @param {Details} [details]
 * @returns {Interaction}
 */
export const present = (id, data, details) => ({ id, ...details, state: { tag: "present" }, data });

/**
 * The tombstone of a deleted record.
 *
 * @param {string} id
 * @param {Details} [details]
 * @returns {Interaction}
 */
export const deleted = (id, details) => ({ id, data: "", ...details, state: { tag: "deleted" } });

/**
 * The tombstone of a record that was merged into another.
 *
 * @param {string} id
 * @param {string} into the survivor's id
 * @param {Details} [details]
 * @returns {Interaction}
 */
export const merged = (id, into, details) => ({ id, data: "", ...details, state: { tag: "merged-into", val: into } });

/**
 * A page after which the host calls again at once.
 *
 * @param {Interaction[]} interactions
 * @param {string} cursor differs from every cursor of this run
 * @returns {Page}
 */
export const more = (interactions, cursor) => ({ interactions, cursor, more: true, attributes: [] });

/**
 * The page that ends the run; the next run starts at the cursor.
 *
 * @param {Interaction[]} interactions
 * @param {string} cursor
 * @param {{passComplete?: boolean}} [facts] `passComplete`: this page ends a complete reading of the object
 * @returns {Page}
 */
export const done = (interactions, cursor, { passComplete = false } = {}) => ({
  interactions,
  cursor,
  more: false,
  attributes: passComplete ? [["pass-complete", "true"]] : [],
});

/**
 * An empty page that asks to be called again after so many seconds, as for an export that is not ready.
 *
 * @param {string} cursor
 * @param {number} seconds
 * @returns {Page}
 */
export const wait = (cursor, seconds) => ({ interactions: [], cursor, more: true, wait: seconds, attributes: [] });
