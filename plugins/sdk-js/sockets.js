/**
 * A door to a real provider, or to a fake one, for a connector that runs under plain Node: what the host's egress gate
 * does, without its policy, retries and limits. For tests and for trying things out.
 *
 * The contract's `send` answers at once, and Node's sockets do not; so a worker does the talking while the connector's
 * thread sleeps.
 *
 * @module
 */

import { MessageChannel, Worker, isMainThread, receiveMessageOnPort, workerData } from "node:worker_threads";

import { failure } from "./testing.js";

/** A sleeping connector is woken after this long at the latest, in milliseconds. */
const PATIENCE = 60_000;

/** @typedef {import("./http.js").HttpRequest} HttpRequest */
/** @typedef {import("./http.js").HttpResponse} HttpResponse */

/** Sends requests over real sockets. Close it, or Node does not end. */
export class SocketHttp {
  #worker;
  #port;
  #bell = new Int32Array(new SharedArrayBuffer(4));
  #options;

  /**
   * @param {object} [options]
   * @param {string} [options.origin] where requests go in place of their own scheme and host: `http://127.0.0.1:8080`;
   *   the host that the connector meant is sent in the `host` header
   * @param {Record<string, string>} [options.headers] added to each request, for credentials
   */
  constructor(options = {}) {
    const { port1, port2 } = new MessageChannel();
    this.#options = options;
    this.#port = port1;
    this.#worker = new Worker(new URL(import.meta.url), { workerData: { bell: this.#bell, port: port2 }, transferList: [port2] });
    this.#worker.unref();
    this.requests = 0;
  }

  /**
   * @param {HttpRequest} request
   * @returns {HttpResponse}
   */
  send(request) {
    this.requests += 1;
    Atomics.store(this.#bell, 0, 0);
    this.#port.postMessage({ request, ...this.#options });
    if (Atomics.wait(this.#bell, 0, 0, PATIENCE) === "timed-out") throw failure("timeout", `no answer in ${PATIENCE} ms`);
    const { answer, error } = /** @type {any} */ (receiveMessageOnPort(this.#port)).message;
    if (error !== undefined) throw failure("unreachable", error);
    return answer;
  }

  close() {
    return this.#worker.terminate();
  }
}

/** @param {{request: HttpRequest, origin?: string, headers?: Record<string, string>}} order */
async function talk({ request, origin, headers }) {
  const meant = new URL(request.url);
  const url = origin === undefined ? meant : new URL(meant.pathname + meant.search, origin);
  const { request: open } = await import(url.protocol === "http:" ? "node:http" : "node:https");
  const method = (request.method.val ?? request.method.tag).toUpperCase();
  return new Promise((resolve, reject) => {
    const outgoing = open(url, { method, headers: { ...Object.fromEntries(request.headers), ...headers, host: meant.host } });
    outgoing.on("error", reject);
    outgoing.on("response", async (/** @type {import("node:http").IncomingMessage} */ incoming) => {
      const chunks = [];
      try {
        for await (const chunk of incoming) chunks.push(chunk);
      } catch (error) {
        return reject(error);
      }
      const pairs = Object.entries(incoming.headersDistinct).flatMap(([name, values]) => (values ?? []).map((value) => [name, value]));
      resolve({ status: incoming.statusCode, headers: pairs, body: new Uint8Array(Buffer.concat(chunks)), attributes: [] });
    });
    outgoing.end(request.body);
  });
}

if (!isMainThread && workerData?.bell instanceof Int32Array) {
  const { bell, port } = workerData;
  port.on("message", async (/** @type {any} */ order) => {
    try {
      port.postMessage({ answer: await talk(order) });
    } catch (error) {
      port.postMessage({ error: String(error) });
    }
    Atomics.store(bell, 0, 1);
    Atomics.notify(bell, 0);
  });
}
