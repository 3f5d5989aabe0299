#include "entries.h"

#include <stdlib.h>

#include "layout.h"

enum { METADATA, CONSTANT, PART, OBJECT, PAGE, EXTERNAL, FIELD, ANY, KINDS };

#define MOST_ENTRIES 1024

/* ---------------------------------------------------------------- reading */

static void get_layout_key(FuzzInput *in, unsigned kind, Entry *e) {
  static const LayoutKind kinds[] = {LAYOUT_METADATA, LAYOUT_CONSTANT, LAYOUT_CHUNK,
                                     LAYOUT_OBJECT,   LAYOUT_PAGE,     LAYOUT_EXTERNAL};
  LayoutKey key = {.kind = kinds[kind]};
  if (kind != METADATA) key.number = fuzz_number(in, 2);
  if (kind == PART) key.chunk = (uint32_t)fuzz_number(in, 2);
  if (kind == PAGE) {
    key.section = fuzz_byte(in);
    key.depth = fuzz_byte(in);
    key.prefix = fuzz_number(in, 8);
  }
  e->key = e->own;
  e->key_size = layout_put_key(e->own, &key);
}

bool entries_next(FuzzInput *in, Entry *e) {
  e->begin = in->next;
  if (fuzz_left(in) == 0) return false;
  unsigned kind = fuzz_byte(in) % KINDS;
  e->table = LAYOUT_TABLE;
  if (kind < FIELD) {
    get_layout_key(in, kind, e);
  } else {
    if (kind == FIELD) e->table = fuzz_number(in, 2);
    e->key = fuzz_bytes(in, fuzz_byte(in), &e->key_size);
  }
  size_t size = (size_t)fuzz_number(in, 2);
  e->value_at = (size_t)(in->next - e->begin);
  e->value = fuzz_bytes(in, size, &e->value_size);
  return true;
}

/* ---------------------------------------------------------------- writing */

static void put_layout_key(Buffer *out, const LayoutKey *key) {
  switch (key->kind) {
    case LAYOUT_METADATA: buffer_byte(out, METADATA); return;
    case LAYOUT_CONSTANT: buffer_byte(out, CONSTANT); break;
    case LAYOUT_CHUNK: buffer_byte(out, PART); break;
    case LAYOUT_OBJECT: buffer_byte(out, OBJECT); break;
    case LAYOUT_PAGE: buffer_byte(out, PAGE); break;
    case LAYOUT_EXTERNAL: buffer_byte(out, EXTERNAL); break;
    case LAYOUT_NONE: break;
  }
  fixed_put(out, key->number, 2);
  if (key->kind == LAYOUT_CHUNK) fixed_put(out, key->chunk, 2);
  if (key->kind == LAYOUT_PAGE) {
    buffer_byte(out, key->section);
    buffer_byte(out, key->depth);
    fixed_put(out, key->prefix, 8);
  }
}

void entries_put(Buffer *out, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  LayoutKey k = table == LAYOUT_TABLE ? layout_get_key(key, key_size) : (LayoutKey){.kind = LAYOUT_NONE};
  if (table > UINT16_MAX || value_size > UINT16_MAX || k.number > UINT16_MAX || key_size > UINT8_MAX) return;
  if (k.kind != LAYOUT_NONE) {
    put_layout_key(out, &k);
  } else {
    buffer_byte(out, table == LAYOUT_TABLE ? ANY : FIELD);
    if (table != LAYOUT_TABLE) fixed_put(out, table, 2);
    buffer_byte(out, (unsigned char)key_size);
    buffer_put(out, key, key_size);
  }
  fixed_put(out, value_size, 2);
  buffer_put(out, value, value_size);
}

/* ----------------------------------------------------------------- stores */

hearth_backend_store *entries_open(const uint8_t *data, size_t size) {
  hearth_backend_config config = {.size = sizeof config};
  hearth_backend_store *store;
  hearth_error e;
  FuzzInput in = {data, data + size};
  Entry entry;
  FUZZ_CHECK(hearth_memory_backend.open(&config, &store, &e) == HEARTH_OK);
  while (entries_next(&in, &entry)) {
    hearth_op op = {HEARTH_PUT, entry.table, entry.key, entry.key_size, entry.value, entry.value_size};
    if (hearth_memory_backend.submit(store, &op, 1, 0, HEARTH_VISIBLE, NULL, &e) != HEARTH_OK)
      fuzz_fail("%s", e.message);
  }
  return store;
}

typedef struct Writing {
  const hearth_backend *backend;
  hearth_backend_store *store;
  Buffer *out;
  Buffer tables;
} Writing;

static int write_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  entries_put(((Writing *)ud)->out, table, key, key_size, value, value_size);
  return 0;
}

static int note_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  (void)key, (void)key_size, (void)value, (void)value_size;
  buffer_put(&((Writing *)ud)->tables, &table, sizeof table);
  return 0;
}

void entries_write(const hearth_backend *backend, hearth_backend_store *store, Buffer *out) {
  Writing w = {.backend = backend, .store = store, .out = out};
  buffer_init(&w.tables, &hearth_libc_allocator);
  FUZZ_CHECK(backend->tables(store, note_table, &w, NULL, NULL) == HEARTH_OK);
  for (size_t at = 0; at < w.tables.size; at += sizeof(uint64_t)) {
    uint64_t table;
    memcpy(&table, w.tables.data + at, sizeof table);
    FUZZ_CHECK(backend->scan(store, table, NULL, 0, NULL, 0, false, write_entry, &w, NULL, NULL) == HEARTH_OK);
  }
  buffer_free(&w.tables);
}

/* --------------------------------------------------------------- mutating */

static void copy(Buffer *out, const Entry *e) {
  buffer_put(out, e->begin, e->value_at + e->value_size);
}

/* The entry with another value. */
static void mutate_value(Buffer *out, const Entry *e, uint64_t *seed) {
  size_t room = e->value_size + 64;
  uint8_t *value = malloc(room);
  FUZZ_CHECK(value != NULL);
  memcpy(value, e->value, e->value_size);
  size_t size = 0;
  if (e->value_size > 0 && fuzz_below(seed, 16) != 0)
    size = LLVMFuzzerMutate(value, e->value_size, room < UINT16_MAX ? room : UINT16_MAX);
  buffer_put(out, e->begin, e->value_at >= 2 ? e->value_at - 2 : 0);
  fixed_put(out, size, 2);
  buffer_put(out, value, size);
  free(value);
}

size_t entries_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  uint64_t random = (uint64_t)seed + UINT64_C(0x9e3779b97f4a7c15);
  static Entry all[MOST_ENTRIES];
  size_t count = 0, result = 0;
  FuzzInput in = {data, data + size};
  Buffer out;
  while (count < MOST_ENTRIES && entries_next(&in, &all[count])) count++;
  if (count == 0 || fuzz_left(&in) > 0) return 0;
  size_t chosen = fuzz_below(&random, count), other = fuzz_below(&random, count), what = fuzz_below(&random, 8);
  buffer_init(&out, &hearth_libc_allocator);
  for (size_t i = 0; i < count; i++) {
    if (i == chosen && what <= 3) {
      mutate_value(&out, &all[i], &random);
    } else if (i == chosen && what == 4) { /* the value of another one */
      buffer_put(&out, all[i].begin, all[i].value_at >= 2 ? all[i].value_at - 2 : 0);
      fixed_put(&out, all[other].value_size, 2);
      buffer_put(&out, all[other].value, all[other].value_size);
    } else if (i != chosen || what > 5) { /* or dropped */
      copy(&out, &all[i]);
      if (i == chosen && what == 6) { /* under the next number, too */
        size_t at = out.size;
        copy(&out, &all[i]);
        if (!out.failed && all[i].value_at >= 5) out.data[at + 1]++;
      }
    }
  }
  if (!out.failed && out.size > 0 && out.size <= max_size) {
    result = out.size;
    memcpy(data, out.data, result);
  }
  buffer_free(&out);
  return result;
}
