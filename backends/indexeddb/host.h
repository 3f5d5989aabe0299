/*
** What the indexeddb backend asks of the browser. In WebAssembly these are
** imports, implemented by bindings/js/src/indexeddb/; natively a test defines them.
**
** The backend here sees one log (backends/log): a header, then frames, as one
** row of bytes. The host keeps it as records, each what one call of
** idb_host_append or idb_host_piece handed over, under the key [generation, sequence],
** and owns everything that takes time: the database, its transactions, the
** lock, generations and poison. It opens before the backend does, and calls
** idb_settled (indexeddb.h) from its own events later, never during one of these calls.
**
** Offsets and sizes are bytes; offsets are doubles, exact up to 2^53, since JavaScript has no other number
** that every function can take. Bytes passed in are borrowed until the call returns. Nothing here
** throws: a failure is a negative status from hearth_status.h.
*/
#ifndef HEARTH_INDEXEDDB_HOST_H
#define HEARTH_INDEXEDDB_HOST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __EMSCRIPTEN__
#define IDB_HOST(name) __attribute__((import_module("hearth_indexeddb"), import_name(#name))) extern
#else
#define IDB_HOST(name) extern
#endif

struct hearth_backend_store;

/*
** Takes the database that was opened under this name: a handle above 0. `store` is what idb_settled
** gets back. *length is set to the length of the log, 0 for a new one. NOTFOUND when none was opened.
*/
IDB_HOST(attach)
int idb_host_attach(const char *name, size_t name_size, struct hearth_backend_store *store, double *length);

/* Copies bytes of the log; fewer than `size` only at its end. How many, or a status. While opening only. */
IDB_HOST(read)
int idb_host_read(int handle, double offset, void *bytes, size_t size);

/* Everything was read and judged: the log ends at `end`. The host lets go of the bytes it read. */
IDB_HOST(opened)
int idb_host_opened(int handle, double end);

/*
** Appends one record, which is copied. Records up to one with `last` are written in one transaction,
** at the level that this one asks for (hearth_durability). With `last` the answer is a ticket above 0, one more
** than the last; without it 0. A failure forgets the records since the last ticket.
*/
IDB_HOST(append)
int idb_host_append(int handle, const void *bytes, size_t size, int last, int level);

/* Forgets the records since the last ticket. */
IDB_HOST(forget)
int idb_host_forget(int handle);

/* Asks that everything up to the last ticket reach `level`: a ticket. */
IDB_HOST(flush)
int idb_host_flush(int handle, int level);

/* A new generation is begun: its records follow by idb_host_piece, each written by itself: a ticket each. */
IDB_HOST(compact)
int idb_host_compact(int handle);
IDB_HOST(piece)
int idb_host_piece(int handle, const void *bytes, size_t size);

/* The last record of the new generation, which replaces the old one in the same transaction: a ticket. */
IDB_HOST(replace)
int idb_host_replace(int handle, const void *bytes, size_t size);

/* The new generation is given up. */
IDB_HOST(stay)
int idb_host_stay(int handle);

/* Bytes that the records take. */
IDB_HOST(occupied)
double idb_host_occupied(int handle);

/* The store is closed: idb_settled is not called again. What was appended is still written. */
IDB_HOST(detach)
void idb_host_detach(int handle);

#endif
