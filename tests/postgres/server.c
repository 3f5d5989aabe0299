#include "server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <netinet/in.h>
#include <pwd.h>
#include <grp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char initdb[] = POSTGRES_BIN "/initdb", pg_basebackup[] = POSTGRES_BIN "/pg_basebackup";
static const char postgres[] = POSTGRES_BIN "/postgres";

static void quit(const char *what, const char *why) {
  (void)fprintf(stderr, "the test's server: %s: %s\n", what, why);
  exit(90);
}

static void nap(long milliseconds) {
  const struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  (void)nanosleep(&t, NULL);
}

/* PostgreSQL refuses to run as root. */
static const struct passwd *somebody(void) {
  if (geteuid() != 0) return NULL;
  const struct passwd *user = getpwnam("postgres");
  if (user == NULL) user = getpwnam("nobody");
  if (user == NULL) quit("no user", "neither postgres nor nobody");
  return user;
}

static void become_somebody(void) {
  const struct passwd *user = somebody();
  if (user == NULL) return;
  if (setgroups(0, NULL) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0) _exit(91);
}

/* A program of the server, with its output in the folder's `log`. */
static pid_t spawn(const Server *s, const char *const *arguments) {
  char log[400];
  (void)snprintf(log, sizeof log, "%s/log", s->folder);
  pid_t parent = getpid(), child = fork();
  if (child < 0) quit("fork", strerror(errno));
  if (child > 0) return child;
  become_somebody();
  int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600), in = open("/dev/null", O_RDONLY);
  if (out < 0 || in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0) _exit(92);
  for (int i = 3; i < 256; i++) (void)close(i);
  if (chdir(s->folder) != 0) _exit(93);
  (void)setpgid(0, 0); /* an interrupt at the terminal is for the test, which ends the server */
  (void)setenv("LC_ALL", "C", 1);
  (void)prctl(PR_SET_PDEATHSIG, SIGQUIT); /* does the test crash, the server goes too */
  if (getppid() != parent) _exit(94);
  (void)execv(arguments[0], (char *const *)arguments); /* as POSIX explains: it changes nothing */
  _exit(95);
}

static void show_log(const Server *s) {
  char name[400], line[500];
  (void)snprintf(name, sizeof name, "%s/log", s->folder);
  FILE *f = fopen(name, "r");
  if (f == NULL) return;
  while (fgets(line, sizeof line, f) != NULL) (void)fputs(line, stderr);
  (void)fclose(f);
}

static int free_port(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  int s = socket(AF_INET, SOCK_STREAM, 0);
  if (s < 0 || bind(s, (struct sockaddr *)&a, size) != 0 || getsockname(s, (struct sockaddr *)&a, &size) != 0)
    quit("no port", strerror(errno));
  (void)close(s);
  return ntohs(a.sin_port);
}

static void append(const Server *s, const char *file, const char *format, ...) {
  char name[400];
  va_list args;
  (void)snprintf(name, sizeof name, "%s/%s", s->folder, file);
  FILE *f = fopen(name, "a");
  if (f == NULL) quit(name, strerror(errno));
  va_start(args, format);
  (void)vfprintf(f, format, args);
  va_end(args);
  (void)fclose(f);
}

static void make_folder(Server *s) {
  const char *where = getenv("TMPDIR");
  const struct passwd *user = somebody();
  *s = (Server){.port = free_port()};
  (void)snprintf(s->folder, sizeof s->folder, "%s/hearth-postgres-XXXXXX", where != NULL ? where : "/tmp");
  if (mkdtemp(s->folder) == NULL || chmod(s->folder, 0755) != 0) quit(s->folder, strerror(errno));
  if (user != NULL && chown(s->folder, user->pw_uid, user->pw_gid) != 0) quit("chown", strerror(errno));
}

static void run_program(const Server *s, const char *const *arguments) {
  int how;
  pid_t child = spawn(s, arguments);
  if (waitpid(child, &how, 0) == child && how == 0) return;
  show_log(s);
  quit(arguments[0], "failed");
}

void server_begin(Server *s, const char *settings) {
  char data[400], password[400];
  make_folder(s);
  (void)snprintf(data, sizeof data, "%s/data", s->folder);
  (void)snprintf(password, sizeof password, "--pwfile=%s/password", s->folder);
  append(s, "password", "%s\n", SERVER_PASSWORD);
  const char *const arguments[] = {initdb, "-D", data, "-U", "hearth", "-E", "UTF8", "--locale=C", "-N",
                       "--auth-local=trust", "--auth-host=scram-sha-256", password, NULL};
  run_program(s, arguments);
  append(s, "data/postgresql.conf",
         "listen_addresses = '127.0.0.1'\nport = %d\nunix_socket_directories = '%s'\nmax_connections = 60\n"
         "shared_buffers = 32MB\nlog_min_messages = warning\n%s\n",
         s->port, s->folder, settings != NULL ? settings : "");
  server_start(s);
}

void server_follow(Server *s, const Server *primary) {
  char data[400], port[16];
  make_folder(s);
  (void)snprintf(data, sizeof data, "%s/data", s->folder);
  (void)snprintf(port, sizeof port, "%d", primary->port);
  const char *const arguments[] = {pg_basebackup, "-D", data, "-U", "hearth", "-h", primary->folder,
                                   "-p",
                       port, "-R", "-c", "fast", "-X", "stream", NULL};
  run_program(s, arguments);
  append(s, "data/postgresql.conf", "port = %d\nunix_socket_directories = '%s'\nhot_standby_feedback = on\n"
         "wal_receiver_status_interval = 1s\n", s->port, s->folder); /* or a reader's snapshot may hold replay up */
  server_start(s);
}

#ifdef OPENSSL_PROGRAM
static void make_certificate(const Server *s, const char *name) {
  char key[40], certificate[40];
  (void)snprintf(key, sizeof key, "%s.key", name);
  (void)snprintf(certificate, sizeof certificate, "%s.crt", name);
  const char *const arguments[] = {OPENSSL_PROGRAM, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                                   "-subj",
                       "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
                       NULL};
  run_program(s, arguments);
}

void server_secure(Server *s) {
  make_certificate(s, "server");
  make_certificate(s, "other");
  append(s, "data/postgresql.conf", "ssl = on\nssl_cert_file = '%s/server.crt'\nssl_key_file = '%s/server.key'\n",
         s->folder, s->folder);
  server_stop(s, SIGINT);
  server_start(s);
}
#endif

static bool answers(const Server *s) {
  char where[500];
  (void)snprintf(where, sizeof where, "host=%s port=%d dbname=postgres connect_timeout=5", s->folder, s->port);
  return PQping(where) == PQPING_OK;
}

/* After a crash it will not start while processes of the one before it are still there. */
void server_start(Server *s) {
  char data[400];
  (void)snprintf(data, sizeof data, "%s/data", s->folder);
  const char *const arguments[] = {postgres, "-D", data, NULL};
  for (int tries = 0; tries < 40; tries++) {
    s->pid = spawn(s, arguments);
    for (int i = 0; i < 3000 && waitpid(s->pid, NULL, WNOHANG) == 0; i++) {
      if (answers(s)) return;
      nap(20);
    }
    s->pid = 0;
    nap(250);
  }
  show_log(s);
  quit("start", "it does not");
}

void server_stop(Server *s, int how) {
  if (s->pid == 0) return;
  if (kill(s->pid, how) != 0 || waitpid(s->pid, NULL, 0) != s->pid) quit("stop", strerror(errno));
  s->pid = 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where) {
  (void)st;
  (void)kind;
  (void)where;
  return remove(path);
}

void server_end(Server *s) {
  server_stop(s, SIGQUIT);
  for (int i = 0; i < 50 && nftw(s->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0; i++) nap(100);
}

void server_location(const Server *s, const char *more, const char *name, char *out, size_t size) {
  (void)snprintf(out, size, "//hearth:%s@127.0.0.1:%d/postgres?%ssslmode=prefer#%s", SERVER_PASSWORD, s->port, more,
                 name);
}

PGconn *server_connect(const Server *s) {
  char where[500], port[16];
  (void)snprintf(where, sizeof where, "%s", s->folder);
  (void)snprintf(port, sizeof port, "%d", s->port);
  const char *const keywords[] = {"host", "port", "user", "dbname", NULL};
  const char *const values[] = {where, port, "hearth", "postgres", NULL};
  PGconn *c = PQconnectdbParams(keywords, values, 0);
  if (PQstatus(c) != CONNECTION_OK) quit("connect", PQerrorMessage(c));
  return c;
}

const char *server_run(const Server *s, const char *sql) {
  static char answer[2000];
  PGconn *c = server_connect(s);
  PGresult *r = PQexec(c, sql);
  if (PQresultStatus(r) != PGRES_TUPLES_OK && PQresultStatus(r) != PGRES_COMMAND_OK) quit(sql, PQerrorMessage(c));
  (void)snprintf(answer, sizeof answer, "%s", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "");
  PQclear(r);
  PQfinish(c);
  return answer;
}
