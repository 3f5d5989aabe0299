#include "random_steps.h"

#include <stdlib.h>
#include <string.h>

#define MOST_VALUE 20000

uint64_t step_chance(uint64_t *state, uint64_t limit) {
  *state ^= *state >> 12;
  *state ^= *state << 25;
  *state ^= *state >> 27;
  return (*state * UINT64_C(2685821657736338717) >> 20) % limit;
}

typedef struct Source {
  uint64_t *random;
  const ModelState *now;
} Source;

static uint64_t below(const Source *from, uint64_t limit) {
  return step_chance(from->random, limit);
}

/* An index of `often`, each as often as its element says. */
static unsigned weighted(const Source *from, const unsigned char *often, unsigned count) {
  uint64_t sum = 0;
  for (unsigned i = 0; i < count; i++) sum += often[i];
  uint64_t at = below(from, sum);
  for (unsigned i = 0; i < count; i++) {
    if (at < often[i]) return i;
    at -= often[i];
  }
  return 0;
}

static uint64_t random_table(const Source *from) {
  static const uint64_t tables[] = {1, 1, 1, 2, 2, 3, 0, 127, 128, 300, UINT64_C(1) << 32, HEARTH_MAX_TABLE - 1,
                                    HEARTH_MAX_TABLE};
  return tables[below(from, sizeof tables / sizeof *tables)];
}

/* Keys that backends may confuse: equal but for the length, of zeros, of 0xff, prefixes of each other, the longest. */
static size_t random_key(const Source *from, unsigned char *key) {
  static const size_t sizes[] = {0, 1, 1, 2, 3, 4, 7, 8, 9, 40, 127, 128, 129, 500, HEARTH_MAX_KEY - 1, HEARTH_MAX_KEY};
  size_t size = sizes[below(from, below(from, 3) == 0 ? sizeof sizes / sizeof *sizes : 7)];
  static const unsigned char bytes[] = {0, 1, 'a', 'b', 0x7f, 0x80, 0xff};
  uint64_t kind = below(from, 6);
  for (size_t i = 0; i < size; i++) {
    key[i] = bytes[below(from, sizeof bytes)];
    if (kind == 0) key[i] = 0;
    if (kind == 1) key[i] = 0xff;
    if (kind == 2) key[i] = (unsigned char)('a' + i % 26);
  }
  if (kind == 2 && size > 0 && below(from, 2) == 0) key[size - 1] ^= 0x80;
  return size;
}

/* An entry that is there, mostly, or its neighbour. */
static void random_place(const Source *from, hearth_op *op, unsigned char *key) {
  op->table = random_table(from);
  op->key = key;
  if (from->now->count == 0 || below(from, 3) == 0) {
    op->key_size = random_key(from, key);
    return;
  }
  const ModelEntry *e = &from->now->entries[below(from, from->now->count)];
  op->table = e->table;
  op->key_size = e->key_size;
  memcpy(key, e->key, e->key_size);
  uint64_t how = below(from, 8);
  if (how == 0 && op->key_size > 0) op->key_size--;
  if (how == 1 && op->key_size < HEARTH_MAX_KEY) key[op->key_size++] = 0;
}

static size_t random_size(const Source *from) {
  static const size_t sizes[] = {0, 1, 2, 7, 8, 30, 63, 64, 65, 100, 127, 128, 149, 150, 151,
                                 300, 1000, 4095, 4096, 4097, MOST_VALUE};
  return sizes[below(from, below(from, 4) == 0 ? sizeof sizes / sizeof *sizes : 12)];
}

static void random_op(const Source *from, Step *s) {
  hearth_op *op = &s->ops[s->count];
  static const unsigned char often[] = {[HEARTH_PUT] = 24, [HEARTH_DEL] = 7, [HEARTH_DROP] = 2,
                                        [HEARTH_CHECK_EQUAL] = 5, [HEARTH_CHECK_ABSENT] = 2};
  op->kind = (hearth_op_kind)weighted(from, often, sizeof often);
  random_place(from, op, s->keys[s->count]);
  const ModelEntry *e = from->now->count > 0 ? &from->now->entries[below(from, from->now->count)] : NULL;
  size_t size = random_size(from);
  if (op->kind == HEARTH_CHECK_EQUAL && e != NULL && below(from, 8) > 0) { /* one that holds */
    op->table = e->table;
    op->key_size = e->key_size;
    memcpy(s->keys[s->count], e->key, e->key_size);
    size = e->value_size;
    memcpy(s->values[s->count], e->value, size);
    if (below(from, 8) == 0 && size > 0) s->values[s->count][below(from, size)] ^= 1; /* but for a bit */
  } else {
    uint64_t pattern = below(from, UINT32_MAX);
    if (pattern % 5 == 0) pattern = 0;
    for (size_t i = 0; i < size; i++) s->values[s->count][i] = (unsigned char)(pattern >> i % 24);
  }
  if (op->kind == HEARTH_CHECK_ABSENT && below(from, 4) > 0) op->table = 77; /* nothing is ever there */
  op->value = s->values[s->count];
  op->value_size = size;
  s->count++;
}

/* What is refused before anything happens. */
static void random_mistake(const Source *from, Step *s) {
  hearth_op *op = &s->ops[below(from, s->count)];
  uint64_t kind = below(from, 3);
  if (kind == 0) op->table = HEARTH_MAX_TABLE + 1;
  if (kind == 1) op->kind = (hearth_op_kind)9;
  if (kind == 2) op->key_size = HEARTH_MAX_KEY + 1;
}

static void random_submit(const Source *from, Step *s) {
  static const hearth_durability levels[] = {HEARTH_DEFAULT_DURABILITY, HEARTH_VISIBLE, HEARTH_COMPLETE,
                                             HEARTH_DURABLE};
  s->level = below(from, 6) == 0 ? levels[below(from, 4)] : levels[1 + below(from, 2)];
  uint64_t how = below(from, 20);
  s->flags = how < 8 ? HEARTH_BATCH_MORE : 0;
  if (how == 19) {
    s->flags = HEARTH_BATCH_ABANDON;
    return;
  }
  for (uint64_t n = below(from, below(from, 8) == 0 ? MOST_OPS + 1 : 4); n > 0; n--) random_op(from, s);
  if (s->count > 0 && below(from, 25) == 0) random_mistake(from, s);
}

void step_random(Step *s, uint64_t *random, const ModelState *now) {
  const Source source = {random, now}, *from = &source;
  static const unsigned char often[] = {[SUBMIT] = 50, [GET] = 15, [SCAN] = 15, [TABLES] = 4, [BARRIER] = 3,
                                        [COMPACT] = 4, [REOPEN] = 4, [READ_BESIDE] = 3, [EXPORT] = 2};
  s->count = 0;
  s->kind = weighted(from, often, sizeof often);
  if (s->kind == SUBMIT) {
    random_submit(from, s);
    return;
  }
  random_place(from, &s->ops[0], s->keys[0]);
  hearth_op to;
  random_place(from, &to, s->to);
  s->to_size = to.key_size;
  s->has_from = below(from, 4) > 0;
  s->has_to = below(from, 4) > 0;
  s->reverse = below(from, 2) == 0;
  s->stop_after = below(from, 3) == 0 ? (long)(1 + below(from, 3)) : -1;
  s->level = below(from, 2) == 0 ? HEARTH_VISIBLE : HEARTH_DEFAULT_DURABILITY;
  s->keep = below(from, 2) == 0 ? 0 : (unsigned)(1 + below(from, 6));
}

Step *step_new(void) {
  Step *s = calloc(1, sizeof *s);
  if (s == NULL) abort();
  for (size_t i = 0; i < MOST_OPS; i++)
    if ((s->values[i] = malloc(MOST_VALUE)) == NULL) abort();
  return s;
}

void step_free(Step *s) {
  for (size_t i = 0; i < MOST_OPS; i++) free(s->values[i]);
  free(s);
}
