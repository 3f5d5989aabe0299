/* Reading: the index says where a value stands, the file has it, its check says whether it is the one. */
#include <inttypes.h>

#include "failure.h"
#include "store.h"

#define NEAR ((uint64_t)4 << 10)  /* so far behind the last one a value counts as the next */
#define AHEAD ((size_t)64 << 10)

/* `size` bytes at `at`, fewer only where the file ends; NULL: no memory, or *failure is an errno value. */
static const unsigned char *fetch(const hearth_backend_store *store, Stretch *s, uint64_t at, size_t *size,
                                  int *failure) {
  Buffer *b = &s->bytes;
  *failure = 0;
  if (at >= s->at && at - s->at <= b->size && b->size - (at - s->at) >= *size) return b->data + (at - s->at);
  bool onwards = b->size > 0 && at >= s->at && at - s->at < b->size + NEAR;
  size_t want = onwards && *size < AHEAD ? AHEAD : *size, got = 0;
  buffer_clear(b);
  unsigned char *bytes = buffer_reserve(b, want);
  if (bytes == NULL) return NULL;
  *failure = store->env->pread(store->env->ud, store->file, at, bytes, want, &got);
  if (*failure != 0) return NULL;
  s->at = at;
  b->size = got;
  if (got < *size) *size = got;
  return bytes;
}

hearth_status read_value(const hearth_backend_store *store, MapEntry *e, Stretch *stretch, const unsigned char **value,
                         hearth_error *err) {
  Place place = index_place(e);
  size_t size = LOG_VALUE_CHECK_SIZE + (size_t)place.size, got = size;
  int failure;
  const unsigned char *bytes = fetch(store, stretch, place.at - LOG_VALUE_CHECK_SIZE, &got, &failure);
  if (failure != 0) return failure_io(err, store->names.path, "read", failure);
  if (bytes == NULL) return failure_nomem(err, store->names.path);
  *value = bytes + LOG_VALUE_CHECK_SIZE;
  if (got < size || log_decode_value_check(bytes) != log_value_check(store->header.salt, place.at, e->table, map_key(e),
                                                                     e->key_size, *value, place.size))
    return hearth_fail_at(err, HEARTH_DAMAGED, place.at, "%s: damaged at byte %" PRIu64 ": a value is not what was written",
                          store->names.path, place.at);
  return HEARTH_OK;
}

/* A reader whose file has changed under it is stale, not damaged; and one that could not read has lost nothing. */
static hearth_status read_entry(hearth_backend_store *store, MapEntry *e, Stretch *stretch,
                                const unsigned char **value, hearth_error *err) {
  hearth_error moved;
  hearth_status status = read_value(store, e, stretch, value, err);
  if (status == HEARTH_IO && !store->readonly) store_die(store, err);
  if (status == HEARTH_DAMAGED && read_current(store, true, &moved) != HEARTH_OK) {
    *err = moved;
    status = moved.code;
  }
  return status;
}

static int deliver(MapEntry *e, const unsigned char *value, hearth_found found, void *ud) {
  return found(ud, e->table, map_key(e), e->key_size, value, index_place(e).size);
}

hearth_status read_current(hearth_backend_store *store, bool growth, hearth_error *err) {
  hearth_file_info now;
  if (!store->readonly) return HEARTH_OK;
  int failure = store->env->stat(store->env->ud, store->names.path, &now);
  bool moved = failure != 0 || now.device != store->was.device || now.inode != store->was.inode;
  if (moved || (growth && now.length != store->was.length))
    return hearth_fail(err, HEARTH_STALE, "%s: has changed since it was read, refresh it", store->names.path);
  return HEARTH_OK;
}

static hearth_status get_uncached(hearth_backend_store *store, MapEntry *e, hearth_found found, void *ud,
                                  hearth_error *err) {
  Stretch stretch = {.at = 0};
  const unsigned char *value;
  buffer_init(&stretch.bytes, &store->allocator);
  hearth_status status = read_entry(store, e, &stretch, &value, err);
  if (status == HEARTH_OK) {
    CacheSlot *slot = cache_make(&store->cache, index_place(e).at, index_place(e).size);
    if (slot != NULL) memcpy(slot->bytes, value, slot->size); /* NOLINT(*CallAndMessage): set with HEARTH_OK */
    (void)deliver(e, value, found, ud); /* NOLINT(*CallAndMessage): likewise */
  }
  buffer_free(&stretch.bytes);
  return status;
}

hearth_status read_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                       hearth_found found, void *ud, hearth_error *err) {
  hearth_status status = store_alive(store, err);
  if (status == HEARTH_OK) status = read_current(store, false, err);
  if (status != HEARTH_OK) return status;
  MapEntry *e = map_find(&store->index.map, table, key, key_size);
  if (e == NULL)
    return hearth_fail(err, HEARTH_NOTFOUND, "%s: no such key in table %" PRIu64, store->names.path, table);
  CacheSlot *slot = cache_find(&store->cache, index_place(e).at);
  if (slot == NULL) return get_uncached(store, e, found, ud, err);
  slot->pins++; /* the callback may get other values */
  (void)deliver(e, slot->bytes, found, ud);
  slot->pins--;
  return HEARTH_OK;
}

hearth_status read_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                        const void *to, size_t to_size, bool reverse, hearth_found found, void *ud, int *result,
                        hearth_error *err) {
  int answer = 0;
  MapRange range;
  Stretch stretch = {.at = 0};
  hearth_status status = store_alive(store, err);
  if (status == HEARTH_OK) status = read_current(store, false, err);
  if (status != HEARTH_OK) return status;
  buffer_init(&stretch.bytes, &store->allocator);
  map_range(&store->index.map, table, from, from_size, to, to_size, reverse, &range);
  for (MapEntry *e; status == HEARTH_OK && answer == 0 && (e = map_range_next(&range)) != NULL;) {
    CacheSlot *slot = cache_find(&store->cache, index_place(e).at);
    const unsigned char *value = slot != NULL ? slot->bytes : NULL;
    if (slot == NULL) status = read_entry(store, e, &stretch, &value, err);
    if (status == HEARTH_OK) answer = deliver(e, value, found, ud);
  }
  buffer_free(&stretch.bytes);
  if (result != NULL) *result = answer;
  return status;
}

hearth_status read_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result, hearth_error *err) {
  int answer = 0;
  hearth_status status = store_alive(store, err);
  if (status == HEARTH_OK) status = read_current(store, false, err);
  if (status != HEARTH_OK) return status;
  const Map *map = &store->index.map;
  for (MapEntry *e = map_table(map, 0); e != NULL && answer == 0; e = map_table(map, e->table + 1))
    answer = found(ud, e->table, NULL, 0, NULL, 0);
  if (result != NULL) *result = answer;
  return HEARTH_OK;
}
