#include "proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_PAIRS 16
#define BUFFER ((size_t)1 << 20)

typedef struct Direction {
  int from, to;
  bool started; /* the startup message, which has no type, is through */
  unsigned char *bytes;
  size_t size;
} Direction;

typedef struct Pair {
  bool used;
  Direction ways[2]; /* of the frontend, of the backend */
} Pair;

typedef struct Forwarder {
  ProxyShared *shared;
  int listening, port;
  Pair pairs[MOST_PAIRS];
} Forwarder;

static void quit(const char *what) {
  (void)fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
  exit(96);
}

static struct sockaddr_in loopback(int port) {
  return (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                              .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void drop(Pair *pair) {
  if (!pair->used) return;
  const struct linger now = {1, 0}; /* a reset, as when a machine is gone */
  (void)setsockopt(pair->ways[0].from, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  (void)close(pair->ways[0].from);
  (void)close(pair->ways[1].from);
  free(pair->ways[0].bytes);
  free(pair->ways[1].bytes);
  pair->used = false;
}

static void take_connection(Forwarder *f) {
  int client = accept(f->listening, NULL, NULL), one = 1;
  if (client < 0) return;
  Pair *pair = NULL;
  for (int i = 0; i < MOST_PAIRS && pair == NULL; i++)
    if (!f->pairs[i].used) pair = &f->pairs[i];
  struct sockaddr_in a = loopback(f->port);
  int server = socket(AF_INET, SOCK_STREAM, 0);
  if (pair == NULL || atomic_load(&f->shared->cut) || connect(server, (struct sockaddr *)&a, sizeof a) != 0) {
    (void)close(client);
    (void)close(server);
    return;
  }
  (void)setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  (void)setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  *pair = (Pair){.used = true};
  pair->ways[0] = (Direction){.from = client, .to = server};
  pair->ways[1] = (Direction){.from = server, .to = client, .started = true};
  for (int i = 0; i < 2; i++)
    if ((pair->ways[i].bytes = malloc(BUFFER)) == NULL) quit("memory");
}

static bool write_all(int to, const unsigned char *bytes, size_t size) {
  while (size > 0) {
    ssize_t n = send(to, bytes, size, MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes += n;
    size -= (size_t)n;
  }
  return true;
}

/* Bytes of the first message in the buffer; 0: it is not whole yet. */
static size_t message_size(const Direction *d) {
  size_t head = d->started ? 1 : 0;
  if (d->size < head + 4) return 0;
  const unsigned char *p = d->bytes + head;
  size_t size = head + ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]);
  if (size > BUFFER) quit("a message larger than the buffer");
  return d->size >= size ? size : 0;
}

static bool cut_now(Forwarder *f, const Direction *d, bool frontend) {
  long after = atomic_load(&f->shared->cut_after);
  if (after < 0 || atomic_load(&f->shared->forwarded) < after) return false;
  f->shared->last = d->started ? (char)d->bytes[0] : '0';
  f->shared->last_from = frontend ? 'F' : 'B';
  atomic_store(&f->shared->cut, 1);
  for (int i = 0; i < MOST_PAIRS; i++) drop(&f->pairs[i]);
  return true;
}

static bool forward(Forwarder *f, Pair *pair, int way) {
  Direction *d = &pair->ways[way];
  ssize_t n = recv(d->from, d->bytes + d->size, BUFFER - d->size, 0);
  if (n <= 0) return false;
  d->size += (size_t)n;
  for (size_t size; (size = message_size(d)) > 0;) {
    if (cut_now(f, d, way == 0)) return true;
    if (!write_all(d->to, d->bytes, size)) return false;
    atomic_fetch_add(&f->shared->forwarded, 1);
    memmove(d->bytes, d->bytes + size, d->size - size);
    d->size -= size;
    d->started = true;
  }
  return true;
}

static void run(Forwarder *f) {
  for (;;) {
    struct pollfd polls[1 + 2 * MOST_PAIRS];
    polls[0] = (struct pollfd){.fd = f->listening, .events = POLLIN};
    for (int i = 0; i < 2 * MOST_PAIRS; i++) {
      const Pair *pair = &f->pairs[i / 2];
      polls[i + 1] = (struct pollfd){.fd = pair->used ? pair->ways[i % 2].from : -1, .events = POLLIN};
    }
    if (poll(polls, 1 + 2 * MOST_PAIRS, -1) < 0 && errno != EINTR) quit("poll");
    for (int i = 0; i < 2 * MOST_PAIRS; i++) {
      Pair *pair = &f->pairs[i / 2];
      if (!pair->used || polls[i + 1].fd < 0 || polls[i + 1].revents == 0) continue;
      if (!forward(f, pair, i % 2)) drop(pair);
    }
    if (polls[0].revents != 0) take_connection(f);
  }
}

void proxy_begin(Proxy *p, int port) {
  struct sockaddr_in a = loopback(0);
  socklen_t size = sizeof a;
  int listening = socket(AF_INET, SOCK_STREAM, 0);
  if (listening < 0 || bind(listening, (struct sockaddr *)&a, size) != 0 || listen(listening, 16) != 0 ||
      getsockname(listening, (struct sockaddr *)&a, &size) != 0)
    quit("listen");
  p->port = ntohs(a.sin_port);
  p->shared = mmap(NULL, sizeof *p->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (p->shared == MAP_FAILED) quit("mmap");
  atomic_store(&p->shared->cut_after, -1);
  p->pid = fork();
  if (p->pid < 0) quit("fork");
  if (p->pid == 0) {
    static Forwarder f;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    f = (Forwarder){.shared = p->shared, .listening = listening, .port = port};
    run(&f);
  }
  (void)close(listening);
}

void proxy_arm(Proxy *p, long cut_after) {
  atomic_store(&p->shared->forwarded, 0);
  atomic_store(&p->shared->cut_after, cut_after);
  atomic_store(&p->shared->cut, 0);
}

void proxy_end(Proxy *p) {
  (void)kill(p->pid, SIGKILL);
  (void)waitpid(p->pid, NULL, 0);
  (void)munmap(p->shared, sizeof *p->shared);
}
