/**
 * Why a call failed, in the terms the host acts on. Throw one of these; anything else that is thrown is a bug of the
 * connector and reaches the host as `other("javascript", ...)`.
 *
 * @module
 */

/** A case of the contract's `error`. Messages are for people and carry no credentials. */
export class SynclineError extends Error {
  /**
   * @param {string} tag the case's name in the contract
   * @param {unknown} val what the case carries
   * @param {string} message for people
   */
  constructor(tag, val, message) {
    super(message);
    this.name = new.target.name;
    this.tag = tag;
    this.val = val;
  }
}

/** The provider refuses the credentials. The integration stops until they change. */
export class Unauthorized extends SynclineError {
  /** @param {string} message */
  constructor(message) {
    super("unauthorized", message, `unauthorized: ${message}`);
  }
}

/** The credentials are good but may not read this. The object stops being read for a long while. */
export class Forbidden extends SynclineError {
  /** @param {string} message */
  constructor(message) {
    super("forbidden", message, `forbidden: ${message}`);
  }
}

/** Too many requests: the host waits these seconds, or backs off where the provider named none. */
export class RateLimited extends SynclineError {
  /** @param {number} [seconds] */
  constructor(seconds) {
    super("rate-limited", seconds, seconds === undefined ? "rate limited" : `rate limited for ${seconds} s`);
  }
}

/** A fault that is likely to pass. */
export class Unavailable extends SynclineError {
  /** @param {string} message */
  constructor(message) {
    super("unavailable", message, `unavailable: ${message}`);
  }
}

/** The provider no longer knows the position. The host goes on from this cursor, or from the very beginning. */
export class CursorExpired extends SynclineError {
  /** @param {string} [cursor] */
  constructor(cursor) {
    super("cursor-expired", cursor, cursor === undefined ? "cursor expired" : "cursor expired, with one to resume from");
  }
}

/** The configuration cannot work. The integration stops until it changes. */
export class InvalidConfig extends SynclineError {
  /** @param {string} message */
  constructor(message) {
    super("invalid-config", message, `invalid configuration: ${message}`);
  }
}

/** The provider answered what the connector does not understand. */
export class Unexpected extends SynclineError {
  /** @param {string} message */
  constructor(message) {
    super("unexpected", message, `unexpected: ${message}`);
  }
}

/** Anything else; treated like `unexpected`. */
export class Other extends SynclineError {
  /**
   * @param {string} code short and stable
   * @param {string} message
   */
  constructor(code, message) {
    super("other", [code, message], `${code}: ${message}`);
  }
}

/** The code of {@link Other} for an answer that was too large for the host: asking for fewer records helps. */
export const TOO_LARGE = "response-too-large";

/**
 * Whether an answer was too large for the host: asking for fewer records helps.
 *
 * @param {unknown} error
 */
export const isTooLarge = (error) => error instanceof Other && /** @type {[string, string]} */ (error.val)[0] === TOO_LARGE;

/**
 * The error of a request that got no response: what the host threw, as a case of the contract's `error`.
 *
 * @param {any} thrown a case of the contract's `http-error`, as either engine throws it
 * @returns {Error}
 */
export function fromHttpError(thrown) {
  const { tag, val } = thrown?.payload ?? thrown ?? {};
  switch (tag) {
    case "denied":
      return new Other("request-denied", String(val));
    case "too-large":
      return new Other(TOO_LARGE, String(val));
    case "other":
      return new Other(String(val[0]), String(val[1]));
    case "rate-limited":
      // A u64 is a number in QuickJS and a BigInt in SpiderMonkey.
      return new RateLimited(val === undefined || val === null ? undefined : Number(val));
    case "unauthorized":
      return new Unauthorized(String(val));
    case "budget-spent":
    case "unreachable":
    case "timeout":
    case "truncated":
      return new Unavailable(`${tag}: ${val}`);
    default:
      return thrown instanceof Error ? thrown : new Other("http", String(tag ?? thrown));
  }
}
