/*
** The state of one reading of the home graph: what load.c, load_objects.c, load_heap.c and restore.c share.
*/
#ifndef HEARTH_STORE_LOADER_H
#define HEARTH_STORE_LOADER_H

#include "committer.h"
#include "decoder.h"

/* What is remembered of an object beside its Part. */
typedef struct Origin {
  size_t at, body, end; /* of the record, in the arena; body: behind the head */
  uint64_t count;       /* paged: entries seen in pages so far; special: local objects */
  uint32_t slot;        /* of the object that is kept, or HEAP_NONE: it is made anew */
  uint32_t former;      /* special: slot of the object that had the number, or HEAP_NONE */
} Origin;

/* One entry of the layout's table, copied to the arena. */
typedef struct Loaded {
  LayoutKey key;
  size_t at, size;
} Loaded;

typedef struct PageOf {
  Page page;
  uint32_t index;
} PageOf;

typedef struct Loader {
  Decoder D;
  hearth_store *S;
  struct Externals *externals; /* what the store's will be; afterwards what they were */
  Heap heap;            /* the same */
  Saved *saved;         /* one an object, in their order */
  size_t saved_capacity;
  Buffer arena, entries; /* entries: from the bodies on only those of pages */
  unsigned char last[LAYOUT_MAX_KEY]; /* the key read last */
  size_t last_size;
  Buffer origins;       /* Origin, one an object; not for local ones */
  Buffer pages;         /* Page and index: PageOf */
  IntMap numbers;       /* number -> index of an object */
  IntMap constants;     /* number -> index of a constant */
  IntMap slots;         /* number -> slot in the store's present heap */
  Metadata metadata;
  bool found_metadata;
  Probes probes;        /* of the special objects that the backend has as they were committed */
  bool rebuild_specials; /* a number means another object now: they may hold the former */
  uint32_t object_count;
  int live;             /* stack: the store's present objects */
  int temporary;        /* stack: table index + 1 -> what a live table or cell should hold;
                           -(index + 1) -> keys that it lacks */
  int strings;          /* stack: constant index + 1 -> large string */
  int large;            /* stack: the new STORE_LARGE: empty, as live tables keep the equal strings they have */
} Loader;

static inline Origin *origin_of(Loader *l, uint32_t index) {
  return (Origin *)(void *)l->origins.data + index;
}

/*
** The slot of the object that is kept, or HEAP_NONE. A store that is opened keeps none, and forgets its origins early.
*/
static inline uint32_t loader_slot(Loader *l, uint32_t index) {
  return l->origins.size > 0 ? origin_of(l, index)->slot : HEAP_NONE;
}

static inline Loaded loader_entry(const Loader *l, size_t i) {
  Loaded e;
  memcpy(&e, l->entries.data + i * sizeof e, sizeof e);
  return e;
}

static inline size_t loader_entries(const Loader *l) {
  return l->entries.size / sizeof(Loaded);
}

/* The input at work is one entry, which `what` names; positions in errors are relative to it. number 0: it has none. */
void loader_look_at(Loader *l, const char *what, uint64_t number, size_t at, size_t size);

/* The same for an object's body; positions in errors count from the record's first byte, as those in its head do. */
void loader_look_at_body(Loader *l, uint32_t index);

/* Raises if bytes are left of the entry at work. */
void loader_check_end(Loader *l);

/* -------------------------------------------------------- load_objects.c */

extern const DecoderOps loader_ops;

/* The index of the object with this number, or DECODER_NONE. */
uint32_t loader_find(Decoder *D, uint64_t number);

/* The constant that is entry i. */
void load_constant(Loader *l, size_t i);

/* All objects, made or kept, and what they are to hold; nothing that is live is changed. */
void load_objects(Loader *l);

/* ----------------------------------------------------------- load_heap.c */

/*
** Makes the heap that the store will have. What nothing asks for any more goes first: at its most, opening so takes
** two thirds of the memory that it would with it.
*/
void loader_build_heap(Loader *l);

/* The store takes over what was built. Cannot fail. */
void loader_install(Loader *l, uint32_t home);

/* ------------------------------------------------------------ restore.c */

/* Makes `live` hold what `wanted` holds (itself where that holds itself). */
void restore_table(lua_State *L, int live, int wanted);

/*
** Live tables get the keys that they lack, which takes memory. Raises, with nothing changed, where there is
** none; what follows needs no more.
*/
void restore_keys(Loader *l);

/* Live tables, cells and closures become what was read; metatables that are to be set come later. */
void restore_contents(Loader *l);

#endif
