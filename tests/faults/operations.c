/* The script: what a program does with a store, again and again. */
#include "world.h"

#define CYCLES 21

/* -------------------------------------------------------------- commits */

static void prepare_change(World *w) {
  change(w, w->number);
}

/* How many of the attempts are in the store, after a call that began when batch `before` was the last? */
static void settle(World *w, hearth_status status, uint64_t before, bool durable) {
  if (status == HEARTH_OK) {
    in_model(w, "acknowledge", 0, "zb", NULL, (int)durable);
  } else if (status != HEARTH_IO && status != HEARTH_DEAD) { /* else nobody knows before it is opened again */
    in_model(w, "acknowledge", 0, "ib", (int)(last_batch(w) - before), (int)durable);
    in_model(w, "forget", 0, "");
  }
}

hearth_status commit_at(World *w, hearth_durability level) {
  uint64_t before = last_batch(w);
  in_model(w, "attempt", 0, "");
  arm(w);
  hearth_status status = hearth_commit(w->L, w->S, level, &w->error);
  disarm(w);
  settle(w, status, before, level == HEARTH_DURABLE);
  return status;
}

static hearth_status commit_durable(World *w) {
  return commit_at(w, HEARTH_DURABLE);
}

static hearth_status commit_complete(World *w) {
  return commit_at(w, HEARTH_COMPLETE);
}

static hearth_status rollback(World *w) {
  arm(w);
  hearth_status status = hearth_rollback(w->L, w->S, &w->error);
  disarm(w);
  if (status == HEARTH_OK) in_model(w, "rollback", 0, "");
  return status;
}

/* The library is not at work while it runs. */
static int body(lua_State *L) {
  World *w;
  memcpy(&w, lua_getextraspace(L), sizeof w);
  disarm(w);
  w->body_ran = true;
  change(w, w->number + 1000 * ++w->bodies);
  if (!w->body_raises) in_model(w, "attempt", 0, "");
  if (w->body_raises) {
    lua_pushliteral(L, "on purpose");
    arm(w);
    return lua_error(L);
  }
  arm(w);
  return 0;
}

/* A transaction that failed has left the graph as it was at its start; where undoing fails as well, as it is now. */
static void take_back(World *w, hearth_status status) {
  bool now = false;
  if (!w->body_ran || status == HEARTH_IO || status == HEARTH_DEAD) return; /* a dead store's graph stays as it is */
  if (w->fails_again || w->body_raises) {
    in_graph(w, "n", 1, "");
    now = lua_tointeger(w->L, -1) == (lua_Integer)(w->number + 1000 * w->bodies);
    lua_pop(w->L, 1);
  }
  if (!now) in_model(w, "rollback", 0, "");
}

static hearth_status transaction(World *w, bool raises) {
  uint64_t before = last_batch(w);
  w->body_raises = raises;
  w->body_ran = false;
  in_model(w, "attempt", 0, "");
  lua_pushcfunction(w->L, body);
  arm(w);
  hearth_status status = hearth_transaction(w->L, w->S, 0, 0, &w->error);
  disarm(w);
  bool on_purpose = status == HEARTH_RAISED && raises && strstr(w->error.message, "on purpose") != NULL;
  if (status == HEARTH_RAISED) lua_pop(w->L, 1);
  if (status == HEARTH_RAISED && !on_purpose && strstr(w->error.message, "memory") != NULL) status = HEARTH_NOMEM;
  settle(w, on_purpose ? HEARTH_OK : status, before, true);
  if (on_purpose) in_model(w, "rollback", 0, "");
  else if (status != HEARTH_OK) take_back(w, status);
  return on_purpose ? HEARTH_OK : status;
}

static hearth_status transaction_that_returns(World *w) {
  return transaction(w, false);
}

static hearth_status transaction_that_raises(World *w) {
  return transaction(w, true);
}

static hearth_status compact(World *w, unsigned keep) {
  uint64_t before = last_batch(w);
  in_model(w, "attempt", 0, "");
  arm(w);
  hearth_status status = hearth_compact(w->L, w->S, keep, &w->error);
  disarm(w);
  settle(w, status, before, true);
  return status;
}

static hearth_status compact_all(World *w) {
  return compact(w, 0);
}

static hearth_status compact_keeping(World *w) {
  return compact(w, 3);
}

/* ------------------------------------------------------- external tables */

static const char *const labels[] = {"a", "b", "c"};

static const char *label(const World *w) {
  return labels[w->number / 7 % 3];
}

static bool has_table(World *w) {
  in_model(w, "has", 1, "s", label(w));
  bool has = lua_toboolean(w->model, -1);
  lua_pop(w->model, 1);
  return has;
}

/* Metamethods have no status, they raise. */
static hearth_status raised(World *w, int result) {
  const char *message = lua_tostring(w->L, -1);
  hearth_status status = HEARTH_INVALID;
  if (result == LUA_ERRMEM || strstr(message, "memory") != NULL) status = HEARTH_NOMEM;
  else if (strstr(message, "dead since") != NULL) status = HEARTH_DEAD;
  else if (strstr(message, "cannot read") != NULL) status = HEARTH_IO;
  (void)snprintf(w->error.message, sizeof w->error.message, "%s", message);
  lua_pop(w->L, 1);
  return status;
}

static hearth_status call_armed(World *w, const char *function, int results, const char *kinds, ...) {
  va_list args;
  lua_getglobal(w->L, function);
  va_start(args, kinds);
  push_arguments(w->L, kinds, args);
  va_end(args);
  arm(w);
  int result = lua_pcall(w->L, (int)strlen(kinds), results, 0);
  disarm(w);
  return result == LUA_OK ? HEARTH_OK : raised(w, result);
}

/* home.ext[label] becomes a new external table; with a key its entry does. */
static hearth_status new_table(World *w, const char *key) {
  arm(w);
  hearth_status status = hearth_push_table(w->L, w->S, &w->error);
  disarm(w);
  if (status != HEARTH_OK) return status;
  lua_getglobal(w->L, "new");
  lua_insert(w->L, -2);
  lua_pushstring(w->L, label(w));
  lua_insert(w->L, -2);
  lua_pushstring(w->L, key);
  lua_insert(w->L, -2);
  if (key != NULL) arm(w);
  int result = lua_pcall(w->L, 3, 0, 0);
  disarm(w);
  if (result != LUA_OK) return raised(w, result);
  in_model(w, "new", 0, "sz", label(w), key);
  return HEARTH_OK;
}

static void note_graph(World *w) {
  in_graph(w, "description", 1, "");
  in_model(w, "graph", 0, "s", lua_tostring(w->L, -1));
  lua_pop(w->L, 1);
}

static hearth_status new_external(World *w) {
  hearth_status status = has_table(w) ? HEARTH_OK : new_table(w, NULL);
  if (status == HEARTH_OK) note_graph(w);
  return status;
}

static hearth_status nested_external(World *w) {
  return has_table(w) ? new_table(w, "nested") : new_external(w);
}

static const char *key_of(const World *w, char out[32]) {
  (void)snprintf(out, 32, "key %zu", w->number * 5 % 9);
  return out;
}

static hearth_status put(World *w) {
  char key[32], value[512];
  if (!has_table(w)) return new_external(w);
  (void)snprintf(value, sizeof value, "%0*zu", (int)(w->number * 37 % 400) + 1, w->number);
  hearth_status status = call_armed(w, "put", 0, "sss", label(w), key_of(w, key), value);
  if (status == HEARTH_OK) in_model(w, "put", 0, "sss", label(w), key, value);
  return status;
}

static hearth_status put_numbered(World *w) {
  int key = (int)(w->number % 11) + 1;
  if (!has_table(w)) return new_external(w);
  hearth_status status = call_armed(w, "put", 0, "sii", label(w), key, (int)w->number);
  if (status == HEARTH_OK) in_model(w, "put", 0, "sii", label(w), key, (int)w->number);
  return status;
}

static hearth_status delete(World *w) {
  const char *key = w->number % 4 == 0 ? "nested" : "key 3";
  if (!has_table(w)) return new_external(w);
  hearth_status status = call_armed(w, "put", 0, "ssz", label(w), key, NULL);
  if (status == HEARTH_OK) in_model(w, "put", 0, "ssz", label(w), key, NULL);
  return status;
}

/* Both sides' answers stand on the stacks. */
static void compare_answers(World *w, const char *what) {
  const char *found = lua_tostring(w->L, -1), *expected = lua_tostring(w->model, -1);
  if (strcmp(found, expected) != 0) wrong(w, "%s delivers %s instead of %s", what, found, expected);
  lua_pop(w->L, 1);
  lua_pop(w->model, 1);
}

static hearth_status get(World *w) {
  char key[32];
  if (!has_table(w)) return new_external(w);
  hearth_status status = call_armed(w, "get", 1, "ss", label(w), key_of(w, key));
  if (status != HEARTH_OK) return status;
  in_model(w, "get", 1, "ss", label(w), key);
  compare_answers(w, "get");
  return status;
}

static hearth_status scan(World *w) {
  const char *to = w->number % 2 == 0 ? "key 6" : NULL;
  int reverse = w->number % 3 == 0;
  if (!has_table(w)) return new_external(w);
  hearth_status status = call_armed(w, "scan", 1, "szzb", label(w), "key 2", to, reverse);
  if (status != HEARTH_OK) return status;
  in_model(w, "scan", 1, "szzb", label(w), "key 2", to, reverse);
  compare_answers(w, "scan");
  return status;
}

static void prepare_drop(World *w) {
  in_graph(w, "drop", 0, "s", label(w));
  in_model(w, "drop", 0, "s", label(w));
  note_graph(w);
}

/* ------------------------------------------------------ codec and readers */

hearth_status encode_sample(World *w) {
  lua_State *L = w->L;
  hearth_codec_options trusted = {.size = sizeof trusted, .flags = HEARTH_TRUSTED};
  size_t size;
  in_graph(w, "sample", 1, "");
  arm(w);
  hearth_status status = hearth_encode(L, -1, &trusted, &w->error);
  if (status == HEARTH_OK) {
    const char *bytes = lua_tolstring(L, -1, &size);
    status = hearth_decode(L, bytes, size, &trusted, &w->error);
    disarm(w);
    if (status == HEARTH_OK) { /* sample, bytes, value */
      lua_getglobal(L, "compare");
      lua_pushvalue(L, -4);
      lua_pushvalue(L, -3);
      if (lua_pcall(L, 2, 0, 0) != LUA_OK) wrong(w, "what was decoded: %s", lua_tostring(L, -1));
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  disarm(w);
  lua_pop(L, 1);
  return status;
}

/* Readers are opened, refreshed and closed in turn. */
static hearth_status open_reader(World *w) {
  if (w->reader != NULL) return HEARTH_OK;
  hearth_status status = reader_open(w);
  if (status == HEARTH_OK) check_reader(w);
  return status;
}

static hearth_status refresh_reader(World *w) {
  if (w->reader == NULL) return open_reader(w);
  arm(w);
  hearth_status status = hearth_refresh(w->L, w->reader, &w->error);
  disarm(w);
  if (status == HEARTH_OK) check_reader(w);
  return status;
}

static hearth_status close_reader(World *w) {
  return w->reader != NULL ? reader_close(w) : HEARTH_OK;
}

static hearth_status poll(World *w) {
  hearth_stat stat = {.size = sizeof stat};
  arm(w);
  hearth_status status = hearth_poll(w->L, w->S, &w->error);
  if (status == HEARTH_OK) status = hearth_store_stat(w->S, &stat, &w->error);
  disarm(w);
  return status;
}

/* ------------------------------------------------------ opening and closing */

static hearth_status open_again(World *w) {
  hearth_status status = world_open(w);
  if (status == HEARTH_OK) check_found(w, false);
  return status;
}

static const Operation cycle[] = {
    {"commit, complete", prepare_change, commit_complete},
    {"new external table", prepare_change, new_external},
    {"put", NULL, put},
    {"put, numbered", NULL, put_numbered},
    {"commit, durable", prepare_change, commit_durable},
    {"put", NULL, put},
    {"get", NULL, get},
    {"open a reader", NULL, open_reader},
    {"rollback", prepare_change, rollback},
    {"transaction", prepare_change, transaction_that_returns},
    {"put", NULL, put},
    {"nested external table", NULL, nested_external},
    {"scan", NULL, scan},
    {"transaction that raises", prepare_change, transaction_that_raises},
    {"encode and decode", NULL, encode_sample},
    {"delete", NULL, delete},
    {"commit, complete", NULL, commit_complete},
    {"refresh the reader", NULL, refresh_reader},
    {"compact, keeping batches", prepare_change, compact_keeping},
    {"put, numbered", NULL, put_numbered},
    {"commit without changes to the graph", NULL, commit_complete},
    {"close", NULL, world_close},
    {"open", NULL, open_again},
    {"scan", NULL, scan},
    {"commit that drops a table", prepare_drop, commit_durable},
    {"compact", prepare_change, compact_all},
    {"poll", NULL, poll},
    {"close the reader", NULL, close_reader},
};

#define CYCLE (sizeof cycle / sizeof *cycle)

static const Operation first = {"open", NULL, open_again}, last = {"close", NULL, world_close};

size_t operation_count(void) {
  return CYCLES * CYCLE + 2;
}

const Operation *operation_at(size_t i) {
  if (i == 0) return &first;
  return i == CYCLES * CYCLE + 1 ? &last : &cycle[(i - 1) % CYCLE];
}
