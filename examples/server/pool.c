#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool pool_begin(Pool *p, const char *template, const char *app, size_t limit) {
  *p = (Pool){.template = template, .app = app, .limit = limit, .sessions = calloc(limit, sizeof(Session))};
  return p->sessions != NULL;
}

/* The user's session, or a place for it: a free one, else that of the session that was used least recently. */
static Session *find(Pool *p, const char *user) {
  Session *best = &p->sessions[0];
  for (size_t i = 0; i < p->limit; i++) {
    Session *s = &p->sessions[i];
    if (s->L != NULL && strcmp(s->user, user) == 0) return s;
    if (best->L != NULL && (s->L == NULL || s->used_at < best->used_at)) best = s;
  }
  return best;
}

static hearth_status open_for(Pool *p, Session *s, const char *user, hearth_error *err) {
  char uri[2000];
  const char *gap = strstr(p->template, "{user}");
  if (s->L != NULL) {
    session_close(s);
    p->made_room++;
  }
  int size = snprintf(uri, sizeof uri, "%.*s%s%s", (int)(gap - p->template), p->template, user, gap + strlen("{user}"));
  if (size >= (int)sizeof uri) {
    (void)snprintf(err->message, sizeof err->message, "the URI is too long");
    return HEARTH_INVALID;
  }
  p->openings++;
  return session_open(s, user, uri, p->app, err);
}

/* An answer is one line, whatever the reason is. */
static void tell(char answer[ANSWER_SIZE], const Request *r, const char *what, const char *reason) {
  (void)snprintf(answer, ANSWER_SIZE, "%s %s %s", r->id, what, reason);
  for (char *c = answer; *c != 0; c++)
    if ((unsigned char)*c < ' ') *c = ' ';
}

/* It may pass: the database is down or starting, has not noticed yet that an earlier session is gone, is full, ... */
static bool may_pass(hearth_status status) {
  return status == HEARTH_IO || status == HEARTH_DEAD || status == HEARTH_BUSY || status == HEARTH_FULL ||
         status == HEARTH_READONLY;
}

bool pool_ask(Pool *p, const Request *r, char answer[ANSWER_SIZE]) {
  hearth_error err;
  bool again;
  Session *s = find(p, r->user);
  if (s->L == NULL || strcmp(s->user, r->user) != 0) {
    hearth_status opened = open_for(p, s, r->user, &err);
    if (opened < 0) {
      p->failed++;
      tell(answer, r, "unavailable", err.message);
      return !may_pass(opened);
    }
  }
  s->used_at = ++p->clock;
  hearth_status status = session_ask(s, r, answer, &again, &err);
  if (status == HEARTH_OK || status == HEARTH_RAISED) {
    p->requests++;
    p->from_store += again;
    if (status == HEARTH_RAISED) tell(answer, r, "error", err.message);
    return true;
  }
  session_close(s); /* a new one begins with what is committed, whatever this one was in the middle of */
  p->failed++;
  tell(answer, r, may_pass(status) ? "unavailable" : "error", err.message);
  return !may_pass(status);
}

void pool_end(Pool *p) {
  for (size_t i = 0; i < p->limit; i++)
    if (p->sessions[i].L != NULL) session_close(&p->sessions[i]);
  free(p->sessions);
}
