/*
** Read first in each file by tools/dev/tidy.py: what raises a Lua error does not return, which
** Lua's headers do not say.
*/
struct lua_State;
int lua_error(struct lua_State *L) __attribute__((analyzer_noreturn));
int luaL_error(struct lua_State *L, const char *fmt, ...) __attribute__((analyzer_noreturn));
int luaL_argerror(struct lua_State *L, int arg, const char *extramsg) __attribute__((analyzer_noreturn));
int luaL_typeerror(struct lua_State *L, int arg, const char *tname) __attribute__((analyzer_noreturn));
