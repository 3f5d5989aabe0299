/*
** A PostgreSQL server for a test: in a folder of its own, on a port of its own, as somebody without privileges, and
** ended by its own process number. Clusters of the machine are neither used nor touched.
*/
#ifndef HEARTH_TESTS_POSTGRES_SERVER_H
#define HEARTH_TESTS_POSTGRES_SERVER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define SERVER_PASSWORD "a-secret-that-no-message-shows"

typedef struct Server {
  char folder[300]; /* "data" and the socket are in it */
  int port;         /* on 127.0.0.1 */
  pid_t pid;        /* of the postmaster; 0: it does not run */
} Server;

/* Makes a cluster and starts it. `settings`: lines for postgresql.conf, or NULL. Whatever fails ends the program. */
void server_begin(Server *s, const char *settings);

/* SIGINT: at once, but clean; SIGQUIT, SIGKILL: as in a crash. Waits until it is gone, its children included. */
void server_stop(Server *s, int signal);

/* Starts it again, on the same port, and waits until it accepts connections. */
void server_start(Server *s);

/* Stops it and removes its folder. */
void server_end(Server *s);

/* Restarts it with TLS: its certificate, for "localhost", is server.crt in the folder; other.crt is another one. */
void server_secure(Server *s);

/* Makes and starts a standby that follows another one. */
void server_follow(Server *s, const Server *primary);

/*
** The location of a store: over TCP with a password as the role `hearth`, a superuser. `more`: parameters ("a=b&"),
** or "".
*/
void server_location(const Server *s, const char *more, const char *name, char *out, size_t size);

/* A connection for the test itself, as the superuser, over the socket. */
PGconn *server_connect(const Server *s);

/* Runs SQL over a connection of its own; the first column of the first row, or "", in a static buffer. */
const char *server_run(const Server *s, const char *sql);

#endif
