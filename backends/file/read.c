/* Reading: the index says where a value stands, the file has it, its check says whether it is the one. */
#include <inttypes.h>

#include "failure.h"
#include "store.h"

#define NEAR ((uint64_t)4 << 10)  /* so far behind the last one a value counts as the next */
#define LEAST_AHEAD ((size_t)8 << 10) /* an iterator of an external table takes half of it at a time */
#define MOST_AHEAD ((size_t)64 << 10)

/* Who goes on gets more each time. */
static size_t ahead(const Stretch *s, uint64_t at, size_t size) {
  size_t last = s->bytes.size, want = last < LEAST_AHEAD / 2 ? LEAST_AHEAD : 2 * last;
  if (last == 0 || at < s->at || at - s->at >= last + NEAR) return size;
  if (want > MOST_AHEAD) want = MOST_AHEAD;
  return want > size ? want : size;
}

/* `size` bytes at `at`, fewer only where the file ends; NULL: no memory, or *failure is an errno value. */
static const unsigned char *fetch(const hearth_backend_store *store, Stretch *s, uint64_t at, size_t *size,
                                  int *failure) {
  Buffer *b = &s->bytes;
  *failure = 0;
  if (at >= s->at && at - s->at <= b->size && b->size - (at - s->at) >= *size) return b->data + (at - s->at);
  size_t want = ahead(s, at, *size), got = 0;
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

/* What stands before the value and the value: of which `got` bytes came, or an errno value; NULL: memory is short. */
static hearth_status check_value(const hearth_backend_store *store, MapEntry *e, const unsigned char *bytes, size_t got,
                                 int failure, hearth_error *err) {
  Place place = index_place(e);
  if (failure != 0) return failure_io(err, store->names.path, "read", failure);
  if (bytes == NULL) return failure_nomem(err, store->names.path);
  if (got < LOG_VALUE_CHECK_SIZE + (size_t)place.size ||
      log_decode_value_check(bytes) != log_value_check(store->header.salt, place.at, e->table, map_key(e), e->key_size,
                                                       bytes + LOG_VALUE_CHECK_SIZE, place.size))
    return hearth_fail_at(err, HEARTH_DAMAGED, place.at,
                          "%s: damaged at byte %" PRIu64 ": a value is not what was written", store->names.path,
                          place.at);
  return HEARTH_OK;
}

hearth_status read_value(const hearth_backend_store *store, MapEntry *e, Stretch *stretch, const unsigned char **value,
                         hearth_error *err) {
  Place place = index_place(e);
  size_t got = LOG_VALUE_CHECK_SIZE + (size_t)place.size;
  int failure;
  const unsigned char *bytes = fetch(store, stretch, place.at - LOG_VALUE_CHECK_SIZE, &got, &failure);
  hearth_status status = check_value(store, e, bytes, got, failure, err);
  if (status == HEARTH_OK) *value = bytes + LOG_VALUE_CHECK_SIZE;
  return status;
}

/* A reader whose file has changed under it is stale, not damaged; and one that could not read has lost nothing. */
static hearth_status judge(hearth_backend_store *store, hearth_status status, hearth_error *err) {
  hearth_error moved;
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

/* A value that has no place in the cache. */
static hearth_status get_uncached(hearth_backend_store *store, MapEntry *e, hearth_found found, void *ud,
                                  hearth_error *err) {
  Stretch stretch = {.at = 0};
  const unsigned char *value;
  buffer_init(&stretch.bytes, &store->allocator);
  hearth_status status = judge(store, read_value(store, e, &stretch, &value, err), err);
  if (status == HEARTH_OK) (void)deliver(e, value, found, ud); /* NOLINT(*CallAndMessage): set with HEARTH_OK */
  buffer_free(&stretch.bytes);
  return status;
}

/* Reads straight into the cache. */
static hearth_status fill_slot(hearth_backend_store *store, MapEntry *e, CacheSlot *slot, hearth_error *err) {
  Place place = index_place(e);
  size_t got;
  int failure = store->env->pread(store->env->ud, store->file, place.at - LOG_VALUE_CHECK_SIZE, slot->bytes,
                                  LOG_VALUE_CHECK_SIZE + (size_t)place.size, &got);
  hearth_status status = judge(store, check_value(store, e, slot->bytes, got, failure, err), err);
  if (status == HEARTH_OK) slot->offset = place.at;
  return status;
}

/* Whether this is a forked child, a system call would tell; it may read what was there when it was forked. */
hearth_status read_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                       hearth_found found, void *ud, hearth_error *err) {
  hearth_status status = store->dead ? store_alive(store, err) : read_current(store, false, err);
  if (status != HEARTH_OK) return status;
  MapEntry *e = map_find(&store->index.map, table, key, key_size);
  if (e == NULL)
    return hearth_fail(err, HEARTH_NOTFOUND, "%s: no such key in table %" PRIu64, store->names.path, table);
  Place place = index_place(e);
  CacheSlot *slot = cache_find(&store->cache, place.at);
  if (slot == NULL) {
    slot = cache_make(&store->cache, place.at, LOG_VALUE_CHECK_SIZE + (size_t)place.size);
    if (slot == NULL) return get_uncached(store, e, found, ud, err);
    status = fill_slot(store, e, slot, err);
    if (status != HEARTH_OK) return status;
  }
  slot->pins++; /* the callback may get other values */
  (void)deliver(e, slot->bytes + LOG_VALUE_CHECK_SIZE, found, ud);
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
    const unsigned char *value = slot != NULL ? slot->bytes + LOG_VALUE_CHECK_SIZE : NULL;
    if (slot == NULL) status = judge(store, read_value(store, e, &stretch, &value, err), err);
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
