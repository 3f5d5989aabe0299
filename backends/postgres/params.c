#include "params.h"

#include <assert.h>

static void big_endian(unsigned char *out, uint64_t n, int size) {
  for (int i = size; i-- > 0; n >>= 8) out[i] = (unsigned char)n;
}

static void add(Params *p, const void *bytes, size_t size) {
  assert(p->count < PARAMS_MAX);
  p->values[p->count] = bytes;
  p->lengths[p->count] = (int)size;
  p->formats[p->count++] = 1;
}

void postgres_params_number(Params *p, uint64_t n) {
  big_endian(p->numbers[p->count], n, 8);
  add(p, p->numbers[p->count], 8);
}

void postgres_params_small(Params *p, uint32_t n) {
  big_endian(p->numbers[p->count], n, 4);
  add(p, p->numbers[p->count], 4);
}

void postgres_params_bytes(Params *p, const void *bytes, size_t size) {
  add(p, bytes, size);
}

uint64_t postgres_number(const char *bytes, int size) {
  uint64_t n = 0;
  for (int i = 0; i < size; i++) n = n << 8 | (unsigned char)bytes[i];
  return n;
}

static void put_number(Buffer *b, uint64_t n, int size) {
  unsigned char bytes[8];
  big_endian(bytes, n, size);
  buffer_put(b, bytes, (size_t)size);
}

#define HEAD 20 /* dimensions, has nulls, type; count and lower bound of the one dimension */

void postgres_array_begin(Buffer *b, uint32_t element_type) {
  buffer_clear(b);
  put_number(b, 1, 4);
  put_number(b, 1, 4);
  put_number(b, element_type, 4);
  put_number(b, 0, 4);
  put_number(b, 1, 4);
}

void postgres_array_number(Buffer *b, uint64_t n) {
  put_number(b, 8, 4);
  put_number(b, n, 8);
}

void postgres_array_bytes(Buffer *b, const void *bytes, size_t size) {
  put_number(b, size, 4);
  buffer_put(b, bytes, size);
}

void postgres_array_null(Buffer *b) {
  put_number(b, UINT32_MAX, 4);
}

void postgres_array_end(Buffer *b, size_t count) {
  if (!b->failed) big_endian(b->data + HEAD - 8, count, 4);
}

void postgres_params_array(Params *p, const Buffer *b) {
  add(p, b->data, b->size);
}
