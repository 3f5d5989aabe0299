#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lualib.h>

#include <hearth_postgres.h>

/*
** The last answer, "ID ok TEXT", is kept in _home under this name: that is how it becomes part of the same commit. The
** app may see it, and cannot take it away: each request writes it after the app has run.
*/
#define LAST_ANSWER "server: last answer"
#define TEXT_SIZE (ANSWER_SIZE - NAME_SIZE - sizeof " ok ")

static void *allocate(void *ud, void *ptr, size_t osize, size_t nsize) {
  Session *s = ud;
  if (ptr == NULL) osize = 0; /* it is a kind of object then */
  if (nsize == 0) {
    free(ptr);
    s->allocated -= osize;
    return NULL;
  }
  if (nsize > osize && nsize - osize > STATE_BYTES - s->allocated) return NULL;
  void *moved = realloc(ptr, nsize);
  if (moved != NULL) s->allocated = s->allocated - osize + nsize;
  return moved;
}

static void warn(void *ud, const char *message) {
  const Session *s = ud;
  (void)fprintf(stderr, "server: %s: %s\n", s->user, message);
}

/* ------------------------------------------------------------- opening */

typedef struct Opening {
  Session *session;
  const char *uri, *app;
  hearth_status status;
  hearth_error *err;
} Opening;

/* Everything that may run out of memory runs in a protected call. */
static int prepare(lua_State *L) {
  static const hearth_backend *const backends[] = {&hearth_postgres_backend, NULL};
  Opening *o = lua_touserdata(L, 1);
  const hearth_options options = {.size = sizeof options, .backends = backends, .warn = warn, .warn_ud = o->session};
  luaL_openlibs(L);
  o->status = hearth_open_uri(L, o->uri, &options, &o->session->store, o->err);
  if (o->status < 0) return 0;
  hearth_status installed = hearth_install(L, o->session->store);
  if (installed < 0) return luaL_error(L, "%s", hearth_status_text(installed));
  if (luaL_loadfile(L, o->app) != LUA_OK) return lua_error(L);
  lua_call(L, 0, 0);
  return 0;
}

hearth_status session_open(Session *s, const char *user, const char *uri, const char *app, hearth_error *err) {
  Opening o = {s, uri, app, HEARTH_OK, err};
  *s = (Session){.used_at = 0};
  (void)snprintf(s->user, sizeof s->user, "%s", user);
  s->L = lua_newstate(allocate, s);
  if (s->L == NULL) {
    (void)snprintf(err->message, sizeof err->message, "no memory for another state");
    return HEARTH_NOMEM;
  }
  lua_pushcfunction(s->L, prepare); /* neither this nor a light userdata needs memory */
  lua_pushlightuserdata(s->L, &o);
  if (lua_pcall(s->L, 1, 0, 0) != LUA_OK) {
    o.status = HEARTH_RAISED;
    (void)snprintf(err->message, sizeof err->message, "%s",
                   lua_type(s->L, -1) == LUA_TSTRING ? lua_tostring(s->L, -1) : "the app raised no text");
  }
  if (o.status < 0) session_close(s);
  return o.status;
}

void session_close(Session *s) {
  (void)hearth_close(s->L, s->store); /* each commit was durable: there is nothing that could be lost here */
  lua_close(s->L);
  s->L = NULL;
  s->store = NULL;
}

/* -------------------------------------------------------------- asking */

typedef struct Turn {
  const Session *session;
  const Request *request;
  bool again;
} Turn;

static void too_long(lua_State *L, lua_Debug *ar) {
  (void)ar;
  (void)luaL_error(L, "the request took more than %d instructions", INSTRUCTIONS);
}

static bool is_answer_to(const char *answer, const char *id) {
  size_t size = strlen(id);
  return answer != NULL && strncmp(answer, id, size) == 0 && answer[size] == ' ';
}

/* What handle(text) returns, on the top. */
static const char *call_app(lua_State *L, const char *text) {
  size_t size;
  lua_getglobal(L, "handle");
  lua_pushstring(L, text);
  lua_sethook(L, too_long, LUA_MASKCOUNT, INSTRUCTIONS);
  int result = lua_pcall(L, 1, 1, 0);
  lua_sethook(L, NULL, 0, 0); /* rolling back is not limited */
  if (result != LUA_OK) (void)lua_error(L);
  const char *answer = lua_tolstring(L, -1, &size);
  if (answer == NULL || size >= TEXT_SIZE || strlen(answer) != size || strchr(answer, '\n') != NULL)
    (void)luaL_error(L, "handle must return one line of text of less than %d bytes", (int)TEXT_SIZE);
  return answer;
}

/* The transaction. */
static int take_turn(lua_State *L) {
  Turn *t = lua_touserdata(L, 1);
  const int home = 2;
  hearth_push_home(L, t->session->store);
  lua_pushliteral(L, LAST_ANSWER);
  lua_rawget(L, home);
  t->again = is_answer_to(lua_tostring(L, -1), t->request->id);
  if (t->again) return 1;
  lua_pushfstring(L, "%s ok %s", t->request->id, call_app(L, t->request->text));
  lua_pushliteral(L, LAST_ANSWER);
  lua_pushvalue(L, -2);
  lua_rawset(L, home);
  return 1;
}

hearth_status session_ask(Session *s, const Request *r, char answer[ANSWER_SIZE], bool *again, hearth_error *err) {
  Turn t = {s, r, false};
  lua_settop(s->L, 0);
  lua_pushcfunction(s->L, take_turn);
  lua_pushlightuserdata(s->L, &t);
  hearth_status status = hearth_transaction(s->L, s->store, 1, 1, err);
  if (status == HEARTH_OK) (void)snprintf(answer, ANSWER_SIZE, "%s", lua_tostring(s->L, -1));
  *again = t.again;
  return status;
}
