/** The interface of the legacy runtime `cu`, versions 2.0 and 2.1, on top of Hearth. */
import type { Hearth, LegacyReport, Options } from "../hearth.js";

/** How load() opens the store, beside what it has in common with Hearth.open. */
export interface LoadOptions
  extends Pick<Options, "wasm" | "takeover" | "persist" | "acceptLoss" | "modules" | "sources" | "print" | "warn"> {
  /** false: begins with an empty home table; what is saved stays until saveState(), and loadState() gives it. What the
   *  legacy runtime saved is taken over too; where that cannot be done, nothing is. Default: true. */
  autoRestore?: boolean;
  /** Where the legacy runtime's file was; not used. `wasm` says where hearth.wasm is, if not beside its module. */
  wasmPath?: string;
  /** Where the state is kept; default "indexeddb:cu". "file:PATH" in Node. */
  store?: string;
  /** The legacy database that is taken over; default "LuaPersistentDB". */
  legacy?: string;
  /** Called when there is a legacy state: as it is taken over, and at each load() after that. */
  onLegacyState?: (state: LegacyState) => void;
  /** As for Hearth.importLegacy; it also says what a key's text becomes in setInput(). */
  keys?: "integer" | "number" | "text";
  /** As for Hearth.importLegacy. */
  home?: number | string;
  /** As for Hearth.importLegacy. */
  unreachable?: string;
}

/** What the legacy runtime saved, beside what was taken over of it. */
export interface LegacyState {
  /** The database's name. */
  database: string;
  /** When the legacy runtime saved it, as text; of a database too old to know, a hash of what it holds. */
  savedAt: string;
  /** The same of the state that was taken over; undefined: that is not known, since the store was in use when the
   *  legacy state was first seen, or the note of it is gone. */
  takenOver?: string;
  /** It is not the one that was taken over: an old tab has saved since; or that is not known. */
  newer: boolean;
  /** Of the takeover; only in the load() that did it, and of takeLegacyState(). */
  report?: LegacyReport;
  /** Why it could not be taken over by this load(), with autoRestore: false; or why what was taken over could not be
   *  stored: then saveState() tries it again. */
  failure?: Error;
}

/** The tables, as getTableInfo() of 2.1 told them. */
export interface TableInfo {
  /** How many there are. */
  tableCount: number;
  /** The number of `_home`; null before load(). */
  homeTableId: number | null;
  /** The number of the global Memory, the same table; null where there is none. */
  memoryTableId: number | null;
  /** The number that the next table gets. */
  nextTableId: number;
  /** The tables that can be reached from _home, and _io unless it is empty. */
  tables: { id: number; size: number; keys: string[] }[];
}

/** Opens the store, the first time with what the legacy runtime saved. Again: anew, without what was not saved. */
export function load(options?: LoadOptions): Promise<boolean>;
/** The name of load() in 2.0. */
export function loadLuaWasm(options?: LoadOptions): Promise<boolean>;
/** To be called after load(): 0. */
export function init(): number;
/** Runs Lua code: how many bytes readResult() is to read. After an error a negative number: so many bytes readBuffer()
 *  is to read, "Error: message". The error is on the console too; everything goes on after it. */
export function compute(code: string): Promise<number>;
/** The address of the buffer, for readResult(), readBuffer() and writeBuffer(). */
export function getBufferPtr(): number;
/** 65536. A longer result is not cut off. */
export function getBufferSize(): number;
/** Bytes. */
export function getMemoryStats(): { total: number; used: number; free: number };
/** Has Lua collect its garbage; false when that failed. */
export function runGc(): boolean;
/** Text in the buffer; "" where there is none. */
export function readBuffer(ptr: number, len: number): string;
/** What was printed, and the last value that was returned: null for nil, text (a Uint8Array where it is no UTF-8), a
 *  bigint beyond 2^53 - 1, "<table>", "<function>". */
export function readResult(ptr: number, len: number): { output: string; result: any };
/** Writes text into the buffer: how many bytes that took. */
export function writeBuffer(ptr: number, text: string): number;

/** Resolves when _home is on the device; to false, and why on the console, when it is not. Before load(): false. */
export function saveState(): Promise<boolean>;
/** Back to what was saved last. Before load(): true, and nothing is done. */
export function loadState(): Promise<boolean>;
/** Removes what is saved, and what the legacy runtime saved; the Lua state stays as it is. Before load(), or after one
 *  that failed: in the store that the latest load() named, else in the default one. */
export function clearPersistedState(): Promise<boolean>;

/** Undefined where there is none. */
export function getLegacyState(): LegacyState | undefined;
/** Puts the legacy state in place of all that is in _home, and saves. Where it rejects, nothing has changed. */
export function takeLegacyState(): Promise<LegacyReport>;
/** Removes what the legacy runtime saved; before load() too. */
export function clearLegacyState(): Promise<boolean>;

/** The tables that there are. */
export function getTableInfo(): TableInfo;
/** The number of the global Memory; null where there is none. */
export function getMemoryTableId(): number | null;
/** The number of `_home`; null before load(). */
export function getHomeTableId(): number | null;
/** Is _home also the global Memory? It is by default. */
export function setMemoryAliasEnabled(enabled: boolean): void;

/** The number of `_io`. */
export function getIoTableId(): number;
/** Becomes _io.input: arrays, objects, Map, Set, text, numbers, bigint, booleans, Uint8Array (a Lua string). Throws
 *  for a bigint of more than 64 bits. */
export function setInput(value: unknown): void;
/** _io.output: null for nil and for what has no form in JavaScript, [] for an empty table, keys as text; a bigint
 *  beyond 2^53 - 1, a Uint8Array for text that is no UTF-8. */
export function getOutput(): any;
/** Puts a value into `_io.meta`, converted like that of setInput(). */
export function setMetadata(value: unknown): void;
/** Empties _io. */
export function clearIo(): void;

/** What is underneath, to go on from here. */
export function getHearth(): Hearth;

/** All of them in one object, as the legacy package exported them. */
declare const cu: {
  load: typeof load; loadLuaWasm: typeof loadLuaWasm; init: typeof init; compute: typeof compute;
  getBufferPtr: typeof getBufferPtr; getBufferSize: typeof getBufferSize; getMemoryStats: typeof getMemoryStats;
  runGc: typeof runGc; readBuffer: typeof readBuffer; readResult: typeof readResult; writeBuffer: typeof writeBuffer;
  saveState: typeof saveState; loadState: typeof loadState; clearPersistedState: typeof clearPersistedState;
  getTableInfo: typeof getTableInfo; getMemoryTableId: typeof getMemoryTableId; getHomeTableId: typeof getHomeTableId;
  setMemoryAliasEnabled: typeof setMemoryAliasEnabled; getIoTableId: typeof getIoTableId; setInput: typeof setInput;
  getOutput: typeof getOutput; setMetadata: typeof setMetadata; clearIo: typeof clearIo;
  getLegacyState: typeof getLegacyState; takeLegacyState: typeof takeLegacyState;
  clearLegacyState: typeof clearLegacyState; getHearth: typeof getHearth;
};
export default cu;
