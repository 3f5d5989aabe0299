/* The conformance suite on the postgres backend, and a real server. */
#include "../backends/testing.h"

#include "hearth_testkit_cmocka.h"
#include "postgres_subject.h"

int main(void) {
  const hearth_testkit_subject postgres = {.size = sizeof postgres, .name = "postgres",
                                           .backend = &hearth_postgres_backend, .persistent = true,
                                           .arrive = arrive_at_server, .keeps_no_batches = true};
  server_begin(&subject_server, NULL);
  int failed = hearth_testkit_run_cmocka(&postgres);
  server_end(&subject_server);
  return failed;
}
