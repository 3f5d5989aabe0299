#include "blob_mutator.h"

#include <stdlib.h>

#include "blob.h"
#include "fuzz.h"
#include "hash.h"
#include "heads.h"
#include "prototype_record.h"

#define MOST_RECORDS 512 /* larger blobs are left to libFuzzer's own mutations */
#define MOST_VALUES 4096
#define MOST_CONSTANTS 64

typedef struct Piece { /* bytes of the input */
  const unsigned char *bytes;
  size_t size;
} Piece;

typedef struct Record { /* an object: its head and the values of its body */
  Head head;
  bool late; /* `head` stands with the body; OBJECT_LATE among the heads */
  size_t first, count;
} Record;

typedef struct Blob {
  BlobHeader header;
  Piece shapes[MOST_CONSTANTS], prototypes[MOST_CONSTANTS];
  unsigned char upvalues[MOST_CONSTANTS]; /* of the prototypes */
  size_t shape_keys[MOST_CONSTANTS];
  size_t shape_count, prototype_count, record_count, value_count;
  Value root;
  Record records[MOST_RECORDS];
  Value values[MOST_VALUES];
  Piece tail; /* what could not be read */
  uint64_t seed;
} Blob;

/* ---------------------------------------------------------------- reading */

static bool get_constants(Blob *b, Cursor *c) {
  Value keys[SHAPE_MAX_KEYS];
  if (b->header.shapes > MOST_CONSTANTS || b->header.prototypes > MOST_CONSTANTS) return false;
  for (; b->shape_count < b->header.shapes; b->shape_count++) {
    const unsigned char *begin = c->next;
    b->shape_keys[b->shape_count] = shape_get(c, keys);
    b->shapes[b->shape_count] = (Piece){begin, (size_t)(c->next - begin)};
    if (c->why != NULL) return false;
  }
  for (; b->prototype_count < b->header.prototypes; b->prototype_count++) {
    Prototype p;
    ChunkFault fault;
    size_t size = count_get(c);
    (void)cursor_bytes(c, BLOB_CHECK_SIZE);
    const unsigned char *bytes = cursor_bytes(c, size);
    if (bytes == NULL || c->why != NULL) return false;
    b->prototypes[b->prototype_count] = (Piece){bytes, size};
    if (prototype_parse(bytes, size, &p, &fault)) b->upvalues[b->prototype_count] = (unsigned char)p.nupvalues;
  }
  return true;
}

/* How many values the body of such an object has. */
static uint64_t values_of(const Blob *b, const Head *h) {
  switch (h->kind) {
    case OBJECT_TABLE:
      return h->array + 2 * h->pairs + (h->flags & HEAD_METATABLE ? 1 : 0) +
             (h->flags & HEAD_SHAPE && h->shape < b->shape_count ? b->shape_keys[h->shape] : 0);
    case OBJECT_CLOSURE: return h->prototype < b->prototype_count ? b->upvalues[h->prototype] : 0;
    case OBJECT_CELL:
    case OBJECT_SPECIAL: return 1;
    default: return 0;
  }
}

static void get_body(Blob *b, Cursor *c, Record *r) {
  uint64_t count = values_of(b, &r->head);
  r->first = b->value_count;
  for (; r->count < count && c->why == NULL && b->value_count < MOST_VALUES; r->count++)
    value_get(c, &b->values[b->value_count++]);
}

/* False: not even its heads can be read. */
static bool get_blob(Blob *b, const uint8_t *data, size_t size) {
  bool newer;
  HeadReader heads = {0};
  Cursor c = cursor_over(data, size);
  if (!blob_header_get(&c, &b->header, &newer) || !get_constants(b, &c)) return false;
  if (b->header.objects > MOST_RECORDS) return false;
  heads.left = b->header.objects;
  for (; b->record_count < b->header.objects && c.why == NULL; b->record_count++) {
    Head *head = &b->records[b->record_count].head;
    unsigned before = heads_next(&heads, &c, head);
    if (before > 0 && c.why == NULL) *head = b->records[b->record_count - before].head;
  }
  value_get(&c, &b->root);
  if (c.why != NULL) return false;
  for (size_t i = 0; i < b->record_count; i++) get_body(b, &c, &b->records[i]);
  for (size_t i = 0; i < b->record_count && c.why == NULL; i++) {
    Record *r = &b->records[i];
    if (r->head.kind != OBJECT_LATE) continue;
    const unsigned char *begin = c.next;
    Head head;
    head_get(&c, &head);
    if (c.why != NULL) {
      b->tail = (Piece){begin, (size_t)(data + size - begin)};
      return true;
    }
    r->late = true;
    r->head = head;
    get_body(b, &c, r);
  }
  b->tail = (Piece){c.next, cursor_left(&c)};
  return true;
}

/* ---------------------------------------------------------------- writing */

static void put_value(Buffer *out, const Value *v) {
  switch (v->kind) {
    case VALUE_NIL: value_put_tag(out, TAG_NIL); break;
    case VALUE_FALSE: value_put_tag(out, TAG_FALSE); break;
    case VALUE_TRUE: value_put_tag(out, TAG_TRUE); break;
    case VALUE_INTEGER: value_put_integer(out, v->as.integer); break;
    case VALUE_FLOAT: value_put_float(out, v->as.bits); break;
    case VALUE_STRING: value_put_string(out, v->as.bytes, v->size); break;
    case VALUE_DEFINE: value_put_define(out, v->as.bytes, v->size); break;
    case VALUE_KNOWN: value_put_known(out, v->as.number); break;
    case VALUE_REF: value_put_ref(out, v->as.number); break;
    case VALUE_NEXT: value_put_tag(out, TAG_NEXT); break;
    case VALUE_LOCAL: value_put_local(out, v->as.number); break;
  }
}

static void put_values(Buffer *out, const Blob *b, const Record *r) {
  for (size_t i = 0; i < r->count; i++) put_value(out, &b->values[r->first + i]);
}

/* As an encoder does, or each plainly, or with repeats of anything. */
static void put_heads(Blob *b, Buffer *heads) {
  static const Head late = {.kind = OBJECT_LATE};
  size_t form = fuzz_below(&b->seed, 3);
  HeadWriter w;
  memset(&w, 0, sizeof w);
  for (size_t i = 0; i < b->record_count; i++) {
    if (form == 2 && fuzz_below(&b->seed, 4) == 0) {
      size_t n = fuzz_below(&b->seed, 4);
      buffer_byte(heads, (unsigned char)(fuzz_below(&b->seed, i < 16 ? i + 1 : 16) << 4 | OBJECT_REPEAT));
      varint_put(heads, n);
      i += n;
      continue;
    }
    size_t begin = heads->size;
    head_put(heads, b->records[i].late ? &late : &b->records[i].head);
    if (form == 0) heads_added(&w, heads, begin);
  }
  if (form == 0) heads_end(&w, heads);
}

static void put_blob(Blob *b, Buffer *out) {
  Buffer heads;
  buffer_init(&heads, &hearth_libc_allocator);
  put_heads(b, &heads);
  b->header.shapes = b->shape_count;
  b->header.prototypes = b->prototype_count;
  b->header.objects = b->record_count;
  b->header.heads_size = heads.size;
  blob_header_put(out, &b->header);
  for (size_t i = 0; i < b->shape_count; i++) buffer_put(out, b->shapes[i].bytes, b->shapes[i].size);
  for (size_t i = 0; i < b->prototype_count; i++) {
    const Piece *p = &b->prototypes[i];
    varint_put(out, p->size);
    fixed_put(out, hash64(p->bytes, p->size, BLOB_CHECK_SEED), BLOB_CHECK_SIZE);
    buffer_put(out, p->bytes, p->size);
  }
  buffer_put(out, heads.data, heads.size);
  put_value(out, &b->root);
  for (size_t i = 0; i < b->record_count; i++)
    if (!b->records[i].late) put_values(out, b, &b->records[i]);
  for (size_t i = 0; i < b->record_count; i++)
    if (b->records[i].late) {
      head_put(out, &b->records[i].head);
      put_values(out, b, &b->records[i]);
    }
  buffer_put(out, b->tail.bytes, b->tail.size);
  out->failed |= heads.failed;
  buffer_free(&heads);
}

/* --------------------------------------------------------------- changing */

static const char *const names[] = {"print", "_G",     "string", "next",      "math.abs",    "setmetatable",
                                    "error", "select", "ipairs", "__persist", "__gc",        "__mode",
                                    "k",     "kv",     "__index", "__name",   "getmetatable", "rawset"};
#define NAME_COUNT (sizeof names / sizeof *names)

static uint64_t any_number(Blob *b) {
  static const uint64_t edges[] = {0, 1, 2, 127, 128, 255, 256, INT32_MAX, UINT32_MAX, (uint64_t)1 << 40, UINT64_MAX};
  if (fuzz_below(&b->seed, 4) == 0) return edges[fuzz_below(&b->seed, sizeof edges / sizeof *edges)];
  return fuzz_below(&b->seed, b->record_count + 2);
}

static void set_name(Blob *b, Value *v) {
  const char *name = names[fuzz_below(&b->seed, NAME_COUNT)];
  *v = (Value){.kind = VALUE_STRING, .as.bytes = (const unsigned char *)name, .size = strlen(name)};
}

static void change_value(Blob *b, Value *v) {
  size_t choice = fuzz_below(&b->seed, 8);
  if (choice < 3) { /* another object */
    *v = (Value){.kind = VALUE_REF, .as.number = any_number(b)};
  } else if (choice == 3 && b->value_count > 0) {
    *v = b->values[fuzz_below(&b->seed, b->value_count)];
  } else if (choice == 4) {
    set_name(b, v);
  } else if (choice == 5) {
    *v = (Value){.kind = VALUE_FLOAT, .as.bits = fuzz_random(&b->seed)};
  } else if (choice == 6) {
    *v = (Value){.kind = VALUE_INTEGER, .as.integer = (int64_t)(fuzz_random(&b->seed) >> fuzz_below(&b->seed, 64))};
  } else { /* without what comes with it, where the kind has something */
    static const ValueKind kinds[] = {VALUE_NIL, VALUE_FALSE, VALUE_TRUE, VALUE_NEXT, VALUE_KNOWN};
    *v = (Value){.kind = kinds[fuzz_below(&b->seed, sizeof kinds / sizeof *kinds)], .as.number = any_number(b)};
  }
}

static void change_head(Blob *b, Head *h) {
  switch (fuzz_below(&b->seed, 7)) {
    case 0: h->kind = (ObjectKind)(1 + fuzz_below(&b->seed, 10)); break;
    case 1: h->flags ^= (unsigned char)(0x10 << fuzz_below(&b->seed, 4)); break;
    case 2: h->array = any_number(b); break;
    case 3: h->pairs = any_number(b); break;
    case 4: h->shape = any_number(b); break;
    case 5: h->prototype = any_number(b); break;
    default: set_name(b, &h->name); break;
  }
  if (h->kind == OBJECT_PERMANENT && h->flags > PERMANENT_CELL) h->flags &= 3;
  if (h->kind == OBJECT_PERMANENT && h->name.kind != VALUE_STRING) set_name(b, &h->name);
}

/* References to `a` and to `z` change places. */
static void renumber(Blob *b, uint64_t a, uint64_t z) {
  for (size_t i = 0; i < b->value_count; i++) {
    Value *v = &b->values[i];
    if (v->kind == VALUE_REF) v->as.number = v->as.number == a ? z : v->as.number == z ? a : v->as.number;
  }
}

static void drop_record(Blob *b, size_t i) {
  memmove(&b->records[i], &b->records[i + 1], (b->record_count - i - 1) * sizeof *b->records);
  b->record_count--;
}

static void insert_record(Blob *b, size_t at, Record r) {
  if (b->record_count == MOST_RECORDS) return;
  memmove(&b->records[at + 1], &b->records[at], (b->record_count - at) * sizeof *b->records);
  b->records[at] = r;
  b->record_count++;
}

/* A table that has one value less or more, with the count that says so. */
static void resize_record(Blob *b, Record *r) {
  if (r->head.kind != OBJECT_TABLE || r->count == 0) return;
  if (r->head.flags & HEAD_ARRAY && r->head.array > 0 && fuzz_below(&b->seed, 2) == 0) {
    r->head.array--;
    r->first++;
    r->count--;
  } else if (r->first + r->count < b->value_count) { /* the neighbour's first value is its last, too */
    r->head.flags |= HEAD_ARRAY;
    r->head.array++;
    r->count++;
  }
}

static void change_constants(Blob *b) {
  Piece *list = fuzz_below(&b->seed, 2) == 0 ? b->shapes : b->prototypes;
  size_t *count = list == b->shapes ? &b->shape_count : &b->prototype_count;
  if (*count == 0) return;
  size_t i = fuzz_below(&b->seed, *count), k = fuzz_below(&b->seed, *count);
  Piece piece = list[i];
  switch (fuzz_below(&b->seed, 3)) {
    case 0:
      list[i] = list[k];
      list[k] = piece;
      break;
    case 1:
      if (*count < MOST_CONSTANTS) list[(*count)++] = piece;
      break;
    default: list[i] = list[--*count]; break;
  }
}

static void change_header(Blob *b) {
  switch (fuzz_below(&b->seed, 3)) {
    case 0: b->header.flags ^= (unsigned char)(1 << fuzz_below(&b->seed, 3)); break;
    case 1: b->header.sizes = (unsigned char)(fuzz_below(&b->seed, 2) == 0 ? 0x44 : 0x88); break;
    default: b->header.lua_version = (unsigned char)(0x53 + fuzz_below(&b->seed, 3)); break;
  }
}

static void change(Blob *b) {
  size_t i = fuzz_below(&b->seed, b->record_count), k = fuzz_below(&b->seed, b->record_count);
  size_t choice = fuzz_below(&b->seed, 16);
  if (b->record_count == 0 || choice == 0) {
    change_value(b, &b->root);
  } else if (choice <= 2) {
    drop_record(b, i);
  } else if (choice <= 4) {
    insert_record(b, fuzz_below(&b->seed, b->record_count + 1), b->records[i]);
  } else if (choice == 5) {
    Record r = b->records[i];
    b->records[i] = b->records[k];
    b->records[k] = r;
  } else if (choice == 6) {
    renumber(b, i + 1, k + 1);
  } else if (choice <= 8) {
    change_head(b, &b->records[i].head);
  } else if (choice == 9) {
    resize_record(b, &b->records[i]);
  } else if (choice == 10) {
    change_constants(b);
  } else if (choice == 11) {
    change_header(b);
  } else if (choice == 12) {
    b->records[i].late = !b->records[i].late;
  } else if (b->value_count > 0) {
    change_value(b, &b->values[fuzz_below(&b->seed, b->value_count)]);
  }
}

size_t blob_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  Blob *b = calloc(1, sizeof *b);
  Buffer out;
  size_t result = 0;
  if (b == NULL) return 0;
  buffer_init(&out, &hearth_libc_allocator);
  b->seed = (uint64_t)seed + UINT64_C(0x9e3779b97f4a7c15);
  if (get_blob(b, data, size)) {
    for (size_t n = 1 + fuzz_below(&b->seed, 3); n > 0; n--) change(b);
    put_blob(b, &out);
    if (!out.failed && out.size <= max_size) {
      result = out.size;
      memcpy(data, out.data, result);
    }
  }
  buffer_free(&out);
  free(b);
  return result;
}
