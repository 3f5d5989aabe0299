/* Looking into a store or a blob: what ls, get, dump, stat and verify begin with. */
#ifndef HEARTH_TOOL_LOOK_H
#define HEARTH_TOOL_LOOK_H

#include "command.h"
#include "path.h"

typedef struct Look {
  View view;
  Storage storage; /* of a store; store NULL for a blob */
  Buffer file;     /* of a blob */
  const char *location;
} Look;

/* Opens the call's store for reading. Complains and answers a status to exit with, or 0. */
int look_at_store(const Call *call, Look *look);

/* Reads a file, and opens the blob in it. */
int look_at_blob(const char *path, Look *look);

/* Closes; answers `status`, or what the closing of the store answers when `status` is 0. */
int look_end(Look *look, int status);

#endif
