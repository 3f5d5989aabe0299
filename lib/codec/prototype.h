/*
** Lua functions without their upvalues: dumped to a prototype record (the layout is in
** prototype_record.h), loaded, and made into closures.
**
** Stack notation is Lua's: [-popped, +pushed, m] m: may raise a memory error (and only that).
*/
#ifndef HEARTH_CODEC_PROTOTYPE_H
#define HEARTH_CODEC_PROTOTYPE_H

#include "hearth.h"

#include "buffer.h"
#include "prototype_record.h"

/*
** [-0, +0, -] Appends the record of the Lua function at `index` to `out`, sealed if
** `seal` is not NULL. Never raises. UNSTORABLE with *why (static text) when the
** bytecode is not what Lua's compiler makes (only hand-made chunks, or functions
** nested over CHUNK_MAX_NESTING), or when the function is over 2^31 - 1 bytes; SEAL; NOMEM. On failure
** out->size is as before. `why` may be NULL.
*/
hearth_status prototype_dump(lua_State *L, int index, bool strip, const hearth_seal *seal, Buffer *out,
                             const char **why);

/* Does the prototype fit the Lua that this library was compiled for: version, format, sizes, byte order? */
bool prototype_fits(const Prototype *p);

/*
** OK when `seal` is NULL or the record's seal is right (compared in constant time),
** else SEAL. Parses nothing of the body. `base` as in prototype_load.
*/
hearth_status prototype_check_seal(const Prototype *p, const hearth_seal *seal, uint64_t base, hearth_error *err);

/*
** [-0, +1, -] Checks the seal, then the body, then whether it fits, loads it and pushes its maker, for
** prototype_instantiate. `base` is the position of the record's first byte in the input, added to positions
** in errors. Never raises. SEAL, DAMAGED with the position, LUA (the message names the function and what it
** needs), NOMEM. The record's bytes are not needed afterwards.
*/
hearth_status prototype_load(lua_State *L, const Prototype *p, const hearth_seal *seal, uint64_t base,
                             hearth_error *err);

/*
** [-0, +1, m] Pushes a new closure made by the maker at `maker` of a prototype with so many upvalues. Each of its
** upvalues is a fresh cell of its own that holds nil. It runs three instructions of bytecode: a debug hook of the host
** that raises makes it raise.
*/
void prototype_instantiate(lua_State *L, int maker, unsigned nupvalues);

/*
** [-0, +1, -] Pushes a maker (for prototype_instantiate) of closures `function() return x end` with one
** upvalue, x, a fresh cell: a cell's private carrier, for lua_upvaluejoin. Works without a text compiler. NOMEM.
*/
hearth_status prototype_push_cell_maker(lua_State *L, hearth_error *err);

/*
** [-0, +1, m] Pushes a stand-in for a prototype that does not fit: a C closure that raises when it is
** called, naming the function and what it needs. Upvalue 1 is the record (the string at `record`, which must
** parse; it is shared, not copied), upvalue 2 a new table that the caller may use as it likes (for the cells).
** Each call makes a new one: one per closure.
*/
void prototype_push_placeholder(lua_State *L, int record);

/*
** [-0, +0, -] The record if the value at `index` is such a stand-in, else NULL. Valid
** while the stand-in lives. `size` may be NULL. Needs one free slot of the stack.
*/
const char *prototype_placeholder_record(lua_State *L, int index, size_t *size);

#endif
