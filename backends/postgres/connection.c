#include "connection.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "failures.h"

uint64_t postgres_clock(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Copies a message of libpq without its line ends. */
static const char *one_line(const char *text, char *out, size_t size) {
  size_t n = 0;
  for (const char *p = text; *p != '\0' && n + 2 < size; p++) {
    if (*p == '\n' && p[1] != '\0') out[n++] = ';';
    out[n] = *p == '\n' || *p == '\t' ? ' ' : *p;
    n++;
  }
  while (n > 0 && out[n - 1] == ' ') n--;
  out[n] = '\0';
  return out;
}

static void note(void *ud, const char *message) {
  Connection *c = ud;
  char text[700], line[1200];
  if (c->warn == NULL) return;
  (void)snprintf(line, sizeof line, "%s: %s", c->location->label, one_line(message, text, sizeof text));
  c->warn(c->warn_ud, line);
}

/* ---------------------------------------------------------- connecting */

/* Whether the socket became ready before the deadline (0: none). */
static bool wait_for(PGconn *pq, bool reading, uint64_t deadline) {
  for (;;) {
    struct pollfd p = {.fd = PQsocket(pq), .events = reading ? POLLIN : POLLOUT};
    uint64_t now = postgres_clock();
    if (deadline != 0 && now >= deadline) return false;
    int answer = poll(&p, 1, deadline == 0 ? -1 : (int)(deadline - now));
    if (answer > 0) return true;
    if (answer < 0 && errno != EINTR) return true; /* libpq will say what is wrong */
  }
}

/* Finds "  28P01: " in a verbose message, and takes it and the place in the server's source out of it. */
static void take_state(char *message, char state[6]) {
  state[0] = '\0';
  for (char *p = strstr(message, ":  "); p != NULL; p = strstr(p + 1, ":  ")) {
    size_t n = 0;
    while (n < 5 && (isdigit((unsigned char)p[3 + n]) || isupper((unsigned char)p[3 + n]))) n++;
    if (n < 5 || p[8] != ':' || p[9] != ' ') continue;
    memcpy(state, p + 3, 5);
    state[5] = '\0';
    memmove(p + 3, p + 10, strlen(p + 10) + 1);
    break;
  }
  char *place = strstr(message, "\nLOCATION: ");
  if (place != NULL) *place = '\0';
}

static hearth_status not_connected(Connection *c, bool late, hearth_error *err) {
  char message[1024], line[480];
  (void)snprintf(message, sizeof message, "%s", late ? "timeout expired" : PQerrorMessage(c->pq));
  take_state(message, c->state);
  hearth_status status = c->state[0] != '\0' ? postgres_status_of(c->state) : HEARTH_IO;
  if (PQconnectionNeedsPassword(c->pq)) status = HEARTH_INVALID;
  hearth_fail(err, status, "%s: cannot connect: %s", c->location->label, one_line(message, line, sizeof line));
  postgres_disconnect(c, true);
  return status;
}

hearth_status postgres_connect(Connection *c, hearth_error *err) {
  const int seconds = c->location->connect_seconds;
  const uint64_t deadline = seconds > 0 ? postgres_clock() + (uint64_t)seconds * 1000 : 0;
  c->prepared = 0;
  c->state[0] = '\0';
  c->pq = PQconnectStartParams(c->location->keywords, c->location->values, 0);
  if (c->pq == NULL) return hearth_fail(err, HEARTH_NOMEM, "%s: out of memory", c->location->label);
  (void)PQsetNoticeProcessor(c->pq, note, c);
  if (PQstatus(c->pq) == CONNECTION_BAD) return not_connected(c, false, err);
  (void)PQsetErrorVerbosity(c->pq, PQERRORS_VERBOSE); /* with the SQLSTATE, which there is no other way to get */
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
    if (!wait_for(c->pq, state == PGRES_POLLING_READING, deadline)) return not_connected(c, true, err);
    state = PQconnectPoll(c->pq);
  }
  if (state == PGRES_POLLING_FAILED) return not_connected(c, false, err);
  (void)PQsetErrorVerbosity(c->pq, PQERRORS_DEFAULT);
  return HEARTH_OK;
}

void postgres_disconnect(Connection *c, bool ours) {
  if (c->pq == NULL) return;
  if (!ours && PQsocket(c->pq) >= 0) { /* libpq says goodbye to the server: over something else */
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing >= 0) {
      (void)dup2(nothing, PQsocket(c->pq));
      (void)close(nothing);
    }
  }
  PQfinish(c->pq);
  c->pq = NULL;
}

bool postgres_is_connected(const Connection *c) {
  return c->pq != NULL && PQstatus(c->pq) == CONNECTION_OK;
}

/* ---------------------------------------------------------- statements */

hearth_status postgres_failure(Connection *c, const PGresult *result, hearth_error *err) {
  char line[480];
  const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
  const char *text = result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
  if (text == NULL) text = PQerrorMessage(c->pq);
  (void)snprintf(c->state, sizeof c->state, "%s", state != NULL && postgres_is_connected(c) ? state : "");
  hearth_status status = c->state[0] != '\0' ? postgres_status_of(c->state) : HEARTH_IO;
  return hearth_fail(err, status, "%s: %s%s%s%s", c->location->label, one_line(text, line, sizeof line),
                     state != NULL ? " (SQLSTATE " : "", state != NULL ? state : "", state != NULL ? ")" : "");
}

/* Takes the result, or clears it and says why. */
static hearth_status accept(Connection *c, PGresult *r, PGresult **result, hearth_error *err) {
  ExecStatusType status = PQresultStatus(r);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
    if (result != NULL) *result = r;
    else PQclear(r);
    return HEARTH_OK;
  }
  hearth_status answer = postgres_failure(c, r, err);
  PQclear(r);
  return answer;
}

hearth_status postgres_command(Connection *c, const char *text, PGresult **result, hearth_error *err) {
  return accept(c, PQexec(c->pq, text), result, err);
}

static hearth_status prepare(Connection *c, Statement s, hearth_error *err) {
  char text[STATEMENT_MAX];
  if ((c->prepared & 1u << s) != 0) return HEARTH_OK;
  postgres_statement_text(s, c->schema, text);
  hearth_status status = accept(c, PQprepare(c->pq, postgres_statement_name(s), text, 0, NULL), NULL, err);
  if (status == HEARTH_OK) c->prepared |= 1u << s;
  return status;
}

hearth_status postgres_run(Connection *c, Statement s, const Params *p, PGresult **result, hearth_error *err) {
  hearth_status status = prepare(c, s, err);
  if (status != HEARTH_OK) return status;
  return accept(c, PQexecPrepared(c->pq, postgres_statement_name(s), p->count, p->values, p->lengths, p->formats, 1),
                result, err);
}

hearth_status postgres_send_rows(Connection *c, Statement s, const Params *p, hearth_error *err) {
  hearth_status status = prepare(c, s, err);
  if (status != HEARTH_OK) return status;
  if (PQsendQueryPrepared(c->pq, postgres_statement_name(s), p->count, p->values, p->lengths, p->formats, 1) != 1 ||
      PQsetSingleRowMode(c->pq) != 1)
    return postgres_failure(c, NULL, err);
  return HEARTH_OK;
}
