/* Copies into PostgreSQL and out of it, also when the server is killed meanwhile. */
#include <signal.h>

#include "../backends/copying.h"
#include "hearth_postgres.h"
#include "server.h"

static Server server;
static CopySide source;

static void location(const char *name, char out[512]) {
  server_location(&server, "", name, out, 512);
}

static hearth_status try_open(const char *name, unsigned flags, CopySide *side, hearth_error *err) {
  char place[512];
  *side = (CopySide){.backend = &hearth_postgres_backend};
  location(name, place);
  hearth_backend_config config = {.size = sizeof config, .location = place, .flags = flags};
  return side->backend->open(&config, &side->store, err);
}

static CopySide open_store(const char *name, unsigned flags) {
  CopySide side;
  hearth_error err;
  if (try_open(name, flags, &side, &err) != HEARTH_OK) fail_msg("%s", err.message);
  return side;
}

static const char *reopened; /* the name */

static hearth_status reopen(Copying *c) {
  hearth_error err;
  (void)c->to.backend->close(c->to.store, &err); /* the server may have gone */
  return try_open(reopened, HEARTH_OPEN_NO_CREATE, &c->to, &err);
}

static int begin(void **state) {
  (void)state;
  uint64_t seed = 1;
  server_begin(&server, NULL);
  source = copying_memory(NULL);
  copying_put_metadata(&source, STORE_FORMAT_VERSION);
  copying_change(&source, &seed, 500);
  return 0;
}

static int end(void **state) {
  (void)state;
  copying_close(&source);
  server_end(&server);
  return 0;
}

static void there_and_back(void **state) {
  (void)state;
  uint64_t seed = 2;
  reopened = "world";
  Copying c = {.from = source, .to = open_store("world", 0), .steps = -1, .reopen = reopen};
  copying_succeeds(&c);
  assert_true(copying_same(&source, &c.to));
  copying_change(&c.to, &seed, 100);
  assert_false(copying_same(&source, &c.to));
  c.replace = true;
  copying_succeeds(&c);
  assert_int_equal(c.copy.mode, COPY_REPLACED);
  assert_true(copying_same(&source, &c.to));
  copying_close(&c.to);
  Copying back = {.from = open_store("world", HEARTH_OPEN_READONLY), .to = copying_memory(NULL), .steps = -1};
  copying_succeeds(&back);
  assert_true(copying_same(&source, &back.to));
  copying_close(&back.from);
  copying_close(&back.to);
}

/* Without a reader that pins it, a source that a program commits to is stale, or one commit. */
static void beside_a_writer(void **state) {
  (void)state;
  CopySide writer = open_store("world", 0), was = copying_memory(NULL);
  Copying c = {.from = writer, .to = was, .steps = -1, .name = "x"};
  copying_succeeds(&c);
  c = (Copying){.from = open_store("world", HEARTH_OPEN_READONLY), .to = copying_memory(NULL), .steps = 10};
  assert_int_equal(copying_run(&c), HEARTH_PENDING);
  copying_put(&writer, 1, "a", "newer");
  c.steps = -1;
  hearth_status status = copying_run(&c);
  if (status == HEARTH_OK) assert_true(copying_same(&was, &c.to));
  else assert_int_equal(status, HEARTH_STALE);
  assert_int_equal(c.from.backend->refresh(c.from.store, NULL), HEARTH_OK);
  c.replace = true;
  copying_succeeds(&c);
  assert_true(copying_same(&writer, &c.to));
  copying_close(&c.from);
  copying_close(&c.to);
  copying_close(&writer);
  copying_close(&was);
}

static void the_server_is_killed_after_each_step(void **state) {
  (void)state;
  long failed = 0;
  bool ended = false;
  for (long steps = 1; !ended; steps += 12) {
    char name[40];
    (void)snprintf(name, sizeof name, "killed %ld", steps);
    reopened = name;
    Copying c = {.from = source, .to = open_store(name, 0), .steps = steps, .reopen = reopen};
    ended = copying_run(&c) == HEARTH_OK;
    server_stop(&server, SIGKILL);
    c.steps = -1;
    if (!ended) assert_true(copying_run(&c) < 0); /* it has gone */
    if (c.to.store != NULL) (void)c.to.backend->close(c.to.store, NULL);
    server_start(&server);
    c.to = open_store(name, 0);
    if (!ended) copying_succeeds(&c);
    assert_true(copying_same(&source, &c.to));
    copying_close(&c.to);
    failed += !ended;
  }
  assert_true(failed > 2);
  (void)printf("figure: %ld copies into PostgreSQL whose server was killed, all of them completed by the next\n",
               failed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(there_and_back),
      cmocka_unit_test(beside_a_writer),
      cmocka_unit_test(the_server_is_killed_after_each_step),
  };
  return cmocka_run_group_tests_name("postgres copy", tests, begin, end);
}
