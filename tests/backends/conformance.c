#include "conformance.h"

#include "testing.h"

#include "hearth_testkit_cmocka.h"

int conformance_run(const ConformanceSubject *s) {
  const hearth_testkit_subject subject = {
      .size = sizeof subject, .name = s->name, .backend = s->backend, .ud = s->ud, .arrive = s->arrive,
      .leave = s->leave, .environment = s->environment, .settle = s->settle, .persistent = s->persistent,
      .begins_with_a_batch = s->begins_with_a_batch, .keeps_no_batches = s->keeps_no_batches,
      .on_disk = s->on_disk};
  return hearth_testkit_run_cmocka(&subject);
}
