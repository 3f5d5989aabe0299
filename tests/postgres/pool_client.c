#include "pool_client.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

typedef struct Line {
  const char *path;
  int fd; /* -1: there is no connection */
  Board *board;
} Line;

static void nap(long milliseconds) {
  const struct timespec t = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  (void)nanosleep(&t, NULL);
}

void pool_user_name(char name[32], int k, int j) {
  (void)snprintf(name, 32, "user-%d-%d", k, j);
}

static void hang_up(Line *l) {
  (void)close(l->fd);
  l->fd = -1;
  l->board->broken++;
}

static int dial(const Line *l) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", l->path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) return fd;
  (void)close(fd);
  return -1;
}

/* One question, one line back. 0: the connection broke. */
static int exchange(Line *l, const char *question, char *answer, size_t size) {
  size_t n = 0, length = strlen(question);
  if (send(l->fd, question, length, MSG_NOSIGNAL) != (ssize_t)length) return 0;
  while (n + 1 < size && (n == 0 || answer[n - 1] != '\n')) {
    ssize_t got = recv(l->fd, answer + n, size - 1 - n, 0);
    if (got <= 0) return 0;
    n += (size_t)got;
  }
  answer[n > 0 ? n - 1 : 0] = 0;
  return 1;
}

/* Asks the same until it is done; an answer that cannot be ends the process. */
static uint64_t ask(Line *l, const char *user, const char *id, const char *text) {
  char question[200], answer[5000], name[64], what[32];
  uint64_t value;
  (void)snprintf(question, sizeof question, "%s %s %s\n", user, id, text);
  for (;;) {
    if (l->fd < 0) l->fd = dial(l);
    if (l->fd < 0) {
      nap(20);
      continue;
    }
    if (!exchange(l, question, answer, sizeof answer)) {
      hang_up(l);
      continue;
    }
    int fields = sscanf(answer, "%63s %31s %" SCNu64, name, what, &value);
    if (fields == 3 && strcmp(name, id) == 0 && strcmp(what, "ok") == 0) return value;
    if (fields >= 2 && strcmp(name, id) == 0 && strcmp(what, "unavailable") == 0) {
      l->board->unavailable++;
      nap(50);
      continue;
    }
    (void)fprintf(stderr, "%s: %s: %s\n", user, text, answer);
    l->board->errors++;
    _exit(3);
  }
}

void pool_client_live(const char *path, int k, Board *board) {
  Line l = {path, -1, board};
  uint32_t random = (uint32_t)k + 1;
  uint64_t n = 1;
  for (int j = 0;; j = (j + 1) % USERS) { /* each its turn: the worst for a pool with less room */
    char user[32], id[64];
    random = random * 1664525u + 1013904223u;
    pool_user_name(user, k, j);
    for (uint32_t burst = 1 + (random >> 28) % 6; burst > 0; burst--, n++) {
      if (board->stop) _exit(0);
      (void)snprintf(id, sizeof id, "%d-%" PRIu64, k, n);
      uint64_t value = ask(&l, user, id, "add 1");
      if (value != board->acknowledged[j] + 1) board->wrong++;
      board->acknowledged[j]++;
      board->all++;
    }
  }
}

uint64_t pool_client_read(const char *path, const char *user, Board *board) {
  Line l = {path, -1, board};
  uint64_t value = ask(&l, user, "verdict", "get");
  (void)close(l.fd);
  return value;
}
