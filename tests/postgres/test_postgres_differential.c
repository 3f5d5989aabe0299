/* The differential oracle on the postgres backend, beside memory and the model. */
#include "../backends/differential.h"
#include "postgres_subject.h"

static const hearth_testkit_subject memory = {.size = sizeof memory, .name = "memory",
                                              .backend = &hearth_memory_backend};
static const hearth_testkit_subject postgres = {.size = sizeof postgres, .name = "postgres",
                                                .backend = &hearth_postgres_backend, .persistent = true,
                                                .arrive = arrive_at_server, .keeps_no_batches = true};

static const hearth_testkit_subject *const subjects[] = {&memory, &postgres};

int main(void) {
  server_begin(&subject_server, NULL);
  int failed = differential_run(subjects, sizeof subjects / sizeof *subjects);
  server_end(&subject_server);
  return failed;
}
