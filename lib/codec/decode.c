/*
** Decoding a blob: the mirror of encode.c. Nothing in the input is believed
** before it is checked against the bytes that remain.
*/
#include <lauxlib.h>

#include "blob.h"
#include "decoder.h"
#include "hash.h"
#include "heads.h"
#include "options.h"
#include "permanents.h"
#include "protect.h"

typedef struct DecodeCall {
  const hearth_codec_options *options;
  hearth_error *error;
  const void *bytes;
  size_t size;
} DecodeCall;

static int release(lua_State *L) {
  decoder_free(lua_touserdata(L, 1));
  return 0;
}

static uint32_t find(Decoder *D, uint64_t number) {
  return number >= 1 && number <= decoder_count(D) ? (uint32_t)(number - 1) : DECODER_NONE;
}

static uint32_t find_constant(Decoder *D, ObjectKind kind, uint64_t number) {
  const BlobHeader *h = D->owner;
  return number < (kind == OBJECT_SHAPE ? h->shapes : h->prototypes) ? (uint32_t)number : DECODER_NONE;
}

static const DecoderOps blob_ops = {find, NULL, find_constant, NULL};

static void decode_constants(Decoder *D, const BlobHeader *h) {
  for (uint64_t i = 0; i < h->shapes; i++) decode_shape(D, (uint32_t)i);
  for (uint64_t i = 0; i < h->prototypes; i++) {
    size_t size = count_get(&D->c);
    uint64_t check = fixed_get(&D->c, BLOB_CHECK_SIZE);
    decoder_check(D);
    if (size > cursor_left(&D->c)) decoder_fail(D, HEARTH_DAMAGED, "a length exceeds the bytes that remain");
    if (hash64(D->c.next, size, BLOB_CHECK_SEED) != check)
      decoder_fail(D, HEARTH_DAMAGED, "a function's check does not match its bytes");
    decode_prototype(D, (uint32_t)i, size);
  }
}

static void decode_heads(Decoder *D, const BlobHeader *h) {
  if (h->heads_size > cursor_left(&D->c) || h->objects > cursor_left(&D->c))
    decoder_fail(D, HEARTH_DAMAGED, "a count exceeds the bytes that remain");
  const unsigned char *end = D->c.next + h->heads_size;
  D->most_fields = cursor_left(&D->c) - h->heads_size;
  decoder_charge(D, h->objects * (sizeof(Part) + 16)); /* its part, and its place among the objects */
  if (h->objects > SIZE_MAX / sizeof(Part) || /* GCOVR_EXCL_BR_LINE: true only where sizes have 32 bits */
      !buffer_reserve_exactly(&D->parts, (size_t)h->objects * sizeof(Part)))
    decoder_fail_memory(D);
  decoder_begin_objects(D);
  HeadReader heads = {.left = h->objects};
  for (uint64_t i = 1; i <= h->objects; i++) decode_head_or_repeat(D, &heads, i);
  if (D->c.next != end) decoder_fail(D, HEARTH_DAMAGED, "the heads do not end where they should");
}

static void decode_bodies(Decoder *D) {
  uint32_t count = decoder_count(D);
  for (uint32_t i = 0; i < count; i++)
    if (decoder_part(D, i)->kind != OBJECT_LATE) decode_body(D, i);
  for (uint32_t i = 0; D->late && i < count; i++)
    if (decoder_part(D, i)->kind == OBJECT_LATE) decode_body(D, i);
  if (cursor_left(&D->c) > 0) decoder_fail(D, HEARTH_DAMAGED, "bytes follow after its end");
}

static void read_header(Decoder *D, BlobHeader *h) {
  bool newer;
  if (blob_header_get(&D->c, h, &newer)) return;
  if (newer)
    decoder_fail(D, HEARTH_VERSION, "format %d is needed to read it, this library reads up to %d", h->readable_by,
                 FORMAT_VERSION);
  decoder_check(D);
}

/* Stack: call, overlay. */
static int decode_protected(lua_State *L) {
  const DecodeCall *call = lua_touserdata(L, 1);
  const hearth_codec_options *o = call->options;
  BlobHeader header;
  Decoder *D = protect_push_state(L, sizeof *D, release);
  hearth_allocator a = protect_allocator(L);
  decoder_init(D, L, &a);
  D->ops = &blob_ops;
  D->owner = &header;
  D->error = call->error;
  D->what = "blob";
  D->seal = o->seal;
  D->flags = o->flags;
  if (o->max_memory != 0) D->max_memory = o->max_memory;
  D->relative = true;
  D->overlay = lua_istable(L, 2) ? 2 : 0;
  D->c = cursor_over(call->bytes, call->size);
  if (o->max_bytes != 0 && call->size > o->max_bytes)
    decoder_fail(D, HEARTH_LIMIT, "%zu bytes are more than max_bytes", call->size);
  read_header(D, &header);
  decoder_push_tables(D, header.objects); /* at most the bytes that remain */
  decode_constants(D, &header);
  decode_heads(D, &header);
  uint32_t root_waits = decode_value(D, PLACE_ANY);
  int root = lua_gettop(L);
  decode_bodies(D);
  decode_finish(D);
  if (root_waits != DECODER_NONE)
    decoder_push_object(D, root_waits);
  else
    lua_pushvalue(L, root);
  decoder_free(D);
  return 1;
}

hearth_status hearth_decode(lua_State *L, const void *bytes, size_t size, const hearth_codec_options *options,
                            hearth_error *err) {
  hearth_error own;
  hearth_codec_options o;
  if (err == NULL) err = &own;
  hearth_status status = codec_options_read(L, options, &o, err);
  if (status != HEARTH_OK) return status;
  DecodeCall call = {&o, err, size > 0 ? bytes : "", size}; /* NULL is allowed for no bytes */
  if (!lua_checkstack(L, LUA_MINSTACK)) return hearth_fail(err, HEARTH_NOMEM, "the Lua stack is full");
  if (o.permanents != 0)
    lua_pushvalue(L, o.permanents);
  else
    lua_pushnil(L);
  return protect_without_collector(L, decode_protected, &call, 1, 1, err);
}
