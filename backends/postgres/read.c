#include <string.h>

#include "entry_check.h"
#include "store.h"

#define FIRST_PAGE 16            /* entries */
#define MOST_IN_PAGE 4096
#define PAGE_BYTES ((size_t)1 << 20) /* what a page should have; only a first page can have many times that */

static const void *value_of(const PGresult *r, int column, size_t *size) {
  *size = (size_t)PQgetlength(r, 0, column);
  return PQgetvalue(r, 0, column);
}

/* The row's key may be longer than any that has a check. */
static bool is_right(const PGresult *r, int column, uint64_t table, const void *key, size_t key_size, const void *value,
                     size_t value_size) {
  return key_size <= HEARTH_MAX_KEY && PQgetlength(r, 0, column) == 8 &&
         postgres_number(PQgetvalue(r, 0, column), 8) == entry_check(table, key, key_size, value, value_size);
}

static hearth_status damaged(const hearth_backend_store *store, uint64_t table, hearth_error *err) {
  return hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: table %llu has an entry whose checksum is wrong",
                     store->location.label, (unsigned long long)table);
}

hearth_status postgres_read_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                                hearth_found found, void *ud, hearth_error *err) {
  Connection *c;
  Params p;
  PGresult *r;
  size_t size;
  hearth_status status = postgres_store_reading(store, &c, err);
  if (status != HEARTH_OK) return status;
  postgres_store_held(store, &p);
  postgres_params_number(&p, table);
  postgres_params_bytes(&p, key_size > 0 ? key : "", key_size);
  status = postgres_run(c, GET, &p, &r, err);
  if (status != HEARTH_OK) return status;
  if (PQntuples(r) == 0) {
    status = postgres_store_lost(store, err);
  } else if (PQgetisnull(r, 0, 0)) {
    status = hearth_fail(err, HEARTH_NOTFOUND, "%s: no such key in table %llu", store->location.label,
                         (unsigned long long)table);
  } else {
    const void *value = value_of(r, 0, &size);
    if (is_right(r, 1, table, key, key_size, value, size)) (void)found(ud, table, key, key_size, value, size);
    else status = damaged(store, table, err);
  }
  PQclear(r);
  return status;
}

/* -------------------------------------------------------------- scanning */

typedef struct Scan {
  hearth_backend_store *store;
  Connection *c;
  uint64_t table;
  bool reverse;
  hearth_found found;
  void *ud;
  int answer;             /* of the callback */
  bool too_long;          /* a key that no store has */
  bool damaged;           /* an entry that has another checksum */
  size_t limit, rows, bytes; /* of the page */
  unsigned char from[HEARTH_MAX_KEY + 1], to[HEARTH_MAX_KEY + 1];
  size_t from_size, to_size;
} Scan;

static int see(Scan *s, const void *key, size_t key_size, const void *value, size_t value_size) {
  s->store->scanning = true;
  int answer = s->found(s->ud, s->table, key, key_size, value, value_size);
  s->store->scanning = false;
  return answer;
}

/* The next page begins behind the last key: in front of it, or at the least key that is greater. */
static void take_entry(Scan *s, const PGresult *r) {
  size_t key_size, value_size;
  const void *key = value_of(r, 0, &key_size), *value = value_of(r, 1, &value_size);
  s->rows++;
  s->bytes += key_size + value_size;
  if (s->answer != 0 || s->damaged || s->too_long) return;
  s->too_long = key_size > HEARTH_MAX_KEY;
  s->damaged = !is_right(r, 2, s->table, key, key_size, value, value_size);
  if (s->damaged) return;
  unsigned char *bound = s->reverse ? s->to : s->from;
  memcpy(bound, key, key_size);
  if (!s->reverse) bound[key_size] = 0;
  if (s->reverse) s->to_size = key_size;
  else s->from_size = key_size + 1;
  s->answer = see(s, key, key_size, value, value_size);
}

/* Rows come one at a time; whatever happens, the last answer is waited for. */
static hearth_status take_rows(Connection *c, void (*take)(void *ud, const PGresult *r), void *ud, hearth_error *err) {
  hearth_status status = HEARTH_OK;
  for (PGresult *r; (r = PQgetResult(c->pq)) != NULL; PQclear(r)) {
    ExecStatusType kind = PQresultStatus(r);
    if (kind == PGRES_SINGLE_TUPLE) take(ud, r);
    else if (kind != PGRES_TUPLES_OK && status == HEARTH_OK) status = postgres_failure(c, r, err);
  }
  if (status == HEARTH_OK && !postgres_is_connected(c)) status = postgres_failure(c, NULL, err);
  return status;
}

static void take_page_entry(void *ud, const PGresult *r) {
  take_entry(ud, r);
}

static hearth_status send_page(Scan *s, hearth_error *err) {
  Params p;
  postgres_store_held(s->store, &p);
  postgres_params_number(&p, s->table);
  postgres_params_bytes(&p, s->from, s->from_size);
  postgres_params_bytes(&p, s->to, s->to_size);
  postgres_params_number(&p, s->limit);
  return postgres_send_rows(s->c, s->reverse ? DOWN : UP, &p, err);
}

static size_t next_limit(const Scan *s) {
  size_t limit = s->limit * 4, each = s->rows > 0 ? s->bytes / s->rows + 1 : 1;
  if (limit > PAGE_BYTES / each) limit = PAGE_BYTES / each;
  if (limit > MOST_IN_PAGE) limit = MOST_IN_PAGE;
  return limit > 0 ? limit : 1;
}

static void scan_begin(Scan *s, const void *from, size_t from_size, const void *to, size_t to_size) {
  s->limit = FIRST_PAGE;
  s->from_size = from == NULL ? 0 : from_size <= HEARTH_MAX_KEY ? from_size : sizeof s->from;
  if (s->from_size > 0) memcpy(s->from, from, s->from_size);
  s->to_size = to != NULL && to_size < sizeof s->to ? to_size : sizeof s->to;
  if (to == NULL) memset(s->to, 0xff, sizeof s->to); /* longer than every key, and not below any */
  else if (s->to_size > 0) memcpy(s->to, to, s->to_size);
}

hearth_status postgres_read_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                 const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                 int *result, hearth_error *err) {
  Scan s = {.store = store, .table = table, .reverse = reverse, .found = found, .ud = ud};
  hearth_status status = postgres_store_reading(store, &s.c, err);
  scan_begin(&s, from, from_size, to, to_size);
  for (bool more = true; more && status == HEARTH_OK;) {
    s.rows = s.bytes = 0;
    status = send_page(&s, err);
    if (status == HEARTH_OK) status = take_rows(s.c, take_page_entry, &s, err);
    if (status == HEARTH_OK && s.damaged && !s.too_long) status = damaged(store, table, err);
    if (status == HEARTH_OK && s.too_long)
      status = hearth_fail(err, HEARTH_DAMAGED, "%s: damaged: a key of table %llu is longer than %d bytes",
                           store->location.label, (unsigned long long)table, HEARTH_MAX_KEY);
    if (status == HEARTH_OK && s.rows == 0) status = postgres_store_holds(store, s.c, err);
    more = s.answer == 0 && s.rows == s.limit;
    if (more) s.limit = next_limit(&s);
  }
  if (status == HEARTH_OK && result != NULL) *result = s.answer;
  return status;
}

/* ---------------------------------------------------------------- tables */

static void take_table(void *ud, const PGresult *r) {
  Scan *s = ud;
  s->rows++;
  s->table = postgres_number(PQgetvalue(r, 0, 0), 8);
  if (s->answer == 0) s->answer = see(s, NULL, 0, NULL, 0);
}

hearth_status postgres_read_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                   hearth_error *err) {
  Scan s = {.store = store, .found = found, .ud = ud};
  Params p;
  hearth_status status = postgres_store_reading(store, &s.c, err);
  if (status != HEARTH_OK) return status;
  postgres_store_held(store, &p);
  status = postgres_send_rows(s.c, TABLES, &p, err);
  if (status == HEARTH_OK) status = take_rows(s.c, take_table, &s, err);
  if (status == HEARTH_OK && s.rows == 0) status = postgres_store_holds(store, s.c, err);
  if (status == HEARTH_OK && result != NULL) *result = s.answer;
  return status;
}

hearth_status postgres_read_count(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err) {
  Connection *c;
  Params p = {0};
  PGresult *r;
  hearth_status status = postgres_store_reading(store, &c, err);
  if (status != HEARTH_OK) return status;
  postgres_params_number(&p, store->id);
  status = postgres_run(c, COUNT, &p, &r, err);
  if (status != HEARTH_OK) return status;
  stat->entries = postgres_number(PQgetvalue(r, 0, 0), 8);
  stat->live_bytes = postgres_number(PQgetvalue(r, 0, 1), 8);
  stat->total_bytes = postgres_number(PQgetvalue(r, 0, 2), 8);
  PQclear(r);
  return postgres_store_holds(store, c, err);
}
