#include "bench.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lualib.h>

static const Row *const areas[] = {codec_rows, closure_rows, commit_rows, change_rows,
                                   batch_rows, open_rows,    external_rows, memory_rows};

/* Where a pure-Lua peer is, whichever 5.x Debian made it for. */
#define PEERS_PATH ";/usr/share/lua/5.3/?.lua"

_Noreturn void bench_fail(const Bench *b, const char *format, ...) {
  va_list args;
  (void)fprintf(stderr, "bench: %s: ", b->row != NULL ? b->row->name : "");
  va_start(args, format);
  (void)vfprintf(stderr, format, args);
  va_end(args);
  (void)fputc('\n', stderr);
  exit(1);
}

void *bench_new(const Bench *b, size_t size) {
  void *p = calloc(1, size);
  if (p == NULL) bench_fail(b, "no memory");
  return p;
}

void bench_ok(const Bench *b, hearth_status status, const hearth_error *err) {
  if (status != HEARTH_OK) bench_fail(b, "%s: %s", hearth_status_name(status), err->message);
}

void bench_figure(Bench *b, const char *name, double value) {
  if (b->figure_count == BENCH_MOST_FIGURES) bench_fail(b, "too many figures");
  b->figures[b->figure_count].name = name;
  b->figures[b->figure_count++].value = value;
}

void bench_call(const Bench *b, lua_State *L, int nargs, int nresults) {
  if (lua_pcall(L, nargs, nresults, 0) != LUA_OK) bench_fail(b, "%s", lua_tostring(L, -1));
}

void bench_push_data(const Bench *b, lua_State *L, const char *name) {
  if (lua_getfield(L, BENCH_DATA, name) == LUA_TNIL) bench_fail(b, "data.lua has no %s", name);
}

void bench_check_value(Bench *b, double tolerance) {
  bench_push_data(b, b->L, "same");
  lua_pushvalue(b->L, BENCH_VALUE);
  lua_rotate(b->L, -3, -1);
  lua_pushnumber(b->L, tolerance);
  bench_call(b, b->L, 3, 0);
}

lua_State *bench_new_state(const Bench *b, lua_Alloc alloc, void *ud) {
  char path[BENCH_PATH];
  lua_State *L = alloc != NULL ? lua_newstate(alloc, ud) : luaL_newstate();
  if (L == NULL) bench_fail(b, "no memory");
  luaL_openlibs(L);
  (void)snprintf(path, sizeof path, "%s/data.lua", b->sources);
  if (luaL_loadfile(L, path) != LUA_OK) bench_fail(b, "%s", lua_tostring(L, -1));
  bench_call(b, L, 0, 1);
  return L;
}

void bench_push_set(const Bench *b, lua_State *L, lua_Integer count) {
  char path[BENCH_PATH];
  bench_push_data(b, L, "sets");
  if (lua_getfield(L, -1, b->row->data) == LUA_TNIL) bench_fail(b, "there is no data set %s", b->row->data);
  lua_remove(L, -2);
  lua_pushinteger(L, count);
  (void)snprintf(path, sizeof path, "%s/document.json", b->folder);
  lua_pushstring(L, path);
  bench_call(b, L, 2, 1);
}

void bench_path(const Bench *b, const char *name, char *out) {
  char path[2 * BENCH_PATH];
  DIR *folder = opendir(b->folder);
  if (folder == NULL) bench_fail(b, "%s is no folder", b->folder);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    if (strncmp(entry->d_name, name, strlen(name)) != 0) continue;
    (void)snprintf(path, sizeof path, "%s/%s", b->folder, entry->d_name);
    (void)unlink(path);
  }
  closedir(folder);
  if (snprintf(out, BENCH_PATH, "%s/%s", b->folder, name) >= BENCH_PATH) bench_fail(b, "too long a path");
}

/* ------------------------------------------------------------------ one row */

static int open_peers(lua_State *L) {
  lua_newtable(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "path");
  lua_pushliteral(L, PEERS_PATH);
  lua_concat(L, 2);
  lua_setfield(L, -2, "path");
  lua_pop(L, 1);
  static const char *const modules[] = {"cjson", "MessagePack"};
  for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
    lua_getglobal(L, "require");
    lua_pushstring(L, modules[i]);
    lua_call(L, 1, 1);
    lua_setfield(L, 1, modules[i]);
  }
  return 1;
}

static void begin(Bench *b, const Row *row) {
  b->row = row;
  b->count = row->count < b->most ? row->count : b->most;
  b->sample = 0;
  b->own = NULL;
  lua_State *L = b->L = bench_new_state(b, NULL, NULL);
  lua_pushcfunction(L, open_peers);
  bench_call(b, L, 0, 1);
  if (row->data != NULL)
    bench_push_set(b, L, b->count);
  else
    lua_pushnil(L);
  lua_newtable(L);
  if (row->begin != NULL) row->begin(b);
  lua_settop(L, BENCH_TOP);
  lua_gc(L, LUA_GCSTOP);
}

static void end(Bench *b) {
  if (b->row->end != NULL) b->row->end(b);
  lua_close(b->L);
  b->L = NULL;
  b->row = NULL;
}

static double nanoseconds(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Takes a sample; not `counted`, callgrind does not see it. */
static void take(Bench *b, const Contestant *c, bool counted) {
  b->figure_count = 0;
  if (strstr(c->name, ", uncollected") == NULL) lua_gc(b->L, LUA_GCCOLLECT);
  if (c->before != NULL) c->before(b);
  if (c->run != NULL) {
    double began = nanoseconds(CLOCK_MONOTONIC), used = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    if (counted)
      bench_timed(b, c);
    else
      c->run(b);
    used = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - used;
    bench_figure(b, "ns", nanoseconds(CLOCK_MONOTONIC) - began);
    bench_figure(b, "cpu", used); /* nanoseconds too: what the processor was busy with it */
  }
  if (c->check != NULL) c->check(b);
  lua_settop(b->L, BENCH_TOP);
}

/* ------------------------------------------------------------- the protocol */

static const Row *must_find_row(const Bench *b, const char *name) {
  for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
    for (const Row *row = areas[i]; row->name != NULL; row++)
      if (strcmp(row->name, name) == 0) return row;
  bench_fail(b, "there is no row '%s'", name);
}

static const Contestant *find_contestant(const Bench *b, const char *name) {
  if (b->row == NULL) bench_fail(b, "no row has begun");
  for (const Contestant *c = b->row->contestants; c->name != NULL; c++)
    if (strcmp(c->name, name) == 0) return c;
  bench_fail(b, "it has no contestant '%s'", name);
}

/* A line of JSON. Names have nothing that needs escaping. */
static void print_row(const Row *row) {
  printf("{\"row\":\"%s\",\"count\":%lld,\"contestants\":[", row->name, (long long)row->count);
  for (const Contestant *c = row->contestants; c->name != NULL; c++)
    printf("%s\"%s\"", c == row->contestants ? "" : ",", c->name);
  printf("]}\n");
}

static void print_sample(const Bench *b) {
  printf("{");
  for (int i = 0; i < b->figure_count; i++)
    printf("%s\"%s\":%.17g", i == 0 ? "" : ",", b->figures[i].name, b->figures[i].value);
  printf("}\n");
}

static void command(Bench *b, char *line) {
  char *argument = strchr(line, ' ');
  if (argument != NULL) *argument++ = '\0';
  if (strcmp(line, "rows") == 0) {
    for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
      for (const Row *row = areas[i]; row->name != NULL; row++) print_row(row);
    printf("{}\n");
  } else if (strcmp(line, "begin") == 0 && argument != NULL) {
    begin(b, must_find_row(b, argument));
    printf("{}\n");
  } else if (strcmp(line, "sample") == 0 && argument != NULL) {
    take(b, find_contestant(b, argument), true);
    print_sample(b);
  } else if (strcmp(line, "end") == 0 && b->row != NULL) {
    end(b);
    printf("{}\n");
  } else {
    bench_fail(b, "'%s' is no command, or not now", line);
  }
  (void)fflush(stdout);
}

#define FEW 300 /* entries */

/* Each row twice with few entries, its results checked: what the test is. */
static int each_checked(Bench *b) {
  int rows = 0;
  b->most = FEW;
  for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
    for (const Row *row = areas[i]; row->name != NULL; row++) {
      begin(b, row);
      for (int again = 0; again < 2; again++)
        for (const Contestant *c = row->contestants; c->name != NULL; c++) take(b, c, true);
      end(b);
      rows++;
    }
  printf("%d passed, 0 failed\n", rows);
  return 0;
}

/* One sample for callgrind, and one before it, so that it counts nothing that is done but once. */
static int count_one(Bench *b, const char *row, const char *contestant) {
  begin(b, must_find_row(b, row));
  const Contestant *c = find_contestant(b, contestant);
  take(b, c, false);
  take(b, c, true);
  end(b);
  return 0;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    (void)fprintf(stderr, "usage: %s SOURCES FOLDER [check | count ROW CONTESTANT]\n", argv[0]);
    return 2;
  }
  Bench b = {.sources = argv[1], .folder = argv[2], .most = LUA_MAXINTEGER};
  char line[256];
  if (argc == 4) return each_checked(&b);
  if (argc == 6) return count_one(&b, argv[4], argv[5]);
  while (fgets(line, sizeof line, stdin) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    command(&b, line);
  }
  return 0;
}
