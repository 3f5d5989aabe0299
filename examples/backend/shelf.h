/* A backend that keeps a small store in one file and writes it anew with every batch: docs/BACKENDS.md builds it. */
#ifndef SHELF_H
#define SHELF_H

#include <hearth_backend.h>

/* The location is the file's path. Beside it lie PATH.lock, and PATH.new while a batch is written. */
extern const hearth_backend shelf_backend;

#endif
