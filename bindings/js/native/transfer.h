/*
** Messages: Lua values as bytes on their way to JavaScript and back.
** bindings/js/src/transfer.js is the other half, function for function.
**
** A message: the number of values (u32), the values, then the contents of the
** tables in the order in which the values and the contents before mention them
** first. Nothing nests, so depth costs no stack. Numbers are little-endian.
**
** A value is a tag (u8) and what the tag says below; contents are a kind (u8),
** a count (u32) and so many values (ARRAY), keys with values (OBJECT, whose keys
** are all text, and MAP).
*/
#ifndef HEARTH_JS_TRANSFER_H
#define HEARTH_JS_TRANSFER_H

#include <lua.h>

#include "bridge.h"

enum {
  TRANSFER_NIL = 0,
  TRANSFER_FALSE = 1,
  TRANSFER_TRUE = 2,
  TRANSFER_SMALL = 3,    /* i32: an integer */
  TRANSFER_INTEGER = 4,  /* i64 */
  TRANSFER_FLOAT = 5,    /* f64 */
  TRANSFER_TEXT = 6,     /* u32 size, bytes: a string that is UTF-8 */
  TRANSFER_BYTES = 7,    /* u32 size, bytes: another string */
  TRANSFER_TABLE = 8,    /* u32: the table's number in this message, from 0 */
  TRANSFER_REFERENCE = 9, /* u8 type as lua_type has it, u32 handle: a value that stays in Lua */
  TRANSFER_FUNCTION = 10 /* u32: a JavaScript function by its number */
};

enum { TRANSFER_ARRAY = 0, TRANSFER_OBJECT = 1, TRANSFER_MAP = 2 };

/*
** Finalizers run while values are made and read, and may call JavaScript, which uses the bridge's buffers too: both
** functions work on a buffer of their own meanwhile.
*/

/* [-n, +0, e] Pops the values from `first` to the top and leaves them as a message in the bridge's `out`. */
void transfer_write(lua_State *L, Bridge *b, int first);

/* [-0, +n, e] Pushes the n values of the message in the bridge's `in`: n. It is trusted: JavaScript's half wrote it. */
int transfer_read(lua_State *L, Bridge *b);

#endif
