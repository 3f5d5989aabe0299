/*
** Entries in one run of bytes, in memory as in the file: "shelf 1\n", a checksum of all that follows, the number of the
** last batch; then the entries in the order of the contract, each with its table, the size of its key, the size of its
** value, key, value, and the size of all this once more, so that a scan can go backwards. Numbers have eight bytes, the
** least significant first.
*/
#ifndef SHELF_ENTRIES_H
#define SHELF_ENTRIES_H

#include <hearth_backend.h>

#define MAGIC "shelf 1\n"
#define HEAD 24  /* bytes before the first entry */
#define FRAME 32 /* bytes of an entry beside its key and its value */

typedef struct Bytes {
  unsigned char *data;
  size_t size, room;
} Bytes;

typedef struct Entry {
  uint64_t table;
  size_t key_size, value_size, size;
  const unsigned char *key, *value;
} Entry;

/* As lua_Alloc does it, also where the caller has given no allocator. */
void *allocate(const hearth_allocator *a, void *ptr, size_t osize, size_t nsize);
void clear(const hearth_allocator *a, Bytes *b);
/* False: memory exhausted, nothing changed; as with apply. */
bool reserve(const hearth_allocator *a, Bytes *b, size_t room);

unsigned char *write_number(unsigned char *p, uint64_t n);
uint64_t read_number(const unsigned char *p);

Entry entry_at(const Bytes *b, size_t at);
/* Where the first entry stands that does not come before this key. */
size_t position(const Bytes *b, uint64_t table, const void *key, size_t size);
/* The size of the entry with this key at `at`; 0: it is not there. */
size_t size_there(const Bytes *b, size_t at, uint64_t table, const void *key, size_t size);

/* Does PUT, DEL or DROP. */
bool apply(const hearth_allocator *a, Bytes *b, const hearth_op *op);
/* Does CHECK_EQUAL or CHECK_ABSENT hold? */
bool holds(const Bytes *b, const hearth_op *check);

#endif
