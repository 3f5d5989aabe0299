/*
** The boundary between C and Lua: what raises inside becomes a status here.
*/
#ifndef HEARTH_CODEC_PROTECT_H
#define HEARTH_CODEC_PROTECT_H

#include <lua.h>

#include "error.h"

/*
** [-nargs, +nresults, -] Calls f with `context` as a light userdata and then the
** nargs values on the top. `err` must not be NULL. If f raised after it filled `err` that is the answer; a
** memory error is NOMEM, any other error RAISED with its message.
*/
hearth_status protect(lua_State *L, lua_CFunction f, void *context, int nargs, int nresults, hearth_error *err);

/* The same with the collector stopped meanwhile: pointers stay what they are. */
hearth_status protect_without_collector(lua_State *L, lua_CFunction f, void *context, int nargs, int nresults,
                                        hearth_error *err);

/* [-0, +1, m] Pushes a userdata of `size` zeroed bytes whose __gc is `release`, which must bear to be called twice. */
void *protect_push_state(lua_State *L, size_t size, lua_CFunction release);

/* The allocator of a Lua state, for what is freed before the state is closed. */
hearth_allocator protect_allocator(lua_State *L);

#endif
