/*
** How the permanents of a Lua state are kept: for the files of this chapter only.
*/
#ifndef HEARTH_CODEC_PERMANENTS_TABLE_H
#define HEARTH_CODEC_PERMANENTS_TABLE_H

#include "permanents.h"

/* The fields of perms, all tables but the last. Weak: their objects do not stay for them. */
enum {
  PERMS_NAMES = 1,      /* object -> name, weak; an object that its name no longer means keeps it here */
  PERMS_VALUES = 2,     /* name -> object */
  PERMS_STANDARD = 3,   /* objects of the standard library -> true, weak: no other name is better */
  PERMS_CELLS = 4,      /* upvalue id -> function that captured the cell */
  PERMS_UPVALUES = 5,   /* upvalue id -> index of the upvalue in that function */
  PERMS_SNAPSHOTS = 6,  /* table -> {copy, count of fields, true if it may grow}, weak */
  PERMS_TYPE_NAMES = 7, /* metatable -> name of the type, weak */
  PERMS_TYPES = 8,      /* name of a type -> {metatable, encode, decode} */
  PERMS_LAST = 8,
  PERMS_FILTER = 9      /* a userdata: PermanentsFilter */
};

/* [-0, +0, -] The object or the cell at this address may have a name from now on. */
void permanents_note(lua_State *L, int perms, const void *address);

/* [-0, +0, m] perms' table `field` gets [key] = value. */
void permanents_put(lua_State *L, int perms, int field, int key, int value);

/* Is one name better than another: shorter, or bytewise first? */
bool permanents_better(lua_State *L, int name, int than);

/* [-0, +0, m] The name means the object from now on. */
void permanents_bind(lua_State *L, int perms, int object, int name);

/*
** [-0, +0, m] The object is written as `name`, and so are its cells, if it has no better name that
** means it (`force`: whatever it has). A standard object keeps its name.
*/
void permanents_label(lua_State *L, int perms, int object, int name, bool force);

/* [-0, +0, m] Remembers the fields of the permanent table at `object`. `growing`: added fields are no change. */
void permanents_snapshot(lua_State *L, int perms, int object, bool growing);

/* [-0, +0, m] Names the standard library (stdlib.c). */
void permanents_add_standard(lua_State *L, int perms);

/*
** [-(nargs + 1), +(nresults on success), -] Calls the function below its arguments, protected: an error becomes
** NOMEM, or INVALID with its message (a C function of ours raises nothing else).
*/
hearth_status permanents_protect(lua_State *L, int nargs, int nresults, hearth_error *err);

#endif
