/*
** What is in an external table: the backend's entries, overlaid by the open batch.
*/
#include "external_table.h"

#define KEEP_READ_BUFFER (1u << 20) /* a larger one goes back at the next read */

static hearth_status no_memory(hearth_error *err) {
  return hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
}

/* ------------------------------------------------------------- one entry */

static int keep_value(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  Buffer *b = ud;
  (void)table, (void)key, (void)key_size;
  buffer_put(b, value, size);
  return 0;
}

static hearth_status unread(const Externals *X, hearth_status status) {
  if (status != HEARTH_OK) externals_unread(X->S);
  return status;
}

/* As externals_get, without the open batch. */
static hearth_status get_committed(Externals *X, const ExternalTable *t, const void *key, size_t key_size,
                                   const unsigned char **value, size_t *size, hearth_error *err) {
  *value = NULL;
  *size = 0;
  if (t->fresh) return HEARTH_OK;
  if (X->read.capacity > KEEP_READ_BUFFER) buffer_free(&X->read);
  buffer_clear(&X->read);
  hearth_status status = X->S->backend->get(X->S->storage, t->number, key, key_size, keep_value, &X->read, err);
  if (status == HEARTH_NOTFOUND) return hearth_ok(err);
  if (status != HEARTH_OK) return unread(X, status);
  if (X->read.failed || buffer_reserve(&X->read, 1) == NULL) return no_memory(err); /* an address even if empty */
  *value = X->read.data;
  *size = X->read.size;
  return HEARTH_OK;
}

hearth_status externals_get(Externals *X, const ExternalTable *t, const void *key, size_t key_size,
                            const unsigned char **value, size_t *size, hearth_error *err) {
  MapEntry *e = map_find(&X->overlay, t->number, key, key_size);
  if (e == NULL) return get_committed(X, t, key, key_size, value, size, err);
  *value = e->mark == EXTERNAL_DELETED ? NULL : map_value(e);
  *size = e->value_size;
  return HEARTH_OK;
}

uint64_t externals_reference(const void *bytes, size_t size) {
  ExternalValue v;
  Cursor c = cursor_over(bytes, size);
  if (bytes == NULL || size < 2 || ((const unsigned char *)bytes)[1] != TAG_REF) return 0;
  external_get_value(&c, &v);
  return c.why == NULL && !v.blob && v.value.kind == VALUE_REF ? v.value.as.number : 0;
}

hearth_status externals_old_reference(Externals *X, const ExternalTable *t, const void *key, size_t key_size,
                                      uint64_t *number, hearth_error *err) {
  const unsigned char *value;
  size_t size;
  *number = 0;
  if (t->from == 0) return HEARTH_OK;
  hearth_status status = externals_get(X, t, key, key_size, &value, &size, err);
  if (status == HEARTH_OK && value != NULL) *number = externals_reference(value, size);
  return status;
}

static void refer(Externals *X, ExternalTable *t, uint64_t number) {
  ExternalTable *other = externals_find(X, number);
  if (number == 0) return;
  t->from++;
  if (other == NULL) return;
  other->to++;
  if (other->condemned) externals_pardon(X); /* a finalizer had kept a handle */
}

/* Counts of a damaged record do not wrap around. */
static void unrefer(Externals *X, ExternalTable *t, uint64_t number) {
  ExternalTable *other = externals_find(X, number);
  if (number == 0) return;
  if (t->from > 0) t->from--;
  if (other != NULL && other->to > 0) other->to--;
}

void externals_put(Externals *X, ExternalTable *t, MapEntry *e, uint64_t old) {
  refer(X, t, externals_reference(map_value(e), e->value_size));
  unrefer(X, t, old);
  map_discard(&X->overlay, map_link(&X->overlay, e));
  X->cache.changes++;
}

void externals_overwrite(Externals *X, ExternalTable *t, MapEntry *e, const void *head, const void *bytes,
                         size_t size) {
  if (t->from != 0) unrefer(X, t, externals_reference(map_value(e), e->value_size));
  memcpy(map_value(e), head, e->value_size - size);
  if (size > 0) memcpy(map_value(e) + e->value_size - size, bytes, size);
  X->cache.changes++;
}

hearth_status externals_delete(Externals *X, ExternalTable *t, const void *key, size_t key_size, hearth_error *err) {
  uint64_t old;
  const unsigned char *committed;
  size_t size;
  hearth_status status = externals_old_reference(X, t, key, key_size, &old, err);
  if (status == HEARTH_OK) status = get_committed(X, t, key, key_size, &committed, &size, err);
  if (status != HEARTH_OK) return status;
  if (committed != NULL) {
    MapEntry *e = map_make(&X->overlay, t->number, key, key_size, NULL, 0);
    if (e == NULL) return no_memory(err);
    e->mark = EXTERNAL_DELETED;
    map_discard(&X->overlay, map_link(&X->overlay, e));
  } else {
    (void)map_remove(&X->overlay, t->number, key, key_size);
  }
  unrefer(X, t, old);
  X->cache.changes++;
  return HEARTH_OK;
}

/* ------------------------------------------------------------- references */

typedef struct ReferenceScan {
  Externals *X;
  ExternalFound found;
} ReferenceScan;

static int scan_reference(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                          size_t size) {
  ReferenceScan *s = ud;
  uint64_t number = externals_reference(value, size);
  if (number != 0 && map_find(&s->X->overlay, table, key, key_size) == NULL) s->found(s->X, number);
  return 0;
}

hearth_status externals_each_reference(Externals *X, const ExternalTable *t, ExternalFound found, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  ReferenceScan scan = {X, found};
  uint64_t number = t->number;
  if (t->from == 0) return HEARTH_OK;
  if (t->saved_from != 0)
    status = X->S->backend->scan(X->S->storage, number, NULL, 0, NULL, 0, false, scan_reference, &scan, NULL, err);
  if (status != HEARTH_OK) return status;
  MapRange range;
  map_range(&X->overlay, number, NULL, 0, NULL, 0, false, &range);
  for (MapEntry *e; (e = map_range_next(&range)) != NULL;) {
    uint64_t other = e->mark != EXTERNAL_DELETED ? externals_reference(map_value(e), e->value_size) : 0;
    if (other != 0) found(X, other);
  }
  return HEARTH_OK;
}

/* --------------------------------------------------------- moving in order */

/*
** What is read ahead is a row of: key size (2 bytes), 1 if the value is there, size of the
** value (4), key, value. A value that is too large is read when its turn comes.
*/
typedef struct Ahead {
  uint16_t key_size;
  uint8_t has_value;
  uint32_t size;
  const unsigned char *key, *value;
} Ahead;

#define AHEAD_HEAD 7

void externals_cursor_init(ExternalCursor *c, uint64_t table, bool reverse) {
  memset(c, 0, offsetof(ExternalCursor, ahead));
  c->table = table;
  c->reverse = reverse;
}

static int compare(const ExternalKey *a, const void *key, size_t size) {
  return value_compare_bytes(a->bytes, a->size, key, size);
}

/* Is the key beyond the end towards which the cursor moves? */
static bool beyond_end(const ExternalCursor *c, const void *key, size_t size) {
  if (c->reverse) return c->from.size > 0 && compare(&c->from, key, size) > 0;
  return c->to.size > 0 && compare(&c->to, key, size) < 0;
}

/* Is the key where the cursor was already, or before where it begins? */
static bool behind(const ExternalCursor *c, const void *key, size_t size) {
  int order;
  if (c->position.size > 0) {
    order = compare(&c->position, key, size);
    return c->reverse ? order <= 0 : order >= 0;
  }
  if (c->reverse) return c->to.size > 0 && compare(&c->to, key, size) < 0;
  return c->from.size > 0 && compare(&c->from, key, size) > 0;
}

static int read_ahead(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  ExternalCursor *c = ud;
  (void)table;
  if (behind(c, key, key_size)) return 0;
  if (beyond_end(c, key, key_size)) return 2;
  size_t room = sizeof c->ahead - c->used;
  if (room < AHEAD_HEAD + key_size) return 1;
  bool fits = size <= room - AHEAD_HEAD - key_size;
  unsigned char *p = c->ahead + c->used;
  uint16_t short_key_size = (uint16_t)key_size;
  uint32_t short_size = fits ? (uint32_t)size : 0;
  memcpy(p, &short_key_size, 2);
  p[2] = fits;
  memcpy(p + 3, &short_size, 4);
  memcpy(p + AHEAD_HEAD, key, key_size);
  if (fits && size > 0) memcpy(p + AHEAD_HEAD + key_size, value, size);
  c->used += AHEAD_HEAD + key_size + short_size;
  return fits ? 0 : 1;
}

/* The size of the bound just behind the key, which a zero byte makes; the longest key has none. */
static size_t size_after(const ExternalKey *key) {
  return key->size < EXTERNAL_MAX_KEY ? key->size + 1 : key->size;
}

/* read_ahead leaves out what a bound lets through. Where the cursor stands, a large value need not be read again. */
static hearth_status fill(Externals *X, ExternalCursor *c, hearth_error *err) {
  int result = 0;
  bool moved = c->position.size > 0;
  const ExternalKey *low = moved && !c->reverse ? &c->position : &c->from;
  const ExternalKey *high = moved && c->reverse ? &c->position : &c->to;
  size_t low_size = moved && !c->reverse ? size_after(low) : low->size;
  size_t high_size = moved && c->reverse ? high->size : size_after(high);
  bool open_high = high->size == 0 || (high == &c->to && high->size == EXTERNAL_MAX_KEY);
  c->next = c->used = 0;
  hearth_status status = X->S->backend->scan(X->S->storage, c->table, low->size > 0 ? low->bytes : NULL, low_size,
                                             open_high ? NULL : high->bytes, open_high ? 0 : high_size, c->reverse,
                                             read_ahead, c, &result, err);
  if (status == HEARTH_OK) c->exhausted = result != 1;
  return unread(X, status);
}

static void get_ahead(const ExternalCursor *c, Ahead *a) {
  const unsigned char *p = c->ahead + c->next;
  memcpy(&a->key_size, p, 2);
  a->has_value = p[2];
  memcpy(&a->size, p + 3, 4);
  a->key = p + AHEAD_HEAD;
  a->value = a->key + a->key_size;
}

static void skip_ahead(ExternalCursor *c, const Ahead *a) {
  c->next += (size_t)AHEAD_HEAD + a->key_size + a->size;
}

/* The next entry of the backend; false: there is none. */
static hearth_status peek_committed(Externals *X, ExternalCursor *c, Ahead *a, bool *found, hearth_error *err) {
  *found = false;
  if (externals_find(X, c->table)->fresh) return HEARTH_OK;
  if (c->generation != X->generation + X->failures) {
    c->generation = X->generation + X->failures;
    c->next = c->used = 0;
    c->exhausted = false;
  }
  while (true) {
    while (c->next < c->used) {
      get_ahead(c, a);
      *found = true;
      if (!behind(c, a->key, a->key_size)) return HEARTH_OK;
      *found = false;
      skip_ahead(c, a);
    }
    if (c->exhausted) return HEARTH_OK;
    hearth_status status = fill(X, c, err);
    if (status != HEARTH_OK) return status;
  }
}

/* The next entry of the open batch, or NULL. */
static MapEntry *peek_open(const Externals *X, const ExternalCursor *c) {
  const Map *m = &X->overlay;
  const ExternalKey *start = c->position.size > 0 ? &c->position : c->reverse ? &c->to : &c->from;
  MapEntry *e;
  if (!c->reverse) {
    bool moved = c->position.size > 0;
    e = moved ? map_after(m, c->table, start->bytes, start->size) : map_lower(m, c->table, start->bytes, start->size);
  } else {
    bool from_end = start->size == 0;
    e = from_end ? map_before(m, c->table + 1, NULL, 0) : map_before(m, c->table, start->bytes, start->size);
    MapEntry *itself = !from_end && c->position.size == 0 ? map_find(m, c->table, start->bytes, start->size) : NULL;
    if (itself != NULL) e = itself;
  }
  if (e == NULL || e->table != c->table || beyond_end(c, map_key(e), e->key_size)) return NULL;
  return e;
}

static void move_to(ExternalCursor *c, const void *key, size_t size) {
  memcpy(c->position.bytes, key, size);
  c->position.bytes[size] = 0;
  c->position.size = size;
}

hearth_status externals_cursor_next(Externals *X, ExternalCursor *c, const unsigned char **value, size_t *size,
                                    hearth_error *err) {
  *value = NULL;
  while (true) {
    Ahead a = {0, 0, 0, NULL, NULL};
    bool committed;
    hearth_status status = peek_committed(X, c, &a, &committed, err);
    if (status != HEARTH_OK) return status;
    MapEntry *e = peek_open(X, c);
    if (!committed && e == NULL) return HEARTH_OK;
    int order = !committed ? 1 : e == NULL ? -1 : value_compare_bytes(a.key, a.key_size, map_key(e), e->key_size);
    if (c->reverse && committed && e != NULL) order = -order;
    if (order < 0) {
      move_to(c, a.key, a.key_size);
      skip_ahead(c, &a);
      if (!a.has_value)
        return get_committed(X, externals_find(X, c->table), c->position.bytes, c->position.size, value, size, err);
      *value = a.value;
      *size = a.size;
      return HEARTH_OK;
    }
    move_to(c, map_key(e), e->key_size); /* what was read ahead of the same key is behind now */
    if (e->mark == EXTERNAL_DELETED) continue;
    *value = map_value(e);
    *size = e->value_size;
    return HEARTH_OK;
  }
}
