#include "location.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "error.h"

#define CONNECT_SECONDS 10

/* What libpq leaves to chance: a network that is gone should be noticed within a minute. */
static const struct {
  const char *keyword, *value, *variable; /* the environment variable that says otherwise */
} defaults[] = {
    {"connect_timeout", "10", "PGCONNECT_TIMEOUT"},
    {"keepalives_idle", "30", NULL},
    {"keepalives_interval", "10", NULL},
    {"keepalives_count", "3", NULL},
    {"tcp_user_timeout", "60000", NULL},
    {"fallback_application_name", "hearth", NULL},
};

static hearth_status wrong_name(const char *name, hearth_error *err) {
  size_t size = strlen(name);
  if (size == 0)
    return hearth_fail(err, HEARTH_INVALID, "a PostgreSQL location ends in #NAME, the store's name in the database");
  if (size > LOCATION_MAX_NAME)
    return hearth_fail(err, HEARTH_INVALID, "the store's name has %zu bytes, the limit is %d", size, LOCATION_MAX_NAME);
  for (const char *p = name; *p != '\0'; p++)
    if ((unsigned char)*p < 0x20 || *p == 0x7f)
      return hearth_fail(err, HEARTH_INVALID, "the store's name has a control character in it");
  return HEARTH_OK;
}

/* libpq quotes what it does not understand, which may be a password: the message ends before a quote then. */
static hearth_status not_understood(const char *uri, char *reason, hearth_error *err) {
  char *quote = reason != NULL ? strchr(reason, '"') : NULL;
  const char *user = strstr(uri, "://"), *at = strchr(uri, '@');
  const char *colon = user != NULL ? strchr(user + 3, ':') : NULL;
  bool secret = strchr(uri, '%') != NULL || strstr(uri, "password") != NULL;
  if (at != NULL && colon != NULL && colon < at) secret = true;
  if (quote != NULL && secret) *quote = '\0';
  if (reason != NULL && reason[0] != '\0' && reason[strlen(reason) - 1] == '\n') reason[strlen(reason) - 1] = '\0';
  hearth_fail(err, HEARTH_INVALID, "not a PostgreSQL location (//USER@HOST:PORT/DATABASE?PARAMETERS#NAME): %s",
              reason != NULL ? reason : "out of memory");
  PQfreemem(reason);
  return HEARTH_INVALID;
}

static PQconninfoOption *option(const Location *l, const char *keyword) {
  for (PQconninfoOption *o = l->options; o->keyword != NULL; o++)
    if (strcmp(o->keyword, keyword) == 0) return o;
  return NULL;
}

static const char *given(const Location *l, const char *keyword) {
  const PQconninfoOption *o = option(l, keyword);
  return o != NULL && o->val != NULL && o->val[0] != '\0' ? o->val : NULL;
}

static void set(Location *l, size_t *count, const char *keyword, const char *value) {
  if (*count + 1 >= LOCATION_MAX_SETTINGS) return;
  l->keywords[*count] = keyword;
  l->values[(*count)++] = value;
}

/* A service file says what it likes: it is read later, and would lose against what is set here. */
static void set_defaults(Location *l, size_t *count, bool writes) {
  const char *host = given(l, "host");
  if (writes && host != NULL && strchr(host, ',') != NULL && given(l, "target_session_attrs") == NULL)
    set(l, count, "target_session_attrs", "read-write");
  if (given(l, "service") != NULL || getenv("PGSERVICE") != NULL) return;
  for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++) {
    if (given(l, defaults[i].keyword) != NULL) continue;
    if (defaults[i].variable != NULL && getenv(defaults[i].variable) != NULL) continue;
    set(l, count, defaults[i].keyword, defaults[i].value);
  }
}

static void collect(Location *l, bool writes) {
  size_t count = 0;
  for (PQconninfoOption *o = l->options; o->keyword != NULL; o++)
    if (o->val != NULL && strcmp(o->keyword, "client_encoding") != 0) set(l, &count, o->keyword, o->val);
  set_defaults(l, &count, writes);
  set(l, &count, "client_encoding", "UTF8"); /* names of stores are compared as bytes */
  l->keywords[count] = l->values[count] = NULL;
}

static int connect_seconds(const Location *l) {
  const char *text = given(l, "connect_timeout"), *hosts = given(l, "host");
  if (text == NULL) text = getenv("PGCONNECT_TIMEOUT");
  long seconds = text != NULL ? strtol(text, NULL, 10) : CONNECT_SECONDS;
  if (seconds <= 0) return 0; /* libpq's meaning: for ever */
  if (seconds > 3600) seconds = 3600;
  int count = 1;
  for (const char *p = hosts; p != NULL && *p != '\0' && count < 100; p++) count += *p == ',';
  return (int)seconds * count;
}

/* What libpq takes for a host, a port or a database may be the rest of a password with a / # or @ in it. */
static bool is_misread(const Location *l) {
  const char *host = given(l, "host"), *port = given(l, "port"), *database = given(l, "dbname");
  return (port != NULL && port[strspn(port, "0123456789,")] != '\0') || (host != NULL && strchr(host, '@') != NULL) ||
         (database != NULL && strchr(database, '@') != NULL);
}

hearth_status postgres_location_parse(Location *l, const char *text, bool writes, const hearth_allocator *allocator,
                                      hearth_error *err) {
  memset(l, 0, sizeof *l);
  const char *mark = text != NULL ? strrchr(text, '#') : NULL;
  hearth_status status = wrong_name(mark != NULL ? mark + 1 : "", err);
  if (status != HEARTH_OK) return status;
  (void)snprintf(l->name, sizeof l->name, "%s", mark + 1);
  size_t length = (size_t)(mark - text), size = length + sizeof "postgresql:";
  char *uri = hearth_realloc(allocator, NULL, 0, size), *reason = NULL;
  if (uri == NULL) return hearth_fail(err, HEARTH_NOMEM, "out of memory");
  (void)snprintf(uri, size, "postgresql:%.*s", (int)length, text);
  if (strncmp(uri, "postgresql://", 13) != 0)
    status = hearth_fail(err, HEARTH_INVALID, "a PostgreSQL location begins with //");
  else if ((l->options = PQconninfoParse(uri, &reason)) == NULL)
    status = not_understood(uri, reason, err);
  memset(uri, 0, size);
  hearth_free(allocator, uri, size);
  if (status != HEARTH_OK) return status;
  if (is_misread(l))
    return hearth_fail(err, HEARTH_INVALID, "not a PostgreSQL location (//USER@HOST:PORT/DATABASE?PARAMETERS#NAME):"
                       " in a password / is written %%2F, # %%23 and @ %%40");
  collect(l, writes);
  l->connect_seconds = connect_seconds(l);
  const char *host = given(l, "host"), *database = given(l, "dbname");
  (void)snprintf(l->label, sizeof l->label, "postgresql://%.80s/%.80s#%s", host != NULL ? host : "",
                 database != NULL ? database : "", l->name);
  return HEARTH_OK;
}

void postgres_location_free(Location *l) {
  if (l->options != NULL) PQconninfoFree(l->options);
  l->options = NULL;
}
