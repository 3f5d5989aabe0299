/// <reference lib="esnext.disposable" />
/** Durable Lua 5.4 for the browser, workers and Node. */

/** What a Lua value becomes in JavaScript, and what JavaScript may hand to Lua.
 *
 *  | Lua                         | JavaScript                                                            |
 *  |-----------------------------|-----------------------------------------------------------------------|
 *  | nil                         | undefined (null is accepted)                                          |
 *  | boolean                     | boolean                                                               |
 *  | integer                     | number, or bigint beyond 2^53 - 1                                     |
 *  | float                       | number (2.0 comes back as the integer 2; -0, NaN and infinities are floats) |
 *  | string, valid UTF-8         | string                                                                |
 *  | string, other bytes         | Uint8Array                                                            |
 *  | table with entries 1..n     | Array                                                                 |
 *  | table with string keys only, or empty | plain object                                                |
 *  | other table                 | Map                                                                   |
 *  | function                    | LuaFunction, callable                                                 |
 *  | userdata, coroutine, external table | LuaReference                                                  |
 *
 *  Tables are copied; shared and cyclic ones stay so within one conversion. A JavaScript function becomes a Lua
 *  function that cannot be stored unless it was registered (see `modules`). Other objects are refused: "invalid".
 */
export type LuaValue =
  | undefined | null | boolean | number | bigint | string | Uint8Array
  | LuaValue[] | { [key: string]: LuaValue } | Map<LuaValue, LuaValue> | Set<LuaValue>
  | LuaFunction | LuaReference | ((...args: any[]) => any);

/** A Lua function. Called, it gives the values that it returned: `const [sum] = add(1, 2)`. */
export interface LuaFunction {
  /** Calls it: the values that it returned. A Lua error is thrown as a LuaError. */
  (...args: LuaValue[]): LuaValue[];
  /** What it is in Lua. */
  readonly type: "function";
  /** Lets Lua collect it; otherwise that happens some time after JavaScript has collected it. */
  release(): void;
}

/** A Lua value that JavaScript can hold, give back and release, but not look into. */
export interface LuaReference {
  /** What it is in Lua; an external table is a "userdata". */
  readonly type: "table" | "function" | "userdata" | "thread";
  /** Lets Lua collect it; otherwise that happens some time after JavaScript has collected it. */
  release(): void;
}

/** How far a commit has come when it resolves: "visible" to who reads the store, "complete" (it survives the process),
 *  "durable" (it is on the device), or "default", the best that the store offers. */
export type Durability = "default" | "visible" | "complete" | "durable";

/** What went wrong. The C header hearth_status.h says what each code means: "full" is HEARTH_FULL there. */
export type HearthCode =
  | "nomem" | "invalid" | "unstorable" | "damaged" | "version" | "lua" | "refused" | "unknown" | "limit" | "seal"
  | "raised" | "busy" | "dead" | "full" | "io" | "conflict" | "stale" | "readonly" | "notfound" | "notstore"
  | "replaced" | "cycle" | "closed" | "toobig" | "foreign" | "unsupported" | "exists" | "insecure" | "lost";

/** Everything that fails throws, or rejects with, one of these. */
export class HearthError extends Error {
  /** Which of the codes. */
  readonly code: HearthCode;
  /** Where in the value: "_home.players[3].on_hit". */
  readonly path?: string;
  /** Byte offset in the input. */
  readonly position?: number;
}

/** Lua code raised an error; `code` is "raised". `cause` is the JavaScript exception, if it began as one. */
export class LuaError extends HearthError {
  /** The error value, converted. */
  readonly value: LuaValue;
  /** Where it was raised, as Lua's debug.traceback gives it. */
  readonly traceback: string;
}

/** How Hearth.open opens a store. */
export interface Options {
  /** "indexeddb:NAME", "file:PATH" (Node) or "memory:" (the default). */
  store?: string;
  /** Where to find hearth.wasm: its bytes, a compiled module, or a URL. By default it is beside this module. */
  wasm?: BufferSource | WebAssembly.Module | URL | string;
  /** true: takes no lock, and refuses what would change the store ("readonly"). */
  readonly?: boolean;
  /** false: "notfound" where there is no store yet, instead of a new one. */
  create?: boolean;
  /** true: "exists" where there is one already. */
  exclusive?: boolean;
  /** Level for commits that do not say theirs; default: the best that the store offers ("durable"). */
  durability?: Durability;
  /** IndexedDB: takes the store from another tab, which is "dead" from then on. */
  takeover?: boolean;
  /** IndexedDB: asks the browser to keep this origin's storage when space gets short. */
  persist?: boolean;
  /** IndexedDB: goes on with a new store where the browser lost one ("lost" otherwise). */
  acceptLoss?: boolean;
  /** The global Memory: "off" (the default), "on", "track". */
  alias?: "off" | "on" | "track";
  /**
   * Commits after each run, call, set and call of a LuaFunction: soon, several at once. `true` reports failures to
   * `warn`.
   */
  autocommit?: boolean | { durability?: Durability; onError(error: HearthError): void };
  /**
   * In a page: commits when it is hidden or left. Default: true with autocommit. No page is waited for: the browser may
   * lose that last commit, whole; certain is what a commit() has resolved for.
   */
  flushOnHide?: boolean;
  /** One line of what Lua prints; default console.log. */
  print?: (line: string) => void; // neither this nor warn nor seal may go back to Lua: "busy"
  /** One line that Hearth or Lua's warn has to say; default console.warn. */
  warn?: (line: string) => void;
  /** Functions by module and name, Lua globals that are stored by name: { ui: { alert(text) {} } }. */
  modules?: { [module: string]: { [name: string]: (...args: any[]) => any } };
  /** Lua modules: name -> source, found by require and stored by name. */
  sources?: { [name: string]: string | Uint8Array };
  /** Bytes in which large tables are stored and compared; counts for a new store. */
  pageSize?: number;
  /** true: functions are stored without debug information. */
  strip?: boolean;
  /** false: Lua functions are refused, and no others, in the store and in commits ("refused"). */
  functions?: boolean;
  /** true: names that nothing is registered for get stand-ins that keep the name, instead of "unknown". */
  placeholders?: boolean;
  /** A keyed hash of 32 bytes, as BLAKE2b or HMAC-SHA256 give it: functions are sealed when written, and refused
   *  without their seal. */
  seal?: (bytes: Uint8Array) => Uint8Array;
  /** IndexedDB: says through `warn`, once, that a new store has a legacy database beside it. Default: true. */
  legacyNotice?: boolean;
}

/**
 * A record of the legacy runtime `cu`, as its database gives it or as JSON has it ({ $uint8array: [...] } for bytes).
 */
export interface LegacyRecord {
  /** The table's number; "__metadata__" for the metadata. */
  id: number | string;
  /** Its entries, by the text of their keys. */
  data: { [key: string]: any };
}

/** What Hearth.importLegacy takes over, and into which store. */
export interface LegacyOptions extends Options {
  /** The name of the legacy database, "LuaPersistentDB", or its records. */
  from: string | LegacyRecord[];
  /** What a key's text becomes: "integer" (default) makes canonical decimal text of an integer an integer, "number"
   *  that of a float a number too, "text" leaves all text. */
  keys?: "integer" | "number" | "text";
  /** The home table's number, where the metadata is damaged. */
  home?: number | string;
  /** Tables that nothing refers to are kept as _home[unreachable][id]; otherwise they are only reported. */
  unreachable?: string;
}

/** What could not be taken over, or written, as it was. */
export interface LegacyReport {
  /** The home table's number in the legacy records. */
  home: number;
  /** How many tables were taken over, or written. */
  tables: number;
  /** How many entries they have. */
  entries: number;
  /** As the metadata say. */
  savedAt?: string;
  /** How many items there are of each kind. */
  counts: { [what: string]: number };
  /** One by one: in which table, by number, at which key, and what it is. */
  items: {
    what: "damaged" | "lossy" | "function" | "upvalues" | "unreachable" | "collision" | "key" | (string & {});
    table?: number | string;
    key?: string;
    message: string;
  }[];
}

/** How exportLegacy writes. */
export interface LegacyExportOptions {
  /** Writes the records into this legacy database too: "exists" when it holds something, unless `replace`. */
  to?: string;
  /** true: what the database holds is replaced. */
  replace?: boolean;
  /** Which legacy runtime shall read it; "2.0" knows no tables in tables. Default "2.1". */
  runtime?: "2.0" | "2.1";
  /** Default: now. */
  savedAt?: string;
}

/** How code is run. */
export interface RunOptions {
  /** The name of the chunk in messages; default "=run". */
  name?: string;
  /** Raises when about so many VM instructions were run, in coroutines made meanwhile too: whatever catches the error
   *  meets it again with its next instruction. Not counted: coroutines made before, finalizers, message handlers of
   *  xpcall. */
  instructions?: number;
  /** Values of `...`. */
  args?: LuaValue[];
}

/** What code returned and printed. */
export interface Captured {
  /** What it returned. */
  values: LuaValue[];
  /** What was printed. */
  output: string;
}

/** Figures of a store and its Lua state. */
export interface Stat {
  /** "indexeddb", "file", "memory". */
  backend: string;
  /** homeTableId: the number of `_home`. */
  homeId: number;
  /** memoryTableId: the same, once something was committed; 0: the store that was opened has none. */
  memoryId: number;
  /** nextTableId: the number that the next object gets. */
  nextId: number;
  /** Of the last commit that wrote; undefined: never. */
  savedAt?: Date;
  /** Objects of the last commit: tables, functions, cells and the rest of the home graph. */
  objects: number;
  /** External tables. */
  externals: number;
  /** Entries that the last commit wrote or deleted. */
  committedEntries: number;
  /** Bytes of their keys and values. */
  committedBytes: number;
  /** Bytes in which large tables are stored. */
  pageSize: number;
  /** Bytes of the Lua state. */
  luaBytes: number;
  /** Bytes of the whole WebAssembly memory. */
  memoryBytes: number;
  /** Of the global Memory, while tracked; at most 100 places: "source:line", "[C]" for call, get and set. */
  alias: { uses: number; places: string[] };
  /** Of the backend: the numbers of the last complete and the last durable batch; entries that can be read, bytes of
   *  their keys and values, bytes that the store occupies, memory for the index; flushes, and bytes written, since it
   *  was opened. */
  storage: {
    sequence: number; durable: number; entries: number; liveBytes: number; totalBytes: number; indexBytes: number;
    synced: number; written: number;
    /** IndexedDB: will the browser keep it when space gets short? */
    persistent?: boolean;
  };
}

/** A store and the Lua state that it is open in. */
export class Hearth {
  private constructor();

  /** Opens a store and a new Lua state with `_home` and `ext` in it. */
  static open(options?: Options): Promise<Hearth>;
  /** Opens a store, which must be new or empty ("exists"), fills it with what the legacy runtime `cu` stored, and
   *  commits. The legacy database is only read. Where this fails, nothing was stored. "notfound": there is no such
   *  database; "damaged": it is none of cu's, or does not say which table is the home table: choose `home`. */
  static importLegacy(options: LegacyOptions): Promise<{ hearth: Hearth; report: LegacyReport }>;
  /** The library's version. */
  static readonly version: string;

  /** Runs Lua code: the values it returned. */
  run(code: string | Uint8Array, options?: RunOptions): LuaValue[];
  /** The same, with what it printed. */
  capture(code: string | Uint8Array, options?: RunOptions): Captured;
  /** Calls a function by its path: call("_home.greet", "you"). */
  call(path: string, ...args: LuaValue[]): LuaValue[];
  /** What is at a path: "_home.players[3].name". undefined where nothing is. */
  get(path: string): LuaValue;
  /** Puts a value there; what the last name of the path is looked up in must be a table. */
  set(path: string, value: LuaValue): void;

  /** Stores what changed, as one batch; resolves when it has reached the level. Where it fails nothing was stored; but
   *  after "io" and "dead" the batch is there or not, as a whole, when the store is opened again. */
  commit(options?: { durability?: Durability }): Promise<void>;
  /** Back to the last commit, in the same tables. */
  rollback(): Promise<void>;
  /** Commits what was outstanding, calls f, commits; when f throws, rolls back and rejects with that. f may not be
   *  async. When that last commit fails later ("full"), it rejects and the changes stay for the next commit. */
  transaction<T>(f: (hearth: Hearth) => T): Promise<T>;
  /** A read-only store is read again. */
  refresh(): Promise<void>;
  /** Gives back the space of what is dead. */
  compact(options?: { keep?: number }): Promise<void>;

  /** One value as bytes, as hearth.encode in Lua. */
  encode(value: LuaValue, options?: { canonical?: boolean; strip?: boolean }): Uint8Array;
  /** The same for the value at a path: functions of Lua with their upvalues, identity and all. */
  encodePath(path: string, options?: { canonical?: boolean; strip?: boolean }): Uint8Array;
  /** Data only, unless trusted. */
  decode(bytes: Uint8Array,
    options?: { trusted?: boolean; functions?: boolean; permanents?: boolean; metatables?: boolean }): LuaValue;

  /** Figures, as they are now. */
  stat(): Stat;
  /** The global Memory, as in the option `alias`. */
  setAlias(policy: "off" | "on" | "track"): void;
  /** The whole store as last committed, as the native `hearth export` writes it. */
  export(): Promise<Uint8Array>;
  /** The home table as the legacy runtime stored it: records for its database, and what they cannot hold. */
  exportLegacy(options?: LegacyExportOptions): Promise<{ records: LegacyRecord[]; report: LegacyReport }>;
  /** Replaces all of the store by what an export or a store's file holds, as one batch. The Lua state is made anew.
   *  "exists" when the store is not empty, unless `replace`. */
  import(bytes: Uint8Array, options?: { replace?: boolean }): Promise<void>;

  /** Closes without committing; waits for what is being written. */
  close(): Promise<void>;
  /** close(), for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;

  /** "dead", with the reason, once the store failed: the Lua state goes on, to be saved elsewhere. */
  readonly failure: HearthError | undefined;
  /** After close(). */
  readonly closed: boolean;
}
