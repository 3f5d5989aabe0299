/*
** A reader's one transaction: everything it reads is of the batch that was the last when it opened or refreshed. When
** the transaction is lost, with the connection or by the server's will, another one does as long as the store has not
** moved on. Whether it has is asked over the connection beside it.
*/
#include "store.h"

/*
** The server is to end a transaction that was idle for five minutes, if it has no opinion of its own: an old snapshot
** keeps dead rows from being removed.
*/
#define BEGIN_TEXT \
  "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;" \
  " SELECT set_config('idle_in_transaction_session_timeout', '300000', true)" \
  " WHERE current_setting('idle_in_transaction_session_timeout', true) = '0'"

static hearth_status sequence_of(hearth_backend_store *store, Connection *c, uint64_t *sequence, hearth_error *err) {
  Params p = {0};
  PGresult *r;
  postgres_params_number(&p, store->id);
  hearth_status status = postgres_run(c, LOOK, &p, &r, err);
  if (status != HEARTH_OK) return status;
  if (PQntuples(r) == 1) *sequence = postgres_number(PQgetvalue(r, 0, 0), 8);
  else status = hearth_fail(err, HEARTH_NOTFOUND, "%s: there is no such store any more", store->location.label);
  PQclear(r);
  return status;
}

static hearth_status begin(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = postgres_store_connect(store, &store->main, err);
  if (status == HEARTH_OK && PQtransactionStatus(store->main.pq) != PQTRANS_IDLE)
    status = postgres_command(&store->main, "ROLLBACK", NULL, err);
  return status == HEARTH_OK ? postgres_command(&store->main, BEGIN_TEXT, NULL, err) : status;
}

hearth_status postgres_reader_ready(hearth_backend_store *store, hearth_error *err) {
  if (postgres_is_connected(&store->main) && PQtransactionStatus(store->main.pq) == PQTRANS_INTRANS) return HEARTH_OK;
  return begin(store, err);
}

hearth_status postgres_reader_refresh(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = begin(store, err);
  return status == HEARTH_OK ? sequence_of(store, &store->main, &store->sequence, err) : status;
}

hearth_status postgres_reader_poll(hearth_backend_store *store, hearth_error *err) {
  uint64_t now;
  hearth_status status = postgres_store_connect(store, &store->beside, err);
  if (status == HEARTH_OK) status = sequence_of(store, &store->beside, &now, err);
  if (status == HEARTH_OK && now != store->sequence) status = postgres_store_lost(store, err);
  return status;
}
