/*
** The host of the indexeddb backend over memory. Nothing settles before the test says so, and
** the test says how. What settled well is what a reopened store sees.
*/
#ifndef HEARTH_TESTS_FAKE_INDEXEDDB_H
#define HEARTH_TESTS_FAKE_INDEXEDDB_H

#include <stdbool.h>
#include <stddef.h>

#include "hearth_backend.h"

typedef struct Fake Fake;

typedef enum FakeKind { FAKE_APPEND = 1, FAKE_FLUSH, FAKE_PIECE, FAKE_REPLACE } FakeKind;

/* A database under this name, found by idb_host_attach until it is freed. */
Fake *fake_new(const char *name);
void fake_free(Fake *f);

/* How many tickets wait, and what kind the oldest is (0: none) and its level. */
size_t fake_waiting(const Fake *f);
FakeKind fake_oldest(const Fake *f);
int fake_level(const Fake *f);

/* The oldest ticket settles well. False: there is none. */
bool fake_settle(Fake *f);
void fake_settle_all(Fake *f);

/*
** The waiting ticket number `index` fails, and what is stacked on it; what came before stays. After IO or DEAD the
** database accepts nothing more from this opener.
*/
void fake_fail(Fake *f, size_t index, hearth_status status);

/* The lock is gone: ticket 0. */
void fake_lose(Fake *f, hearth_status status);

/* The host's call number `calls` from now (0: the next) that writes answers `status`; -1: none. */
void fake_refuse(Fake *f, long calls, hearth_status status);

/*
** The database is full: it takes only batches that shrink the store, and for the first of these gives up its ballast.
*/
void fake_fill(Fake *f);
bool fake_has_ballast(const Fake *f);

/* So many milliseconds pass, for all databases. */
void fake_pass(double milliseconds);

/* The process dies: nothing that waits happens, and the store is forgotten without idb_host_detach. */
void fake_crash(Fake *f);

/* The stored log: its bytes, and how many records they are in. The bytes may be changed. */
unsigned char *fake_log(Fake *f, size_t *size);
size_t fake_records(const Fake *f);

/* Cuts the stored log to `size` bytes. */
void fake_cut(Fake *f, size_t size);

/* Makes the stored log these bytes, in one record. */
void fake_put(Fake *f, const void *bytes, size_t size);

/* idb_host_read number `calls` from now (0: the next) and later ones answer `status`; -1: none. */
void fake_refuse_reads(Fake *f, long calls, hearth_status status);

/* idb_host_reload answers `status`, if it is negative. */
void fake_refuse_reload(Fake *f, hearth_status status);

/* Makes the stored log the same as that of another one. */
void fake_copy(Fake *f, const Fake *from);

/* The end that the last idb_host_opened told. */
double fake_end(const Fake *f);

/* A reader's host reads the database again: the next refresh sees it. */
void fake_read_again(Fake *f);

#endif
