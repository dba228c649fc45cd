/**
 * Freshdesk: tickets by a moving anchor in time, contacts by walks over what changed, companies and agents as a whole.
 *
 * @module
 */

import { InvalidConfig, Other, auth, manifest } from "../sdk-js/syncline.js";
import { base } from "./src/api.js";
import { CONFIG, OBJECTS } from "./src/objects.js";
import { fetchTickets } from "./src/tickets.js";
import { fetchWalk } from "./src/walk.js";

/** @type {import("../sdk-js/syncline.js").Connector} */
export const freshdesk = {
  describe: () =>
    manifest({
      name: "freshdesk",
      version: "0.1.0",
      title: "Freshdesk",
      configSchema: CONFIG,
      // The user name is the API key; Freshdesk ignores the password, `X` by custom.
      auth: [auth.basic("api-key")],
      hosts: ["{domain}.freshdesk.com"],
      // A list's own limit on the middle plan. Others are met by their 429.
      rate: { requests: 100, perSeconds: 60, concurrency: 2 },
    }),

  check(ctx) {
    const answer = ctx.get(`${base(ctx)}/agents/me`).send();
    if (answer.status === 404) throw new InvalidConfig(`there is no Freshdesk account ${ctx.config.domain}`);
    answer.errorForStatus().json();
  },

  discover: () => OBJECTS,

  fetch(ctx, object, cursor) {
    switch (object) {
      case "tickets":
        return fetchTickets(ctx, cursor);
      case "contacts":
      case "companies":
      case "agents":
        return fetchWalk(ctx, object, cursor);
      default:
        throw new Other("unknown-object", `Freshdesk has no object ${object}`);
    }
  },
};
