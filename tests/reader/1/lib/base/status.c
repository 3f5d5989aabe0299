/* Names and texts of the status codes: one table, in the order of the codes. */
#include "hearth_status.h"

typedef struct StatusText {
  const char *name, *text;
} StatusText;

static const StatusText texts[] = {
    {"ok", "success"},
    {"nomem", "memory is exhausted"},
    {"invalid", "a wrong argument, option, URI or path"},
    {"unstorable", "a value that cannot be stored"},
    {"damaged", "the bytes are damaged"},
    {"version", "written by a newer format than this library reads"},
    {"lua", "a function that does not fit this Lua"},
    {"refused", "not allowed in untrusted data"},
    {"unknown", "a name that this program does not know"},
    {"limit", "a limit was exceeded"},
    {"seal", "a function without the right seal"},
    {"raised", "Lua code raised an error"},
    {"busy", "in use by another owner"},
    {"dead", "the store failed and must be reopened"},
    {"full", "no space left"},
    {"io", "input or output failed"},
    {"conflict", "a check in the batch failed"},
    {"stale", "the store or the table moved on"},
    {"readonly", "the store is read-only"},
    {"notfound", "nothing there"},
    {"notstore", "not a Hearth store"},
    {"replaced", "the global _home was replaced"},
    {"cycle", "rebuilding functions need each other"},
    {"closed", "the store is closed"},
    {"toobig", "too big"},
    {"foreign", "belongs elsewhere"},
    {"unsupported", "not supported here"},
    {"exists", "already there"},
    {"insecure", "no locks on an insecure origin"},
    {"lost", "the browser lost the store"},
};

static const StatusText *find(hearth_status code) {
  static const StatusText pending = {"pending", "accepted, not complete yet"};
  static const StatusText unknown = {"unknown-status", "not a status of this library"};
  int index = -(int)code;
  if (code == HEARTH_PENDING) return &pending;
  return index >= 0 && index < (int)(sizeof texts / sizeof *texts) ? &texts[index] : &unknown;
}

const char *hearth_status_name(hearth_status code) {
  return find(code)->name;
}

const char *hearth_status_text(hearth_status code) {
  return find(code)->text;
}
