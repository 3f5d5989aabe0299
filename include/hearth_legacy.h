/*
** Data of the legacy runtime `cu` (versions 1.x to 2.1) into a store, and back.
**
** Its records are Lua values here, of the shape that IndexedDB's getAll() gives:
** a list of {id = 1, data = {[key text] = value}}, one of them with the id
** "__metadata__". A value is {_type = "binary", data = B}, {["$uint8array"] = B},
** or a string (the oldest versions stored text); B is a string of bytes or a
** list of numbers from 0 to 255. docs/LEGACY.md says what the bytes are, what
** becomes of them, and what the reports say.
**
** A report is a list of {table = id, key = "text", what = "damaged", message =
** "one line"}, ordered by table and key, with the fields home (its number),
** tables, entries (how many), saved_at (text, or nil) and counts (by `what`).
**
** These functions use the libraries string, table, math, utf8 and debug of the
** state that they are called in: UNSUPPORTED where one is missing.
*/
#ifndef HEARTH_LEGACY_H
#define HEARTH_LEGACY_H

#include "hearth.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
** [-0, +1, m] Puts what the records at `records` hold into the empty home table of the store, and pushes the
** report: what is damaged is said there, and all the rest is imported. It does not commit. `options` is the index of a
** table, or 0:
**   keys         "integer" (the default): the decimal text of an integer becomes an integer key, since the legacy
**                runtime did not tell 1 from "1"; "number": that of floats too; "text": none
**   home         number of the home table, where the metadata does not tell it; INVALID where there is no such table
**   unreachable  name: tables that nothing refers to are kept as home[name][id]; without it they are only reported
**   globals      table for the first upvalue of functions (default: that of the store's environment)
**   warn         function(line) (default: the store's)
** EXISTS when the home table is not empty, whatever is wrong besides; it is empty after every other failure. DAMAGED
** when the metadata does not tell the home table: the message lists the tables. INVALID for records or options that are
** none. RAISED by the warn function. UNSUPPORTED, NOMEM.
*/
HEARTH_API hearth_status hearth_import_legacy(lua_State *L, hearth_store *store, int records, int options,
                                              hearth_error *err);

/*
** [-0, +2, m] Pushes the records of what the home table holds now, and the report, which names everything that a legacy
** database cannot hold or its runtime not read. `options` is the index of a table, or 0:
**   runtime   "2.1" (the default), or "2.0", which knows no tables in tables: they are left out
**   saved_at  text for the metadata (default: the time now)
**   globals   as above
** INVALID for options that are none. RAISED, IO and the like when an external table cannot be read. UNSUPPORTED, NOMEM.
*/
HEARTH_API hearth_status hearth_export_legacy(lua_State *L, hearth_store *store, int options, hearth_error *err);

/*
** [-0, +1, m] Pushes a table of two functions that need no store: import(records, options) -> home, report;
** export(home, options) -> records, report; both answer nil, message, code where they fail. import takes the further
** option home_table, the table to fill. UNSUPPORTED, NOMEM.
*/
HEARTH_API hearth_status hearth_push_legacy(lua_State *L, hearth_error *err);

#ifdef __cplusplus
}
#endif

#endif
