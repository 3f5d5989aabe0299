/*
** A reader's one transaction: everything it reads is of the batch that was the last when it opened or refreshed. Whether
** the store has moved on is asked over the connection beside it.
*/
#include "store.h"

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

hearth_status postgres_reader_refresh(hearth_backend_store *store, hearth_error *err) {
  hearth_status status = postgres_command(&store->main, "ROLLBACK; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
                                          NULL, err);
  return status == HEARTH_OK ? sequence_of(store, &store->main, &store->sequence, err) : status;
}

hearth_status postgres_reader_poll(hearth_backend_store *store, hearth_error *err) {
  uint64_t now;
  if (!postgres_is_connected(&store->beside)) {
    postgres_disconnect(&store->beside, true);
    hearth_status status = postgres_connect(&store->beside, err);
    if (status == HEARTH_OK) status = postgres_schema_pin(&store->beside, err);
    if (status != HEARTH_OK) return status;
  }
  hearth_status status = sequence_of(store, &store->beside, &now, err);
  if (status == HEARTH_OK && now != store->sequence) status = postgres_store_lost(store, err);
  return status;
}
