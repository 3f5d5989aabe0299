/* A backend around another one that counts calls and makes them fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hearth_testkit.h"

struct hearth_backend_store {
  hearth_testkit_wrapper *wrapper;
  hearth_backend_store *inner;
  hearth_allocator allocator; /* alloc NULL: the C library's */
  bool readonly, dead;
  bool doomed; /* the call that is being made answers the failure, whatever comes of it */
};

static hearth_status answer(hearth_error *err, hearth_status status, const char *what) {
  if (err != NULL) {
    memset(err, 0, sizeof *err);
    err->code = status;
    err->position = HEARTH_NO_POSITION;
    (void)snprintf(err->message, sizeof err->message, "testkit: %s: %s", what, hearth_status_name(status));
  }
  return status;
}

/* --------------------------------------------------------------- failing */

static bool strikes(hearth_testkit_wrapper *w, hearth_testkit_call call) {
  const hearth_testkit_failure *failure = &w->failure;
  if (failure->at < 0 || (failure->call != HEARTH_TESTKIT_ANY && failure->call != call)) return false;
  long number = w->seen++;
  if (number != failure->at && !(failure->for_good && number > failure->at)) return false;
  w->struck = true;
  return true;
}

static void count_call(hearth_testkit_wrapper *w, hearth_testkit_call call) {
  w->counts.calls[call]++;
  w->counts.calls[HEARTH_TESTKIT_ANY]++;
}

/* What the call answers without being made, or OK: go on. */
static hearth_status begin(hearth_backend_store *store, hearth_testkit_call call, hearth_error *err) {
  hearth_testkit_wrapper *w = store->wrapper;
  count_call(w, call);
  if (store->dead) {
    w->counts.failed++;
    return answer(err, HEARTH_DEAD, "an earlier call was made to fail");
  }
  bool fails = strikes(w, call);
  store->doomed = fails && w->failure.after;
  if (!fails || store->doomed) return HEARTH_OK;
  w->counts.failed++;
  store->dead = (w->failure.status == HEARTH_IO || w->failure.status == HEARTH_DEAD) && !store->readonly;
  return answer(err, w->failure.status, "made to fail");
}

/* What the call that was made answers. */
static hearth_status end(hearth_backend_store *store, hearth_status status, hearth_error *err) {
  hearth_testkit_wrapper *w = store->wrapper;
  if (status < 0 || store->doomed) w->counts.failed++;
  if (!store->doomed) return status;
  store->dead = (w->failure.status == HEARTH_IO || w->failure.status == HEARTH_DEAD) && !store->readonly;
  return answer(err, w->failure.status, "made to fail after it was done");
}

/* --------------------------------------------------------------- finding */

typedef struct Finding {
  hearth_testkit_counts *counts;
  hearth_found found;
  void *ud;
} Finding;

static int count_found(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  Finding *finding = ud;
  finding->counts->found++;
  finding->counts->bytes_out += key_size + value_size;
  return finding->found(finding->ud, table, key, key_size, value, value_size);
}

/* --------------------------------------------------------------- opening */

static void *allocate(const hearth_allocator *a, void *ptr, size_t osize, size_t nsize) {
  if (a->alloc != NULL) return a->alloc(a->ud, ptr, osize, nsize);
  if (nsize > 0) return realloc(ptr, nsize);
  free(ptr);
  return NULL;
}

static hearth_status open_inner(hearth_testkit_wrapper *w, hearth_backend_config *config, hearth_backend_store *store,
                                hearth_error *err) {
  bool fails = strikes(w, HEARTH_TESTKIT_OPEN);
  if (fails && !w->failure.after) return answer(err, w->failure.status, "made to fail");
  config->ud = w->inner_ud;
  hearth_status status = w->inner->open(config, &store->inner, err);
  if (status != HEARTH_OK || !fails) return status;
  (void)w->inner->close(store->inner, NULL);
  return answer(err, w->failure.status, "made to fail after it was done");
}

static hearth_status wrapper_open(const hearth_backend_config *given, hearth_backend_store **out, hearth_error *err) {
  hearth_backend_config config = {0};
  *out = NULL;
  memcpy(&config, given, given->size < sizeof config ? given->size : sizeof config);
  config.size = sizeof config;
  hearth_testkit_wrapper *w = config.ud;
  if (w == NULL) return answer(err, HEARTH_INVALID, "the config's ud is not the wrapper");
  count_call(w, HEARTH_TESTKIT_OPEN);
  hearth_backend_store *store = allocate(&config.allocator, NULL, 0, sizeof *store);
  if (store == NULL) return answer(err, HEARTH_NOMEM, "out of memory");
  *store = (hearth_backend_store){.wrapper = w, .allocator = config.allocator,
                                  .readonly = (config.flags & HEARTH_OPEN_READONLY) != 0};
  hearth_status status = open_inner(w, &config, store, err);
  if (status == HEARTH_OK) {
    *out = store;
    return status;
  }
  w->counts.failed++;
  (void)allocate(&config.allocator, store, sizeof *store, 0);
  return status;
}

static hearth_status wrapper_close(hearth_backend_store *store, hearth_error *err) {
  hearth_testkit_wrapper *w = store->wrapper;
  hearth_allocator allocator = store->allocator;
  count_call(w, HEARTH_TESTKIT_CLOSE);
  hearth_status status = w->inner->close(store->inner, err);
  (void)allocate(&allocator, store, sizeof *store, 0);
  if (strikes(w, HEARTH_TESTKIT_CLOSE)) status = answer(err, w->failure.status, "made to fail");
  if (status < 0) w->counts.failed++;
  return status;
}

/* --------------------------------------------------------------- reading */

static hearth_status wrapper_get(hearth_backend_store *store, uint64_t table, const void *key, size_t key_size,
                                 hearth_found found, void *ud, hearth_error *err) {
  Finding finding = {&store->wrapper->counts, found, ud};
  hearth_status status = begin(store, HEARTH_TESTKIT_GET, err);
  if (status != HEARTH_OK) return status;
  status = store->wrapper->inner->get(store->inner, table, key, key_size, count_found, &finding, err);
  return end(store, status, err);
}

static hearth_status wrapper_scan(hearth_backend_store *store, uint64_t table, const void *from, size_t from_size,
                                  const void *to, size_t to_size, bool reverse, hearth_found found, void *ud,
                                  int *result, hearth_error *err) {
  Finding finding = {&store->wrapper->counts, found, ud};
  hearth_status status = begin(store, HEARTH_TESTKIT_SCAN, err);
  if (status != HEARTH_OK) return status;
  status = store->wrapper->inner->scan(store->inner, table, from, from_size, to, to_size, reverse, count_found,
                                       &finding, result, err);
  return end(store, status, err);
}

static hearth_status wrapper_tables(hearth_backend_store *store, hearth_found found, void *ud, int *result,
                                    hearth_error *err) {
  Finding finding = {&store->wrapper->counts, found, ud};
  hearth_status status = begin(store, HEARTH_TESTKIT_TABLES, err);
  if (status != HEARTH_OK) return status;
  return end(store, store->wrapper->inner->tables(store->inner, count_found, &finding, result, err), err);
}

static hearth_status wrapper_stat(hearth_backend_store *store, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = begin(store, HEARTH_TESTKIT_STAT, err);
  return status != HEARTH_OK ? status : end(store, store->wrapper->inner->stat(store->inner, stat, err), err);
}

/* --------------------------------------------------------------- writing */

static void count_ops(hearth_testkit_counts *counts, const hearth_op *ops, size_t count) {
  for (size_t i = 0; i < count; i++) {
    bool known = ops[i].kind >= HEARTH_PUT && ops[i].kind <= HEARTH_CHECK_ABSENT;
    bool valued = ops[i].kind == HEARTH_PUT || ops[i].kind == HEARTH_CHECK_EQUAL;
    counts->ops[0]++;
    if (known) counts->ops[ops[i].kind]++;
    if (ops[i].kind != HEARTH_DROP) counts->bytes_in += ops[i].key_size;
    if (valued) counts->bytes_in += ops[i].value_size;
  }
}

static hearth_status wrapper_submit(hearth_backend_store *store, const hearth_op *ops, size_t count, unsigned flags,
                                    hearth_durability level, uint64_t *sequence, hearth_error *err) {
  const hearth_backend *inner = store->wrapper->inner;
  count_ops(&store->wrapper->counts, ops, count);
  hearth_status status = begin(store, HEARTH_TESTKIT_SUBMIT, err);
  bool made = status == HEARTH_OK;
  if (made) status = end(store, inner->submit(store->inner, ops, count, flags, level, sequence, err), err);
  bool part = !made || (flags & HEARTH_BATCH_MORE) != 0; /* what the inner one has of the batch is forgotten */
  if (status < 0 && part) (void)inner->submit(store->inner, NULL, 0, HEARTH_BATCH_ABANDON, level, NULL, NULL);
  return status;
}

static hearth_status wrapper_barrier(hearth_backend_store *store, hearth_durability level, hearth_error *err) {
  hearth_status status = begin(store, HEARTH_TESTKIT_BARRIER, err);
  return status != HEARTH_OK ? status : end(store, store->wrapper->inner->barrier(store->inner, level, err), err);
}

static hearth_status wrapper_poll(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = begin(store, HEARTH_TESTKIT_POLL, err);
  return status != HEARTH_OK ? status : end(store, store->wrapper->inner->poll(store->inner, err), err);
}

static hearth_status wrapper_compact(hearth_backend_store *store, unsigned keep, hearth_error *err) {
  hearth_status status = begin(store, HEARTH_TESTKIT_COMPACT, err);
  return status != HEARTH_OK ? status : end(store, store->wrapper->inner->compact(store->inner, keep, err), err);
}

static hearth_status wrapper_refresh(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = begin(store, HEARTH_TESTKIT_REFRESH, err);
  return status != HEARTH_OK ? status : end(store, store->wrapper->inner->refresh(store->inner, err), err);
}

typedef struct Listing {
  hearth_testkit_counts *counts;
  hearth_batch_found found;
  void *ud;
} Listing;

static int count_batch(void *ud, const hearth_batch *batch) {
  Listing *listing = ud;
  listing->counts->found++;
  return listing->found(listing->ud, batch);
}

static hearth_status wrapper_history(hearth_backend_store *store, hearth_batch_found found, void *ud, int *result,
                                     hearth_error *err) {
  Listing listing = {&store->wrapper->counts, found, ud};
  hearth_status status = begin(store, HEARTH_TESTKIT_HISTORY, err);
  if (status != HEARTH_OK) return status;
  return end(store, store->wrapper->inner->history(store->inner, count_batch, &listing, result, err), err);
}

void hearth_testkit_wrap(hearth_testkit_wrapper *w, const hearth_backend *inner, void *inner_ud) {
  *w = (hearth_testkit_wrapper){
      .backend = {.size = sizeof(hearth_backend), .abi = HEARTH_BACKEND_ABI, .name = inner->name,
                  .max_durability = inner->max_durability, .open = wrapper_open, .close = wrapper_close,
                  .get = wrapper_get, .scan = wrapper_scan, .submit = wrapper_submit, .barrier = wrapper_barrier,
                  .poll = wrapper_poll, .compact = wrapper_compact, .refresh = wrapper_refresh, .stat = wrapper_stat,
                  .tables = wrapper_tables,
                  .history = hearth_backend_keeps_batches(inner) ? wrapper_history : NULL},
      .inner = inner, .inner_ud = inner_ud, .failure = {.at = -1}};
}

void hearth_testkit_fail(hearth_testkit_wrapper *w, hearth_testkit_failure failure) {
  if (failure.at >= 0 && failure.status >= 0) abort();
  w->failure = failure;
  w->seen = 0;
  w->struck = false;
}
