/*
** A heap: the numbered objects of one blob or one store, and by which pointer
** each is known. Slots are dense indices into memory; numbers are what is
** written. What a slot's object is in Lua, the owner anchors in a Lua table
** under slot + 1, so that a pointer is never reused while the heap knows it.
*/
#ifndef HEARTH_CODEC_HEAP_H
#define HEARTH_CODEC_HEAP_H

#include "hash.h"
#include "intmap.h"
#include "record.h"

#define HEAP_NONE UINT32_MAX

typedef struct Object {
  uint64_t number;
  uint64_t pointer;  /* the key in by_pointer; 0: a free slot, or an object without one */
  uint32_t parent;   /* slot from which the last walk first reached it; HEAP_NONE for the root */
  uint32_t epoch;    /* of the last walk that reached it */
  uint32_t constant; /* closure: index of its prototype among the constants */
  uint8_t kind;      /* ObjectKind it was last written as; 0: not yet written */
  uint8_t upvalue;   /* cell: which upvalue of the anchored function it is */
  uint8_t fresh;     /* not part of any commit yet */
} Object;

/* What is shared by content: shapes, prototypes, strings in pages of their own. */
typedef struct Constant {
  Hash128 hash;    /* of its bytes, kind included */
  uint64_t number;
  uint32_t epoch;
  uint8_t kind;    /* ObjectKind; 0: a free slot */
  uint8_t fresh;
  uint8_t count;   /* shape: keys */
  size_t size;     /* string: bytes */
  uint64_t pointer; /* string: of the one that the owner anchors for it, the key in by_address; 0: none */
} Constant;

typedef struct Heap {
  hearth_allocator allocator;
  Object *objects;
  Constant *constants;
  uint32_t object_count, object_capacity, free_object;
  uint32_t constant_count, constant_capacity, free_constant;
  IntMap by_pointer, by_content, by_address; /* the last: of strings that are constants */
  uint64_t next_number;
  uint64_t next_of_kind[OBJECT_PAGED + 1]; /* constants of a blob are numbered by kind */
  bool separate_constants;
  HashKey key;       /* of hashes of contents */
  uint32_t epoch;
  Buffer queue;      /* slots in the order in which this walk reached them */
} Heap;

/* key: of hash_key, or that of a heap whose hashes are compared with those of this one. */
void heap_init(Heap *h, const hearth_allocator *allocator, HashKey key);
void heap_free(Heap *h);

/* Begins a walk: nothing is reached yet. */
void heap_begin_walk(Heap *h);

/* A new object with the next number (number 0) or a known one; HEAP_NONE when memory is exhausted. pointer may be 0. */
uint32_t heap_add(Heap *h, uint64_t pointer, uint64_t number);
void heap_remove(Heap *h, uint32_t slot);

static inline uint32_t heap_find(const Heap *h, uint64_t pointer) {
  return intmap_get(&h->by_pointer, pointer);
}

/* Marks as reached and queues, once a walk. False: memory exhausted. */
bool heap_reach(Heap *h, uint32_t slot, uint32_t parent);

static inline bool heap_reached(const Heap *h, uint32_t slot) {
  return h->objects[slot].epoch == h->epoch;
}

static inline size_t heap_queued(const Heap *h) {
  return h->queue.size / sizeof(uint32_t);
}

static inline uint32_t heap_queue_at(const Heap *h, size_t i) {
  uint32_t slot;
  memcpy(&slot, h->queue.data + i * sizeof slot, sizeof slot);
  return slot;
}

/* Of what an object or a constant of this heap holds. */
static inline Hash128 heap_hash(const Heap *h, const void *bytes, size_t size) {
  return hash128(bytes, size, h->key);
}

/* Finds or makes the constant of this content; *is_new says which. HEAP_NONE: memory exhausted. */
uint32_t heap_constant(Heap *h, ObjectKind kind, Hash128 hash, uint64_t number, bool *is_new);
void heap_remove_constant(Heap *h, uint32_t index);

/* The constant that is this string, if it is known by its address; else HEAP_NONE. */
static inline uint32_t heap_find_string(const Heap *h, uint64_t pointer) {
  return intmap_get(&h->by_address, pointer);
}

/* From now on the constant is known by this address, and by no former one; by_address has room for one more. */
void heap_know_string(Heap *h, uint32_t index, uint64_t pointer);

#endif
