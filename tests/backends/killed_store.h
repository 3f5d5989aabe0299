/* The life of a store that is killed again and again: a process that opens, commits, compacts and closes it. */
#ifndef HEARTH_TESTS_KILLED_STORE_H
#define HEARTH_TESTS_KILLED_STORE_H

#include "scenario.h"

#include "../killed.h"

/* In the child; never returns. Each batch is acknowledged; what is compacted keeps 0 to most - 1 batches. */
static inline void killed_store_live(const Life *life, const hearth_backend *backend, unsigned most) {
  hearth_backend_store *store;
  hearth_error err;
  hearth_backend_config config = {.size = sizeof config, .location = life->path};
  for (;;) {
    hearth_backend_stat stat = {.size = sizeof stat};
    atomic_store(life->phase, OPENING);
    if (backend->open(&config, &store, &err) != HEARTH_OK) {
      (void)fprintf(stderr, "%s\n", err.message);
      _exit(3);
    }
    if (backend->stat(store, &stat, &err) != HEARTH_OK) _exit(4);
    uint64_t last = stat.sequence + 8;
    for (uint64_t n = stat.sequence + 1; n <= last; n++) {
      atomic_store(life->phase, COMMITTING);
      hearth_durability level = n % 3 == 0 ? HEARTH_COMPLETE : HEARTH_DURABLE;
      if (scenario_submit(backend, store, n, n % 2 == 0, level, &err) != HEARTH_OK) _exit(5);
      life_acknowledge(life, n);
      if (n != last - 2) continue;
      atomic_store(life->phase, COMPACTING);
      if (backend->compact(store, (unsigned)(n % most), &err) != HEARTH_OK) _exit(7);
    }
    atomic_store(life->phase, CLOSING);
    if (backend->close(store, &err) != HEARTH_OK) _exit(8);
  }
}

#endif
