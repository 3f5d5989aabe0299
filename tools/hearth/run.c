/* hearth run and eval: all or nothing. */
#include <string.h>

#include <lauxlib.h>

#include "script.h"

/* Loads CODE: an expression when it is one, with or without lua's old `=`. */
static int load_code(lua_State *L, const char *code) {
  const char *text = lua_pushfstring(L, "return %s", *code == '=' ? code + 1 : code);
  int status = luaL_loadbuffer(L, text, strlen(text), "=eval");
  if (status != LUA_OK) {
    lua_pop(L, 1);
    status = luaL_loadbuffer(L, code, strlen(code), "=eval");
  }
  lua_remove(L, -2);
  return status;
}

static int run(Script *s, const Call *call, bool eval) {
  lua_State *L = s->L;
  const char *what = call->argv[0];
  char code_name[] = "eval";
  if (eval) call->argv[0] = code_name;
  int nargs = script_push_arguments(L, call->argc, call->argv);
  int base = lua_gettop(L) - nargs;
  int loaded = eval ? load_code(L, what) : luaL_loadfile(L, strcmp(what, "-") == 0 ? NULL : what);
  if (loaded != LUA_OK) {
    const char *message = lua_tostring(L, -1);
    return complain(STATUS_FAILED, "%s", message != NULL ? message : "cannot load");
  }
  lua_insert(L, base + 1); /* below its arguments */
  int status = script_call(L, nargs, eval ? LUA_MULTRET : 0);
  if (status == STATUS_OK && eval) status = script_print(L, base + 1);
  if (status == STATUS_OK) status = finish_output();
  return status;
}

static int run_and_commit(Call *call, bool eval) {
  bool readonly = false;
  const char *keep = NULL;
  const Option options[] = {{"module", NULL, NULL}, {"readonly", &readonly, NULL}, {"alias", NULL, &call->alias},
                            {"keep", NULL, &keep}, {NULL, NULL, NULL}};
  Script s;
  int status;
  if (!call_options(call, options, true, 1, -1, &status)) return status;
  if (!option_keep(keep, &call->keep)) return STATUS_USAGE;
  status = script_open(call, readonly ? HEARTH_OPEN_READONLY : 0, &s);
  if (status != STATUS_OK) return status;
  status = run(&s, call, eval);
  script_tell_memory(&s);
  if (status == STATUS_OK)
    status = script_commit(&s);
  else
    script_rollback(&s);
  return script_close(&s, status);
}

int command_run(Call *call) {
  return run_and_commit(call, false);
}

int command_eval(Call *call) {
  return run_and_commit(call, true);
}
