/*
** The canonical form of a store's contents: a log with one batch that puts every
** entry in order, its salt and times zero. The same entries give the same bytes, from
** whatever backend they come. The file backend opens such a file as a store.
*/
#ifndef HEARTH_LOG_EXPORT_H
#define HEARTH_LOG_EXPORT_H

#include "hearth_backend.h"
#include "hearth_environment.h"

/*
** Writes what the store holds to a new file. EXISTS when there is one, FULL, IO, NOMEM, and what the
** store's tables and scan answer. After a failure there is no file. `env` and `allocator` may be NULL.
*/
hearth_status hearth_export(const hearth_backend *backend, hearth_backend_store *store, const hearth_environment *env,
                            const hearth_allocator *allocator, const char *path, hearth_error *err);

/*
** Puts what a log (an export, or a store's file that nobody has open) holds into an empty store, as one
** batch, which with `replace` drops what the store held before. EXISTS when the store is not empty and shall not be
** replaced, NOTFOUND, NOTSTORE, VERSION, DAMAGED (with the position, when not
** everything in it is whole), and what the store's submit answers (PENDING too); after a failure the store is as
** before.
*/
hearth_status hearth_import(const hearth_backend *backend, hearth_backend_store *store, const hearth_environment *env,
                            const hearth_allocator *allocator, const char *path, bool replace, hearth_error *err);

#endif
