/*
** test_postgres_pool SERVER APP: the example's server with a pool of 10 for 40 users, whom four processes ask for all
** the time, while the database, its sessions and the example's server are killed. Each request has a number and is
** asked again until it is answered. An increment that was acknowledged must be there, and none twice.
*/
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "../rounds.h"
#include "pool_client.h"
#include "postgres_testing.h"

#define KILLS 18
#define LIMIT 10

static const char *program, *app;
static char socket_path[320], log_path[320];
static pid_t pool_pid, client_pids[CLIENTS];
static Board *boards;

/* -------------------------------------------------------------- the pool */

static void begin_pool(void) {
  char location[600], uri[620];
  server_location(&server, "connect_timeout=5&", "{user}", location, sizeof location);
  (void)snprintf(uri, sizeof uri, "postgresql:%s", location);
  pool_pid = fork();
  assert_true(pool_pid >= 0);
  if (pool_pid != 0) return;
  (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
  int out = open(log_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (out < 0 || dup2(out, 2) < 0) _exit(4);
  (void)execl(program, program, socket_path, uri, app, "10", (char *)NULL);
  _exit(5);
}

/* By its own number, and with what it must end. */
static void end_pool(int how) {
  int status;
  assert_int_equal(kill(pool_pid, how), 0);
  assert_int_equal(waitpid(pool_pid, &status, 0), pool_pid);
  if (how == SIGKILL) assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  else assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* What the pool counted, from the last line that it wrote. */
typedef struct Counts {
  unsigned long long requests, from_store, openings, made_room, failures;
} Counts;

static Counts read_counts(void) {
  Counts c = {0};
  char line[600];
  int fields = 0;
  FILE *f = fopen(log_path, "r");
  assert_non_null(f);
  while (fgets(line, sizeof line, f) != NULL) {
    must_be_discreet(line);
    fields = sscanf(line, "server: %llu requests, %llu answered from the store, %llu openings, %llu closed to make"
                    " room, %llu failures", &c.requests, &c.from_store, &c.openings, &c.made_room, &c.failures);
  }
  (void)fclose(f);
  assert_int_equal(fields, 5);
  return c;
}

/* ----------------------------------------------------------- the sessions */

/* At the database; -1 while it is down. */
static int count_sessions(void) {
  char where[500];
  (void)snprintf(where, sizeof where, "host=%s port=%d dbname=postgres user=hearth", server.folder, server.port);
  PGconn *c = PQconnectdb(where);
  PGresult *r = PQexec(c, "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'hearth'");
  int count = PQresultStatus(r) == PGRES_TUPLES_OK ? atoi(PQgetvalue(r, 0, 0)) : -1;
  PQclear(r);
  PQfinish(c);
  return count;
}

static size_t looks;
static int most, most_for_a_moment;

/* One that was closed may still be on its way out: more than the limit must pass. */
static void look_at_sessions(void) {
  int count = count_sessions();
  if (count > most_for_a_moment) most_for_a_moment = count;
  for (int i = 0; count > LIMIT; i++) {
    if (i > 1000) fail_msg("%d sessions, the limit is %d", count, LIMIT);
    nap(5);
    count = count_sessions();
  }
  if (count < 0) return;
  looks++;
  if (count > most) most = count;
}

/* -------------------------------------------------------------- the kills */

static uint64_t answered(void) {
  uint64_t sum = 0;
  for (int k = 0; k < CLIENTS; k++) {
    if (boards[k].errors > 0) fail_msg("client %d got an answer that cannot be", k);
    sum += boards[k].all;
  }
  return sum;
}

/* So many more requests were answered, some of each client's among them. */
static void wait_for_work(uint64_t more) {
  uint64_t before[CLIENTS], begin = answered();
  for (int k = 0; k < CLIENTS; k++) before[k] = boards[k].all;
  for (int k = 0, i = 0; k < CLIENTS || answered() < begin + more; i++) {
    if (i > 12000) fail_msg("the clients do not get on: %d", k);
    if (k < CLIENTS && boards[k].all > before[k]) k++;
    if (i % 32 == 0) look_at_sessions();
    nap(5);
  }
}

static void wait_for_database(void) {
  for (int i = 0; i < 3000 && count_sessions() < 0; i++) nap(20);
}

enum { DATABASE, SESSION, POOL, KINDS };

static int kind_of(size_t n) {
  return n % 6 == 0 ? DATABASE : n % 6 == 3 ? SESSION : POOL;
}

static void kill_one(size_t n) {
  wait_for_database();
  switch (kind_of(n)) {
    case DATABASE:
      server_stop(&server, SIGKILL);
      server_start(&server);
      return;
    case SESSION: { /* in the middle of a request, if there is one; it takes all others with it */
      const char *pid = server_run(&server, "SELECT pid FROM pg_stat_activity WHERE application_name = 'hearth'"
                                            " ORDER BY state = 'idle', random() LIMIT 1");
      if (atoi(pid) > 0) (void)kill((pid_t)atoi(pid), SIGKILL);
      return;
    }
    default:
      end_pool(SIGKILL);
      begin_pool();
  }
}

static void begin_clients(void) {
  boards = mmap(NULL, sizeof(Board) * (CLIENTS + 1), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(boards != MAP_FAILED);
  for (int k = 0; k < CLIENTS; k++) {
    client_pids[k] = fork();
    assert_true(client_pids[k] >= 0);
    if (client_pids[k] == 0) {
      (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
      pool_client_live(socket_path, k, &boards[k]);
    }
  }
}

/* Each gets an answer to its last request first, so that nothing is left open. */
static void end_clients(void) {
  int status;
  for (int k = 0; k < CLIENTS; k++) boards[k].stop = 1;
  for (int k = 0; k < CLIENTS; k++) {
    assert_int_equal(waitpid(client_pids[k], &status, 0), client_pids[k]);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
}

/* What is in the database, asked of a pool that remembers nothing. */
static void judge(uint64_t *lost, uint64_t *twice) {
  begin_pool();
  for (int k = 0; k < CLIENTS; k++)
    for (int j = 0; j < USERS; j++) {
      char user[32];
      pool_user_name(user, k, j);
      uint64_t is = pool_client_read(socket_path, user, &boards[CLIENTS]), was = boards[k].acknowledged[j];
      assert_true(was > 0); /* each was asked for */
      if (is < was) *lost += was - is;
      if (is > was) *twice += is - was;
    }
  end_pool(SIGTERM);
  assert_int_equal(read_counts().made_room, CLIENTS * USERS - LIMIT);
}

static void killed_under_load(void **state) {
  (void)state;
  const size_t kills = rounds(KILLS);
  uint64_t all = 0, wrong = 0, unavailable = 0, broken = 0, lost = 0, twice = 0, kinds[KINDS] = {0};
  begin_pool();
  begin_clients();
  for (size_t n = 0; n < kills; n++) {
    wait_for_work(40);
    nap((long)(n * 7 % 23)); /* at any point of a request */
    kill_one(n);
    kinds[kind_of(n)]++;
  }
  wait_for_work(200);
  end_clients();
  look_at_sessions();
  end_pool(SIGTERM);
  Counts last = read_counts();
  judge(&lost, &twice);
  for (int k = 0; k < CLIENTS; k++) {
    all += boards[k].all;
    wrong += boards[k].wrong;
    unavailable += boards[k].unavailable;
    broken += boards[k].broken;
  }
  printf("figure: a server with many users: %zu SIGKILLs (%" PRIu64 " of the database, %" PRIu64 " of one of its"
         " sessions, %" PRIu64 " of the server itself) under load from %d processes with %d users: %" PRIu64
         " acknowledged requests, %" PRIu64 " lost, %" PRIu64 " run twice; %" PRIu64 " connections broke, %" PRIu64
         " answers were 'unavailable'; of %d sessions allowed at the database %d were there at most in %zu looks"
         " (for a moment %d, those that were ending among them)\n", kills, kinds[DATABASE], kinds[SESSION],
         kinds[POOL], CLIENTS, CLIENTS * USERS, all, lost, twice, broken, unavailable, LIMIT, most,
         looks, most_for_a_moment);
  printf("the last pool alone: %llu requests, %llu answered from the store, %llu openings, %llu closed to make room,"
         " %llu failures\n", last.requests, last.from_store, last.openings, last.made_room, last.failures);
  assert_int_equal(lost, 0);
  assert_int_equal(twice, 0);
  assert_int_equal(wrong, 0);
  assert_true(all > kills * 40);
  assert_true(looks > kills && most == LIMIT && last.made_room > 0);
}

static int begin(void **state) {
  (void)state;
  server_begin(&server, NULL);
  (void)snprintf(socket_path, sizeof socket_path, "%s/pool", server.folder);
  (void)snprintf(log_path, sizeof log_path, "%s/pool.log", server.folder);
  return 0;
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(killed_under_load)};
  if (argc != 3) return 2;
  program = argv[1];
  app = argv[2];
  return cmocka_run_group_tests_name("postgres pool", tests, begin, end_server);
}
