/*
** A blob, decoded as data that nobody trusts: a value or an error, in the memory that is promised. What was
** decoded is encoded and decoded again; lib/view must agree that it is a blob.
*/
#include "fuzz.h"
#include "view.h"

static FuzzMemory memory;
static lua_State *L;

#define PROMISED_PER_BYTE 160u
#define PROMISED_BESIDE ((size_t)256 << 10)

/* One state for all inputs: data leaves nothing behind. The first decoding sets up what a state keeps. */
static void begin(void) {
  L = fuzz_state(&memory);
  lua_pushnil(L);
  FUZZ_CHECK(hearth_encode(L, 1, NULL, NULL) == HEARTH_OK);
  size_t size;
  const char *bytes = lua_tolstring(L, 2, &size);
  FUZZ_CHECK(hearth_decode(L, bytes, size, NULL, NULL) == HEARTH_OK);
  lua_settop(L, 0);
}

static void check_error(hearth_status status, const hearth_error *e, size_t size) {
  FUZZ_CHECK(e->code == status);
  FUZZ_CHECK(e->position == HEARTH_NO_POSITION || e->position <= size);
  FUZZ_CHECK(strchr(e->message, '\n') == NULL);
}

static bool view_accepts(const uint8_t *data, size_t size, hearth_error *e) {
  View v;
  hearth_status status = view_open_blob(&v, data, size, &hearth_libc_allocator, e);
  view_close(&v);
  return status == HEARTH_OK;
}

/* The value on the top, encoded; false: canonical order is impossible. */
static bool encode(unsigned flags) {
  hearth_error e;
  hearth_codec_options o = {.size = sizeof o, .flags = flags};
  hearth_status status = hearth_encode(L, lua_gettop(L), &o, &e);
  if (status == HEARTH_UNSTORABLE && flags == HEARTH_CANONICAL) return false;
  if (status != HEARTH_OK) fuzz_fail("what was decoded cannot be encoded: %s", e.message);
  return true;
}

/* [-0, +1] Decodes the string on the top, which the encoder wrote. */
static void decode_again(void) {
  size_t size;
  hearth_error e;
  const char *bytes = lua_tolstring(L, -1, &size);
  if (!view_accepts((const uint8_t *)bytes, size, &e)) fuzz_fail("the view of what was encoded: %s", e.message);
  if (hearth_decode(L, bytes, size, NULL, &e) != HEARTH_OK)
    fuzz_fail("what was encoded cannot be decoded: %s", e.message);
}

/* The decoded value is at 1. */
static void round_trip(void) {
  (void)encode(0);
  decode_again();
  bool canonical = encode(HEARTH_CANONICAL); /* of the second value */
  lua_pushvalue(L, 1);
  FUZZ_CHECK(encode(HEARTH_CANONICAL) == canonical);
  if (canonical) FUZZ_CHECK(lua_rawequal(L, -1, -3)); /* its bytes, the first value, the other bytes */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  hearth_error e;
  if (L == NULL) begin();
  lua_gc(L, LUA_GCCOLLECT);
  size_t before = memory.peak = memory.used;
  memory.largest = fuzz_largest(size);
  hearth_status status = hearth_decode(L, data, size, NULL, &e);
  if (memory.peak - before > PROMISED_PER_BYTE * size + PROMISED_BESIDE)
    fuzz_fail("%zu bytes of memory for an input of %zu", memory.peak - before, size);
  check_error(status, &e, size);
  FUZZ_CHECK(lua_gettop(L) == (status == HEARTH_OK));
  hearth_status first = status;
  hearth_error seen;
  bool viewed = view_accepts(data, size, &seen);
  if (status == HEARTH_OK && !viewed) fuzz_fail("decoded, but the view says: %s", seen.message);
  if (status == HEARTH_OK) round_trip();
  lua_settop(L, 0);
  hearth_codec_options limited = {.size = sizeof limited, .max_memory = 16 * size};
  status = hearth_decode(L, data, size, &limited, &e);
  FUZZ_CHECK(status == first || status == HEARTH_LIMIT);
  lua_settop(L, 0);
  return 0;
}
