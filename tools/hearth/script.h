/* A Lua state with a store installed: what run, eval, repl and compact begin with. */
#ifndef HEARTH_TOOL_SCRIPT_H
#define HEARTH_TOOL_SCRIPT_H

#include <lua.h>

#include "command.h"
#include "hearth.h"

typedef struct Script {
  lua_State *L;
  hearth_store *store;
  const char *location;
} Script;

/*
** Makes a Lua state with the standard library and the module hearth, opens the call's store with
** HEARTH_OPEN_... flags and installs _home and ext. Complains and answers a status to exit with, or 0.
*/
int script_open(const Call *call, unsigned flags, Script *s);

/* Closes the store and the state; answers `status`, or STATUS_FAILED when it is 0 and closing failed. */
int script_close(Script *s, int status);

/* Sets the global `arg` as lua does: argv[0] at index 0, what follows from 1. Pushes what follows, answers how many. */
int script_push_arguments(lua_State *L, int argc, char **argv);

/* Calls the function below its nargs arguments. On failure complains with a traceback: STATUS_FAILED. */
int script_call(lua_State *L, int nargs, int nresults);

/* Prints the values from index `first` up as print would. Complains when that raises. */
int script_print(lua_State *L, int first);

/*
** Warns where the program made a global Memory of its own, which nothing saves, and says how often the name was used
** while it was tracked.
*/
void script_tell_memory(Script *s);

/* Commits, or complains: STATUS_FAILED, and nothing is committed. */
int script_commit(Script *s);

/* Back to the last commit; complains when that fails. */
void script_rollback(Script *s);

#endif
