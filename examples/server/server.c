/*
** server SOCKET URI-TEMPLATE APP.lua [LIMIT [SECONDS]]: keeps the worlds of many users.
**
** A request is the line "USER ID TEXT"; the user's world gets handle(TEXT) called, and the answer is "ID ok TEXT" when
** what that changed is durable. "ID error TEXT": the app raised; nothing is changed. "ID unavailable TEXT": the
** database cannot be had; the client asks the same again, with the same ID, until it gets another answer, also when
** the connection or this program broke: a request that was committed is never run twice, as long as it is the user's
** last one. So a user's requests come one after the other, and neighbouring ones have different IDs.
**
** One thread. After a failure that may pass the request is tried again for SECONDS (30), while others go on; but it
** waits for the database's answers, and for one that drops packets each try stops everybody for its connect_timeout.
*/
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "pool.h"

#define CLIENTS 256
#define FIRST_DELAY 20 /* milliseconds, doubled with each try */
#define LONGEST_DELAY 1000

static int wake[2];

static void stop(int number) {
  (void)number;
  int before = errno;
  (void)!write(wake[1], "", 1);
  errno = before;
}

static int fail(const char *what) {
  (void)fprintf(stderr, "server: %s: %s\n", what, strerror(errno));
  return -1;
}

static long long now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ----------------------------------------------------------- the requests */

/* Another connection's request for the same user may have been committed: nothing may come before its repetition. */
static bool must_wait(const Client *clients, const Client *c) {
  for (const Client *other = clients; !c->tried && other < clients + CLIENTS; other++)
    if (other->fd >= 0 && other->tried && strcmp(other->request.user, c->request.user) == 0) return true;
  return false;
}

static void try_request(Pool *pool, const Client *clients, Client *c) {
  char answer[ANSWER_SIZE];
  const Request *r = &c->request;
  bool done = false;
  if (must_wait(clients, c))
    (void)snprintf(answer, sizeof answer, "%s unavailable another request of this user is not done", r->id);
  else {
    c->tried = true;
    done = pool_ask(pool, r, answer);
  }
  long long t = now();
  if (done || t >= c->give_up_at) {
    client_answer(c, answer);
    return;
  }
  c->try_at = t + c->delay;
  c->delay = c->delay * 2 < LONGEST_DELAY ? c->delay * 2 : LONGEST_DELAY;
}

static void serve(Pool *pool, Client *clients, long long patience) {
  for (Client *c = clients; c < clients + CLIENTS; c++) {
    if (client_next(c)) {
      c->try_at = now();
      c->give_up_at = c->try_at + patience;
      c->delay = FIRST_DELAY;
    }
    if (c->fd >= 0 && c->line_size > 0 && now() >= c->try_at) try_request(pool, clients, c);
  }
}

/* ------------------------------------------------------------ the sockets */

static void welcome(int listener, Client *clients) {
  Client *c = clients;
  while (c < clients + CLIENTS && c->fd >= 0) c++;
  int fd = c < clients + CLIENTS ? accept(listener, NULL, NULL) : -1;
  if (fd < 0) return;
  if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    (void)close(fd);
  else
    client_begin(c, fd);
}

/* Milliseconds until the next request is to be tried; -1: none is waiting. */
static int next_try(const Client *clients) {
  long long first = -1, t = now();
  for (const Client *c = clients; c < clients + CLIENTS; c++) {
    if (c->fd < 0 || c->line_size == 0) continue;
    long long wait = c->try_at > t ? c->try_at - t : 0;
    if (first < 0 || wait < first) first = wait;
  }
  return (int)first;
}

static void run(Pool *pool, int listener, Client *clients, long long patience) {
  struct pollfd fds[CLIENTS + 2];
  for (;;) {
    bool room = false;
    for (int i = 0; i < CLIENTS; i++) {
      room = room || clients[i].fd < 0;
      fds[i] = (struct pollfd){.fd = clients[i].fd, .events = client_events(&clients[i])}; /* -1 is left out */
    }
    fds[CLIENTS] = (struct pollfd){.fd = room ? listener : -1, .events = POLLIN};
    fds[CLIENTS + 1] = (struct pollfd){.fd = wake[0], .events = POLLIN};
    if (poll(fds, CLIENTS + 2, next_try(clients)) < 0) continue; /* a signal */
    if (fds[CLIENTS + 1].revents != 0) return;
    for (int i = 0; i < CLIENTS; i++)
      if (fds[i].fd >= 0 && fds[i].revents != 0) client_move(&clients[i], fds[i].revents);
    if (fds[CLIENTS].revents != 0) welcome(listener, clients);
    serve(pool, clients, patience);
  }
}

/* A socket that a killed server left behind gives way; one where somebody listens does not. */
static int listen_at(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  const struct sockaddr *a = (const struct sockaddr *)&address;
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return fail(path);
  }
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0) return fail("socket");
  if (connect(fd, a, sizeof address) == 0) {
    errno = EADDRINUSE;
    return fail(path);
  }
  if (errno == ECONNREFUSED) (void)unlink(path);
  if (bind(fd, a, sizeof address) != 0 || listen(fd, 64) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return fail(path);
  return fd;
}

static bool set_signals(void) {
  const struct sigaction end = {.sa_handler = stop}, ignore = {.sa_handler = SIG_IGN};
  return pipe(wake) == 0 && fcntl(wake[1], F_SETFL, O_NONBLOCK) == 0 && sigaction(SIGTERM, &end, NULL) == 0 &&
         sigaction(SIGINT, &end, NULL) == 0 && sigaction(SIGPIPE, &ignore, NULL) == 0;
}

/* The argument as a number of 0 to a million; -1: it is none. */
static int number(const char *text) {
  char *end;
  long n = strtol(text, &end, 10);
  return end != text && *end == 0 && n >= 0 && n <= 1000000 ? (int)n : -1;
}

int main(int argc, char **argv) {
  static Client clients[CLIENTS];
  Pool pool;
  int limit = argc > 4 ? number(argv[4]) : 100, seconds = argc > 5 ? number(argv[5]) : 30;
  if (argc < 4 || argc > 6 || strstr(argv[2], "{user}") == NULL || limit < 1 || seconds < 0) {
    (void)fprintf(stderr, "usage: server SOCKET URI-WITH-{user} APP.lua [LIMIT [SECONDS]]\n");
    return EXIT_FAILURE;
  }
  for (int i = 0; i < CLIENTS; i++) clients[i].fd = -1;
  int listener = set_signals() ? listen_at(argv[1]) : fail("signals");
  if (listener < 0) return EXIT_FAILURE;
  if (!pool_begin(&pool, argv[2], argv[3], (size_t)limit)) {
    (void)fail("the pool");
    return EXIT_FAILURE;
  }
  run(&pool, listener, clients, seconds * 1000LL);
  (void)close(listener);
  (void)unlink(argv[1]);
  for (int i = 0; i < CLIENTS; i++)
    if (clients[i].fd >= 0) client_end(&clients[i]);
  pool_end(&pool);
  (void)fprintf(stderr, "server: %llu requests, %llu answered from the store, %llu openings, %llu closed to make room,"
                " %llu failures\n", (unsigned long long)pool.requests, (unsigned long long)pool.from_store,
                (unsigned long long)pool.openings, (unsigned long long)pool.made_room, (unsigned long long)pool.failed);
  return EXIT_SUCCESS;
}
