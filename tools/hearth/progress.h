/* A line on the terminal for work that takes longer than a second. */
#ifndef HEARTH_TOOL_PROGRESS_H
#define HEARTH_TOOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

typedef struct Progress {
  const char *what; /* "verify" */
  const char *unit; /* "objects" */
  struct timespec began, shown_at;
  bool terminal, shown;
  unsigned calls;
} Progress;

void progress_begin(Progress *p, const char *what, const char *unit);
void progress_step(Progress *p, uint64_t done); /* cheap: call it for every item */
void progress_portion(Progress *p, uint64_t done); /* the same, for every portion of many items */
void progress_end(Progress *p);                 /* wipes the line; before anything else is printed */

/*
** For work that does not say how far it is (salvage, compact, export, import): a timer's
** signal shows each second how long it has taken. `what` is static text. One at a time.
*/
void progress_watch(const char *what);
void progress_watch_end(void); /* wipes the line; harmless without a watch */

#endif
