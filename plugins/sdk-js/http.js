/**
 * What a call may know and do: the context, requests and responses.
 *
 * @module
 */

import { Forbidden, InvalidConfig, RateLimited, Unauthorized, Unavailable, Unexpected, fromHttpError } from "./errors.js";
import { rawElements, rawMember } from "./json.js";
import { decodeUtf8, encodeComponent, encodeUtf8, parseHttpDate } from "./text.js";

/** Characters of a body that an error message quotes. */
const EXCERPT = 300;
const METHODS = ["get", "head", "post", "put", "patch", "delete"];

/**
 * The contract's `http.request` and `http.response`.
 *
 * @typedef {{method: {tag: string, val?: string}, url: string, headers: [string, string][], body?: Uint8Array,
 *   idempotent: boolean, attributes: [string, string][]}} HttpRequest
 * @typedef {{status: number, headers: [string, string][], body: Uint8Array, attributes: [string, string][]}} HttpResponse
 *
 * Something that sends requests: the host, or a fake of testing.js. Throws a case of the contract's `http-error`.
 * @typedef {{send: (request: HttpRequest) => HttpResponse}} Http
 *
 * @typedef {"trace" | "debug" | "info" | "warn" | "error"} Level
 * @typedef {{emit: (level: Level, message: string, fields: [string, string][]) => void}} Log
 */

/** What a call knows of the integration it works for, and its only ways out: HTTP and the log. */
export class Context {
  #http;
  #log;
  #attributes;

  /**
   * @param {{config: string, auth: string, attributes: [string, string][]}} context as the contract has it
   * @param {Http} http
   * @param {Log} log
   */
  constructor(context, http, log) {
    this.#http = http;
    this.#log = log;
    this.#attributes = context.attributes;
    /** Name of the auth scheme in use; empty if none. */
    this.auth = context.auth;
    /** @type {any} The integration's configuration, valid by the manifest's schema. */
    this.config = parseConfig(context.config);
  }

  /** The number of records that the host would like in a page; undefined if it has no wish. */
  get pageSize() {
    const size = Number(this.attribute("page-size"));
    return Number.isInteger(size) && size > 0 ? size : undefined;
  }

  /**
   * A fact from the host.
   *
   * @param {string} key
   */
  attribute(key) {
    return this.#attributes.find(([name]) => name === key)?.[1];
  }

  /**
   * Writes a line to the connector's log. Never put a secret or a person's data in it.
   *
   * @param {Level} level
   * @param {string} message
   * @param {Record<string, string>} [fields]
   */
  log(level, message, fields = {}) {
    this.#log.emit(level, message, Object.entries(fields));
  }

  /** @param {string} url */
  get(url) {
    return this.request("get", url);
  }

  /** @param {string} url */
  post(url) {
    return this.request("post", url);
  }

  /**
   * Starts a request.
   *
   * @param {string} method `get`, `post`, ...
   * @param {string} url absolute
   */
  request(method, url) {
    return new RequestBuilder(this.#http, method, url);
  }
}

/** @param {string} text */
function parseConfig(text) {
  try {
    return JSON.parse(text.trim() === "" ? "{}" : text);
  } catch (error) {
    throw new InvalidConfig(/** @type {Error} */ (error).message);
  }
}

/** A request being written. It does nothing until it is sent. */
export class RequestBuilder {
  #http;
  /** @type {HttpRequest} */
  #request;

  /**
   * @param {Http} http
   * @param {string} method
   * @param {string} url
   */
  constructor(http, method, url) {
    const name = method.toLowerCase();
    this.#http = http;
    this.#request = {
      method: METHODS.includes(name) ? { tag: name } : { tag: "other", val: method },
      url,
      headers: [],
      body: undefined,
      idempotent: false,
      attributes: [],
    };
  }

  /**
   * Adds a query parameter, percent-encoded; none where the value is undefined.
   *
   * @param {string} key
   * @param {string | number | boolean | undefined} value
   */
  query(key, value) {
    if (value !== undefined) {
      const glue = this.#request.url.includes("?") ? "&" : "?";
      this.#request.url += `${glue}${encodeComponent(key)}=${encodeComponent(String(value))}`;
    }
    return this;
  }

  /**
   * Adds a header. Headers that carry credentials or framing are refused by the host.
   *
   * @param {string} key
   * @param {string} value
   */
  header(key, value) {
    this.#request.headers.push([key, value]);
    return this;
  }

  /**
   * Sends a value as JSON.
   *
   * @param {unknown} value
   */
  json(value) {
    return this.body(JSON.stringify(value)).header("content-type", "application/json");
  }

  /**
   * Sends pairs as an HTML form.
   *
   * @param {Record<string, string>} pairs
   */
  form(pairs) {
    const text = Object.entries(pairs).map((pair) => pair.map(encodeComponent).join("="));
    return this.body(text.join("&")).header("content-type", "application/x-www-form-urlencoded");
  }

  /** @param {string | Uint8Array} body */
  body(body) {
    this.#request.body = typeof body === "string" ? encodeUtf8(body) : body;
    return this;
  }

  /** Says that repeating the request does no harm, as with a search by POST. */
  idempotent() {
    this.#request.idempotent = true;
    return this;
  }

  /**
   * Asks the host not to retry these statuses.
   *
   * @param {...number} statuses
   */
  acceptStatus(...statuses) {
    this.#request.attributes.push(["accept-status", statuses.join(",")]);
    return this;
  }

  /**
   * Waits at most this long, if that is shorter than the host's limit.
   *
   * @param {number} ms
   */
  timeoutMs(ms) {
    this.#request.attributes.push(["timeout-ms", String(ms)]);
    return this;
  }

  /**
   * Sends it. Any status is a response; see {@link Response.errorForStatus}.
   *
   * @returns {Response}
   */
  send() {
    let answer;
    try {
      answer = this.#http.send(this.#request);
    } catch (thrown) {
      throw fromHttpError(thrown);
    }
    return new Response(answer);
  }
}

/** A whole response, decoded. */
export class Response {
  /** @type {string | undefined} */
  #text;
  /** @type {any} */
  #value;

  /** @param {HttpResponse} answer */
  constructor({ status, headers, body }) {
    this.status = status;
    this.headers = headers;
    this.body = body;
  }

  /**
   * What the engine's own `fetch()` gave, read to its end, so that everything here serves it too.
   *
   * @param {globalThis.Response} answer
   */
  static async from(answer) {
    const body = new Uint8Array(await answer.arrayBuffer());
    return new Response({ status: answer.status, headers: [...answer.headers], body, attributes: [] });
  }

  /**
   * The first header of that name, in any case.
   *
   * @param {string} name
   */
  header(name) {
    return this.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
  }

  /** The provider's clock: the `Date` header, in milliseconds since 1970. */
  get dateMs() {
    return parseHttpDate(this.header("date"));
  }

  /** The same for whoever cuts a window by it, which nothing else may do. Throws {@link Unexpected}. */
  serverTimeMs() {
    const { dateMs } = this;
    if (dateMs === undefined) throw new Unexpected("an answer without a Date header");
    return dateMs;
  }

  /** What `Retry-After` asks for, in seconds. A date is measured from the response's own `Date`. */
  get retryAfter() {
    const value = this.header("retry-after")?.trim();
    if (value === undefined) return undefined;
    if (/^\d+$/.test(value)) return Number(value);
    const until = parseHttpDate(value);
    return until === undefined || this.dateMs === undefined ? undefined : Math.max(0, Math.ceil((until - this.dateMs) / 1000));
  }

  /** Whether the status is 2xx. */
  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  /** The body as text; what is not UTF-8 becomes U+FFFD. */
  get text() {
    return (this.#text ??= decodeUtf8(this.body));
  }

  /**
   * The body as JSON, parsed once: every call gives the same value, and records too are parts of it. Throws
   * {@link Unexpected} with a short excerpt. Numbers beyond 2^53 lose digits: see records.
   */
  json() {
    try {
      return (this.#value ??= JSON.parse(this.text));
    } catch (error) {
      const why = /** @type {Error} */ (error).message;
      throw new Unexpected(`status ${this.status}: ${why}; the body begins: ${this.excerpt()}`);
    }
  }

  /**
   * The records of a listing: the list in the body, or in the member that `path` leads to. Each is there twice: `value`
   * to look at, `raw` to hand on.
   *
   * @param {...string} path
   * @returns {{value: any, raw: string}[]}
   */
  records(...path) {
    let values = this.json();
    let text = this.text;
    for (const name of path) {
      values = values !== null && typeof values === "object" && Object.hasOwn(values, name) ? values[name] : undefined;
      if (values === undefined) break;
      text = /** @type {string} */ (rawMember(text, name));
    }
    if (!Array.isArray(values)) {
      throw new Unexpected(`${path.join(".") || "the body"} is not a list; the body begins: ${this.excerpt()}`);
    }
    return rawElements(text).map((raw, index) => ({ value: values[index], raw }));
  }

  /**
   * The response itself if its status is 2xx, else what the status means: 401 is unauthorized and 403 forbidden; 429,
   * and 503 with `Retry-After`, are rate-limited; other 5xx, 408, 423 and 425 are unavailable; all else is unexpected.
   */
  errorForStatus() {
    const { status } = this;
    if (this.ok) return this;
    const message = `status ${status}: ${this.excerpt()}`;
    if (status === 401) throw new Unauthorized(message);
    if (status === 403) throw new Forbidden(message);
    if (status === 429 || (status === 503 && this.header("retry-after") !== undefined)) throw new RateLimited(this.retryAfter);
    if (status === 408 || status === 423 || status === 425 || (status >= 500 && status < 600)) throw new Unavailable(message);
    throw new Unexpected(message);
  }

  /** The beginning of the body on one line, for messages. */
  excerpt() {
    const head = decodeUtf8(this.body.subarray(0, EXCERPT * 4));
    return [...head.replace(/[\u0000-\u001f\u007f-\u009f]/g, " ")].slice(0, EXCERPT).join("").trim();
  }
}
