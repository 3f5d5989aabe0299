#include "failures.h"

#include <stddef.h>
#include <string.h>

/* A class has two characters; what is more special comes first. */
static const struct {
  const char *state;
  hearth_status status;
} table[] = {
    {"22021", HEARTH_INVALID},  /* a name that is no text in the database's encoding */
    {"22P05", HEARTH_INVALID},
    {"25006", HEARTH_READONLY}, /* a standby, or a session that may not write */
    {"28", HEARTH_INVALID},     /* who may connect, and the password */
    {"3D000", HEARTH_NOTFOUND}, /* no such database */
    {"40001", HEARTH_BUSY},     /* serialization failure, after every try */
    {"40P01", HEARTH_BUSY},     /* deadlock */
    {"42501", HEARTH_READONLY}, /* the role may not do that */
    {"53100", HEARTH_FULL},
    {"53200", HEARTH_NOMEM},
    {"53300", HEARTH_BUSY},     /* too many connections */
    {"53400", HEARTH_FULL},     /* a limit that the administrator set, e.g. of temporary files */
    {"54", HEARTH_TOOBIG},
    {"55P03", HEARTH_BUSY},     /* lock_timeout */
    {"57014", HEARTH_BUSY},     /* statement_timeout, or somebody cancelled it */
    {"57P03", HEARTH_BUSY},     /* starting up or shutting down: only ever an answer to connecting */
    {"XX001", HEARTH_DAMAGED},
    {"XX002", HEARTH_DAMAGED},
};

hearth_status postgres_status_of(const char *state) {
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (strncmp(state, table[i].state, strlen(table[i].state)) == 0) return table[i].status;
  return HEARTH_IO;
}

bool postgres_is_transient(const char *state) {
  return strcmp(state, "40001") == 0 || strcmp(state, "40P01") == 0;
}
