#include "record.h"

static void put_name(Buffer *b, const Value *name) {
  switch (name->kind) {
    case VALUE_FALSE: value_put_tag(b, TAG_FALSE); break;
    case VALUE_TRUE: value_put_tag(b, TAG_TRUE); break;
    case VALUE_INTEGER: value_put_integer(b, name->as.integer); break;
    case VALUE_FLOAT: value_put_float(b, name->as.bits); break;
    default: value_put_string(b, name->as.bytes, name->size); break;
  }
}

static void get_name(Cursor *c, Value *name) {
  value_get(c, name);
  if (name->kind == VALUE_NIL || name->kind > VALUE_STRING) cursor_fail(c, "a name that is no scalar");
}

static void put_table(Buffer *b, const Head *h) {
  if (h->flags & HEAD_ARRAY) varint_put(b, h->array);
  if (h->flags & HEAD_SHAPE) varint_put(b, h->shape);
  if (h->flags & HEAD_PAIRS) varint_put(b, h->pairs);
}

static void get_table(Cursor *c, Head *h) {
  if (h->flags & HEAD_ARRAY) h->array = varint_get(c);
  if (h->flags & HEAD_SHAPE) h->shape = varint_get(c);
  if (h->flags & HEAD_PAIRS) h->pairs = varint_get(c);
}

void head_put(Buffer *b, const Head *h) {
  unsigned char flags = h->kind == OBJECT_PERMANENT ? (unsigned char)((unsigned)h->flags << 4) : h->flags;
  buffer_byte(b, (unsigned char)(h->kind | flags));
  switch (h->kind) {
    case OBJECT_TABLE: put_table(b, h); break;
    case OBJECT_PAGED:
      varint_put(b, h->array);
      varint_put(b, h->pairs);
      break;
    case OBJECT_CLOSURE: varint_put(b, h->prototype); break;
    case OBJECT_PERMANENT: put_name(b, &h->name); break;
    case OBJECT_SPECIAL:
      if (h->flags & HEAD_TYPED) put_name(b, &h->name);
      break;
    case OBJECT_PROTOTYPE: fixed_put(b, h->check, 8); break;
    case OBJECT_STRING: varint_put(b, h->size); break;
    default: break; /* CELL, LATE, SHAPE */
  }
}

/* The flags that a kind may carry. */
static unsigned char flags_of(ObjectKind kind) {
  switch (kind) {
    case OBJECT_TABLE: return HEAD_ARRAY | HEAD_SHAPE | HEAD_PAIRS | HEAD_METATABLE;
    case OBJECT_PAGED: return HEAD_METATABLE;
    case OBJECT_PERMANENT: return 0xF0;
    case OBJECT_SPECIAL: return HEAD_TYPED;
    default: return 0;
  }
}

void head_get(Cursor *c, Head *h) {
  memset(h, 0, sizeof *h);
  unsigned char byte = cursor_byte(c);
  h->kind = (ObjectKind)(byte & HEAD_KIND);
  h->flags = (unsigned char)(byte & 0xF0);
  if (c->why == NULL && (h->kind < OBJECT_TABLE || h->kind > OBJECT_PAGED || (h->flags & ~flags_of(h->kind)) != 0)) {
    c->next--;
    cursor_fail(c, "an unknown kind of object");
    return;
  }
  switch (h->kind) {
    case OBJECT_TABLE: get_table(c, h); break;
    case OBJECT_PAGED:
      h->array = varint_get(c);
      h->pairs = varint_get(c);
      break;
    case OBJECT_CLOSURE: h->prototype = varint_get(c); break;
    case OBJECT_PERMANENT:
      h->flags >>= 4;
      if (h->flags > PERMANENT_CELL) cursor_fail(c, "an unknown kind of permanent");
      get_name(c, &h->name);
      break;
    case OBJECT_SPECIAL:
      if (h->flags & HEAD_TYPED) get_name(c, &h->name);
      break;
    case OBJECT_PROTOTYPE: h->check = fixed_get(c, 8); break;
    case OBJECT_STRING: h->size = varint_get(c); break;
    default: break; /* CELL, LATE, SHAPE */
  }
}

size_t shape_get(Cursor *c, Value keys[]) {
  size_t count = count_get(c);
  if (count == 0 || count > SHAPE_MAX_KEYS) {
    cursor_fail(c, "a shape without keys, or with too many");
    return 0;
  }
  for (size_t i = 0; i < count && c->why == NULL; i++) {
    value_get(c, &keys[i]);
    if (keys[i].kind != VALUE_STRING || keys[i].size > SHAPE_MAX_KEY_SIZE)
      cursor_fail(c, "a shape's key is no short string");
    else if (i > 0 &&
             value_compare_bytes(keys[i - 1].as.bytes, keys[i - 1].size, keys[i].as.bytes, keys[i].size) >= 0)
      cursor_fail(c, "a shape's keys are not in order");
  }
  return c->why == NULL ? count : 0;
}
