/**
 * Fakes, so that `node --test` runs a connector with no host, no account, no database and no network.
 *
 * {@link MockHttp} answers requests from a function and remembers them; {@link Harness} calls the connector the way the
 * host does, page after page, and throws where a page breaks the contract.
 *
 * @module
 */

import { Context } from "./http.js";
import { encodeUtf8 } from "./text.js";

/** @typedef {import("./http.js").HttpRequest} HttpRequest */
/** @typedef {import("./http.js").HttpResponse} HttpResponse */
/** @typedef {import("./page.js").Interaction} Interaction */
/** @typedef {import("./page.js").Page} Page */

/** Pages of one run before the harness takes it for endless. */
const PAGES = 100_000;

/** Answers every request from a function, and keeps a record of them. */
export class MockHttp {
  #handler;

  /** @param {(request: HttpRequest, url: URL) => HttpResponse} handler may throw {@link failure} */
  constructor(handler) {
    this.#handler = handler;
    /** @type {HttpRequest[]} The requests so far, oldest first. */
    this.requests = [];
  }

  /**
   * @param {HttpRequest} request
   * @returns {HttpResponse}
   */
  send(request) {
    this.requests.push(request);
    return this.#handler(request, new URL(request.url));
  }

  /**
   * The same door for a connector that uses the engine's own `fetch()`: put it in the place of `globalThis.fetch`.
   *
   * @param {string | URL | Request} input
   * @param {RequestInit} [init]
   */
  fetch = async (input, init) => {
    const request = new Request(input, init);
    const body = new Uint8Array(await request.arrayBuffer());
    const { status, headers, body: answer } = this.send({
      method: { tag: request.method.toLowerCase() },
      url: request.url,
      headers: [...request.headers],
      body: body.length > 0 ? body : undefined,
      idempotent: false,
      attributes: [],
    });
    return new Response(/** @type {any} */ (answer.length > 0 ? answer : null), { status, headers });
  };
}

/**
 * A response with a JSON body: a value, or the text of one where every digit matters.
 *
 * @param {number} status
 * @param {unknown} value
 * @param {Record<string, string>} [headers]
 */
export const json = (status, value, headers) =>
  text(status, typeof value === "string" ? value : JSON.stringify(value), { "content-type": "application/json", ...headers });

/**
 * A response with a text body.
 *
 * @param {number} status
 * @param {string} body
 * @param {Record<string, string>} [headers]
 * @returns {HttpResponse}
 */
export const text = (status, body, headers = {}) => ({
  status,
  headers: Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
  body: encodeUtf8(body),
  attributes: [],
});

/**
 * What the host throws where there is no response: `throw failure("timeout", "30 s")`.
 *
 * @param {string} tag a case of the contract's `http-error`
 * @param {unknown} [val]
 */
export const failure = (tag, val) => ({ payload: { tag, val } });

/** A connector under test with everything that a call needs. */
export class Harness {
  #connector;
  #http;
  #context;

  /**
   * @param {import("./syncline.js").Connector} connector
   * @param {object} [options]
   * @param {import("./http.js").Http} [options.http]
   * @param {object} [options.config]
   * @param {string} [options.auth] the manifest's first scheme otherwise
   * @param {number} [options.pageSize] the number of records that the host would like in a page
   */
  constructor(connector, { http = NOBODY, config = {}, auth, pageSize } = {}) {
    this.#connector = connector;
    this.#http = http;
    this.#context = {
      config: JSON.stringify(config),
      auth: auth ?? connector.describe().auth[0]?.name ?? "",
      attributes: /** @type {[string, string][]} */ (pageSize === undefined ? [] : [["page-size", String(pageSize)]]),
    };
    /** @type {{level: string, message: string, fields: [string, string][]}[]} What the connector logged. */
    this.log = [];
    /** @type {(seconds: number) => void | Promise<void>} What happens where a page asks to wait; a test may move its provider's clock. */
    this.wait = () => {};
  }

  /** A context as the host would lend it to one call. */
  context() {
    const emit = (/** @type {string} */ level, /** @type {string} */ message, /** @type {[string, string][]} */ fields) => {
      this.log.push({ level, message, fields });
    };
    return new Context(this.#context, this.#http, { emit });
  }

  async check() {
    await this.#connector.check(this.context());
  }

  async discover() {
    return this.#connector.discover(this.context());
  }

  /**
   * Reads one page and checks it against the contract.
   *
   * @param {string} object
   * @param {string} [cursor]
   */
  async fetch(object, cursor) {
    const page = await this.#connector.fetch(this.context(), object, cursor);
    validate(page);
    return page;
  }

  /**
   * Reads a whole run from a cursor: page after page until one says that there is no more.
   *
   * @param {string} object
   * @param {string} [cursor]
   */
  async readAll(object, cursor) {
    const seen = new Set([cursor]);
    const reading = new Reading();
    for (let at = cursor; reading.pages < PAGES; ) {
      const page = await this.fetch(object, at);
      reading.add(page);
      if (!page.more) return reading;
      if (page.wait === undefined) {
        if (seen.has(page.cursor)) throw new Error(`a cursor came back, the run would never end: ${page.cursor}`);
        seen.add(page.cursor);
      } else {
        await this.wait(page.wait);
      }
      at = page.cursor;
    }
    throw new Error(`${object}: no end after ${PAGES} pages`);
  }
}

/** What a run read. */
class Reading {
  constructor() {
    /** @type {Interaction[]} Every record, in order. */
    this.interactions = [];
    this.pages = 0;
    /** Where the next run starts. */
    this.cursor = "";
    /** Whether a page said that it ends a complete reading of the object. */
    this.passComplete = false;
    /** Seconds that pages asked to wait, in all. */
    this.waited = 0;
  }

  /** @param {Page} page */
  add(page) {
    this.interactions.push(...page.interactions);
    this.pages += 1;
    this.cursor = page.cursor;
    this.passComplete ||= page.attributes.some(([key, value]) => key === "pass-complete" && value === "true");
    this.waited += page.wait ?? 0;
  }

  /** The last state of each record by id, as landing would leave it. */
  get landed() {
    return new Map(this.interactions.map((record) => [record.id, record]));
  }
}

const NOBODY = new MockHttp(({ url }) => text(599, `no mock for ${url}`));

/**
 * Throws where the host would refuse the page.
 *
 * @param {Page} page
 */
function validate({ interactions, cursor, more, wait }) {
  const size = interactions.reduce((sum, { data }) => sum + bytes(data), 0);
  demand(interactions.length <= 1000, `a page of ${interactions.length} records`);
  demand(size <= 8 << 20, `a page of ${size} bytes`);
  demand(bytes(cursor) >= 1 && bytes(cursor) <= 16 << 10, `a cursor of ${bytes(cursor)} bytes`);
  demand(wait === undefined || interactions.length === 0, "only an empty page may ask to wait");
  demand(wait === undefined || more, "a page that ends the run may not ask to wait");
  interactions.forEach(validateRecord);
}

/** @param {Interaction} record */
function validateRecord({ id, state, data }) {
  demand(typeof id === "string" && bytes(id) >= 1 && bytes(id) <= 512 && !id.includes("\0"), `not an id: ${JSON.stringify(id)}`);
  demand(bytes(data) <= 1 << 20, `record ${id} has ${bytes(data)} bytes`);
  demand((data === "" && state.tag !== "present") || isObject(data), `the data of record ${id} is not a JSON object: ${data}`);
}

/** @param {string} data */
function isObject(data) {
  try {
    return data.trimStart().startsWith("{") && typeof JSON.parse(data) === "object";
  } catch {
    return false;
  }
}

/** @param {string} value */
const bytes = (value) => encodeUtf8(value).length;

/**
 * @param {boolean} holds
 * @param {string} complaint
 */
function demand(holds, complaint) {
  if (!holds) throw new Error(`the host would refuse this page: ${complaint}`);
}
