#include "pipeline.h"

#include <string.h>

#include "error.h"

static void fail(Pipeline *p, const PGresult *r) {
  if (p->status == HEARTH_OK) p->status = postgres_failure(p->c, r, p->err);
}

void postgres_pipeline_begin(Pipeline *p, Connection *c, hearth_error *err) {
  *p = (Pipeline){.c = c, .status = HEARTH_OK, .err = err};
  if (PQenterPipelineMode(c->pq) != 1) fail(p, NULL);
}

static void remember(Pipeline *p, Expect expect, Statement s) {
  p->slots[p->sent].expect = expect;
  p->slots[p->sent++].statement = s;
}

/* Room for a statement and for preparing it. */
static void make_room(Pipeline *p) {
  if (p->sent + 2 > PIPELINE_MOST) (void)postgres_pipeline_wait(p);
}

void postgres_pipeline_text(Pipeline *p, const char *text, Expect expect) {
  make_room(p);
  if (p->status != HEARTH_OK) return;
  if (PQsendQueryParams(p->c->pq, text, 0, NULL, NULL, NULL, NULL, 1) != 1) fail(p, NULL);
  else remember(p, expect, STATEMENTS);
}

static bool is_prepared(const Pipeline *p, Statement s) {
  for (int i = 0; i < p->sent; i++)
    if (p->slots[i].expect == EXPECT_PREPARED && p->slots[i].statement == s) return true;
  return (p->c->prepared & 1u << s) != 0;
}

void postgres_pipeline_run(Pipeline *p, Statement s, const Params *params, Expect expect) {
  make_room(p);
  if (p->status != HEARTH_OK) return;
  if (!is_prepared(p, s)) {
    char text[STATEMENT_MAX];
    postgres_statement_text(s, p->c->schema, text);
    if (PQsendPrepare(p->c->pq, postgres_statement_name(s), text, 0, NULL) != 1) {
      fail(p, NULL);
      return;
    }
    remember(p, EXPECT_PREPARED, s);
  }
  if (PQsendQueryPrepared(p->c->pq, postgres_statement_name(s), params->count, params->values, params->lengths,
                          params->formats, 1) != 1)
    fail(p, NULL);
  else remember(p, expect, s);
}

static void judge(Pipeline *p, int slot, const PGresult *r) {
  ExecStatusType status = PQresultStatus(r);
  if (status == PGRES_PIPELINE_ABORTED) return; /* an earlier one said why */
  /* libpq 15 may still be in the single-row mode of a scan when the first answer of a pipeline comes */
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && status != PGRES_SINGLE_TUPLE) {
    fail(p, r);
    return;
  }
  switch (p->slots[slot].expect) {
    case EXPECT_NOTHING: break;
    case EXPECT_ONE_ROW: p->missed = p->missed || strcmp(PQcmdTuples((PGresult *)r), "1") != 0; break;
    case EXPECT_NO_ROWS:
      if (PQntuples(r) > 0 && p->found == 0) p->found = postgres_number(PQgetvalue(r, 0, 0), PQgetlength(r, 0, 0));
      break;
    case EXPECT_PREPARED: p->c->prepared |= 1u << p->slots[slot].statement; break;
    case EXPECT_COMMITTED: p->missed = p->missed || strcmp(PQcmdStatus((PGresult *)r), "COMMIT") != 0;
  }
}

/* Up to the answer to Sync. Each statement's result is followed by a NULL. */
static bool take_answers(Pipeline *p) {
  for (int slot = 0;;) {
    PGresult *r = PQgetResult(p->c->pq);
    if (r == NULL) {
      if (!postgres_is_connected(p->c)) return false;
      slot++;
      if (slot > p->sent) return false; /* libpq has nothing more to say: it lost the thread */
      continue;
    }
    bool end = PQresultStatus(r) == PGRES_PIPELINE_SYNC;
    if (!end && slot < p->sent) judge(p, slot, r);
    PQclear(r);
    if (end) return true;
  }
}

hearth_status postgres_pipeline_wait(Pipeline *p) {
  if (PQpipelineStatus(p->c->pq) == PQ_PIPELINE_OFF) return p->status;
  bool whole = PQpipelineSync(p->c->pq) == 1 && take_answers(p);
  if (!whole) fail(p, NULL);
  p->sent = 0;
  return p->status;
}

hearth_status postgres_pipeline_end(Pipeline *p) {
  (void)postgres_pipeline_wait(p);
  if (postgres_is_connected(p->c) && PQexitPipelineMode(p->c->pq) != 1) fail(p, NULL);
  return p->status;
}
