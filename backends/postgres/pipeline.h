/*
** Statements that are sent one behind the other without waiting for an answer in between. The first that fails is what
** the whole answers; the server does not execute those behind it.
*/
#ifndef HEARTH_POSTGRES_PIPELINE_H
#define HEARTH_POSTGRES_PIPELINE_H

#include "connection.h"

#define PIPELINE_MOST 32

typedef enum Expect {
  EXPECT_NOTHING,   /* any answer that is no failure */
  EXPECT_ONE_ROW,   /* the command changed one row */
  EXPECT_NO_ROWS,   /* the query found nothing; what it finds is a number */
  EXPECT_PREPARED,  /* internal: the answer to a PREPARE */
  EXPECT_COMMITTED  /* COMMIT, and not ROLLBACK, is what the server did */
} Expect;

typedef struct Pipeline {
  Connection *c;
  int sent;
  struct {
    Expect expect;
    Statement statement;
  } slots[PIPELINE_MOST];
  hearth_status status; /* sticky, with the caller's error record filled */
  hearth_error *err;
  bool missed;          /* EXPECT_ONE_ROW or EXPECT_COMMITTED was disappointed */
  uint64_t found;       /* by EXPECT_NO_ROWS; 0: nothing */
} Pipeline;

void postgres_pipeline_begin(Pipeline *p, Connection *c, hearth_error *err);
void postgres_pipeline_text(Pipeline *p, const char *text, Expect expect);
void postgres_pipeline_run(Pipeline *p, Statement s, const Params *params, Expect expect);

/* Waits for the answers to what was sent. The pipeline can be used on. */
hearth_status postgres_pipeline_wait(Pipeline *p);

/* The same, and the connection is an ordinary one again. */
hearth_status postgres_pipeline_end(Pipeline *p);

#endif
