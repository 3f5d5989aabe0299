/*
** The chapter "Stores": which entries a store keeps in its backend.
**
** Table 0 holds the store itself; table n > 0 holds the external table with
** number n. Numbers in keys have 7 bytes, most significant first. The entries
** of table 0, by their key:
**
**   'c' n           a constant: head (shape, prototype, string), body
**   'c' n i         bytes i * STRING_CHUNK and on of a large string; i has 4 bytes
**   'm'             metadata
**   'o' n           an object: head, body
**   'o' n s p d     a page of a paged table: section, prefix (8 bytes), depth (1)
**   'x' n           an external table: references to it from other external
**                   tables, references in it to other external tables (varints)
**
** A page holds the entries whose order (64 bits) begins with the first d bits of
** p. Section 0 is for integer keys, ordered by value; section 1 for all other
** keys, ordered by XXH3-64 of their encoded bytes, equal ones by those bytes. A range is
** a page if the weight of its entries (bytes of keys and values as encoded)
** is at most the page size, or if it has one entry, or at depth 64; otherwise its halves are looked at. So
** what is in which page follows from the content alone.
**
** Page of section 0: runs to the end: first key (an integer), varint count, values.
** Page of section 1: pairs to the end: key, value.
**
** A special object's body: varint count of local objects, their heads, the
** value, the bodies of the local objects; local objects are referred to by LOCAL.
*/
#ifndef HEARTH_FORMAT_LAYOUT_H
#define HEARTH_FORMAT_LAYOUT_H

#include "error.h"
#include "record.h"

#define STORE_FORMAT_VERSION 1     /* of layout and records: what this library writes */
#define STORE_FORMAT_READABLE_BY 1 /* the oldest reader of what it writes */

#define LAYOUT_TABLE 0
#define LAYOUT_HOME_ID 1 /* what a new store gives its home table */
#define LAYOUT_MAX_NUMBER ((uint64_t)1 << 53)
#define LAYOUT_MAX_KEY 18
#define STRING_CHUNK 65536

typedef enum LayoutKind {
  LAYOUT_NONE = 0, /* not a key of this layout */
  LAYOUT_CONSTANT = 'c',
  LAYOUT_CHUNK = 'C', /* only in LayoutKey: a constant's key with an index */
  LAYOUT_METADATA = 'm',
  LAYOUT_OBJECT = 'o',
  LAYOUT_PAGE = 'O', /* only in LayoutKey: an object's key with a page */
  LAYOUT_EXTERNAL = 'x'
} LayoutKind;

typedef struct LayoutKey {
  LayoutKind kind;
  uint64_t number;
  uint32_t chunk;
  unsigned char section, depth;
  uint64_t prefix;
} LayoutKey;

/* Writes the key; answers its size. */
size_t layout_put_key(unsigned char out[LAYOUT_MAX_KEY], const LayoutKey *key);

/* Reads one; kind LAYOUT_NONE when it is none. */
LayoutKey layout_get_key(const void *key, size_t size);

static inline bool layout_is_metadata(uint64_t table, const void *key, size_t size) {
  return table == LAYOUT_TABLE && size == 1 && *(const unsigned char *)key == LAYOUT_METADATA;
}

typedef struct Metadata {
  uint64_t written_by;   /* format versions, as in a blob's header */
  uint64_t readable_by;
  uint64_t home_id, memory_id; /* 0: absent */
  uint64_t next_id;
  uint64_t saved_at;     /* milliseconds since 1970, 0: never */
  uint64_t page_size;
  char writer[64];       /* "hearth 0.1.0" */
  uint64_t copied_batch; /* of the source, when an unfinished copy was begun */
  char copy_of[256];     /* "": a store; else an unfinished copy, and of what (the beginning of a long URI) */
} Metadata;

/* `readable_by` of what no reader may take for a store, so that one that does not know `copy_of` refuses it too. */
#define STORE_FORMAT_NEVER 0x7fffffff

/* As pairs of a name and an integer or string, behind a varint count; unknown names are skipped by readers. */
void metadata_put(Buffer *b, const Metadata *m);
/* Positive integers only; the cursor says what is damaged. */
void metadata_get(Cursor *c, Metadata *m);

/* OK, or NOTSTORE for an unfinished copy. */
hearth_status metadata_check_finished(const Metadata *m, hearth_error *err);

#endif
