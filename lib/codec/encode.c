/*
** Encoding a value to a blob: a work list instead of recursion.
*/
#include <assert.h>

#include <lauxlib.h>

#include "blob.h"
#include "encoder.h"
#include "heads.h"
#include "options.h"
#include "permanents.h"
#include "protect.h"

#define FRONT 256 /* bytes: room before the bodies for header, shapes and heads, which are not moved if it is enough */

typedef struct BlobEncoder {
  Encoder E;
  Heap heap;
  HeadWriter heads;
  Buffer shapes, prototypes, front;
  uint64_t shape_count, prototype_count;
} BlobEncoder;

typedef struct EncodeCall {
  const hearth_codec_options *options;
  hearth_error *error;
} EncodeCall;

static int release(lua_State *L) {
  BlobEncoder *B = lua_touserdata(L, 1);
  encoder_free(&B->E);
  heap_free(&B->heap);
  buffer_free(&B->shapes);
  buffer_free(&B->prototypes);
  buffer_free(&B->front);
  return 0;
}

static void put_constant(Encoder *E, uint32_t index, const void *bytes, size_t size) {
  BlobEncoder *B = E->owner;
  if (E->heap->constants[index].kind == OBJECT_SHAPE) {
    buffer_put(&B->shapes, bytes, size);
    B->shape_count++;
  } else {
    varint_put(&B->prototypes, size);
    fixed_put(&B->prototypes, hash64(bytes, size, BLOB_CHECK_SEED), BLOB_CHECK_SIZE);
    buffer_put(&B->prototypes, bytes, size);
    B->prototype_count++;
  }
  if (B->shapes.failed || B->prototypes.failed) encoder_fail_memory(E);
}

/* While a blob is made its functions stay: one that captured the cell is anchor enough. */
static void anchor_cell(Encoder *E, uint32_t slot, int function, int upvalue) {
  E->heap->objects[slot].upvalue = (uint8_t)upvalue;
  lua_pushvalue(E->L, function);
  lua_rawseti(E->L, E->objects, (lua_Integer)slot + 1);
}

static bool put_special(Encoder *E, uint32_t slot, int index) {
  Head head;
  encode_special_value(E, index, &head);
  head_put(&E->head, &head);
  encode_needs_special(E, slot, lua_gettop(E->L));
  encode_value(E, lua_gettop(E->L));
  lua_pop(E->L, 1);
  return true;
}

static const EncoderOps blob_ops = {.constant = put_constant, .anchor_cell = anchor_cell, .special = put_special};

/* A late body: the true head goes before it. */
static void put_late(Encoder *E, uint32_t slot) {
  size_t head = E->head.size, body = E->body.size;
  encode_weak_table(E, slot);
  size_t size = E->head.size - head;
  unsigned char *room = buffer_reserve(&E->body, size);
  encoder_check(E);
  memmove(E->body.data + body + size, E->body.data + body, (size_t)(room - (E->body.data + body)));
  memcpy(E->body.data + body, E->head.data + head, size);
  E->body.size += size;
  E->head.size = head;
}

static void put_object(BlobEncoder *B, uint32_t slot) {
  Encoder *E = &B->E;
  size_t head = E->head.size;
  if (!encode_object(E, slot)) {
    Head late = {.kind = OBJECT_LATE};
    head_put(&E->head, &late);
  }
  heads_added(&B->heads, &E->head, head);
}

static void encode_all(BlobEncoder *B, int root) {
  Encoder *E = &B->E;
  heap_begin_walk(&B->heap);
  encode_value(E, root);
  do {
    for (; E->done < heap_queued(&B->heap); E->done++) put_object(B, heap_queue_at(&B->heap, E->done));
  } while (encode_weak_round(E));
  heads_end(&B->heads, &E->head);
  for (size_t i = 0; i < E->weak.size; i += sizeof(uint32_t)) {
    uint32_t slot;
    memcpy(&slot, E->weak.data + i, sizeof slot);
    put_late(E, slot);
  }
  assert(E->done == heap_queued(&B->heap)); /* the last round reached all that weak tables hold, and ran no hook */
  encode_check_needs(E);
}

/* What goes before the root and the bodies. */
static void put_front(BlobEncoder *B, unsigned char flags) {
  Encoder *E = &B->E;
  BlobHeader h = {FORMAT_VERSION, FORMAT_READABLE_BY, flags, LUA_VERSION_NUM / 100 * 16 + LUA_VERSION_NUM % 100,
                  sizeof(lua_Integer) << 4 | sizeof(lua_Number), B->shape_count, B->prototype_count,
                  heap_queued(&B->heap), E->head.size};
  blob_header_put(&B->front, &h);
  buffer_put(&B->front, B->shapes.data, B->shapes.size);
  buffer_put(&B->front, B->prototypes.data, B->prototypes.size);
  buffer_put(&B->front, E->head.data, E->head.size);
  encoder_check(E);
  if (B->front.failed) encoder_fail_memory(E);
}

/*
** The blob, whole, in E->body from the offset that it answers on: the front is moved into the room before the bodies.
*/
static size_t assemble(BlobEncoder *B, unsigned char flags) {
  Encoder *E = &B->E;
  put_front(B, flags);
  size_t size = B->front.size, bodies = E->body.size - E->front;
  if (E->max_bytes != 0 && size + bodies > E->max_bytes) {
    E->current = HEAP_NONE;
    encoder_fail(E, HEARTH_LIMIT, 0, "the encoded value is larger than max_bytes");
  }
  if (size > E->front) {
    if (buffer_reserve(&E->body, size - E->front) == NULL) encoder_fail_memory(E);
    memmove(E->body.data + size, E->body.data + E->front, bodies);
    E->body.size = size + bodies;
    E->front = size;
  }
  memcpy(E->body.data + E->front - size, B->front.data, size);
  return E->front - size;
}

/* Pushes the blob. Its copy is the last thing that takes memory, so all else is given back before. */
static void push_blob(BlobEncoder *B, size_t begin) {
  Buffer blob = B->E.body;
  buffer_init(&B->E.body, &blob.allocator);
  encoder_free(&B->E);
  heap_free(&B->heap);
  buffer_free(&B->shapes);
  buffer_free(&B->prototypes);
  buffer_free(&B->front);
  buffer_trim(&blob);
  B->E.body = blob;
  lua_pushlstring(B->E.L, (const char *)blob.data + begin, blob.size - begin);
  buffer_free(&B->E.body);
}

static void apply_options(Encoder *E, const hearth_codec_options *o) {
  E->relative = true;
  E->canonical = E->sorted = (o->flags & HEARTH_CANONICAL) != 0;
  E->strip = (o->flags & HEARTH_STRIP) != 0;
  E->seal = o->seal;
  E->max_bytes = o->max_bytes;
}

/* Stack: call, value, overlay. */
static int encode_protected(lua_State *L) {
  const EncodeCall *call = lua_touserdata(L, 1);
  const hearth_codec_options *o = call->options;
  luaL_checkstack(L, LUA_MINSTACK, "encode");
  BlobEncoder *B = protect_push_state(L, sizeof *B, release);
  hearth_allocator a = protect_allocator(L);
  bool made = encoder_init(&B->E, L, &a);
  heap_init(&B->heap, &a, hash_key());
  buffer_init(&B->shapes, &a);
  buffer_init(&B->prototypes, &a);
  buffer_init(&B->front, &a);
  memset(&B->heads, 0, sizeof B->heads);
  B->E.error = call->error;
  if (!made) encoder_fail_memory(&B->E);
  B->E.ops = &blob_ops;
  B->E.owner = B;
  B->E.heap = &B->heap;
  B->heap.separate_constants = true;
  B->E.root = "root";
  apply_options(&B->E, o);
  B->E.overlay = lua_istable(L, 3) ? 3 : 0;
  lua_newtable(L);
  B->E.objects = lua_gettop(L);
  permanents_push(L);
  B->E.permanents = lua_gettop(L);
  B->E.named = permanents_filter(L, B->E.permanents);
  if (!(o->flags & HEARTH_MODULES_BY_VALUE)) {
    permanents_push_modules(L);
    B->E.modules = lua_gettop(L);
  }
  if (buffer_reserve(&B->E.body, 4 * FRONT) == NULL) encoder_fail_memory(&B->E);
  B->E.body.size = B->E.front = FRONT;
  encode_all(B, 2);
  push_blob(B, assemble(B, (unsigned char)((B->E.canonical ? BLOB_CANONICAL : 0) | (B->E.strip ? BLOB_STRIPPED : 0))));
  return 1;
}

hearth_status hearth_encode(lua_State *L, int index, const hearth_codec_options *options, hearth_error *err) {
  hearth_error own;
  hearth_codec_options o;
  if (err == NULL) err = &own;
  hearth_status status = codec_options_read(L, options, &o, err);
  if (status != HEARTH_OK) return status;
  EncodeCall call = {&o, err};
  index = lua_absindex(L, index);
  if (!lua_checkstack(L, LUA_MINSTACK)) return hearth_fail(err, HEARTH_NOMEM, "the Lua stack is full");
  lua_pushvalue(L, index);
  if (o.permanents != 0)
    lua_pushvalue(L, o.permanents);
  else
    lua_pushnil(L);
  return protect_without_collector(L, encode_protected, &call, 2, 1, err);
}
