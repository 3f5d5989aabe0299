/*
** The testkit: for whoever writes a backend, or a reader of the format.
**
** Needs neither Lua nor libhearth nor a test framework; hearth_testkit_cmocka.h makes cmocka tests of it. The disk that
** fails and loses power is in hearth_testkit_disk.h. How it is used, step by step: docs/BACKENDS.md.
**
** Nothing passed in changes owner. What a function here is given is borrowed until it returns, and so is what it gives
** to a callback. A wrong use of the kit itself ends the program (abort); a wrong backend is reported.
*/
#ifndef HEARTH_TESTKIT_H
#define HEARTH_TESTKIT_H

#include <stdbool.h>
#include <stddef.h>

#include "hearth_backend.h"
#include "hearth_environment.h"
#include "hearth_status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------ conformance */

/*
** What is tested, and what the suite must know about it. Fields are only ever added at the end; one that is zero asks
** for nothing special. The suite makes one place for each case, with arrive, and gives it back with leave.
*/
typedef struct hearth_testkit_subject {
  size_t size;                   /* sizeof(hearth_testkit_subject) */
  const char *name;              /* for people */
  const hearth_backend *backend; /* borrowed for the run, as all that is pointed to here */
  void *ud;                      /* passed first to the functions below */

  /* Makes a place where no store is, or clears one (a folder, a database), and answers its location, which is valid
     until leave. NULL: no location is needed. It may end a test that cannot go on as its framework does. */
  const char *(*arrive)(void *ud);
  void (*leave)(void *ud, const char *location); /* NULL: nothing to do */

  /* hearth_backend_config.environment; called after arrive. NULL: the operating system's. */
  const hearth_environment *(*environment)(void *ud);

  /* An asynchronous backend: lets everything that is pending end well. NULL: nothing ever is. */
  void (*settle)(void *ud);

  void *backend_ud;              /* hearth_backend_config.ud */
  bool persistent;               /* what was committed is there after closing and opening */
  bool begins_with_a_batch;      /* there is no store at a place before its first batch */
  bool keeps_no_batches;         /* compact with keep > 0 is UNSUPPORTED */

  /*
  ** A backend that does all its input and output through hearth_environment: where it may make a store on an empty disk
  ** of the kit, e.g. "/world.hearth". Then the suite fails each call of a store's life, and the power at each step of
  ** it. NULL: these cases are skipped.
  */
  const char *on_disk;
} hearth_testkit_subject;

typedef enum hearth_testkit_outcome {
  HEARTH_TESTKIT_PASSED = 0,
  HEARTH_TESTKIT_FAILED = 1,
  HEARTH_TESTKIT_SKIPPED = 2 /* the subject has not what the case is about */
} hearth_testkit_outcome;

typedef struct hearth_testkit_result {
  const char *name;     /* of the case, e.g. "checks_decide"; static */
  const char *rule;     /* what the contract asks for, one sentence; static */
  hearth_testkit_outcome outcome; /* whether the backend keeps the rule */
  const char *file;     /* where in the kit's sources it was noticed, NULL unless FAILED; static */
  int line;             /* there; 0 unless FAILED */
  const char *message;  /* what was wrong, or why it is skipped, or ""; valid during the callback */
} hearth_testkit_result;

/* Told once for each case that was run, when it is over. */
typedef void (*hearth_testkit_report)(void *ud, const hearth_testkit_result *result);

/* The cases, in the order in which they are run. Names are stable and unique; NULL beyond the last. Static text. */
HEARTH_API size_t hearth_testkit_case_count(void);
HEARTH_API const char *hearth_testkit_case_name(size_t number);
HEARTH_API const char *hearth_testkit_case_rule(size_t number);

/* Runs one case. `report` may be NULL. */
HEARTH_API hearth_testkit_outcome hearth_testkit_run_case(const hearth_testkit_subject *subject, size_t number,
                                                          hearth_testkit_report report, void *ud);

/* Runs every case; how many of them failed. `report` may be NULL. */
HEARTH_API size_t hearth_testkit_run(const hearth_testkit_subject *subject, hearth_testkit_report report, void *ud);

/* A report that prints a line for each case to stdout; a failed one to stderr too. `ud` is not looked at. */
HEARTH_API void hearth_testkit_print(void *ud, const hearth_testkit_result *result);

/* ---------------------------------------------------------------- memory */

/* An allocator that counts and fails. Zero but for fail_at: ready for use. */
typedef struct hearth_testkit_memory {
  long calls;    /* allocations so far; what only frees is not counted */
  long fail_at;  /* this one (the first is 0) fails; -1: none */
  bool for_good; /* and every later one too */
  size_t bytes;  /* held now, by the sizes that its user gave: 0 when he gave back what he had */
} hearth_testkit_memory;

/* The memory is borrowed as long as the allocator is used. */
HEARTH_API hearth_allocator hearth_testkit_allocator(hearth_testkit_memory *memory);

/* --------------------------------------------------- counting and failing */

/*
** A backend around another one, which counts what is asked of it and fails when it is told to; for tests of what uses
** backends. It is opened with the wrapper as hearth_backend_config.ud (hearth_options.backend_ud):
**
**   hearth_testkit_wrapper w;
**   hearth_testkit_wrap(&w, &hearth_file_backend, NULL);
**   hearth_options options = {.size = sizeof options, .backend_ud = &w};
**   hearth_open(L, &w.backend, "world.hearth", &options, &store, &err);
**   hearth_testkit_fail(&w, (hearth_testkit_failure){HEARTH_TESTKIT_SUBMIT, 2, HEARTH_FULL, false, false});
*/

typedef enum hearth_testkit_call {
  HEARTH_TESTKIT_ANY = 0, /* any of those below */
  HEARTH_TESTKIT_OPEN = 1,
  HEARTH_TESTKIT_CLOSE = 2,
  HEARTH_TESTKIT_GET = 3,
  HEARTH_TESTKIT_SCAN = 4,
  HEARTH_TESTKIT_SUBMIT = 5,
  HEARTH_TESTKIT_BARRIER = 6,
  HEARTH_TESTKIT_POLL = 7,
  HEARTH_TESTKIT_COMPACT = 8,
  HEARTH_TESTKIT_REFRESH = 9,
  HEARTH_TESTKIT_STAT = 10,
  HEARTH_TESTKIT_TABLES = 11,
  HEARTH_TESTKIT_HISTORY = 12
} hearth_testkit_call;

#define HEARTH_TESTKIT_CALLS 13

typedef struct hearth_testkit_counts {
  uint64_t calls[HEARTH_TESTKIT_CALLS]; /* of each kind; [HEARTH_TESTKIT_ANY] of all */
  uint64_t ops[HEARTH_CHECK_ABSENT + 1]; /* submitted, of each hearth_op_kind; [0] of all */
  uint64_t bytes_in;                    /* of the keys and values submitted */
  uint64_t found;                       /* entries, tables and batches that were given to callbacks */
  uint64_t bytes_out;                   /* of their keys and values */
  uint64_t failed;                      /* calls that did not answer OK or PENDING */
} hearth_testkit_counts;

typedef struct hearth_testkit_failure {
  hearth_testkit_call call; /* which calls */
  long at;                  /* the number of the call that fails, counted among them from arming; -1: none */
  hearth_status status;     /* what it answers; negative */
  bool for_good;            /* and every later one */
  bool after;               /* it is made all the same, and only its answer lost: an outcome that nobody knows */
} hearth_testkit_failure;

/* The fields below `backend` are read and reset as one likes, but for those that the comment says are the kit's. */
typedef struct hearth_testkit_wrapper {
  hearth_backend backend;         /* what to open; named like the inner one, of the same level */
  const hearth_backend *inner;    /* that all calls go to; borrowed */
  void *inner_ud;                 /* hearth_backend_config.ud for it */
  hearth_testkit_counts counts;   /* since hearth_testkit_wrap, of every store opened */
  hearth_testkit_failure failure; /* the kit's: hearth_testkit_fail sets it */
  long seen;                      /* the kit's: calls of failure.call since then */
  bool struck;                    /* whether it has failed a call since then */
} hearth_testkit_wrapper;

/* Fills the wrapper, which must stay where it is as long as a store is open through it. It fails nothing yet. */
HEARTH_API void hearth_testkit_wrap(hearth_testkit_wrapper *wrapper, const hearth_backend *inner, void *inner_ud);

/*
** From now on calls fail as `failure` says. The wrapper keeps the contract: a failed part abandons its batch, a failed
** close has released everything, and after IO a store that may write is dead.
*/
HEARTH_API void hearth_testkit_fail(hearth_testkit_wrapper *wrapper, hearth_testkit_failure failure);

/* ----------------------------------------------------------- golden files */

/*
** Bytes of every kind and version of the format, and what they say: for readers of the format (docs/FORMAT.md). They
** are never made again, so that what reads them reads what was written once.
*/

typedef enum hearth_testkit_golden_kind {
  HEARTH_TESTKIT_BLOB = 1, /* what hearth_encode gives; the text is what `hearth dump FILE` prints */
  HEARTH_TESTKIT_LOG = 2   /* what the file backend writes; `hearth --store file:FILE dump --frames` */
} hearth_testkit_golden_kind;

typedef struct hearth_testkit_golden_file {
  const char *name;              /* "weak-keys"; unique */
  hearth_testkit_golden_kind kind; /* what the bytes are, and how the text was made */
  unsigned version;              /* of the format, as the bytes say */
  const unsigned char *bytes;    /* the file */
  size_t size;                   /* its bytes */
  const char *text;              /* UTF-8, lines that end in '\n', with a '\0' behind the last */
  size_t text_size;              /* bytes, that '\0' not counted */
} hearth_testkit_golden_file;

/* Fills `out` with the nth (from 0); what it points to is static. False: there are fewer. */
HEARTH_API bool hearth_testkit_golden(size_t number, hearth_testkit_golden_file *out);

#ifdef __cplusplus
}
#endif

#endif
