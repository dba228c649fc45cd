/**
 * The host's side of a connector: the imports as a context, errors as the contract's variant. The only module that
 * touches the component's edge; under plain Node nothing imports it.
 *
 * @module
 */

// @ts-ignore the host provides it
import * as http from "syncline:connector/http@0.1.0";
// @ts-ignore the host provides it
import * as log from "syncline:connector/log@0.1.0";

import { Other, SynclineError } from "./errors.js";
import { Context } from "./http.js";

/**
 * The interface that a component exports for a connector:
 * `export const connector = expose(birch);`
 *
 * @param {import("./syncline.js").Connector} connector
 */
export function expose(connector) {
  return {
    describe: () => connector.describe(),
    /** @param {any} context */
    check: (context) => call(() => connector.check(lend(context))),
    /** @param {any} context */
    discover: (context) => call(() => connector.discover(lend(context))),
    /**
     * @param {any} context
     * @param {string} object
     * @param {string | null | undefined} cursor
     */
    fetch: (context, object, cursor) => call(() => connector.fetch(lend(context), object, cursor ?? undefined)),
  };
}

/** @param {any} context */
const lend = (context) => new Context(context, http, log);

/** @param {() => any} body */
function call(body) {
  let result;
  try {
    result = body();
  } catch (thrown) {
    throw lower(thrown);
  }
  if (typeof result?.then !== "function") return result;
  // QuickJS here has no event loop and no fetch(), SpiderMonkey has both.
  if (typeof globalThis.fetch !== "function") {
    throw lower(new Other("async-connector", "this engine calls a connector synchronously; build it with componentize-js"));
  }
  return result.then(undefined, (/** @type {unknown} */ thrown) => {
    throw lower(thrown);
  });
}

/**
 * What the engines take for the error case of a result: a plain object. An exception of any other kind is a bug in the
 * connector, and its stack is the most useful thing that can be said of it.
 *
 * @param {unknown} thrown
 */
function lower(thrown) {
  if (thrown instanceof SynclineError) return { tag: thrown.tag, val: thrown.val };
  const text = thrown instanceof Error ? `${thrown.name}: ${thrown.message}\n${thrown.stack ?? ""}` : String(thrown);
  return { tag: "other", val: ["javascript", text] };
}
