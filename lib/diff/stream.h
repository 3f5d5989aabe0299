/* The entries of one table of a backend, one by one, read many at a time. */
#ifndef HEARTH_DIFF_STREAM_H
#define HEARTH_DIFF_STREAM_H

#include "view.h"

typedef struct Stream {
  const View *view;
  uint64_t table;
  Buffer bytes;    /* entries that were read: their sizes, key, value */
  size_t at;       /* of the next one there */
  Buffer last;     /* key of the last that was read */
  bool begun, done;
  const unsigned char *key, *value; /* of the entry at hand, until the next one */
  size_t key_size, value_size;
} Stream;

void stream_init(Stream *s, const View *v, uint64_t table);
void stream_free(Stream *s);

/* To the next entry; *found is false after the last. */
hearth_status stream_next(Stream *s, bool *found, hearth_error *err);

#endif
