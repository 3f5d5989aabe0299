/*
** Backends that break one rule of the contract each: a good one (the file backend) with one or two functions replaced.
** The suite must find every one of them, by the case that the rule belongs to.
*/
#ifndef HEARTH_TESTS_BROKEN_H
#define HEARTH_TESTS_BROKEN_H

#include <stdlib.h>
#include <string.h>

#include "hearth_backend.h"
#include "hearth_environment.h"

typedef enum BrokenPlace { ON_DISK, IN_FOLDER, IN_BROWSER } BrokenPlace;

typedef struct Broken {
  const char *rule;      /* what it does wrong */
  const char *caught_by; /* the case */
  void (*breaks)(hearth_backend *b);
  BrokenPlace place;
} Broken;

/* Each ends with one without a rule. */
extern const Broken broken_reading[], broken_batches[], broken_parts[], broken_levels[], broken_openers[],
    broken_earlier[], broken_memory[], broken_disks[], broken_pending[];

/* The functions of the backend that is right; broken_pending has its own. */
extern const hearth_backend *const good;

/* What a broken backend remembers; zero when a case begins to open its first store of a rule. */
typedef struct Remembered {
  uint64_t numbers[4];
  unsigned calls;
  bool flag;
  hearth_op ops[64];
  unsigned char bytes[64][2][64]; /* of their keys and values */
  size_t count;
} Remembered;

extern Remembered remembered;

/* Remembers an operation with its bytes; those of the tests fit. */
void remember(const hearth_op *op);

#define GET_ARGS                                                                                                \
  hearth_backend_store *s, uint64_t table, const void *key, size_t key_size, hearth_found found, void *ud,      \
      hearth_error *err
#define SCAN_ARGS                                                                                               \
  hearth_backend_store *s, uint64_t table, const void *from, size_t from_size, const void *to, size_t to_size,  \
      bool reverse, hearth_found found, void *ud, int *result, hearth_error *err
#define SUBMIT_ARGS                                                                                             \
  hearth_backend_store *s, const hearth_op *ops, size_t count, unsigned flags, hearth_durability level,         \
      uint64_t *sequence, hearth_error *err
#define OPEN_ARGS const hearth_backend_config *config, hearth_backend_store **out, hearth_error *err
#define FOUND_ARGS void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size

#define GET good->get(s, table, key, key_size, found, ud, err)
#define SCAN good->scan(s, table, from, from_size, to, to_size, reverse, found, ud, result, err)
#define SUBMIT(ops, count) good->submit(s, ops, count, flags, level, sequence, err)

/* Allocates some memory that nobody gives back. */
void lose_memory(const hearth_allocator *allocator);

/* The batch with each operation as `change` leaves it. */
static inline hearth_status submit_changed(SUBMIT_ARGS, void (*change)(hearth_op *op)) {
  hearth_op *changed = calloc(count + 1, sizeof *changed);
  for (size_t i = 0; i < count; i++) {
    changed[i] = ops[i];
    change(&changed[i]);
  }
  hearth_status status = SUBMIT(changed, count);
  free(changed);
  return status;
}

/* Its error says what a good one's would. */
hearth_status answer(hearth_error *err, hearth_status status);

/* The value of a key: copied to `out`, its size to *size; false when there is none. */
bool value_of(hearth_backend_store *s, uint64_t table, const void *key, size_t key_size, unsigned char *out,
              size_t *size);

#endif
