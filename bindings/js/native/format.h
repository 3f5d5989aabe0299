/* printf's work, and where its bytes go. */
#ifndef HEARTH_FORMAT_H
#define HEARTH_FORMAT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

typedef struct Sink {
  FILE *file;   /* or NULL: */
  char *at;     /* the next bytes go here, */
  size_t room;  /* as many as there is room for */
  size_t total; /* how many were put, with those that found no room */
} Sink;

void sink_put(Sink *to, const char *bytes, size_t size);
void sink_format(Sink *to, const char *format, va_list *args);

#endif
