/*
** What every case of the suite uses: a store at a place of its own, its calls with their errors checked, contents as
** text, and what ends a case that fails. A check in a callback only notes the failure, since a jump would go through
** the backend; the call around it then ends the case.
*/
#ifndef HEARTH_TESTKIT_FIXTURE_H
#define HEARTH_TESTKIT_FIXTURE_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hearth_testkit.h"
#include "hearth_testkit_disk.h"

#define MOST_STORES 4
#define TEXT_SIZE 8192
#define ULL(n) ((unsigned long long)(n))

typedef struct Fixture {
  const hearth_testkit_subject *subject;
  const hearth_backend *backend;
  const char *location;
  hearth_backend_store *store;               /* the one that cases write to */
  hearth_backend_store *others[MOST_STORES]; /* further openers */
  hearth_testkit_memory memory;              /* of all of them */
  hearth_disk *disk;                         /* of cases that make their own; NULL: the subject says where a place is */
  hearth_disk *after[2];                     /* the same after losses of power */
  void *scratch[2];                          /* of a case, from malloc */
  hearth_error err;                          /* of the last call */
  jmp_buf end;
  bool failed;
  const char *file;
  int line;
  char message[1024];
} Fixture;

/* What a case needs of the subject; it is skipped without. */
#define NEEDS_PERSISTENCE 0x1u
#define NEEDS_PENDING 0x2u
#define NEEDS_DISK 0x4u
#define NEEDS_HISTORY 0x8u

typedef struct Case {
  const char *name;
  const char *rule;
  void (*run)(Fixture *f);
  unsigned needs;
} Case;

/* The chapters; each ends with a case without a name. */
extern const Case kit_reading_cases[], kit_batch_cases[], kit_part_cases[], kit_level_cases[], kit_pending_cases[],
    kit_opener_cases[], kit_earlier_cases[], kit_memory_cases[], kit_older_cases[], kit_disk_cases[], kit_power_cases[];

/* ------------------------------------------------------------- failing */

#if defined(__GNUC__)
#define FORMAT(text, first) __attribute__((format(printf, text, first)))
#else
#define FORMAT(text, first)
#endif

/* Notes the first failure. */
void kit_note(Fixture *f, const char *file, int line, const char *format, ...) FORMAT(4, 5);

/* Ends the case if a failure was noted. */
void kit_judge(Fixture *f);

const char *kit_status_name(hearth_status status);

void kit_status(Fixture *f, const char *file, int line, const char *what, hearth_status expected,
                    hearth_status actual);
void kit_number(Fixture *f, const char *file, int line, const char *what, uint64_t expected, uint64_t actual);
void kit_text(Fixture *f, const char *file, int line, const char *what, const char *expected, const char *actual);

#define FAIL(f, ...) (kit_note(f, __FILE__, __LINE__, __VA_ARGS__), kit_judge(f))
#define NOTE(f, ...) kit_note(f, __FILE__, __LINE__, __VA_ARGS__) /* in callbacks */
#define MUST(f, condition, ...) ((condition) ? (void)0 : FAIL(f, __VA_ARGS__))
#define ANSWERS(f, expected, call) kit_status(f, __FILE__, __LINE__, #call, expected, call)
#define EQUALS(f, expected, number) kit_number(f, __FILE__, __LINE__, #number, expected, number)
#define READS(f, expected, text) kit_text(f, __FILE__, __LINE__, #text, expected, text)

/* ------------------------------------------------------ opening, closing */

hearth_backend_config kit_config(Fixture *f, unsigned flags);

/* What open answers; *out is NULL unless it is OK. */
hearth_status kit_try_open(Fixture *f, unsigned flags, hearth_backend_store **out);

/* Opens f->store, which must succeed. */
void kit_open_store(Fixture *f);

/* Closes it, and a further one; when none is open, no memory may be held. */
void kit_close_store(Fixture *f);
void kit_close_other(Fixture *f, size_t n);

/* Closes and opens, if the subject is persistent. */
void kit_reopen(Fixture *f);

/* ---------------------------------------------------------------- calls */

static inline hearth_op put(uint64_t table, const char *key, const char *value) {
  return (hearth_op){HEARTH_PUT, table, key, strlen(key), value, strlen(value)};
}

static inline hearth_op del(uint64_t table, const char *key) {
  return (hearth_op){HEARTH_DEL, table, key, strlen(key), NULL, 0};
}

static inline hearth_op drop(uint64_t table) {
  return (hearth_op){HEARTH_DROP, table, NULL, 0, NULL, 0};
}

static inline hearth_op equal(uint64_t table, const char *key, const char *value) {
  return (hearth_op){HEARTH_CHECK_EQUAL, table, key, strlen(key), value, strlen(value)};
}

static inline hearth_op absent(uint64_t table, const char *key) {
  return (hearth_op){HEARTH_CHECK_ABSENT, table, key, strlen(key), NULL, 0};
}

/* Calls of f->store. Where the subject is asynchronous they wait for the end of it. */
hearth_status kit_submit_at(Fixture *f, const hearth_op *ops, size_t count, unsigned flags, hearth_durability level,
                        uint64_t *sequence);
hearth_status kit_submit(Fixture *f, const hearth_op *ops, size_t count, unsigned flags);
hearth_status kit_barrier(Fixture *f, hearth_durability level);
hearth_status kit_compact(Fixture *f, unsigned keep);

/* f->err holds what `status` says; for calls that a case makes itself. Answers the status. */
hearth_status kit_judged(Fixture *f, hearth_status status);
/* An error record that is full of what a call must replace. */
hearth_error *kit_fresh(Fixture *f);

#define COUNT(...) (sizeof((hearth_op[]){__VA_ARGS__}) / sizeof(hearth_op))
#define SUBMIT(f, ...) kit_submit(f, (hearth_op[]){__VA_ARGS__}, COUNT(__VA_ARGS__), 0)
#define SUBMIT_PART(f, ...) kit_submit(f, (hearth_op[]){__VA_ARGS__}, COUNT(__VA_ARGS__), HEARTH_BATCH_MORE)

hearth_backend_stat kit_look(Fixture *f);
hearth_backend_stat kit_look_at(Fixture *f, hearth_backend_store *store);

/* ------------------------------------------------------------- contents */

/* Entries as "1/a=x 2/b=y "; a byte that is no printable character as \ff. */
typedef struct Text {
  char text[TEXT_SIZE];
  size_t count;   /* entries */
  int stop_after; /* > 0: the callback answers 7 after so many */
} Text;

/* A hearth_found that writes down what it gets into a Text. */
int kit_write_down(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size);

/* "nothing" when the key is not there. */
const char *kit_get(Fixture *f, uint64_t table, const char *key, Text *t);
/* NULL: no bound. */
const char *kit_range(Fixture *f, uint64_t table, const char *from, const char *to, bool reverse, Text *t);
/* All tables and their entries. */
const char *kit_everything(Fixture *f, Text *t);

/* The same of another store; the first status that is not OK. */
hearth_status kit_everything_in(Fixture *f, hearth_backend_store *store, Text *t);

#endif
