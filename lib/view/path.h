/*
** Paths as errors print them: players[3].inventory["a b"], and what is reached
** otherwise than by indexing set off by '^': ^metatable, ^count (an upvalue by
** its name), ^2 (by its number). `_home` (`root` in a blob) may stand first.
*/
#ifndef HEARTH_VIEW_PATH_H
#define HEARTH_VIEW_PATH_H

#include "view.h"

/* What a path names. */
typedef struct ViewTarget {
  Value value;      /* a scalar, or VALUE_REF or VALUE_LOCAL: then `object` is open */
  ViewObject object;
  Buffer bytes;     /* of a string value */
  View nested;      /* of a blob that is a value in an external table: the object may be in it */
  bool has_nested;
  Buffer blob;
} ViewTarget;

void view_target_init(ViewTarget *t, View *v);
void view_target_free(ViewTarget *t);

/*
** Resolves `path` ("" and NULL: the home table, or a blob's root). INVALID with the column, NOTFOUND with the path so
** far, DAMAGED, IO, NOMEM.
*/
hearth_status view_resolve(ViewTarget *t, const char *path, hearth_error *err);

/* Appends the step for a scalar key: `.name`, `[3]`, `["a b"]`; without the dot at the beginning of a path. */
void view_put_step(Buffer *out, const Value *key, bool first);

/* Appends the step to an upvalue: `^name`, `^"no name"`, or `^2` where it has none. */
void view_put_upvalue_step(Buffer *out, const unsigned char *name, size_t size, unsigned number);

/* Appends a scalar as Lua would read it; a string quoted, at most `limit` bytes of it (0: all). */
void view_put_scalar(Buffer *out, const Value *v, size_t limit);
void view_put_quoted(Buffer *out, const unsigned char *bytes, size_t size, size_t limit);

/* Appends printf's output. */
void view_print(Buffer *out, const char *format, ...) HEARTH_PRINTF(2, 3);

/* Appends one line about an open object: "table of 3 #12", "function world.lua:12 #14". */
hearth_status view_describe(ViewObject *o, Buffer *out, hearth_error *err);

/* The name of upvalue `number` (from 1) of the open closure into `out`; empty when it was stripped. */
hearth_status view_upvalue_name(ViewObject *closure, unsigned number, Buffer *out, hearth_error *err);

/* The fewest digits (14 or more) that give the float back; `inf`, `-inf`, `nan` by name. */
void view_put_float(Buffer *out, uint64_t bits);

#endif
