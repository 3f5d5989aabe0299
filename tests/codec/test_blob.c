/*
** Damaged blobs: every truncated prefix, every flipped bit, and many bytes at
** once, decode to a value or to an error with a code that fits.
*/
#include "sample.h"

/* A state is used for so many damaged blobs, then closed: a leak or a bad free shows there. */
#define DECODES_PER_STATE 4096
#define DECODES_PER_COLLECTION 64

typedef struct Victim {
  lua_State *L;
  Memory memory;
  unsigned decodes;
  unsigned values; /* of those that decoded */
} Victim;

/* Remembers every object of a new state, so that touch does not go through the program itself. */
static void remember_beyond(lua_State *L) {
  run(L, "local all, list = {}, {debug.getregistry()}\n"
         "all[list[1]] = true\n"
         "local function see(o)\n"
         "  local t = type(o)\n"
         "  if (t == 'table' or t == 'function' or t == 'userdata') and not all[o] then all[o] = true "
         "list[#list + 1] = o end\n"
         "end\n"
         "local i = 1\n"
         "while list[i] do\n"
         "  local o = list[i]\n"
         "  see(debug.getmetatable(o))\n"
         "  if type(o) == 'table' then for k, v in next, o do see(k) see(v) end end\n"
         "  i = i + 1\n"
         "end\n"
         "see(getmetatable(''))\n"
         "debug.getregistry().beyond = all\n");
}

static void victim_open(Victim *v) {
  v->L = state_new(&v->memory);
  v->decodes = 0;
  remember_beyond(v->L);
}

static void victim_close(Victim *v) {
  state_close(v->L, &v->memory);
}

/* Everything about a function but calling it. Hands back what its upvalues hold, in the list at `found`. */
static int discard(lua_State *L, const void *bytes, size_t size, void *ud) {
  (void)L;
  (void)bytes;
  *(size_t *)ud += size;
  return 0;
}

static void touch_function(lua_State *L, int f) {
  size_t size = 0;
  lua_Debug info;
  if (!lua_iscfunction(L, f)) {
    lua_pushvalue(L, f);
    lua_dump(L, discard, &size, 0);
    lua_pop(L, 1);
    assert_true(size > 0);
    for (int i = 1; lua_getupvalue(L, f, i) != NULL; i++) {
      assert_non_null(lua_upvalueid(L, f, i));
      lua_setupvalue(L, f, i); /* with what it holds */
    }
  }
  lua_pushvalue(L, f);
  lua_getinfo(L, ">Slunt", &info);
  /* of a stripped vararg function Lua 5.4.4 itself reads the active lines through a null pointer */
  if (!info.isvararg) {
    lua_pushvalue(L, f);
    lua_getinfo(L, ">L", &info);
    lua_pop(L, 1);
  }
  lua_pushvalue(L, f);
  for (int i = 1; lua_getlocal(L, NULL, i) != NULL; i++) continue;
  lua_pop(L, 1);
}

/* Adds the value on the top to the list at `seen`, if it is an object that is not yet in it; pops it. */
static void see(lua_State *L, int list, int seen, lua_Integer *count) {
  if (lua_type(L, -1) < LUA_TTABLE) {
    lua_pop(L, 1);
    return;
  }
  lua_pushvalue(L, -1);
  if (lua_rawget(L, seen) == LUA_TNIL) {
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, seen);
    lua_pushvalue(L, -2);
    lua_rawseti(L, list, ++*count);
  }
  lua_pop(L, 2);
}

/* Goes through all that the value on the top holds, and pops it. Permanents are not gone through. */
static void touch(lua_State *L) {
  lua_newtable(L);
  lua_newtable(L);
  int list = lua_gettop(L) - 1, seen = list + 1;
  lua_Integer count = 0;
  lua_getfield(L, LUA_REGISTRYINDEX, "beyond"); /* all that was there before: the globals, the libraries */
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, seen);
  }
  lua_pop(L, 1);
  lua_pushvalue(L, list - 1);
  see(L, list, seen, &count);
  for (lua_Integer i = 1; i <= count; i++) {
    lua_rawgeti(L, list, i);
    int o = lua_gettop(L);
    if (lua_isfunction(L, o)) touch_function(L, o);
    for (int n = 1; lua_isfunction(L, o) && lua_getupvalue(L, o, n) != NULL; n++) see(L, list, seen, &count);
    if (lua_getmetatable(L, o)) see(L, list, seen, &count);
    if (lua_istable(L, o)) {
      lua_pushnil(L);
      while (lua_next(L, o)) {
        see(L, list, seen, &count);
        lua_pushvalue(L, -1);
        see(L, list, seen, &count);
      }
    }
    lua_settop(L, o - 1);
  }
  lua_settop(L, list - 2);
}

static const hearth_status sensible[] = {HEARTH_DAMAGED, HEARTH_VERSION, HEARTH_LUA,    HEARTH_REFUSED,
                                         HEARTH_UNKNOWN, HEARTH_CYCLE,   HEARTH_RAISED, HEARTH_SEAL};

static bool is_sensible(hearth_status status) {
  for (size_t i = 0; i < sizeof sensible / sizeof *sensible; i++)
    if (status == sensible[i]) return true;
  return false;
}

/* Decodes a damaged blob; the bytes are in a block of exactly their size, so that a read beyond shows. */
static hearth_status attack(Victim *v, const unsigned char *bytes, size_t size, unsigned flags) {
  hearth_error e;
  hearth_codec_options o = options_of(flags);
  if (v->decodes++ % DECODES_PER_STATE == DECODES_PER_STATE - 1) {
    victim_close(v);
    victim_open(v);
  }
  unsigned char *copy = malloc(size > 0 ? size : 1);
  assert_non_null(copy);
  memcpy(copy, bytes, size);
  memset(&e, 0x55, sizeof e);
  hearth_status status = hearth_decode(v->L, copy, size, &o, &e);
  free(copy);
  assert_int_equal(e.code, status);
  if (status == HEARTH_OK) {
    v->values++;
    assert_int_equal(lua_gettop(v->L), 1);
    touch(v->L);
  } else {
    if (!is_sensible(status)) fail_msg("%s: %s", hearth_status_name(status), e.message);
    assert_true(strlen(e.message) > 0);
    assert_true(e.position <= size || e.position == HEARTH_NO_POSITION);
    if (status == HEARTH_DAMAGED) assert_true(e.position <= size);
  }
  assert_int_equal(lua_gettop(v->L), 0);
  if (v->decodes % DECODES_PER_COLLECTION == 0) lua_gc(v->L, LUA_GCCOLLECT);
  return status;
}

/* A copy of a sample's blob. */
static unsigned char *new_blob(int what, unsigned flags, size_t *size) {
  Memory m;
  lua_State *L = state_new(&m);
  push_sample(L, what);
  encode_top(L, flags);
  const char *bytes = lua_tolstring(L, -1, size);
  unsigned char *copy = malloc(*size);
  assert_non_null(copy);
  memcpy(copy, bytes, *size);
  lua_pop(L, 1);
  state_close(L, &m);
  return copy;
}

static const struct {
  int what;
  unsigned encode; /* flags */
  bool bytecode;   /* is it safe to damage functions, because nothing calls them? */
} samples[] = {
    {0, 0, true},
    {SAMPLE_CODE, 0, true},
    {SAMPLE_CODE, HEARTH_STRIP, true},
    {SAMPLE_CODE | SAMPLE_SPECIAL, HEARTH_STRIP, false},
};
#define SAMPLES (sizeof samples / sizeof *samples)

static const unsigned decode_flags[] = {HEARTH_TRUSTED, HEARTH_TRUSTED | HEARTH_PLACEHOLDERS, 0};
#define DECODE_FLAGS (sizeof decode_flags / sizeof *decode_flags)

static void test_whole(void **state) {
  (void)state;
  Victim v;
  victim_open(&v);
  for (size_t i = 0; i < SAMPLES; i++) {
    size_t size;
    unsigned char *blob = new_blob(samples[i].what, samples[i].encode, &size);
    assert_int_equal(attack(&v, blob, size, HEARTH_TRUSTED), HEARTH_OK);
    assert_int_equal(attack(&v, blob, size, 0), samples[i].what == 0 ? HEARTH_OK : HEARTH_REFUSED);
    free(blob);
  }
  victim_close(&v);
}

static void test_truncated(void **state) {
  (void)state;
  Victim v;
  victim_open(&v);
  for (size_t i = 0; i < SAMPLES; i++) {
    size_t size, stride = 1 + (rounds(40) < 40 ? 16 : 0);
    unsigned char *blob = new_blob(samples[i].what, samples[i].encode, &size);
    for (size_t n = 0; n < size; n += stride) {
      hearth_status status = attack(&v, blob, n, decode_flags[n % DECODE_FLAGS]);
      assert_true(status == HEARTH_DAMAGED || status == HEARTH_REFUSED);
    }
    free(blob);
  }
  victim_close(&v);
}

static void test_appended(void **state) {
  (void)state;
  Victim v;
  victim_open(&v);
  for (size_t i = 0; i < SAMPLES; i++) {
    size_t size;
    unsigned char *blob = new_blob(samples[i].what, samples[i].encode, &size);
    unsigned char *longer = realloc(blob, size + 1);
    assert_non_null(longer);
    longer[size] = 0;
    assert_int_equal(attack(&v, longer, size + 1, HEARTH_TRUSTED), HEARTH_DAMAGED);
    free(longer);
  }
  victim_close(&v);
}

static void test_flipped(void **state) {
  (void)state;
  Victim v;
  victim_open(&v);
  v.values = 0;
  for (size_t i = 0; i < SAMPLES; i++) {
    size_t size, begin, end, stride = 1 + (rounds(40) < 40 ? 97 : 0);
    unsigned char *blob = new_blob(samples[i].what, samples[i].encode, &size), *damaged = malloc(size);
    assert_non_null(damaged);
    prototypes_of(blob, size, &begin, &end);
    for (size_t bit = 0; bit < 8 * size; bit += stride) {
      size_t at = bit / 8;
      memcpy(damaged, blob, size);
      damaged[at] ^= (unsigned char)(1u << bit % 8);
      hearth_status status = attack(&v, damaged, size, decode_flags[(at + bit) % DECODE_FLAGS]);
      if (at < begin || at >= end) continue;
      assert_int_not_equal(status, HEARTH_OK); /* the check finds damage */
      if (!samples[i].bytecode) continue;
      renew_checks(damaged, begin, end);
      attack(&v, damaged, size, decode_flags[(at + bit) % DECODE_FLAGS]);
    }
    free(damaged);
    free(blob);
  }
  assert_true(v.values > 100); /* the gate is not simply shut */
  victim_close(&v);
}

/*
** Changes 1 to 8 bytes in [begin, end): to random ones, to others of the blob, by moving a piece, or by a small step.
*/
static void mutate(unsigned char *blob, size_t begin, size_t end, uint64_t *seed) {
  if (end - begin < 2) return;
  for (uint64_t n = 1 + next_random(seed) % 8; n > 0; n--) {
    size_t at = begin + (size_t)(next_random(seed) % (end - begin));
    size_t from = begin + (size_t)(next_random(seed) % (end - begin));
    size_t most = end - (at > from ? at : from), size = 1 + (size_t)(next_random(seed) % 8);
    switch (next_random(seed) % 4) {
      case 0: blob[at] = (unsigned char)next_random(seed); break;
      case 1: blob[at] = blob[from]; break;
      case 2: memmove(blob + at, blob + from, size < most ? size : most); break;
      default: blob[at] = (unsigned char)(blob[at] + (next_random(seed) % 2 ? 1 : 255)); break;
    }
  }
}

static void test_mutated(void **state) {
  (void)state;
  uint64_t seed = 0x5eed;
  Victim v;
  victim_open(&v);
  for (size_t i = 0; i < SAMPLES; i++) {
    size_t size, begin, end;
    unsigned char *blob = new_blob(samples[i].what, samples[i].encode, &size), *damaged = malloc(size);
    assert_non_null(damaged);
    prototypes_of(blob, size, &begin, &end);
    for (size_t n = rounds(4000); n > 0; n--) {
      memcpy(damaged, blob, size);
      /* The heads and bodies; or the functions, where nothing calls them; not both, which could make of a
         damaged function a rebuilding one, and that one is called. */
      if (samples[i].bytecode && end > begin && n % 2) {
        mutate(damaged, begin, end, &seed);
        if (n % 16 != 1) renew_checks(damaged, begin, end);
      } else {
        mutate(damaged, end, size, &seed);
      }
      if (n % 8 == 0) mutate(damaged, 0, begin, &seed);
      attack(&v, damaged, size, decode_flags[n % DECODE_FLAGS]);
    }
    free(damaged);
    free(blob);
  }
  victim_close(&v);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_whole),   cmocka_unit_test(test_truncated), cmocka_unit_test(test_appended),
      cmocka_unit_test(test_flipped), cmocka_unit_test(test_mutated),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
