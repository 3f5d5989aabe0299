/* The parts of import-legacy and export-legacy. docs/LEGACY.md describes the records. */
#ifndef HEARTH_TOOL_LEGACY_H
#define HEARTH_TOOL_LEGACY_H

#include <jansson.h>
#include <lua.h>
#include <stdbool.h>
#include <stdio.h>

/* A text in JSON that was read. */
typedef struct JsonText {
  json_t *root;  /* owned; NULL once it was let go of */
  bool marked;   /* in its strings U+0001 stands twice, and is a mark before 2: NUL, and 3 XXXX: half a pair */
} JsonText;

/* Reads the file (- is standard input). Complains and answers a status to exit with, or 0. */
int json_text_read(const char *path, JsonText *out);
const char *json_text_name(const char *path); /* for messages; static, or the path */
void json_text_free(JsonText *text);

/* [+1, m] Pushes a string of the text, taking the marks out. Raises for want of memory. */
void json_text_push(lua_State *L, const JsonText *text, const char *bytes, size_t size);

/* Is there a half of a surrogate pair in it, in the place of which U+FFFD is pushed? */
bool json_text_has_replacement(const JsonText *text, const char *bytes);

/*
** The list of records in the forms that a dump may have: itself; {"records": [...]}; {"database": {"objectStores":
** [...]}} or {"objectStores": [...]}, where it is that of "externalTables". Borrowed; NULL: there is none.
*/
json_t *legacy_find_records(const json_t *root);

/* [+1, m] Pushes the records as hearth_import_legacy takes them, bytes as strings. Raises for want of memory. */
void legacy_push_records(lua_State *L, const JsonText *text, const json_t *records);

/*
** [+0, m] Writes the records at `index` as hearth_export_legacy gives them, one a line, keys in the order of their
** bytes. Stored bytes are {"_type": "binary", "data": [...]}, or {"$uint8array": [...]}. False: memory is exhausted.
** Raises for want of it too. Errors of the file are left to ferror.
*/
bool legacy_write_records(lua_State *L, int index, bool uint8array, FILE *out);

/* Prints a report: table, key, what, message; a line each, a tab between. [+0, m] False: memory is exhausted. */
bool legacy_print_report(lua_State *L, int report, FILE *out);

/* Prints "8 tables, 46 entries, saved at 2026-...", without line end. [+0, m] */
void legacy_print_size(lua_State *L, int report, FILE *out);

/* Prints `before` and "damaged 1, function 2"; false and nothing when there is nothing to report. [+0, m] */
bool legacy_print_counts(lua_State *L, int report, const char *before, FILE *out);

#endif
