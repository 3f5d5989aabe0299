/*
** A process between a client and the test's server that forwards whole messages, and cuts every connection at a
** boundary.
*/
#ifndef HEARTH_TESTS_POSTGRES_PROXY_H
#define HEARTH_TESTS_POSTGRES_PROXY_H

#include <stdatomic.h>
#include <sys/types.h>

typedef struct ProxyShared {
  atomic_long forwarded; /* messages since the count was set to 0, both directions */
  atomic_long cut_after; /* then all connections are cut, and no more are accepted; -1: never */
  atomic_int cut;        /* it happened */
  char last;             /* type of the last message that was forwarded, or of the one that was not */
  char last_from;        /* 'F'rontend or 'B'ackend */
} ProxyShared;

typedef struct Proxy {
  int port;
  pid_t pid;
  ProxyShared *shared;
} Proxy;

/* Begins to forward to 127.0.0.1:port. */
void proxy_begin(Proxy *p, int port);

/* The next connections are cut after so many messages. */
void proxy_arm(Proxy *p, long cut_after);

void proxy_end(Proxy *p);

#endif
