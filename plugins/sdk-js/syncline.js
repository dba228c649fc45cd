/**
 * What a Syncline connector in JavaScript is written against.
 *
 * A connector is an object with four functions, `describe`, `check`, `discover` and `fetch`; `guest.js` gives it to the
 * host. Everything it may do goes through the {@link Context} of a call. It holds no credentials and keeps nothing
 * between calls but the cursor that it returns with each page.
 *
 * Nothing here needs an engine's own library: it runs in QuickJS, in SpiderMonkey and under plain Node.
 *
 * @module
 */

export * from "./cursor.js";
export * from "./errors.js";
export * from "./http.js";
export * from "./json.js";
export * from "./manifest.js";
export * from "./page.js";
export * from "./text.js";

/**
 * One provider's connector. Any function may be async where the engine allows it (see README.md).
 *
 * @typedef {object} Connector
 * @property {() => import("./manifest.js").Manifest} describe Says what the connector is. No HTTP, no configuration, always the same.
 * @property {(ctx: import("./http.js").Context) => void | Promise<void>} check Proves configuration and credentials with one cheap call.
 * @property {(ctx: import("./http.js").Context) => import("./manifest.js").ObjectType[] | Promise<import("./manifest.js").ObjectType[]>} discover
 *   Lists what can be read.
 * @property {(ctx: import("./http.js").Context, object: string, cursor: string | undefined) => import("./page.js").Page | Promise<import("./page.js").Page>} fetch
 *   Reads one page of an object. No cursor means from the very beginning.
 */
