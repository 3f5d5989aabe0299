/* Inside the telling: a store behind any backend, and a log as one. */
#ifndef HEARTH_TESTS_READER_TELLING_H
#define HEARTH_TESTS_READER_TELLING_H

#include "buffer.h"
#include "hearth_backend.h"

/* Appends the text of what is in a store. NOTSTORE, DAMAGED, VERSION, IO, NOMEM. */
hearth_status tell_store(const hearth_backend *backend, hearth_backend_store *store, Buffer *out, hearth_error *err);

/* What tell_blob and tell_log give: a string of the text or of the message. */
char *tell_end(Buffer *out, hearth_status status, const hearth_error *err, int *told);

/* A log's bytes, borrowed, as a backend that can be read: get, scan and tables. NOTSTORE, DAMAGED, VERSION, NOMEM. */
extern const hearth_backend log_backend;
hearth_status log_open(const void *bytes, size_t size, hearth_backend_store **out, hearth_error *err);
void log_close(hearth_backend_store *store);

#endif
