/**
 * Birch: people.
 *
 * Here is what the connector says of itself, and which object is read how; people.js reads people.
 *
 * @module
 */

import { Other, auth, incremental, manifest } from "../sdk-js/syncline.js";
import { BASE, fetchPeople } from "./people.js";

const CONFIG = {
  type: "object",
  additionalProperties: false,
  properties: {
    overlap_seconds: {
      type: "integer",
      minimum: 0,
      maximum: 86400,
      default: 60,
      description: "How far each reading reaches back behind the one before",
    },
  },
};

const PERSON = {
  type: "object",
  required: ["id"],
  properties: {
    id: { type: "string" },
    name: { type: ["string", "null"] },
    email: { type: ["string", "null"] },
    updated_at: { type: ["string", "null"] },
    deleted: { type: ["boolean", "null"] },
  },
};

/** @type {import("../sdk-js/syncline.js").Connector} */
export default {
  describe: () =>
    manifest({
      name: "birch",
      version: "0.1.0",
      title: "Birch",
      configSchema: CONFIG,
      auth: [auth.bearer("token")],
      hosts: ["api.birch.example"],
      rate: { requests: 100, perSeconds: 60, concurrency: 4 },
    }),

  check(ctx) {
    ctx.get(`${BASE}/v1/me`).send().errorForStatus();
  },

  discover: () => [incremental("people", "contact", { schema: PERSON, deletes: "tombstones" })],

  fetch(ctx, object, cursor) {
    if (object !== "people") throw new Other("unknown-object", `there is no object ${JSON.stringify(object)} here`);
    return fetchPeople(ctx, cursor);
  },
};
