/* hearth import-legacy and export-legacy: data of the legacy runtime `cu`, as the JSON of IndexedDB's getAll(). */
#include <errno.h>
#include <string.h>

#include "command.h"

typedef struct ImportOptions {
  const char *keys, *home, *unreachable;
  unsigned long long home_id; /* 0: as the metadata say */
  bool report;
} ImportOptions;

typedef struct ExportOptions {
  const char *runtime;
  bool report, uint8array;
} ExportOptions;

#ifdef HEARTH_HAVE_JANSSON

#include <lauxlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "hearth_legacy.h"
#include "legacy.h"
#include "progress.h"
#include "script.h"

#define LATEST 253402300799999u /* milliseconds: the end of the year 9999 */

/* One of the two commands, for functions that Lua calls. */
typedef struct Legacy {
  Script script;
  const char *path; /* of the dump, for messages; NULL: standard output */
  FILE *file;
  const ImportOptions *import;
  const ExportOptions *export;
  JsonText text;
  int status;
} Legacy;

static int out_of_memory(void) {
  return complain(STATUS_FAILED, "%s", hearth_status_text(HEARTH_NOMEM));
}

/* Calls f(L) with the Legacy before the `nargs` values at the top. Want of memory is all that can be raised. */
static int call_protected(Legacy *l, lua_CFunction f, int nargs, int nresults) {
  lua_State *L = l->script.L;
  lua_pushcfunction(L, f);
  lua_insert(L, -nargs - 1);
  lua_pushlightuserdata(L, l);
  lua_insert(L, -nargs - 1);
  if (lua_pcall(L, nargs + 1, nresults, 0) == LUA_OK) return l->status;
  const char *message = lua_tostring(L, -1);
  return message != NULL ? complain(STATUS_FAILED, "%s", message) : out_of_memory();
}

static void set_text(lua_State *L, const char *name, const char *text) {
  if (text == NULL) return;
  lua_pushstring(L, text);
  lua_setfield(L, -2, name);
}

/* ----------------------------------------------------------------- import */

/* The path of a store that is to be made, or NULL: it is there, or is in no file. */
static const char *path_to_make(const Call *call) {
  const char *location;
  struct stat info;
  const hearth_backend *backend = hearth_backend_for_uri(call->uri, command_backends, &location, NULL);
  return backend == &hearth_file_backend && lstat(location, &info) != 0 && errno == ENOENT ? location : NULL;
}

/* Answers the report, with a status of l. The text is let go of as soon as its values are in Lua. */
static int fill_home(lua_State *L) {
  Legacy *l = lua_touserdata(L, 1);
  hearth_error err;
  legacy_push_records(L, &l->text, legacy_find_records(l->text.root));
  json_text_free(&l->text);
  lua_newtable(L);
  set_text(L, "keys", l->import->keys);
  set_text(L, "unreachable", l->import->unreachable);
  if (l->import->home_id != 0) {
    lua_pushinteger(L, (lua_Integer)l->import->home_id);
    lua_setfield(L, -2, "home");
  }
  hearth_status status = hearth_import_legacy(L, l->script.store, 2, 3, &err);
  if (status == HEARTH_OK) return 1;
  if (status == HEARTH_DAMAGED)
    l->status = complain(STATUS_FAILED, "%s: %s (--home ID chooses it)", l->path, err.message);
  else
    l->status = complain_about(STATUS_FAILED, status == HEARTH_EXISTS ? l->script.location : l->path, &err);
  lua_pushnil(L);
  return 1;
}

static int print_lines(lua_State *L) {
  Legacy *l = lua_touserdata(L, 1);
  l->status = legacy_print_report(L, 2, stdout) ? finish_output() : out_of_memory();
  return 0;
}

static int print_summary(lua_State *L) {
  Legacy *l = lua_touserdata(L, 1);
  (void)fputs("imported ", stdout);
  legacy_print_size(L, 2, stdout);
  if (legacy_print_counts(L, 2, "; ", stdout) && !l->import->report) (void)fputs(" (--report lists them)", stdout);
  (void)fputc('\n', stdout);
  l->status = finish_output();
  return 0;
}

/* The lines of the report must have been told before the store is changed: they may say what is to be mended first. */
static int import_and_commit(Legacy *l, bool *committed) {
  lua_State *L = l->script.L;
  progress_watch("import-legacy");
  int status = call_protected(l, fill_home, 0, 1);
  progress_watch_end();
  if (status == STATUS_OK && l->import->report) {
    lua_pushvalue(L, -1);
    status = call_protected(l, print_lines, 1, 0);
  }
  if (status == STATUS_OK) status = script_commit(&l->script);
  *committed = status == STATUS_OK;
  return status == STATUS_OK ? call_protected(l, print_summary, 1, 0) : status;
}

/* A store that was made for this goes again where it fails: while we own it, so that nobody else has it. */
static int import_dump(Call *call, const ImportOptions *options) {
  Legacy l = {.path = json_text_name(call->argv[0]), .import = options};
  bool committed = false;
  int status = json_text_read(call->argv[0], &l.text);
  if (status == STATUS_OK && legacy_find_records(l.text.root) == NULL)
    status = complain(STATUS_NO_STORE, "%s: neither a list of records nor a dump of a database", l.path);
  const char *made = path_to_make(call);
  if (status == STATUS_OK) status = script_open(call, made != NULL ? HEARTH_OPEN_EXCLUSIVE : 0, &l.script);
  if (status == STATUS_OK) {
    status = import_and_commit(&l, &committed);
    if (!committed && made != NULL && unlink(made) != 0)
      status = complain(STATUS_FAILED, "%s: cannot remove it: %s", made, strerror(errno));
    status = script_close(&l.script, status);
  }
  json_text_free(&l.text);
  return status;
}

/* ----------------------------------------------------------------- export */

/* Pushes when the store was committed last, as JavaScript writes it: the same store gives the same bytes. */
static bool push_saved_at(Legacy *l) {
  hearth_stat stat = {.size = sizeof stat};
  hearth_error err;
  struct tm date;
  char text[80];
  if (hearth_store_stat(l->script.store, &stat, &err) != HEARTH_OK) {
    l->status = complain_about(STATUS_FAILED, l->script.location, &err);
    return false;
  }
  time_t seconds = (time_t)(stat.saved_at / 1000);
  if (stat.saved_at > LATEST || gmtime_r(&seconds, &date) == NULL) {
    l->status = complain(STATUS_FAILED, "%s: the time of its last commit is none", l->script.location);
    return false;
  }
  (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", date.tm_year + 1900, date.tm_mon + 1,
                 date.tm_mday, date.tm_hour, date.tm_min, date.tm_sec, (unsigned)(stat.saved_at % 1000));
  lua_pushstring(l->script.L, text);
  return true;
}

/* Answers the report. */
static int write_dump(lua_State *L) {
  Legacy *l = lua_touserdata(L, 1);
  hearth_error err;
  lua_newtable(L);
  set_text(L, "runtime", l->export->runtime);
  if (!push_saved_at(l)) return 0;
  lua_setfield(L, 2, "saved_at");
  if (hearth_export_legacy(L, l->script.store, 2, &err) != HEARTH_OK) {
    l->status = complain_about(STATUS_FAILED, l->script.location, &err);
    return 0;
  }
  if (!legacy_write_records(L, 3, l->export->uint8array, l->file)) l->status = out_of_memory();
  return 1;
}

/* On standard error, since standard output may be the dump. */
static int print_losses(lua_State *L) {
  Legacy *l = lua_touserdata(L, 1);
  if (l->export->report) {
    if (!legacy_print_report(L, 2, stderr)) l->status = out_of_memory();
  } else if (legacy_print_counts(L, 2, "hearth: warning: not all is in it as it is: ", stderr)) {
    (void)fputs(" (--report lists it)\n", stderr);
  }
  if (l->path == NULL) return 0;
  (void)printf("%s: ", l->path);
  legacy_print_size(L, 2, stdout);
  (void)fputc('\n', stdout);
  l->status = finish_output();
  return 0;
}

/* Closes the new file, which goes again unless all of it is on the device. */
static int finish_file(const Legacy *l, int status) {
  bool written = !ferror(l->file) && fflush(l->file) == 0 && fsync(fileno(l->file)) == 0;
  int code = errno;
  if (fclose(l->file) != 0 && written) {
    written = false;
    code = errno;
  }
  if (status == STATUS_OK && !written)
    status = complain(STATUS_FAILED, "%s: cannot write: %s", l->path, strerror(code));
  if (status != STATUS_OK) (void)unlink(l->path);
  return status;
}

static int export_dump(Call *call, const ExportOptions *options) {
  Legacy l = {.path = call->argv[0], .file = stdout, .export = options};
  if (l.path != NULL && strcmp(l.path, "-") == 0) l.path = NULL;
  int status = script_open(call, HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE | HEARTH_STORE_PLACEHOLDERS, &l.script);
  if (status != STATUS_OK) return status;
  if (l.path != NULL) {
    l.file = fopen(l.path, "wbx");
    if (l.file == NULL)
      return script_close(&l.script, complain(STATUS_FAILED, "%s: cannot make it: %s", l.path, strerror(errno)));
  }
  progress_watch("export-legacy");
  status = call_protected(&l, write_dump, 0, 1);
  progress_watch_end();
  status = l.path != NULL ? finish_file(&l, status) : status == STATUS_OK ? finish_output() : status;
  if (status == STATUS_OK) status = call_protected(&l, print_losses, 1, 0);
  return script_close(&l.script, status);
}

#else

static int without_json(const Call *call) {
  return complain(STATUS_FAILED, "%s: this program was built without Jansson, so without this command", call->command);
}

static int import_dump(Call *call, const ImportOptions *options) {
  (void)options;
  return without_json(call);
}

static int export_dump(Call *call, const ExportOptions *options) {
  (void)options;
  return without_json(call);
}

#endif

/* --------------------------------------------------------------- commands */

/* Complains unless `value` is one of the choices, which NULL ends, or NULL. */
static bool is_choice(const Call *call, const char *option, const char *value, const char *const *choices) {
  for (const char *const *c = choices; value != NULL && *c != NULL; c++)
    if (strcmp(*c, value) == 0) return true;
  if (value == NULL) return true;
  complain(STATUS_USAGE, "%s: --%s: unknown: '%s' (try: hearth %s --help)", call->command, option, value,
           call->command);
  return false;
}

int command_import_legacy(Call *call) {
  static const char *const keys[] = {"integer", "number", "text", NULL};
  ImportOptions o = {0};
  const Option options[] = {
    {"report", &o.report, NULL}, {"home", NULL, &o.home}, {"keys", NULL, &o.keys},
    {"unreachable", NULL, &o.unreachable}, {NULL, NULL, NULL}};
  int status;
  if (!call_options(call, options, false, 1, 1, &status)) return status;
  if (!is_choice(call, "keys", o.keys, keys)) return STATUS_USAGE;
  if (o.home != NULL && !option_number("home", o.home, UINT32_MAX, &o.home_id)) return STATUS_USAGE;
  if (o.home != NULL && o.home_id == 0) return complain(STATUS_USAGE, "--home: tables have numbers from 1");
  if (o.unreachable != NULL && *o.unreachable == '\0')
    return complain(STATUS_USAGE, "--unreachable: a name is missing");
  return import_dump(call, &o);
}

int command_export_legacy(Call *call) {
  static const char *const runtimes[] = {"2.0", "2.1", NULL};
  ExportOptions o = {0};
  const Option options[] = {
    {"report", &o.report, NULL}, {"uint8array", &o.uint8array, NULL}, {"runtime", NULL, &o.runtime},
    {NULL, NULL, NULL}};
  int status;
  if (!call_options(call, options, false, 0, 1, &status)) return status;
  if (!is_choice(call, "runtime", o.runtime, runtimes)) return STATUS_USAGE;
  return export_dump(call, &o);
}
