/** Legacy records into the home table of an open store, and out of it, by lib/legacy/legacy.lua. */
import { HearthError } from "../error.js";
import { read, write } from "./database.js";
import { listFromLua, recordsFromLua, recordsToLua } from "./records.js";
import legacySource from "./lua.js";

/* The report is a list with fields, which would come over as a Map. */
const LOAD = `
local function split(report)
  local list = table.move(report, 1, #report, 1, {})
  return list, {home = report.home, tables = report.tables, entries = report.entries, saved_at = report.saved_at,
    counts = report.counts}
end
local source, options = ...
local legacy = assert(load(source, "=hearth.legacy", "t", _ENV))(hearth.load_chunk)
`;

const IMPORT = `${LOAD}
options.home_table = home()
local filled, report, code = legacy.import(select(3, ...), options)
if not filled then return nil, report, code end
return true, split(report)`;

const EXPORT = `${LOAD}
local records, report, code = legacy.export(home(), options)
if not records then return nil, report, code end
return records, split(report)`;

/** @typedef {(code: string, ...args: any[]) => any[]} Run runs Lua code as in pristine.js: what it returned */

/** Runs code that answers nil, message, code where it fails. */
function answer(run, code, ...args) {
  const [result, ...others] = run(code, legacySource, ...args);
  if (result === undefined) throw new HearthError(others[1], others[0]);
  return [result, ...others];
}

function reportFromLua(items, { home, tables, entries, saved_at: savedAt, counts }) {
  return { home, tables, entries, savedAt, counts, items: listFromLua(items) };
}

/**
 * The records to be imported: those of a database, or those that are given.
 * @param {string | object[]} from
 * @returns {Promise<object[]>}
 */
export function recordsOf(from) {
  if (typeof from === "string") return read(from);
  if (Array.isArray(from)) return from;
  throw new HearthError("invalid", "option 'from': the name of a legacy database or an array of records expected");
}

/**
 * Fills the home table, which must be empty ("exists"), and does not commit. After a failure some of it may be there.
 * @param {Run} run
 * @param {object[]} records
 * @param {{keys?: string, home?: number | string, unreachable?: string}} options
 */
export function fill(run, records, { keys, home, unreachable }) {
  const [, items, fields] = answer(run, IMPORT, { keys, home, unreachable }, recordsToLua(records));
  return reportFromLua(items, fields);
}

/**
 * The home table as legacy records; written into a legacy database with `to`.
 * @param {Run} run
 * @param {{to?: string, replace?: boolean, runtime?: string, savedAt?: string}} options
 */
export async function exportRecords(run, { to, replace = false, runtime, savedAt = new Date().toISOString() }) {
  const [luaRecords, items, fields] = answer(run, EXPORT, { runtime, saved_at: savedAt });
  const records = recordsFromLua(luaRecords);
  if (to !== undefined) await write(to, records, replace);
  return { records, report: reportFromLua(items, fields) };
}
