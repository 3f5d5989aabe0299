#include "layout.h"

static unsigned char *put_big_endian(unsigned char *p, uint64_t n, unsigned size) {
  for (unsigned i = 0; i < size; i++) p[i] = (unsigned char)(n >> (8 * (size - 1 - i)));
  return p + size;
}

static uint64_t get_big_endian(const unsigned char *p, unsigned size) {
  uint64_t n = 0;
  for (unsigned i = 0; i < size; i++) n = n << 8 | p[i];
  return n;
}

size_t layout_put_key(unsigned char out[LAYOUT_MAX_KEY], const LayoutKey *key) {
  unsigned char *p = out;
  switch (key->kind) {
    case LAYOUT_CHUNK: *p++ = LAYOUT_CONSTANT; break;
    case LAYOUT_PAGE: *p++ = LAYOUT_OBJECT; break;
    default: *p++ = (unsigned char)key->kind;
  }
  if (key->kind == LAYOUT_METADATA) return 1;
  p = put_big_endian(p, key->number, 7);
  if (key->kind == LAYOUT_CHUNK) p = put_big_endian(p, key->chunk, 4);
  if (key->kind == LAYOUT_PAGE) {
    *p++ = key->section;
    p = put_big_endian(p, key->prefix, 8);
    *p++ = key->depth;
  }
  return (size_t)(p - out);
}

LayoutKey layout_get_key(const void *key, size_t size) {
  const unsigned char *p = key;
  LayoutKey k = {0};
  if (size == 1 && p[0] == LAYOUT_METADATA) {
    k.kind = LAYOUT_METADATA;
    return k;
  }
  if (size < 8) return k;
  k.number = get_big_endian(p + 1, 7);
  if (k.number > LAYOUT_MAX_NUMBER) return k;
  if (p[0] == LAYOUT_CONSTANT && size == 8) {
    k.kind = LAYOUT_CONSTANT;
  } else if (p[0] == LAYOUT_CONSTANT && size == 12) {
    k.kind = LAYOUT_CHUNK;
    k.chunk = (uint32_t)get_big_endian(p + 8, 4);
  } else if (p[0] == LAYOUT_OBJECT && size == 8) {
    k.kind = LAYOUT_OBJECT;
  } else if (p[0] == LAYOUT_OBJECT && size == 18 && p[8] <= 1 && p[17] <= 64) {
    k.kind = LAYOUT_PAGE;
    k.section = p[8];
    k.prefix = get_big_endian(p + 9, 8);
    k.depth = p[17];
  } else if (p[0] == LAYOUT_EXTERNAL && size == 8) {
    k.kind = LAYOUT_EXTERNAL;
  }
  return k;
}

/* The names in the record, in the order in which they are written. */
static const struct Field {
  const char *name;
  size_t offset; /* of a uint64_t in Metadata */
} fields[] = {
    {"format", offsetof(Metadata, written_by)},     {"readableBy", offsetof(Metadata, readable_by)},
    {"homeTableId", offsetof(Metadata, home_id)},   {"memoryTableId", offsetof(Metadata, memory_id)},
    {"nextTableId", offsetof(Metadata, next_id)},   {"savedAt", offsetof(Metadata, saved_at)},
    {"pageSize", offsetof(Metadata, page_size)},    {"copiedBatch", offsetof(Metadata, copied_batch)},
};

#define FIELD_COUNT (sizeof fields / sizeof *fields)

static const struct Text {
  const char *name;
  size_t offset, size; /* of a char array in Metadata */
  bool always;         /* written when it is empty too */
} texts[] = {
    {"writer", offsetof(Metadata, writer), sizeof((Metadata *)NULL)->writer, true},
    {"unfinishedCopyOf", offsetof(Metadata, copy_of), sizeof((Metadata *)NULL)->copy_of, false},
};

#define TEXT_COUNT (sizeof texts / sizeof *texts)

static bool text_is_written(const Metadata *m, size_t i) {
  return texts[i].always || ((const char *)m)[texts[i].offset] != '\0';
}

void metadata_put(Buffer *b, const Metadata *m) {
  uint64_t present = 0;
  for (size_t i = 0; i < TEXT_COUNT; i++) present += text_is_written(m, i);
  for (size_t i = 0; i < FIELD_COUNT; i++)
    present += *(const uint64_t *)(const void *)((const char *)m + fields[i].offset) != 0;
  varint_put(b, present);
  for (size_t i = 0; i < FIELD_COUNT; i++) {
    uint64_t n = *(const uint64_t *)(const void *)((const char *)m + fields[i].offset);
    if (n == 0) continue;
    value_put_string(b, fields[i].name, strlen(fields[i].name));
    value_put_integer(b, (int64_t)n);
  }
  for (size_t i = 0; i < TEXT_COUNT; i++) {
    if (!text_is_written(m, i)) continue;
    const char *text = (const char *)m + texts[i].offset;
    value_put_string(b, texts[i].name, strlen(texts[i].name));
    value_put_string(b, text, strlen(text));
  }
}

static bool is_name(const Value *v, const char *name) {
  return strlen(name) == v->size && memcmp(name, v->as.bytes, v->size) == 0;
}

static void set_field(Metadata *m, const Value *name, const Value *v) {
  for (size_t i = 0; i < FIELD_COUNT && v->kind == VALUE_INTEGER && v->as.integer >= 0; i++)
    if (is_name(name, fields[i].name))
      *(uint64_t *)(void *)((char *)m + fields[i].offset) = (uint64_t)v->as.integer;
  for (size_t i = 0; i < TEXT_COUNT && v->kind == VALUE_STRING; i++) {
    if (!is_name(name, texts[i].name)) continue;
    char *text = (char *)m + texts[i].offset;
    size_t n = v->size < texts[i].size - 1 ? v->size : texts[i].size - 1;
    memcpy(text, v->as.bytes, n);
    text[n] = '\0';
  }
}

void metadata_get(Cursor *c, Metadata *m) {
  memset(m, 0, sizeof *m);
  size_t count = count_get(c);
  for (size_t i = 0; i < count && c->why == NULL; i++) {
    Value name, v;
    value_get(c, &name);
    value_get(c, &v);
    if (name.kind != VALUE_STRING || v.kind > VALUE_STRING) {
      cursor_fail(c, "the metadata holds something that is no name and scalar");
      return;
    }
    set_field(m, &name, &v);
  }
  if (cursor_left(c) > 0) cursor_fail(c, "bytes follow after the metadata");
}

hearth_status metadata_check_finished(const Metadata *m, hearth_error *err) {
  if (m->copy_of[0] == '\0') return HEARTH_OK;
  return hearth_fail(err, HEARTH_NOTSTORE, "an unfinished copy of %s: hearth copy goes on with it", m->copy_of);
}
