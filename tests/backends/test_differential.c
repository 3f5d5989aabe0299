/* The differential oracle on every backend. A new backend is one line in `subjects`. */
#include "differential.h"
#include "file_subjects.h"
#include "indexeddb_subject.h"
#ifdef HEARTH_HAVE_SQLITE
#include "sqlite_subject.h"
#endif

static const hearth_testkit_subject memory = {.size = sizeof memory, .name = "memory",
                                              .backend = &hearth_memory_backend};

static const hearth_testkit_subject *const subjects[] = {
    &memory,
    &file_on_disk,
    &file_in_folder,
    &indexeddb_in_memory,
#ifdef HEARTH_HAVE_SQLITE
    &sqlite_in_folder,
#endif
};

int main(void) {
  return differential_run(subjects, sizeof subjects / sizeof *subjects);
}
