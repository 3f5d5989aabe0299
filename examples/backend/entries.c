#include "entries.h"

#include <stdlib.h>
#include <string.h>

void *allocate(const hearth_allocator *a, void *ptr, size_t osize, size_t nsize) {
  if (a->alloc != NULL) return a->alloc(a->ud, ptr, osize, nsize);
  if (nsize > 0) return realloc(ptr, nsize);
  free(ptr);
  return NULL;
}

void clear(const hearth_allocator *a, Bytes *b) {
  if (b->data != NULL) (void)allocate(a, b->data, b->room, 0);
  *b = (Bytes){0};
}

bool reserve(const hearth_allocator *a, Bytes *b, size_t room) {
  if (room <= b->room) return true;
  room += room / 2;
  unsigned char *data = allocate(a, b->data, b->room, room);
  if (data == NULL) return false;
  b->data = data;
  b->room = room;
  return true;
}

unsigned char *write_number(unsigned char *p, uint64_t n) {
  for (int i = 0; i < 8; i++) *p++ = (unsigned char)(n >> 8 * i);
  return p;
}

uint64_t read_number(const unsigned char *p) {
  uint64_t n = 0;
  for (int i = 8; i-- > 0;) n = n << 8 | p[i];
  return n;
}

Entry entry_at(const Bytes *b, size_t at) {
  const unsigned char *p = b->data + at;
  Entry e = {.table = read_number(p), .key = p + 24};
  e.key_size = (size_t)read_number(p + 8);
  e.value_size = (size_t)read_number(p + 16);
  e.value = e.key + e.key_size;
  e.size = FRAME + e.key_size + e.value_size;
  return e;
}

static int compare(const Entry *e, uint64_t table, const void *key, size_t size) {
  if (e->table != table) return e->table < table ? -1 : 1;
  size_t least = e->key_size < size ? e->key_size : size;
  int order = least > 0 ? memcmp(e->key, key, least) : 0;
  return order != 0 ? order : e->key_size < size ? -1 : e->key_size > size;
}

size_t position(const Bytes *b, uint64_t table, const void *key, size_t size) {
  size_t at = HEAD;
  while (at < b->size) {
    Entry e = entry_at(b, at);
    if (compare(&e, table, key, size) >= 0) break;
    at += e.size;
  }
  return at;
}

size_t size_there(const Bytes *b, size_t at, uint64_t table, const void *key, size_t size) {
  if (at == b->size) return 0;
  Entry e = entry_at(b, at);
  return compare(&e, table, key, size) == 0 ? e.size : 0;
}

/* In place of `old` bytes at `at` there will be room for `size`. */
static bool splice(const hearth_allocator *a, Bytes *b, size_t at, size_t old, size_t size) {
  if (!reserve(a, b, b->size - old + size)) return false;
  memmove(b->data + at + size, b->data + at + old, b->size - at - old);
  b->size = b->size - old + size;
  return true;
}

bool apply(const hearth_allocator *a, Bytes *b, const hearth_op *op) {
  if (op->kind == HEARTH_DROP) {
    size_t at = position(b, op->table, NULL, 0);
    return splice(a, b, at, position(b, op->table + 1, NULL, 0) - at, 0);
  }
  size_t at = position(b, op->table, op->key, op->key_size);
  size_t old = size_there(b, at, op->table, op->key, op->key_size), size = FRAME + op->key_size + op->value_size;
  if (op->kind == HEARTH_DEL) return splice(a, b, at, old, 0);
  if (!splice(a, b, at, old, size)) return false;
  unsigned char *p = write_number(write_number(write_number(b->data + at, op->table), op->key_size), op->value_size);
  if (op->key_size > 0) memcpy(p, op->key, op->key_size);
  if (op->value_size > 0) memcpy(p + op->key_size, op->value, op->value_size);
  (void)write_number(p + op->key_size + op->value_size, size);
  return true;
}

bool holds(const Bytes *b, const hearth_op *check) {
  size_t at = position(b, check->table, check->key, check->key_size);
  bool there = size_there(b, at, check->table, check->key, check->key_size) > 0;
  if (!there || check->kind == HEARTH_CHECK_ABSENT) return there == (check->kind == HEARTH_CHECK_EQUAL);
  Entry e = entry_at(b, at);
  return e.value_size == check->value_size && (e.value_size == 0 || memcmp(e.value, check->value, e.value_size) == 0);
}
