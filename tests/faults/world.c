#include "world.h"

#include <errno.h>

void wrong(World *w, const char *format, ...) {
  char what[1024], message[2048];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(what, sizeof what, format, args);
  va_end(args);
  (void)snprintf(message, sizeof message, "operation %zu (%s)%s%s: %s", w->number, w->operation,
                 w->fault[0] != '\0' ? ", " : "", w->fault, what);
  w->give_up(message);
  abort();
}

void arm(World *w) {
  w->armed = true;
}

void disarm(World *w) {
  w->armed = false;
}

/* ---------------------------------------------------------------- memory */

static Failure ask(void *ud, CallKind kind, const char *path) {
  World *w = ud;
  return w->armed ? w->ask(w, kind, path) : (Failure){0};
}

static void *lua_memory(void *ud, void *ptr, size_t osize, size_t nsize) {
  World *w = ud;
  size_t had = ptr != NULL ? osize : 0;
  if (nsize > had && ask(w, CALL_LUA_MEMORY, "").code != 0) return NULL;
  return memory_alloc(&w->memory, ptr, osize, nsize);
}

/* The file backend with our allocator, which the store has no option for. */
static hearth_status open_with_allocator(const hearth_backend_config *given, hearth_backend_store **out,
                                         hearth_error *err) {
  hearth_backend_config config = *given;
  Faulty *f = given->environment->ud;
  config.allocator = f->allocator;
  return hearth_file_backend.open(&config, out, err);
}

static void warned(void *ud, const char *message) {
  World *w = ud;
  if (strstr(message, "torn tail") != NULL) w->torn_tails++;
}

/* ------------------------------------------------------------- Lua's side */

void push_arguments(lua_State *L, const char *kinds, va_list args) {
  for (; *kinds != '\0'; kinds++) {
    if (*kinds == 'i') lua_pushinteger(L, va_arg(args, int));
    if (*kinds == 'b') lua_pushboolean(L, va_arg(args, int));
    if (*kinds == 's' || *kinds == 'z') lua_pushstring(L, va_arg(args, const char *)); /* NULL: nil */
  }
}

static void call(World *w, lua_State *L, const char *function, int results, const char *kinds, va_list args) {
  lua_getglobal(L, function);
  push_arguments(L, kinds, args);
  if (lua_pcall(L, (int)strlen(kinds), results, 0) != LUA_OK) wrong(w, "%s: %s", function, lua_tostring(L, -1));
}

void in_graph(World *w, const char *function, int results, const char *kinds, ...) {
  va_list args;
  va_start(args, kinds);
  call(w, w->L, function, results, kinds, args);
  va_end(args);
}

void in_model(World *w, const char *function, int results, const char *kinds, ...) {
  va_list args;
  va_start(args, kinds);
  call(w, w->model, function, results, kinds, args);
  va_end(args);
}

/* Leaves describe(global) on the stack of L. */
static const char *describe(World *w, const char *global) {
  lua_getglobal(w->L, "describe");
  lua_getglobal(w->L, global);
  if (lua_pcall(w->L, 1, 1, 0) != LUA_OK) wrong(w, "describe: %s", lua_tostring(w->L, -1));
  return lua_tostring(w->L, -1);
}

void change(World *w, size_t n) {
  in_graph(w, "change", 0, "i", (int)n);
  in_model(w, "graph", 0, "s", describe(w, "home"));
  lua_pop(w->L, 1);
}

/* ------------------------------------------------------ opening and closing */

static hearth_options options_for(World *w, unsigned flags) {
  return (hearth_options){.size = sizeof(hearth_options), .flags = flags, .page_size = 128,
                          .environment = &w->faulty.environment, .warn = warned, .warn_ud = w};
}

hearth_status world_open(World *w) {
  hearth_options options = options_for(w, 0);
  arm(w);
  hearth_status status = hearth_open(w->L, &w->backend, PLACE, &options, &w->S, &w->error);
  if (status == HEARTH_OK) {
    lua_pushglobaltable(w->L);
    status = hearth_install_at(w->L, w->S, -1, &w->error);
    lua_pop(w->L, 1);
  }
  disarm(w);
  if (w->error.code != status) wrong(w, "open answers %s, its error record %s", hearth_status_name(status),
                                     hearth_status_name(w->error.code));
  if (status != HEARTH_OK) {
    if (w->S != NULL && hearth_close(w->L, w->S) != HEARTH_OK) wrong(w, "closing what could not be installed");
    w->S = NULL;
    return status;
  }
  hearth_push_home(w->L, w->S);
  lua_setglobal(w->L, "home");
  return status;
}

/* After a failure, too, it is closed, unless there was no memory for Lua's stack. */
hearth_status world_close(World *w) {
  arm(w);
  hearth_status status = hearth_close(w->L, w->S);
  disarm(w);
  if (status != HEARTH_NOMEM) w->S = NULL;
  return status;
}

hearth_status reader_open(World *w) {
  hearth_options options = options_for(w, HEARTH_OPEN_READONLY);
  arm(w);
  hearth_status status = hearth_open(w->L, &w->backend, PLACE, &options, &w->reader, &w->error);
  disarm(w);
  if (status != HEARTH_OK) {
    if (w->reader != NULL) wrong(w, "a store that could not be opened");
    return status;
  }
  hearth_push_home(w->L, w->reader);
  lua_setglobal(w->L, "view");
  return status;
}

hearth_status reader_close(World *w) {
  arm(w);
  hearth_status status = hearth_close(w->L, w->reader);
  disarm(w);
  if (status != HEARTH_NOMEM) w->reader = NULL;
  return status;
}

void world_kill(World *w) {
  w->faulty.killed = true;
  if (w->S != NULL) (void)hearth_close(w->L, w->S);
  if (w->reader != NULL) (void)hearth_close(w->L, w->reader);
  w->S = w->reader = NULL;
  check_no_leak(w); /* this frees what the process held */
  w->faulty.killed = false;
  hearth_disk_kill_process(w->disk);
  hearth_disk_set_process(w->disk, w->faulty.environment.process(&w->faulty) + 1);
}

/* ----------------------------------------------------------------- checks */

/* Where two texts differ. */
static void check_text(World *w, const char *what, const char *found, const char *expected) {
  size_t line = 0, i = 0;
  for (; found[i] != '\0' && found[i] == expected[i]; i++)
    if (found[i] == '\n') line = i + 1;
  if (found[i] == expected[i]) return;
  wrong(w, "%s: %.*s instead of %.*s", what, (int)strcspn(found + line, "\n"), found + line,
        (int)strcspn(expected + line, "\n"), expected + line);
}

void check_live(World *w) {
  in_model(w, "expected", 2, "");
  check_text(w, "the graph", describe(w, "home"), lua_tostring(w->model, -2));
  lua_pop(w->L, 1);
  if (w->S != NULL && hearth_poll(w->L, w->S, &w->error) == HEARTH_OK) {
    in_graph(w, "externals", 1, "");
    check_text(w, "the external tables", lua_tostring(w->L, -1), lua_tostring(w->model, -1));
    lua_pop(w->L, 1);
  }
  lua_pop(w->model, 2);
}

void check_reader(World *w) {
  in_model(w, "stored", 2, "");
  check_text(w, "the reader's graph", describe(w, "view"), lua_tostring(w->model, -2));
  lua_pop(w->L, 1);
  lua_pop(w->model, 2);
}

void check_found(World *w, bool power_loss) {
  const char *graph = describe(w, "home");
  in_graph(w, "externals", 1, "");
  in_model(w, "found", 1, "ssb", graph, lua_tostring(w->L, -1), (int)power_loss);
  bool known = lua_toboolean(w->model, -1);
  lua_pop(w->model, 1);
  if (!known) {
    in_model(w, "stored", 2, "");
    check_text(w, "no committed state, or an old one: the graph", graph, lua_tostring(w->model, -2));
    check_text(w, "no committed state: the external tables", lua_tostring(w->L, -1), lua_tostring(w->model, -1));
    wrong(w, "the last committed state is there, and was not recognised");
  }
  lua_pop(w->L, 2);
}

uint64_t last_batch(World *w) {
  hearth_stat stat = {.size = sizeof stat};
  return hearth_store_stat(w->S, &stat, &w->error) == HEARTH_OK ? stat.storage.sequence : 0;
}

void check_file(World *w) {
  hearth_stat stat = {.size = sizeof stat};
  size_t size;
  if (hearth_store_stat(w->S, &stat, &w->error) != HEARTH_OK) return; /* it is dead */
  (void)hearth_disk_bytes(w->disk, PLACE, &size);
  if (size != stat.storage.total_bytes)
    wrong(w, "the file has %zu bytes, the store knows of %llu", size, (unsigned long long)stat.storage.total_bytes);
}

void check_no_leak(World *w) {
  size_t files = (w->S != NULL ? 2u : 0u) + (w->reader != NULL ? 1u : 0u); /* the log and the owner file */
  w->leaks = true;
  if (w->faulty.open_files != files) wrong(w, "%zu files are open instead of %zu", w->faulty.open_files, files);
  if (files == 0 && w->faulty.bytes != 0) wrong(w, "%zu bytes of the backend's were not given back", w->faulty.bytes);
  w->leaks = false;
}

/* ----------------------------------------------------------- begin and end */

static void load(World *w, lua_State *L, const char *file) {
  char path[512];
  (void)snprintf(path, sizeof path, "%s/%s", FAULTS_FOLDER, file);
  if (luaL_dofile(L, path) != LUA_OK) wrong(w, "%s", lua_tostring(L, -1));
}

void world_init(World *w, Failure (*asked)(World *w, CallKind kind, const char *path),
                void (*give_up)(const char *message)) {
  memset(w, 0, sizeof *w);
  w->operation = "setting up";
  w->ask = asked;
  w->give_up = give_up;
  w->disk = hearth_disk_new();
  faulty_init(&w->faulty, hearth_disk_environment(w->disk), ask, w);
  w->backend = hearth_file_backend;
  w->backend.open = open_with_allocator;
  w->L = state_new(&w->memory);
  lua_setallocf(w->L, lua_memory, w);
  memcpy(lua_getextraspace(w->L), &w, sizeof w);
  load(w, w->L, "graph.lua");
  w->model = luaL_newstate();
  luaL_openlibs(w->model);
  load(w, w->model, "model.lua");
  in_model(w, "begin", 0, "s", describe(w, "home"));
  lua_pop(w->L, 1);
}

void world_end(World *w) {
  if (w->reader != NULL && reader_close(w) != HEARTH_OK) wrong(w, "closing the reader");
  if (w->S != NULL && world_close(w) != HEARTH_OK) wrong(w, "closing the store");
  check_no_leak(w);
  if (lua_gettop(w->L) != 0) wrong(w, "%d values were left on the stack", lua_gettop(w->L));
  lua_close(w->L);
  w->leaks = true;
  if (w->memory.used != 0) wrong(w, "%zu bytes of Lua's were not given back", w->memory.used);
  lua_close(w->model);
  hearth_disk_free(w->disk);
}
