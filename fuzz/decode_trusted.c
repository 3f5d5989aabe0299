/*
** A blob, decoded with functions, permanents and metatables. Where all its code is known (known.h), rebuilding
** functions run, and then every function that can be reached is called, under a limit of instructions. Elsewhere
** metatables, which bring rebuilding functions, are refused, and nothing is called.
**
** HEARTH_FUZZ_SEEDS=FOLDER writes the samples there, as the first inputs.
*/
#include "fuzz.h"
#include "known.h"
#include "samples_state.h"
#include "view.h"

#define INSTRUCTIONS 20000
#define MEMORY_OF_CODE ((size_t)32 << 20)

/* ---------------------------------------------- everything that can be reached */

enum { QUEUE = 2, SEEN = 3 };

/* [-1, +0] An object joins the queue, once. */
static void reach(lua_State *L) {
  int type = lua_type(L, -1);
  if (type == LUA_TTABLE || type == LUA_TFUNCTION) {
    lua_pushvalue(L, -1);
    if (lua_rawget(L, SEEN) == LUA_TNIL) {
      lua_pushvalue(L, -2);
      lua_pushboolean(L, 1);
      lua_rawset(L, SEEN);
      lua_pushvalue(L, -2);
      lua_rawseti(L, QUEUE, (lua_Integer)lua_rawlen(L, QUEUE) + 1);
    }
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void reach_from(lua_State *L, int object) {
  if (lua_istable(L, object)) {
    lua_pushnil(L);
    while (lua_next(L, object)) {
      reach(L);
      lua_pushvalue(L, -1);
      reach(L);
    }
    if (lua_getmetatable(L, object)) reach(L);
  } else {
    for (int i = 1; lua_getupvalue(L, object, i) != NULL; i++) reach(L);
  }
}

/* Stack: the value. Gives the list of all tables and functions. Permanents lead into the library, which is small. */
static int reach_all(lua_State *L) {
  lua_settop(L, 1);
  lua_newtable(L);
  lua_newtable(L);
  lua_pushvalue(L, 1);
  reach(L);
  for (lua_Integer i = 1; lua_rawgeti(L, QUEUE, i) != LUA_TNIL; i++) {
    reach_from(L, lua_gettop(L));
    lua_settop(L, SEEN);
  }
  lua_settop(L, QUEUE);
  return 1;
}

/* Stack: the value, the list. Whatever they answer or raise. */
static void call_all(lua_State *L) {
  for (lua_Integer i = 1; lua_rawgeti(L, 2, i) != LUA_TNIL; i++) {
    if (lua_isfunction(L, -1) && !lua_iscfunction(L, -1)) {
      fuzz_limit_instructions(L, INSTRUCTIONS);
      lua_pushvalue(L, 1);
      lua_pushvalue(L, -2);
      lua_pushinteger(L, i);
      (void)lua_pcall(L, 3, 0, 0);
    }
    lua_settop(L, 2);
  }
}

/* ------------------------------------------------------------------ decode */

static void write_seeds(void) {
  FuzzMemory m = {0};
  lua_State *L = samples_state(&m);
  for (size_t i = 0; samples_folder() != NULL && samples_push(L, i); i++) {
    size_t size;
    FUZZ_CHECK(hearth_encode(L, -1, NULL, NULL) == HEARTH_OK);
    const char *bytes = lua_tolstring(L, -1, &size);
    samples_write(samples_folder(), "sample", i, bytes, size);
    lua_settop(L, 0);
  }
  lua_close(L);
}

/* The value at 1, encoded: what the encoder writes is a blob. */
static void encode(lua_State *L, unsigned flags) {
  hearth_error e;
  View v;
  size_t size;
  hearth_codec_options o = {.size = sizeof o, .flags = flags};
  fuzz_limit_instructions(L, INSTRUCTIONS); /* of hooks */
  if (hearth_encode(L, 1, &o, &e) != HEARTH_OK) return;
  const char *bytes = lua_tolstring(L, -1, &size);
  if (view_open_blob(&v, bytes, size, &hearth_libc_allocator, &e) != HEARTH_OK)
    fuzz_fail("what was encoded: %s", e.message);
  view_close(&v);
  lua_pop(L, 1);
}

static void decode(const uint8_t *data, size_t size, unsigned flags, bool call) {
  FuzzMemory m = {0};
  hearth_error e;
  lua_State *L = samples_state(&m);
  hearth_codec_options o = {.size = sizeof o, .flags = flags};
  size_t before = m.peak = m.used, promised = size * (flags & HEARTH_PLACEHOLDERS ? 1024 : 160) + ((size_t)256 << 10);
  m.limit = before + MEMORY_OF_CODE + promised;
  m.largest = fuzz_largest(size);
  m.L = L; /* code asks for what it likes */
  fuzz_limit_instructions(L, INSTRUCTIONS);
  hearth_status status = hearth_decode(L, data, size, &o, &e);
  if (call) m.largest = 0; /* so does what is encoded, when code has made it */
  if (!call && m.peak - before > promised) fuzz_fail("%zu bytes of memory for an input of %zu", m.peak - before, size);
  FUZZ_CHECK(e.code == status && lua_gettop(L) == (status == HEARTH_OK));
  FUZZ_CHECK(e.position == HEARTH_NO_POSITION || e.position <= size);
  if (status == HEARTH_OK) {
    encode(L, 0);
    encode(L, HEARTH_CANONICAL | HEARTH_STRIP);
    lua_pushcfunction(L, reach_all);
    lua_pushvalue(L, 1);
    if (lua_pcall(L, 1, 1, 0) == LUA_OK && call) call_all(L);
    lua_settop(L, 1);
    if (call) encode(L, 0);
  }
  lua_sethook(L, NULL, 0, 0);
  m.limit = m.largest = 0;
  m.L = NULL;
  lua_close(L);
  FUZZ_CHECK(m.used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static bool learned;
  if (!learned) {
    samples_learn();
    write_seeds();
  }
  learned = true;
  bool known = known_all(data, size);
  unsigned flags = known ? HEARTH_TRUSTED : HEARTH_ALLOW_FUNCTIONS | HEARTH_ALLOW_PERMANENTS;
  decode(data, size, flags, known);
  decode(data, size, flags | HEARTH_PLACEHOLDERS, known);
  return 0;
}
