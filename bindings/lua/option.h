/*
** Tables of options: what a call accepts is a list, and whatever is not in it
** is an error that names it.
*/
#ifndef HEARTH_LUA_OPTION_H
#define HEARTH_LUA_OPTION_H

#include <stddef.h>

#include <lauxlib.h>
#include <lua.h>

#include "hearth.h"

/* The union of what the module's calls can be told. */
typedef struct Settings {
  unsigned flags;
  uint64_t max_bytes;
  uint64_t max_memory;
  uint64_t page_size;
  uint64_t keep;
  uint64_t at;
  int durability; /* a hearth_durability */
  int alias;      /* a hearth_alias */
  int permanents; /* stack index of the table, or 0 */
  int seal;       /* stack index of the seal's userdata, or 0 */
  int warn;       /* stack index of the function, or 0 */
} Settings;

typedef struct OptionChoice {
  const char *name;
  int value;
} OptionChoice;

typedef enum OptionKind {
  OPTION_FLAG,       /* a boolean: true sets `flag` */
  OPTION_DENY,       /* a boolean: false sets `flag` */
  OPTION_COUNT,      /* an integer from `least` to `most`, into the uint64_t at `offset` */
  OPTION_CHOICE,     /* one of `choices`, into the int at `offset`; booleans stand for "on" and "off" */
  OPTION_PERMANENTS, /* a boolean as OPTION_FLAG, or a table, whose index goes into `permanents` */
  OPTION_SEAL,       /* what hearth.seal gave */
  OPTION_WARN        /* a function */
} OptionKind;

typedef struct Option {
  const char *name;
  OptionKind kind;
  unsigned flag;
  size_t offset;
  lua_Integer least, most;
  const OptionChoice *choices;
} Option;

extern const Option option_encode[], option_decode[], option_open[], option_compact[];
extern const OptionChoice option_durability[], option_alias[];

/*
** Reads the table at `arg` (absent or nil: no options) into `settings`, which
** the caller has filled with the defaults. Tables, userdata and functions among
** the options stay on the stack, so that their indices hold. Raises.
*/
void option_read(lua_State *L, int arg, const Option *options, Settings *settings);

/* The value of the choice at `arg`; booleans as OPTION_CHOICE. Raises. */
int option_check_choice(lua_State *L, int arg, const OptionChoice *choices);

#define OPTION_SEAL_TYPE "hearth.seal" /* the userdata of a seal: a hearth_seal comes first in it */

#endif
