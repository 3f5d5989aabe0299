/** What Hearth throws. */

/** The statuses of hearth_status.h by name; a test compares the two. */
export const STATUS = Object.freeze({
  pending: 1,
  ok: 0,
  nomem: -1,
  invalid: -2,
  unstorable: -3,
  damaged: -4,
  version: -5,
  lua: -6,
  refused: -7,
  unknown: -8,
  limit: -9,
  seal: -10,
  raised: -11,
  busy: -12,
  dead: -13,
  full: -14,
  io: -15,
  conflict: -16,
  stale: -17,
  readonly: -18,
  notfound: -19,
  notstore: -20,
  replaced: -21,
  cycle: -22,
  closed: -23,
  toobig: -24,
  foreign: -25,
  unsupported: -26,
  exists: -27,
  insecure: -28,
  lost: -29,
});

const names = new Map(Object.entries(STATUS).map(([name, status]) => [status, name]));

/**
 * The name of a status, "unknown status -99" for one that this version does not know.
 * @param {number} status
 * @returns {string}
 */
export function codeName(status) {
  return names.get(status) ?? `unknown status ${status}`;
}

/** Everything that fails throws, or rejects with, one of these. */
export class HearthError extends Error {
  /**
   * @param {string} code a name from STATUS
   * @param {string} message
   * @param {{path?: string, position?: number, cause?: unknown}} [details]
   */
  constructor(code, message, { path, position, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "HearthError";
    this.code = code;
    if (path !== undefined) this.path = path;
    if (position !== undefined) this.position = position;
  }

  /** The number of `code`; "io" for one that is no status. */
  get status() {
    return STATUS[this.code] ?? STATUS.io;
  }
}

/** Lua code raised an error. */
export class LuaError extends HearthError {
  /**
   * @param {string} message
   * @param {{value?: unknown, traceback?: string, path?: string, cause?: unknown}} [details]
   */
  constructor(message, { value, traceback, ...details } = {}) {
    super("raised", message, details);
    this.name = "LuaError";
    this.value = value;
    this.traceback = traceback;
  }
}
