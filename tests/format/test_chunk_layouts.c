/*
** Bytecode of machines that this one is not: chunks and prototype records in every layout that the
** format knows, by hand, without a Lua.
*/
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "prototype_record.h"

#define LAYOUTS 8

static ChunkHeader layout(unsigned i) {
  return (ChunkHeader){0x54, 0, 4, i & 1 ? 4 : 8, i & 2 ? 4 : 8, (i & 4) != 0};
}

static void check_layout(const ChunkHeader *read, const ChunkHeader *written) {
  assert_int_equal(read->version, written->version);
  assert_int_equal(read->format, written->format);
  assert_int_equal(read->instruction_size, written->instruction_size);
  assert_int_equal(read->integer_size, written->integer_size);
  assert_int_equal(read->number_size, written->number_size);
  assert_int_equal(read->little_endian, written->little_endian);
}

/* A chunk whose main function has this body in it, as lua_load would get it. */
static void put_chunk(Buffer *out, const ChunkHeader *h, const void *body, size_t size) {
  ChunkWrap wrap;
  chunk_wrap(h, 0, &wrap);
  buffer_init(out, &hearth_libc_allocator);
  buffer_put(out, wrap.prefix, wrap.prefix_size);
  buffer_put(out, body, size);
  buffer_put(out, wrap.suffix, sizeof wrap.suffix);
  assert_false(out->failed);
}

/* What a chunk has before its function: the signature and the rest, two numbers, the count of upvalues. */
static size_t head_size(const ChunkHeader *h) {
  return 15u + h->integer_size + h->number_size + 1u;
}

/* The chunk is read, in this layout, as itself. */
static void check_normal(const Buffer *chunk, const ChunkHeader *h) {
  ChunkHeader read;
  ChunkFault fault = {0, ""};
  unsigned upvalues = 99;
  Buffer out;
  buffer_init(&out, &hearth_libc_allocator);
  if (!chunk_normalise(chunk->data, chunk->size, &read, &upvalues, &out, &fault)) fail_msg("%s", fault.why);
  check_layout(&read, h);
  assert_int_equal(upvalues, 0);
  assert_int_equal(out.size, chunk->size - head_size(h));
  assert_memory_equal(out.data, chunk->data + head_size(h), out.size);
  assert_true(chunk_check(&read, out.data, out.size, 0, &fault));
  buffer_free(&out);
}

static void test_every_layout(void **state) {
  (void)state;
  for (unsigned i = 0; i < LAYOUTS; i++) {
    const ChunkHeader h = layout(i);
    unsigned char getter[CHUNK_GETTER_SIZE];
    Buffer chunk;
    assert_true(chunk_supported(&h));
    put_chunk(&chunk, &h, getter, chunk_put_getter(&h, getter));
    check_normal(&chunk, &h);
    for (size_t at = 15; at < head_size(&h) - 1; at++) { /* the numbers that tell sizes and byte order */
      ChunkHeader read;
      ChunkFault fault;
      unsigned upvalues;
      Buffer out;
      buffer_init(&out, &hearth_libc_allocator);
      chunk.data[at] ^= 0x01;
      assert_false(chunk_normalise(chunk.data, chunk.size, &read, &upvalues, &out, &fault));
      assert_string_equal(fault.why, "numbers of an unknown format");
      chunk.data[at] ^= 0x01;
      buffer_free(&out);
    }
    buffer_free(&chunk);
  }
  for (unsigned i = 0; i < 5; i++) {
    ChunkHeader h = layout(0);
    unsigned char *const fields[] = {&h.version, &h.format, &h.instruction_size, &h.integer_size, &h.number_size};
    *fields[i] = 16;
    assert_false(chunk_supported(&h));
  }
}

/* Constants of the sizes that the layout says. */
static void test_constants(void **state) {
  (void)state;
  for (unsigned i = 0; i < LAYOUTS; i++) {
    const ChunkHeader h = layout(i);
    for (unsigned off = 0; off < 3; off++) { /* too few bytes, right, too many */
      static const unsigned char head[] = {0x80, 0x80, 0x80, 0, 0, 2, 0x81, 0, 0, 0, 0, 0x82, 0x03};
      ChunkFault fault = {0, ""};
      Buffer body;
      buffer_init(&body, &hearth_libc_allocator);
      buffer_put(&body, head, sizeof head);
      for (unsigned k = 0; k < h.integer_size; k++) buffer_byte(&body, 0x13);
      buffer_byte(&body, 0x13);
      for (unsigned k = 1; k < h.number_size + off; k++) buffer_byte(&body, 0x80);
      buffer_put(&body, "\x80\x80\x80\x80\x80\x80", 6);
      assert_int_equal(chunk_check(&h, body.data, body.size, 0, &fault), off == 1);
      buffer_free(&body);
    }
  }
}

/* "=x" with one nested function, whose source and upvalues are given; two registers. */
static void put_nested(Buffer *body, const char *outer, const char *inner, unsigned upvalues) {
  buffer_init(body, &hearth_libc_allocator);
  for (int nested = 0; nested < 2; nested++) {
    const char *source = nested ? inner : outer;
    size_t size = strlen(source) + 1;
    if (size >= 128) buffer_byte(body, (unsigned char)(size >> 7));
    buffer_byte(body, (unsigned char)(0x80 | (size & 0x7f)));
    buffer_put(body, source, size - 1);
    buffer_put(body, "\x80\x80\0\0\x02\x81\0\0\0\0\x80", 11);
    if (!nested) {
      buffer_put(body, "\x80\x81", 2);
      continue;
    }
    if (upvalues >= 128) buffer_byte(body, (unsigned char)(upvalues >> 7));
    buffer_byte(body, (unsigned char)(0x80 | (upvalues & 0x7f)));
    for (unsigned i = 0; i < upvalues; i++) buffer_put(body, "\1\0\0", 3);
    buffer_byte(body, 0x80);
  }
  buffer_put(body, "\x80\x80\x80\x80\x80\x80\x80\x80", 8);
  assert_false(body->failed);
}

static const char *fault_of(const char *outer, const char *inner, unsigned upvalues) {
  const ChunkHeader h = layout(4);
  ChunkFault fault = {0, NULL};
  Buffer body;
  put_nested(&body, outer, inner, upvalues);
  const bool good = chunk_check(&h, body.data, body.size, 0, &fault);
  assert_int_equal(good, fault.why == NULL);
  assert_true(fault.position <= body.size);
  if (good) {
    Buffer chunk;
    put_chunk(&chunk, &h, body.data, body.size);
    check_normal(&chunk, &h);
    buffer_free(&chunk);
  }
  buffer_free(&body);
  return fault.why;
}

/* Functions of two files in one chunk, as a linker of chunks may make them. */
static void test_sources(void **state) {
  (void)state;
  char name[301];
  memset(name, 'n', sizeof name - 1);
  name[0] = '@';
  name[300] = '\0';
  assert_null(fault_of("=x", "=y", 0));
  assert_null(fault_of("=x", "=yy", 0));
  assert_null(fault_of(name, "=y", 0));
  assert_null(fault_of("=x", name, 0));
  assert_string_equal(fault_of("=x", "=x", 0), "a function's source is not in the stored form");
  assert_string_equal(fault_of(name, name, 0), "a function's source is not in the stored form");
}

/* A function's upvalues are counted in a byte. */
static void test_many_upvalues(void **state) {
  (void)state;
  assert_null(fault_of("=x", "=y", CHUNK_MAX_UPVALUES));
  assert_string_equal(fault_of("=x", "=y", CHUNK_MAX_UPVALUES + 1), "a function has too many upvalues");
  assert_string_equal(fault_of("=x", "=y", 1000), "a function has too many upvalues");
}

static void test_names_of_upvalues(void **state) {
  (void)state;
  static const unsigned char body[] = {0x83, '=',  'x',  0x80, 0x80, 0,    0,    2,   0x81, 0,
                                       0,    0,    0,    0x80, 0x82, 1,    0,    0,   1,    1,
                                       0,    0x80, 0x80, 0x80, 0x80, 0x82, 0x83, 'u', 'p',  0x80};
  const ChunkHeader h = layout(4);
  size_t size = 99;
  const char *name = chunk_upvalue_name(&h, body, sizeof body, 2, 1, &size);
  assert_int_equal(size, 2);
  assert_memory_equal(name, "up", 2);
  assert_null(chunk_upvalue_name(&h, body, sizeof body, 2, 2, &size)); /* it has none */
  assert_int_equal(size, 0);
  assert_null(chunk_upvalue_name(&h, body, sizeof body, 2, 3, &size));
  assert_null(chunk_upvalue_name(&h, body, sizeof body - 1, 2, 1, &size)); /* not a body */
  assert_int_equal(size, 0);
}

/* ---------------------------------------------------------------- records */

static void test_records(void **state) {
  (void)state;
  for (unsigned i = 0; i < 2 * LAYOUTS; i++) {
    const ChunkHeader h = layout(i / 2);
    const bool sealed = i % 2;
    unsigned char record[PROTOTYPE_HEAD_SIZE + 300 + PROTOTYPE_SEAL_SIZE + 1] = {0};
    const size_t size = PROTOTYPE_HEAD_SIZE + 300 + (sealed ? PROTOTYPE_SEAL_SIZE : 0);
    Prototype p;
    ChunkFault fault;
    prototype_put_head(&h, 17, 300, sealed, record);
    assert_true(prototype_parse(record, size, &p, &fault));
    check_layout(&p.header, &h);
    assert_int_equal(p.nupvalues, 17);
    assert_ptr_equal(p.body, record + PROTOTYPE_HEAD_SIZE);
    assert_int_equal(p.body_size, 300);
    assert_ptr_equal(p.seal, sealed ? record + PROTOTYPE_HEAD_SIZE + 300 : NULL);
    for (size_t n = 0; n < size; n++) assert_false(prototype_parse(record, n, &p, &fault));
    assert_false(prototype_parse(record, size + 1, &p, &fault));
    assert_string_equal(fault.why, "bytes follow a prototype");
    assert_int_equal(fault.position, size);
    record[0] |= 4;
    assert_false(prototype_parse(record, size, &p, &fault));
    assert_string_equal(fault.why, "a prototype has unknown flags");
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_layout),  cmocka_unit_test(test_constants),         cmocka_unit_test(test_sources),
      cmocka_unit_test(test_many_upvalues), cmocka_unit_test(test_names_of_upvalues), cmocka_unit_test(test_records),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
