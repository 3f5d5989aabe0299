/* What the browser's events call. */
#ifndef HEARTH_INDEXEDDB_H
#define HEARTH_INDEXEDDB_H

#include <stdint.h>

#include "hearth_backend.h"

#ifdef __EMSCRIPTEN__
#define IDB_EXPORT __attribute__((used, export_name("idb_settled")))
#else
#define IDB_EXPORT
#endif

/*
** A ticket of host.h has come to its end: OK, or FULL (nothing of it is written), or another failure, after which the
** store is dead. idb_host_reason says why. Ticket 0 is the store itself: its lock or its database is gone. A ticket
** that is not known any more is ignored.
*/
IDB_EXPORT void idb_settled(hearth_backend_store *store, int32_t ticket, int32_t status);

#endif
