/*
** A small store is read whole when it is opened. An index that is damaged hides entries from those who ask for one key;
** nothing but reading all of a table tells.
*/
#include "store.h"

#define SMALL ((uint64_t)1 << 20) /* bytes of keys and values: some milliseconds */

static int add_bytes(void *ud, uint64_t table, const Total *total) {
  uint64_t *bytes = ud;
  (void)table;
  *bytes += total->bytes;
  return *bytes > SMALL;
}

static int pass(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)ud, (void)table, (void)key, (void)key_size, (void)value, (void)size;
  return 0;
}

typedef struct Reading {
  hearth_backend_store *store;
  hearth_status status;
  hearth_error *err;
} Reading;

static int read_table(void *ud, uint64_t table, const Total *total) {
  Reading *r = ud;
  (void)total;
  r->status = sqlite_read_scan(r->store, table, NULL, 0, NULL, 0, false, pass, NULL, NULL, r->err);
  return r->status != HEARTH_OK;
}

hearth_status sqlite_check_small(hearth_backend_store *store, hearth_error *err) {
  Reading r = {store, HEARTH_OK, err};
  uint64_t bytes = 0;
  int large, failed;
  hearth_status status = sqlite_totals(store, add_bytes, &bytes, &large, err);
  if (status != HEARTH_OK || large) return status;
  status = sqlite_totals(store, read_table, &r, &failed, err);
  return failed ? r.status : status;
}
