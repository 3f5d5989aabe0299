/* Clients of the example's server, each a process: they count, and ask again until they know. */
#ifndef HEARTH_TESTS_POOL_CLIENT_H
#define HEARTH_TESTS_POOL_CLIENT_H

#include <stdint.h>
#include <sys/types.h>

#define CLIENTS 4
#define USERS 10 /* of each client; nobody else asks for them */

/* Shared with the client, which writes it. */
typedef struct Board {
  volatile int stop;                                          /* written by the test: answer what is open, and end */
  volatile uint64_t acknowledged[USERS];                      /* increments of each user */
  volatile uint64_t all, wrong, unavailable, broken, errors; /* broken: connections */
} Board;

/* "USER" of client k, number j. */
void pool_user_name(char name[32], int k, int j);

/* Increments counters until board->stop; ends with _exit(0). */
void pool_client_live(const char *socket_path, int k, Board *board);

/* The user's counter, read over a connection of its own. */
uint64_t pool_client_read(const char *socket_path, const char *user, Board *board);

#endif
