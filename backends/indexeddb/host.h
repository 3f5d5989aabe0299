/*
** What the indexeddb backend asks of the browser. In WebAssembly these are
** imports, implemented by bindings/js/src/indexeddb/; natively a test defines them.
**
** The backend here sees one log (backends/log): a header, then frames, as one
** row of bytes. The host keeps it as records, each what one call of
** idb_host_append, idb_host_piece or idb_host_replace handed over, under the key
** [generation, sequence], and owns everything that takes time: the database, its
** transactions, the lock, generations and poison. It opens before the backend does,
** and calls idb_settled (indexeddb.h) from its own events later, never during one of
** these calls.
**
** Tickets are numbers above 0, each one more than the last, whatever asked for it. Those of
** idb_host_append, idb_host_flush and idb_host_replace settle in their order. When one of
** idb_host_append or idb_host_replace fails, so do all of those that were given out after it.
**
** Offsets and sizes are bytes; offsets are doubles, exact up to 2^53, since JavaScript has no other number
** that every function can take. Bytes passed in are borrowed until the call returns. Nothing here
** throws: a failure is a negative status from hearth_status.h, and idb_host_reason tells why. After IO or
** DEAD nothing more is written.
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
** Takes the database that was opened under this name: a handle above 0. `flags` are those of
** hearth_backend_config. `store` is what idb_settled gets back. *length is set to the length of the log, 0 where
** nothing was ever committed. NOTFOUND when none was opened, BUSY when it is taken, READONLY when it was opened
** read-only and `flags` do not say so, DEAD.
*/
IDB_HOST(attach)
int idb_host_attach(const char *name, size_t name_size, unsigned flags, struct hearth_backend_store *store,
                    double *length);

/* Copies bytes of the log; fewer than `size` only at its end. How many, or a status. Until idb_host_opened only. */
IDB_HOST(read)
int idb_host_read(int handle, double offset, void *bytes, size_t size);

/*
** Everything was read and judged: the log ends at `end`, which is the end of a record. The host lets go of
** the bytes it read, and for a writer the next append takes the place of what lies beyond.
*/
IDB_HOST(opened)
int idb_host_opened(int handle, double end);

/* For a reader: 1 when the host has read the database again: the log, *length bytes, can be read; else 0. */
IDB_HOST(reload)
int idb_host_reload(int handle, double *length);

#define IDB_MORE 0          /* more records of this batch follow */
#define IDB_LAST 1
#define IDB_LAST_SHRINKS 2  /* the store will hold less after it: the ballast may be given up for it */

/*
** Appends one record, which is copied. Records up to one with `last` other than IDB_MORE are written in one
** transaction, at the level that this one asks for (hearth_durability); the answer is a ticket then, otherwise 0. A
** failure forgets the records since the last ticket.
*/
IDB_HOST(append)
int idb_host_append(int handle, const void *bytes, size_t size, int last, int level);

/* Forgets the records since the last ticket. */
IDB_HOST(forget)
int idb_host_forget(int handle);

/* Asks that everything appended so far reach `level`: a ticket. */
IDB_HOST(flush)
int idb_host_flush(int handle, int level);

/*
** A new generation is begun: its records follow by idb_host_piece, each written by itself: a ticket each,
** which settles at any time. A piece that fails with FULL leaves the store as it was.
*/
IDB_HOST(compact)
int idb_host_compact(int handle);
IDB_HOST(piece)
int idb_host_piece(int handle, const void *bytes, size_t size);

/*
** The last record of the new generation, which replaces the old one in the same transaction: a ticket. What is
** appended afterwards belongs to the new one.
*/
IDB_HOST(replace)
int idb_host_replace(int handle, const void *bytes, size_t size);

/* The new generation is given up. */
IDB_HOST(stay)
int idb_host_stay(int handle);

/* Bytes that the records take. */
IDB_HOST(occupied)
double idb_host_occupied(int handle);

/* For a reader: 1 when the store has moved on since the database was read, else 0. */
IDB_HOST(moved)
int idb_host_moved(int handle);

/*
** Why the last call that failed did, or during idb_settled, why that failed: a line of text without its end, cut to
** `size` bytes. How many.
*/
IDB_HOST(reason)
int idb_host_reason(char *text, size_t size);

/* Milliseconds since 1970. */
IDB_HOST(clock)
double idb_host_clock(void);

/* Fills with random bytes: 0 or a status. */
IDB_HOST(random)
int idb_host_random(void *bytes, size_t size);

/* The store is closed: idb_settled is not called again. What was appended is still written. */
IDB_HOST(detach)
void idb_host_detach(int handle);

#endif
