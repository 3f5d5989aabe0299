/*
** The floors: what any implementation on Lua's public interface must do, with no format at all.
*/
#ifndef HEARTH_BENCH_FLOOR_H
#define HEARTH_BENCH_FLOOR_H

#include <lua.h>

#include "seen.h"

/*
** Encoding: one lua_next pass through each table, and every key that is not the next of a sequence, and every value,
** written plainly into `out`, which is large enough: a byte, and eight for a number or a string's length and bytes.
** With `seen` each table is looked up where it is met, and walked once. Depth first: the value is a tree, or nearly so.
** Answers where the bytes end.
*/
unsigned char *floor_walk(lua_State *L, int index, unsigned char *out, Seen *seen);

/* The same breadth first, which suits a graph with long chains; Lua's stack has room for all tables, and keeps them. */
unsigned char *floor_walk_graph(lua_State *L, int index, unsigned char *out, Seen *seen);

/*
** Decoding: the same tables in their right sizes, and the same values, from a plan that was made before: a list of
** what to push and where to put it.
*/
typedef struct Plan Plan;

/* [-0, +0, m] From the value at `index`: tables, numbers, strings, booleans. NULL: no memory, or something else. */
Plan *plan_make(lua_State *L, int index, size_t tables, size_t values);
void plan_free(Plan *plan);

/* [-0, +1, m] Pushes the value. */
void plan_build(const Plan *plan, lua_State *L);

#endif
