/*
** The state of one decoding, shared by the chapters that read. It mirrors
** encoder.h.
**
** All objects are created first, from their heads and in their right sizes, then
** filled from their bodies; then metatables are set, then special objects are
** rebuilt. Everything runs inside one protected C function.
*/
#ifndef HEARTH_CODEC_DECODER_H
#define HEARTH_CODEC_DECODER_H

#include <lua.h>

#include "error.h"
#include "heads.h"
#include "hearth.h"
#include "intmap.h"
#include "record.h"

typedef struct Decoder Decoder;

#define DECODER_NONE UINT32_MAX

/* Beside the public flags: prototypes that do not fit this Lua get stand-ins, so that a store opens. */
#define DECODER_KEEP_UNFIT 0x10000u

/* What is remembered of an object between its head and its body. */
typedef struct Part {
  size_t body;       /* position of the body in the input */
  uint64_t top;      /* Decoder.top there */
  uint64_t number;   /* store: its number; blob: index + 1 */
  uint32_t array, pairs;
  uint32_t constant; /* table: index of the shape; closure: of the prototype; cell: of the object of which it is an
                        upvalue; special: of the special that is its value, or DECODER_NONE */
  uint32_t locals;   /* index of the first local object of the special that it belongs to, or DECODER_NONE */
  uint32_t mark;     /* of the last search that came by */
  uint8_t kind;      /* ObjectKind */
  uint8_t flags;     /* HEAD_... */
  uint8_t upvalue;   /* cell: which upvalue of the function it is; 0: of none yet */
  uint8_t state;     /* special: PART_...; closure: PART_STAND_IN or 0 */
} Part;

enum { PART_WAITING = 0, PART_BUILDING = 1, PART_BUILT = 2, PART_STAND_IN = 3 };

/*
** What is used all the time is on Lua's stack, as much of it as its room is for: pushing it from there takes half the
** instructions of a table's field. The rest is in tables.
*/
#define DECODER_STACK (LUA_MINSTACK + SHAPE_MAX_KEYS + 16) /* what any part of it needs besides */
#define STACKED_OBJECTS 262144 /* a quarter of Lua's stack */
#define STACKED_STRINGS 128    /* of the dictionary */
#define STACKED_CONSTANTS 1024 /* keys of shapes, and makers */

/* What is kept of a shape or a prototype. */
typedef struct Kept {
  int place;      /* on the stack: the first key; the maker. 0: in the table */
  uint32_t count; /* keys; upvalues */
} Kept;

/* What a value is to be: of a table no value and no key is nil, no key is NaN. */
typedef enum ValuePlace { PLACE_ANY, PLACE_VALUE, PLACE_KEY } ValuePlace;

typedef struct DecoderOps {
  /* The index of the object with this number, or DECODER_NONE when there is none. */
  uint32_t (*find)(Decoder *D, uint64_t number);
  /*
  ** Pushes what is no object of this heap but has a number (a large string, an external table);
  ** false: unknown. NULL: none.
  */
  bool (*push_other)(Decoder *D, uint64_t number);
  /* The index of a constant (shape or prototype) with this number, or DECODER_NONE. */
  uint32_t (*find_constant)(Decoder *D, ObjectKind kind, uint64_t number);
  /* A special object was rebuilt and is on the top; another may be put in its place. NULL: none. */
  void (*adopt)(Decoder *D, uint32_t index);
} DecoderOps;

struct Decoder {
  lua_State *L;
  const DecoderOps *ops;
  void *owner;
  hearth_error *error;
  const hearth_seal *seal;
  const char *what;        /* what is read, for messages: "blob", "the store", "object" */
  uint64_t what_number;    /* of it, or 0: "object #17" */
  Cursor c;                /* the input at work */
  size_t bias;             /* positions in errors count from here */
  unsigned flags;          /* HEARTH_ALLOW_..., HEARTH_PLACEHOLDERS */
  uint64_t top;            /* highest object referred to so far */
  uint64_t memory, max_memory; /* the latter UINT64_MAX where there is no limit */
  uint64_t fields, most_fields; /* of all tables so far; each takes a byte of the bodies at least */
  Buffer parts;            /* Part, one an object */
  Buffer patches;          /* what waits for special objects */
  Buffer metatables;       /* pairs of indices: object, metatable */
  Buffer order, stack, open; /* searches over special objects */
  Buffer shapes_kept, prototypes_kept; /* Kept, by index */
  uint32_t known;          /* strings in the dictionary */
  uint32_t locals;         /* index of the first local object of the special at work, or DECODER_NONE */
  uint32_t local_count;
  bool relative;           /* blobs: NEXT and the dictionary are allowed */
  bool specials;           /* there are special objects */
  bool late;               /* there are late ones */
  uint32_t mark;           /* of the search at work */
  /* Stack indices, absolute. */
  int first_object;        /* those below `stacked`, one after the other */
  uint32_t stacked;        /* blobs; 0 in stores */
  int first_string;        /* those of the dictionary below `stacked_strings` */
  uint32_t stacked_strings;
  uint32_t room;           /* for constants on the stack */
  int objects;             /* table: index - stacked + 1 -> object; of cells only those that are
                              of no closure: a function */
  int shapes;              /* table: index + 1 -> table of keys; of those that are not on the stack */
  int prototypes;          /* table: index + 1 -> maker, or the record of one that does not fit; as shapes */
  int dictionary;          /* table: strings of the dictionary */
  int permanents, overlay; /* overlay: name -> value, or 0 */
  int waiting;             /* table: keys and values of patches from 1 up, the values of specials under -index - 1 */
  int cell_maker;
};

/* Fills the error with the input's position and raises. */
_Noreturn void decoder_fail(Decoder *D, hearth_status code, const char *format, ...) HEARTH_PRINTF(3, 4);
_Noreturn void decoder_fail_memory(Decoder *D);

_Noreturn void decoder_fail_limit(Decoder *D);

/* Raises DAMAGED if the cursor failed. */
static inline void decoder_check(Decoder *D) {
  if (D->c.why != NULL) decoder_fail(D, HEARTH_DAMAGED, "%s", D->c.why);
}

/* Counts memory that values will take against max_memory. */
static inline void decoder_charge(Decoder *D, uint64_t bytes) {
  D->memory += bytes;
  if (D->memory > D->max_memory) decoder_fail_limit(D);
}

static inline Part *decoder_part(Decoder *D, uint32_t index) {
  return (Part *)(void *)D->parts.data + index; /* the allocator's memory is aligned for it */
}

static inline uint32_t decoder_count(const Decoder *D) {
  return (uint32_t)(D->parts.size / sizeof(Part));
}

static inline void decoder_push_object(Decoder *D, uint32_t index) {
  if (index < D->stacked)
    lua_pushvalue(D->L, D->first_object + (int)index);
  else
    lua_rawgeti(D->L, D->objects, (lua_Integer)(index - D->stacked) + 1);
}

/* Where on the stack the object is: on the top, if it has no place there. */
static inline int decoder_place(Decoder *D, uint32_t index) {
  if (index < D->stacked) return D->first_object + (int)index;
  decoder_push_object(D, index);
  return lua_gettop(D->L);
}

/* What is on the top is the object from now on. Pops it. */
static inline void decoder_set_object(Decoder *D, uint32_t index) {
  if (index < D->stacked)
    lua_replace(D->L, D->first_object + (int)index);
  else
    lua_rawseti(D->L, D->objects, (lua_Integer)(index - D->stacked) + 1);
}

static inline const Kept *decoder_shape(const Decoder *D, uint32_t index) {
  return (const Kept *)(const void *)D->shapes_kept.data + index;
}

static inline const Kept *decoder_prototype(const Decoder *D, uint32_t index) {
  return (const Kept *)(const void *)D->prototypes_kept.data + index;
}

/*
** The `values` on the top are the constant with this index, and stay where they are: true, or there
** is no room for them.
*/
bool decoder_keep(Decoder *D, Buffer *kept, uint32_t index, uint32_t values, uint32_t count);

void decoder_init(Decoder *D, lua_State *L, const hearth_allocator *allocator);
void decoder_free(Decoder *D);

/* Pushes the tables that the decoder works with, after decoder_init and inside the protected function. */
void decoder_push_tables(Decoder *D, uint64_t objects);

/* Of a blob: the objects come, and are pushed from now on. */
void decoder_begin_objects(Decoder *D);

/* ----------------------------------------------------- chapter by chapter */

/* Reads a shape's keys from D->c into the table of shapes under index + 1. */
void decode_shape(Decoder *D, uint32_t index);

/* Reads the prototype record of `size` bytes from D->c, checks and loads it, under index + 1. */
void decode_prototype(Decoder *D, uint32_t index, size_t size);

/* Reads a head from D->c, creates its object and adds its part; answers the index. */
uint32_t decode_head(Decoder *D, uint64_t number);
void decode_head_or_repeat(Decoder *D, HeadReader *heads, uint64_t number);

/* Pushes a head's name, a scalar. */
void decode_push_name(lua_State *L, const Value *name);

/*
** Reads one value from D->c and pushes it: DECODER_NONE. A special object that is not built yet is pushed as nil; its
** index is the answer.
*/
uint32_t decode_value(Decoder *D, ValuePlace place);

/* The index of the object that a reference just read means; raises if there is none. */
uint32_t decode_ref(Decoder *D, const Value *v);

/* Reads the body of the object at index from D->c. */
void decode_body(Decoder *D, uint32_t index);

/* Reads the body of the closure at index and only checks it: the closure is not changed. */
void decode_check_closure(Decoder *D, uint32_t index);

/* Reads the body of the table at index into another table, and notes its metatable. */
void decode_table_into(Decoder *D, uint32_t index, int t);

/*
** The parts of the bodies of tables (and of pages): array values from `first`, values of the shape,
** pairs, the metatable.
*/
void decode_array(Decoder *D, uint32_t index, int t, uint64_t first, uint64_t count);
void decode_shaped(Decoder *D, uint32_t index, int t);
void decode_pairs(Decoder *D, uint32_t index, int t, uint64_t count);
void decode_metatable(Decoder *D, uint32_t index);

/* Pushes a private closure with one fresh cell, for one to be joined to. */
void decode_push_private_cell(Decoder *D);

/* A carrier for the cell at index, if it has none: a private closure. */
void decode_ensure_cell(Decoder *D, uint32_t index);

/* Sets the cell at index, which has a carrier, to the value on the top. Pops it. */
void decode_set_cell(Decoder *D, uint32_t index);

/*
** Something waits for special objects: a field (key and value are on the stack; nil stands for
** one that waits), a cell (its value, nil, is). Pops them. DECODER_NONE: that one does not wait.
*/
void decode_wait_field(Decoder *D, uint32_t table, uint32_t key_waits, uint32_t value_waits);
void decode_wait_cell(Decoder *D, uint32_t cell, uint32_t value_waits);

/* The value of the special object at index is on the stack, or it waits for another. Pops it. */
void decode_keep_special(Decoder *D, uint32_t index, uint32_t value_waits);

/* After all bodies: sets metatables, rebuilds special objects, sets what waited, then metatables with finalizers. */
void decode_finish(Decoder *D);

#endif
