#include "totals.h"

#include <inttypes.h>
#include <stdio.h>

#include "layout.h"

#ifndef COPY_PORTION
#define COPY_PORTION ((size_t)1 << 20) /* bytes after which a step ends */
#endif
#define ENTRY_COST 32             /* of one without any, so that steps over small entries end too */

hearth_status totals_begin(Count *c, const CopySide *side, const hearth_allocator *allocator, hearth_error *err) {
  Buffer tables;
  memset(c, 0, sizeof *c);
  buffer_init(&tables, allocator);
  hearth_status status = walk_tables(side, &tables, err);
  walk_init(&c->walk, side, &tables);
  return status;
}

void totals_end(Count *c) {
  walk_free(&c->walk);
}

void totals_replace_metadata(Count *c, const void *metadata, size_t size) {
  c->replaced = true;
  c->metadata = metadata;
  c->metadata_size = size;
}

/* Twice XXH3-64, with seeds that have little in common. */
static Hash128 entry_digest(uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  uint64_t seed = hash64(key, key_size, table);
  return (Hash128){hash64(value, value_size, seed),
                   hash64(value, value_size, (seed ^ seed >> 32) * UINT64_C(0x9E3779B97F4A7C15))};
}

static void add(Count *c, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Totals *t = &c->totals;
  Hash128 h = entry_digest(table, key, key_size, value, value_size);
  t->digest.low += h.low;
  t->digest.high += h.high + (t->digest.low < h.low);
  if (t->entries++ == 0 || table != c->last_table) t->tables++;
  c->last_table = table;
  t->bytes += (uint64_t)key_size + value_size;
}

static int take(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Count *c = ud;
  if (!c->replaced || !layout_is_metadata(table, key, key_size))
    add(c, table, key, key_size, value, value_size);
  else if (c->metadata != NULL)
    add(c, table, key, key_size, c->metadata, c->metadata_size);
  c->portion += key_size + value_size + ENTRY_COST;
  return c->portion >= COPY_PORTION ? WALK_STOP : 0;
}

hearth_status totals_step(Count *c, hearth_error *err) {
  c->portion = 0;
  while (!walk_ended(&c->walk) && c->portion < COPY_PORTION) {
    hearth_status status = walk_on(&c->walk, take, c, err);
    if (status != HEARTH_OK) return status;
    c->portion += ENTRY_COST;
  }
  return walk_ended(&c->walk) ? HEARTH_OK : HEARTH_PENDING;
}

bool totals_equal(const Totals *a, const Totals *b) {
  return a->tables == b->tables && a->entries == b->entries && a->bytes == b->bytes &&
         hash128_equal(a->digest, b->digest);
}

void totals_digest_text(const Totals *t, char out[TOTALS_TEXT]) {
  (void)snprintf(out, TOTALS_TEXT, "%016" PRIx64 "%016" PRIx64, t->digest.high, t->digest.low);
}
