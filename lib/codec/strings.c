/*
** The string dictionary of a blob. A short string is written plainly at its
** first sighting, defined at its second and referred to from the third on, so
** that unique strings pay nothing; a long one is defined at its first, which
** costs no byte.
**
** What was seen once is four bits under the hash of its bytes, not an entry of a map (a Bloom filter): for 100,000
** strings that are all different they take 0.5 MB instead of 4. A string whose bits others have set, one in some
** thousands, is defined too early, which takes a byte or two more. The hash is of the content, so that equal values
** give equal bytes.
*/
#include "encoder.h"

/* Below this length a far reference is no shorter than the string. */
#define WORTH_A_FAR_REFERENCE 3
#define SEEN_ONCE (UINT32_MAX - 1)
#define LEVELS 5
#define LEVEL_WORDS(level) ((size_t)256 << 4 * (level)) /* 2 KiB, then 16 times as much each */
#define LEVEL_STRINGS(level) (2 * LEVEL_WORDS(level))   /* then one in 8 bits is set */

typedef struct LongString {
  const char *bytes;
  size_t size;
  uint32_t number;
} LongString;

typedef struct StringDictionary {
  uint32_t bytes[256];  /* by the byte of a string of one: 0, or its number + 1, or SEEN_ONCE + 1 */
  uint64_t *seen[LEVELS]; /* NULL: not yet needed */
  size_t free;          /* strings that the last of these has room for */
  int level;            /* which that is */
  IntMap short_strings; /* address (short strings are interned) -> number */
  IntMap long_strings;  /* hash of the content -> index in `longs` */
  Buffer longs;
  uint32_t count;
} StringDictionary;

StringDictionary *strings_new(const hearth_allocator *a) {
  StringDictionary *s = hearth_realloc(a, NULL, 0, sizeof *s);
  if (s == NULL) return NULL;
  intmap_init(&s->short_strings, a);
  intmap_init(&s->long_strings, a);
  buffer_init(&s->longs, a);
  memset(s->bytes, 0, sizeof s->bytes);
  memset(s->seen, 0, sizeof s->seen);
  s->free = 0;
  s->level = -1;
  s->count = 0;
  return s;
}

void strings_free(StringDictionary *s) {
  if (s == NULL) return;
  hearth_allocator a = s->longs.allocator;
  intmap_free(&s->short_strings);
  intmap_free(&s->long_strings);
  for (int i = 0; i <= s->level; i++) hearth_free(&a, s->seen[i], LEVEL_WORDS(i) * sizeof(uint64_t));
  buffer_free(&s->longs);
  hearth_free(&a, s, sizeof *s);
}

/* The dictionary knows strings by their addresses: a hook, which may collect, must not free them. */
static uint32_t define(Encoder *E, StringDictionary *s, int index) {
  lua_pushvalue(E->L, index);
  lua_rawseti(E->L, E->objects, -(lua_Integer)s->count - 1); /* objects have positive keys */
  return s->count++;
}

/* A reference takes one byte, or the string is not worth it. */
static void encode_byte(Encoder *E, StringDictionary *s, int index, const char *byte) {
  uint32_t *known = &s->bytes[(unsigned char)*byte];
  if (*known != 0 && *known != SEEN_ONCE + 1) {
    value_put_known(&E->body, *known - 1);
  } else if (*known == 0 || s->count >= TAG_FUSED) {
    *known = SEEN_ONCE + 1;
    value_put_string(&E->body, byte, 1);
  } else {
    *known = define(E, s, index) + 1;
    value_put_define(&E->body, byte, 1);
  }
}

static void add_level(Encoder *E, StringDictionary *s) {
  int level = s->level + 1;
  size_t size = LEVEL_WORDS(level) * sizeof(uint64_t);
  uint64_t *words = hearth_realloc(&s->longs.allocator, NULL, 0, size);
  if (words == NULL) encoder_fail_memory(E);
  // cppcheck-suppress nullPointerRedundantCheck ; encoder_fail_memory does not come back
  memset(words, 0, size);
  s->seen[level] = words;
  s->level = level;
  s->free = LEVEL_STRINGS(level);
}

/* Was a string with this hash here before? From now on it was. */
static bool seen_before(Encoder *E, StringDictionary *s, uint64_t hash) {
  const uint64_t one = 1;
  uint64_t bits = one << (hash & 63) | one << (hash >> 6 & 63) | one << (hash >> 12 & 63) | one << (hash >> 18 & 63);
  for (int i = 0; i <= s->level; i++)
    if ((s->seen[i][hash >> 24 & (LEVEL_WORDS(i) - 1)] & bits) == bits) return true;
  if (s->free == 0 && s->level < LEVELS - 1) add_level(E, s);
  s->seen[s->level][hash >> 24 & (LEVEL_WORDS(s->level) - 1)] |= bits;
  if (s->free > 0) s->free--;
  return false;
}

static void encode_short(Encoder *E, StringDictionary *s, int index, const char *bytes, size_t size) {
  uint64_t key = (uint64_t)(uintptr_t)bytes;
  uint32_t number = intmap_get(&s->short_strings, key);
  if (number != INTMAP_NONE) {
    value_put_known(&E->body, number);
  } else if (!seen_before(E, s, hash64(bytes, size, 0)) || (size < WORTH_A_FAR_REFERENCE && s->count >= TAG_FUSED)) {
    value_put_string(&E->body, bytes, size);
  } else {
    if (!intmap_put(&s->short_strings, key, s->count)) encoder_fail_memory(E);
    (void)define(E, s, index);
    value_put_define(&E->body, bytes, size);
  }
}

static void encode_long(Encoder *E, StringDictionary *s, int index, const char *bytes, size_t size) {
  uint64_t key = hash64(bytes, size, 0) | 1; /* a map's key is not 0 */
  uint32_t place = intmap_get(&s->long_strings, key);
  if (place != INTMAP_NONE) {
    LongString known;
    memcpy(&known, s->longs.data + place * sizeof known, sizeof known);
    if (known.size == size && memcmp(known.bytes, bytes, size) == 0)
      value_put_known(&E->body, known.number);
    else /* another string with this hash: it stays out of the dictionary */
      value_put_string(&E->body, bytes, size);
    return;
  }
  LongString fresh = {bytes, size, s->count};
  place = (uint32_t)(s->longs.size / sizeof fresh);
  buffer_put(&s->longs, &fresh, sizeof fresh);
  if (s->longs.failed || !intmap_put(&s->long_strings, key, place)) encoder_fail_memory(E);
  (void)define(E, s, index);
  value_put_define(&E->body, bytes, size);
}

/* The constant of this content, by which the string at `index` is known from now on. */
static uint32_t large_constant(Encoder *E, int index, const char *bytes, size_t size) {
  bool is_new;
  uint32_t constant = heap_constant(E->heap, OBJECT_STRING, heap_hash(E->heap, bytes, size), 0, &is_new);
  if (constant == HEAP_NONE) encoder_fail_memory(E);
  if (is_new) {
    E->heap->constants[constant].size = size;
    E->ops->constant(E, constant, bytes, size);
  }
  if (!intmap_reserve(&E->heap->by_address, 1)) encoder_fail_memory(E);
  lua_pushvalue(E->L, index);
  lua_rawseti(E->L, E->large, (lua_Integer)constant + 1);
  heap_know_string(E->heap, constant, (uint64_t)(uintptr_t)bytes);
  return constant;
}

/*
** A store's string that is larger than half a page has pages of its own, found by its content. Its bytes are read when
** it is met first: it is anchored, which costs little beside them, so its address stays its own.
*/
static void encode_large(Encoder *E, int index, const char *bytes, size_t size) {
  uint32_t constant = heap_find_string(E->heap, (uint64_t)(uintptr_t)bytes);
  if (constant == HEAP_NONE) constant = large_constant(E, index, bytes, size);
  E->heap->constants[constant].epoch = E->heap->epoch;
  value_put_ref(&E->body, E->heap->constants[constant].number);
}

void encode_string(Encoder *E, int index) {
  size_t size;
  const char *bytes = lua_tolstring(E->L, index, &size);
  if (E->page_size > 0 && size > E->page_size / 2)
    encode_large(E, index, bytes, size);
  else if (!E->relative || size == 0)
    value_put_string(&E->body, bytes, size);
  else if (size == 1)
    encode_byte(E, E->strings, index, bytes);
  else if (size <= SHAPE_MAX_KEY_SIZE)
    encode_short(E, E->strings, index, bytes, size);
  else
    encode_long(E, E->strings, index, bytes, size);
}
