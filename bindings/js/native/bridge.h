/*
** The package's side of WebAssembly: one Lua state with one store in it, and
** what JavaScript asks of them. What the files share.
**
** JavaScript writes arguments into the bridge's `in` buffer and finds answers
** in `out`, both as messages (transfer.h). Every exported function answers a
** status of hearth_status.h; when it is negative `out` holds the error (answer_error).
** No exported function lets a Lua error out, and no imported one a JavaScript
** exception in: an exception that crosses Lua's frames would pass by every pcall.
*/
#ifndef HEARTH_JS_BRIDGE_H
#define HEARTH_JS_BRIDGE_H

#include <lua.h>

#include "buffer.h"
#include "hearth.h"
#include "pool.h"

#define EXPORT(name) __attribute__((used, visibility("default"), export_name(#name))) name
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name))) extern

typedef struct Bridge {
  Pool pool;          /* Lua's memory */
  lua_State *L;       /* the main thread */
  lua_State *current; /* the thread that runs: a callback may be called by a coroutine */
  hearth_store *store;
  hearth_backend_store *imported; /* a store in memory that is to be opened, or NULL */
  hearth_backend taking;          /* the backend of memory that opens it */
  Buffer in, out;
  hearth_error error;
  int references;     /* registry: handle -> value */
  int handles;        /* registry: value -> handle */
  int functions;      /* registry, weak values: identity of a JavaScript function -> its Lua function */
  uint32_t next_handle;
  int64_t budget;     /* instructions that the run at work may still take */
  bool limited;       /* the run at work has such a limit */
  int reading;        /* messages that are being read into Lua values: functions that they mention stay */
  bool warning;       /* a message of Lua's warn has begun and not ended */
  bool silent;        /* Lua's warn was turned off */
  bool sealed;        /* the store has a seal: the codec uses it too */
} Bridge;

/* A piece of a warning, valid during the call; the last has more = 0. */
IMPORT("hearth", "warn") void js_warn(const char *text, size_t size, int more);

/* The bridge of any thread of its Lua state. */
static inline Bridge *bridge_of(lua_State *L) {
  return *(Bridge **)lua_getextraspace(L);
}

/* -------------------------------------------------------------- call.c */

/*
** Calls f protected, on a stack of its own; what f leaves as its results is
** written into `out` when `answers`. A Lua error becomes RAISED. f may fill bridge->error and
** answer by bridge_fail instead.
*/
int bridge_enter(Bridge *b, lua_CFunction f, bool answers);

/* For functions under bridge_enter: ends them with the error that is filled in. Does not return. */
int bridge_fail(lua_State *L);

/* The same unless the status is positive or zero. */
hearth_status bridge_check(lua_State *L, hearth_status status);

/* Ends an exported function that filled b->error itself: writes the answer of a failure. The status. */
int bridge_answer(Bridge *b, hearth_status status);

/* --------------------------------------------------------------- run.c */

/* [-0, +1, e] Pushes what is at the path at `index` from the globals; nil as well where what should hold it is nil. */
void bridge_push_path(lua_State *L, int index);

/* ------------------------------------------------------------- store.c */

/* The seal that JavaScript gave. */
extern const hearth_seal bridge_seal;

/* ---------------------------------------------------------- callback.c */

/* Makes the tables of references and functions. [-0, +0, m] */
void callback_setup(lua_State *L, Bridge *b);

/* [-0, +0, m] The handle of the value at `index`, which stays until JavaScript releases it. */
uint32_t reference_handle(lua_State *L, Bridge *b, int index);

/* [-0, +1, e] Pushes the value of a handle; raises if it was released. */
void reference_push(lua_State *L, Bridge *b, uint32_t handle);

/* [-0, +1, m] Pushes the Lua function that calls the JavaScript function with this number. */
void callback_push(lua_State *L, Bridge *b, uint32_t number);

/* The key of the registry under which the error value is that a JavaScript function raised last. */
extern const char callback_thrown;

/* The number of the JavaScript function behind the Lua function at `index`; 0: it is none. */
uint32_t callback_number(lua_State *L, int index);

#endif
