/*
** The state of one encoding walk, shared by the chapters that write: values,
** tables, functions, special objects. Blobs and stores differ in what is set
** here and in the callbacks, not in the chapters.
**
** Everything here runs inside one protected C function; failing means
** filling `error` and raising. Memory that must survive that hangs on the
** Encoder, which its owner frees.
*/
#ifndef HEARTH_CODEC_ENCODER_H
#define HEARTH_CODEC_ENCODER_H

#include <lua.h>

#include "error.h"
#include "hearth.h"
#include "heap.h"
#include "needs.h"

typedef struct Encoder Encoder;
struct PermanentsFilter;

#define ENTRY_MOST_INDEX ((1u << 30) - 1)

/* One entry of a table that is sorted: its key and its value as bytes in `entry_bytes`. */
typedef struct Entry {
  uint64_t order;   /* integer keys: order-preserving; others: a stable hash of the key's bytes */
  uint32_t other : 2;  /* 0: an integer key, 1: another */
  uint32_t index : 30; /* which entry it was in the order of lua_next; ENTRY_MOST_INDEX: that one or a later one */
  uint32_t key_size;
  size_t key, value; /* offsets */
  size_t value_size;
} Entry;

/* What a key or a value is, as far as can be told without reading it. */
typedef enum IdentityType {
  IDENTITY_NONE,    /* not to be told: a userdata, or a string that is a constant */
  IDENTITY_FALSE,
  IDENTITY_TRUE,
  IDENTITY_INTEGER, /* its bits */
  IDENTITY_FLOAT,   /* its bits */
  IDENTITY_STRING,  /* its address: good until a collection may have freed it */
  IDENTITY_OBJECT   /* its address: good while it is anchored */
} IdentityType;

/* An entry of a table by what it is; in the order of lua_next. */
typedef struct Identity {
  uint64_t key, value;
  uint32_t page; /* where the entry is stored: filled by who divides the table */
  uint8_t key_type, value_type;
} Identity;

/* How far a table's record came before it was given up: values of its sequence, and their bytes. */
typedef struct Begun {
  uint64_t entries, bytes;
} Begun;

typedef struct EncoderOps {
  /* The bytes of a constant (a shape, a prototype, a large string) that was not there before. */
  void (*constant)(Encoder *E, uint32_t index, const void *bytes, size_t size);
  /* A table too large for one record: its sorted entries. The metatable's record body is in E->body. NULL: blobs. */
  void (*pages)(Encoder *E, const Head *head, const Entry *entries, size_t count);
  /* A table that may be known from before: writes its changed pages, fills the head, answers true. NULL: none. */
  bool (*known)(Encoder *E, int index, Head *head);
  /*
  ** A table that does not fit its record: writes its pages while it walks it, fills the head, answers true. NULL: none.
  */
  bool (*stream)(Encoder *E, int index, const Begun *begun, Head *head);
  /* A value that lives elsewhere and has a number of its own (an external table). NULL: none. */
  bool (*foreign)(Encoder *E, int index, uint64_t *number);
  /* Anchors the cell of a function's upvalue under the slot, and sets its Object.upvalue. */
  void (*anchor_cell)(Encoder *E, uint32_t slot, int function, int upvalue);
  /* The special object at `index`: writes head and body, or puts it aside and answers false. */
  bool (*special)(Encoder *E, uint32_t slot, int index);
  /*
  ** Writes a reference to an object that has no number but belongs to the special object at work;
  ** false: it does not. NULL: none.
  */
  bool (*local)(Encoder *E, int index);
  bool (*local_cell)(Encoder *E, int function, int upvalue);
  /*
  ** Is an object that the walk did not reach part of a special object that will be written? Then it lives. NULL: none.
  */
  bool (*held)(Encoder *E, int index);
} EncoderOps;

struct Encoder {
  lua_State *L;
  const EncoderOps *ops;
  void *owner;              /* of the callbacks */
  Heap *heap;
  hearth_error *error;
  const hearth_seal *seal;
  const char *root;         /* what a path begins with */
  size_t page_size;         /* larger tables and strings go into pages; 0: no pages */
  uint64_t max_bytes;       /* 0: no limit */
  uint64_t top;             /* highest object referred to so far, for NEXT */
  uint32_t current;         /* slot whose body is being written */
  size_t front;             /* bytes at the beginning of `body` that are no output: room for what goes before it */
  bool relative;            /* NEXT and the dictionary may be used: blobs */
  bool sorted;              /* records depend on content alone */
  bool canonical;           /* numbers too */
  bool nested;              /* inside a special object's record */
  bool strip, no_functions;
  bool hooked;              /* a hook or a type's function ran during this walk */
  size_t done;              /* how many of the heap's queue are written, or put aside */
  /* Stack indices, absolute. */
  int objects;              /* table: slot + 1 -> object */
  int large;                /* stores: table: constant + 1 -> large string */
  int permanents, overlay;  /* overlay: further permanents, value -> name, or 0 */
  int modules;              /* table: unregistered module -> name, or 0 */
  const struct PermanentsFilter *named; /* addresses that permanents and modules may have: those
                                           of the table `permanents` */
  Buffer head, body;        /* blob: the sections; store: the record at work */
  Buffer scratch;           /* a prototype's or a shape's bytes */
  Buffer entries, entry_bytes;
  Buffer identities;        /* of all entries that were gathered last, where ops->known is there */
  Buffer weak;              /* slots of weak tables */
  Needs needs;              /* of what was written, once there are special objects: encode_needs.c */
  struct StringDictionary *strings;
  struct ShapeCache *shapes;
};

/* ------------------------------------------------------------- failing */

/*
** Raises a Lua error after filling E->error; the path is that of the value at `index` in the object
** at work; 0: no path.
*/
_Noreturn void encoder_fail(Encoder *E, hearth_status code, int index, const char *format, ...) HEARTH_PRINTF(4, 5);
_Noreturn void encoder_fail_memory(Encoder *E);

/* Pushes the path of the object in `slot`, or, with index != 0, of the value at `index` inside it. */
void encoder_push_path(Encoder *E, uint32_t slot, int index);

/* [-0, +1, m] Pushes the step of a path for the key at `key`: `.name`, `[3]`, `["a b"]`. `key` must be absolute. */
void path_push_key(lua_State *L, int key);

/* Raises if any buffer ran out of memory or the output passes max_bytes. */
void encoder_check(Encoder *E);

/* ----------------------------------------------------- chapter by chapter */

/* Values: writes the value at `index` into E->body. */
void encode_value(Encoder *E, int index);
void encode_ref(Encoder *E, uint32_t slot);

/* The slot of the object at `index`, met if it is new, and reached. */
uint32_t encode_reach(Encoder *E, int index);

/* Strings: the dictionary of a blob. */
struct StringDictionary *strings_new(const hearth_allocator *allocator);
void strings_free(struct StringDictionary *s);
void encode_string(Encoder *E, int index);

/*
** Shapes. A key is known by its address (lua_topointer): equal short strings have equal ones. Keys and values stand on
** the stack in the order of lua_next, key i at base + 2 * i + 1.
*/
struct CachedShape;
struct ShapeCache *shapes_new(const hearth_allocator *allocator);
void shapes_free(struct ShapeCache *s);
void shapes_forget(struct ShapeCache *s);
/* The shape that a table with this first key most likely has, NULL: not known; and whether its key i is this one. */
const struct CachedShape *shapes_guess(const struct ShapeCache *s, const void *first);
bool shapes_has_key(const struct CachedShape *shape, size_t i, const void *key);
/* The number of the shape of these keys, and how the delivered order maps to the shape's: value order[i] is i-th. */
uint64_t encode_shape(Encoder *E, int base, const void *const keys[], size_t count, const uint8_t **order);

/* Tables; pops nothing. `index` absolute. Whether it has a metatable is known: most have none. */
void encode_table(Encoder *E, int index, bool has_metatable);

/*
** Weak tables. The walk puts them aside until nothing else is left; a round
** then reaches what lives through their strong sides, and answers whether that was
** anything new. They are written last.
*/
bool encode_weak_round(Encoder *E);
/* The mode of the table at `index`: 0, or WEAK_KEYS and WEAK_VALUES. */
int encode_weak_mode(Encoder *E, int index);
/* Is the entry with its key and value at these indices to be written? */
bool encode_weak_keeps(Encoder *E, int mode, int key, int value);
#define WEAK_KEYS 1
#define WEAK_VALUES 2

/*
** Functions and cells. A closure's prototype may be known (its index among the constants, else HEAP_NONE);
** the answer is that index.
*/
uint32_t encode_closure(Encoder *E, int index, uint32_t constant);
void encode_cell(Encoder *E, int function, int upvalue);
/* Raises if the cell in the slot is no longer that of the function that anchors it. */
void encode_check_cell(Encoder *E, uint32_t slot);
/* The slot of a function's cell, met if it is new, and reached. */
uint32_t encode_reach_cell(Encoder *E, int function, int upvalue);

/* Has the object at `index` a hook or a registered type? Raises if it is no table, or forbidden. */
bool encode_is_special(Encoder *E, int index);
/* Calls the hook or the type's function and pushes the value that stands for the object; fills its head. */
void encode_special_value(Encoder *E, int index, Head *head);

/*
** What closures, cells and special objects need directly: noted as they are written, once E->hooked; before the
** first hook is called, that of all that is written so far. In the end the check raises CYCLE.
*/
void encode_needs_closure(Encoder *E, int index);
void encode_needs_cell(Encoder *E, int function, int upvalue);
void encode_needs_special(Encoder *E, uint32_t slot, int value);
void encode_needs_so_far(Encoder *E);
void encode_check_needs(Encoder *E);

/* Raises if the value at `index`, no permanent, cannot be stored by itself; special objects are looked at later. */
void encode_check_storable(Encoder *E, int index);

/*
** Writes the head and the body of one object. False: it is a weak table or a special object that was put
** aside; nothing is written.
*/
bool encode_object(Encoder *E, uint32_t slot);

/* Writes a weak table that was put aside. */
void encode_weak_table(Encoder *E, uint32_t slot);

/* Initialises buffers, dictionary and cache; false: memory exhausted. And frees them. */
bool encoder_init(Encoder *E, lua_State *L, const hearth_allocator *allocator);
void encoder_free(Encoder *E);

#endif
