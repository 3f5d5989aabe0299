/*
** Permanents: values known by name on both sides of the codec, and the types
** registered by name. They belong to the Lua state and are kept in a table in its registry,
** called `perms` below: permanents_push pushes it, the other functions take its stack
** index. The standard library is known from the first use on.
**
** Names are Lua scalars (string, integer, float or boolean); registered ones are strings. An object with several
** names has the shortest, then the bytewise first.
**
** `overlay` is the stack index of the caller's own table (hearth_codec_options.permanents), or 0. It
** is read raw and consulted first.
**
** Stack notation is Lua's: [-popped, +pushed, m] m: may raise a memory error (and only that).
** Every function needs a few free stack slots and sees to them itself.
*/
#ifndef HEARTH_CODEC_PERMANENTS_H
#define HEARTH_CODEC_PERMANENTS_H

#include <stdbool.h>

#include "hearth.h"

#include "record.h"

/* What permanents_name and permanents_kind answer beside a PermanentKind (record.h). */
#define PERMANENT_NONE (-1)
#define PERMANENT_BAD_NAME (-2) /* the overlay's name for it is no string, number or boolean */

/* [-0, +1, m] Pushes perms, created on first use. */
void permanents_push(lua_State *L);

/*
** Addresses that may have a name: objects and cells that got one, modules. Most objects of a program are none of them,
** and one look here tells so, instead of one in each of the tables. It never forgets: an address may be another
** object's now.
*/
#define PERMANENTS_FILTER_BITS 65536

typedef struct PermanentsFilter {
  unsigned char bits[PERMANENTS_FILTER_BITS / 8];
} PermanentsFilter;

static inline uint32_t permanents_filter_bit(uint64_t address) {
  return (uint32_t)((address * UINT64_C(0x9E3779B97F4A7C15)) >> 48); /* Fibonacci hashing, Knuth 6.4; 16 bits */
}

/* No: neither its perms nor the tables of permanents_push_modules have the object, or the cell, at this address. */
static inline bool permanents_may_know(const PermanentsFilter *f, uint64_t address) {
  const uint32_t bit = permanents_filter_bit(address);
  return (f->bits[bit / 8] >> (bit % 8) & 1) != 0;
}

/* [-0, +0, -] That of perms, which keeps it. */
const PermanentsFilter *permanents_filter(lua_State *L, int perms);

/*
** [-0, +(0|1), m] If the object at `index` is a permanent, or a stand-in for one, pushes its
** name and answers its PermanentKind; else pushes nothing and answers PERMANENT_NONE or _BAD_NAME. `overlay`
** maps value -> name. Only tables, functions and full userdata can be permanents.
*/
int permanents_name(lua_State *L, int perms, int overlay, int index);

/*
** [-0, +(0|1), m] Pushes the object of the name at `name` and answers true, or answers false: unknown. `overlay`
** maps name -> value (any value but nil).
*/
bool permanents_value(lua_State *L, int perms, int overlay, int name);

/*
** [-0, +0, -] The PermanentKind of the object at `index` if it were one; PERMANENT_NONE if it is no
** table, function or userdata.
*/
int permanents_kind(lua_State *L, int index);

/*
** Cells captured by registered Lua functions are permanent as well. (Those of an
** overlay's functions are not.) A cell's name is "function^upvalue", e.g. "game.spawn^count", or "function^2"
** where the upvalue has no name of its own; the best of its names by the rule above.
*/

/* [-0, +(0|1), m] Pushes the name of the cell that lua_upvalueid told, or answers false. */
bool permanents_cell_name(lua_State *L, int perms, void *upvalueid);

/*
** [-0, +(0|1), m] The cell of that name: pushes a function that captured it and answers its upvalue
** index (from 1, to join to by lua_upvaluejoin), or pushes nothing and answers 0: unknown.
*/
int permanents_cell(lua_State *L, int perms, int name);

/* [-0, +(0|1), m] If the metatable of the object at `index` is registered as a type's, pushes the type's name. */
bool permanents_type_of(lua_State *L, int perms, int index);

/* [-0, +(0|2), m] Pushes the encode and the decode function of the type named at `name`, or answers false: unknown. */
bool permanents_type(lua_State *L, int perms, int name);

/*
** [-0, +1, m] Pushes a new stand-in for an unknown permanent: permanents_name gives its
** name and kind again. A C closure for functions, a table or a userdata
** with a raising metatable otherwise; also as somebody's metatable the table raises. Using it raises an error
** that names it. Not for PERMANENT_CELL: there a fresh cell and the name are the caller's.
*/
void permanents_placeholder(lua_State *L, int perms, PermanentKind kind, int name);

/*
** [-0, +1, m] Pushes a new table that maps every table and function in package.loaded to its module's name (a string),
** for "module 'x' is not registered": fetch it once per encode and look an object up that is not a permanent.
*/
void permanents_push_modules(lua_State *L);

/* [-0, +(0|1), -] If the object at `index` is in that table (at `modules`), pushes the module's name. */
bool permanents_module_of(lua_State *L, int modules, int index);

#endif
