/*
** Opening by URI: the one place that knows all backends of the library. The scheme is a backend's name.
*/
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "hearth.h"

static const hearth_backend *const backends[] = {&hearth_memory_backend, &hearth_file_backend};

#define OWN (sizeof backends / sizeof *backends)

/* The nth of the library's backends and, behind them, the others; NULL: there are fewer. */
static const hearth_backend *nth(const hearth_backend *const *others, size_t n) {
  if (n < OWN) return backends[n];
  return others != NULL ? others[n - OWN] : NULL;
}

/* "memory:, file: or sqlite:" */
static void list_schemes(const hearth_backend *const *others, char *out, size_t size) {
  size_t at = 0;
  *out = '\0';
  for (size_t i = 0; nth(others, i) != NULL && at < size; i++) {
    const char *between = i == 0 ? "" : nth(others, i + 1) != NULL ? ", " : " or ";
    at += (size_t)snprintf(out + at, size - at, "%s%s:", between, nth(others, i)->name);
  }
}

const hearth_backend *hearth_backend_for_uri(const char *uri, const hearth_backend *const *others,
                                             const char **location, hearth_error *err) {
  char schemes[256];
  const hearth_backend *backend;
  *location = NULL;
  for (size_t i = 0; (backend = nth(others, i)) != NULL; i++) {
    size_t n = strlen(backend->name);
    if (strncmp(uri, backend->name, n) != 0 || uri[n] != ':') continue;
    *location = uri + n + 1;
    if (backend != &hearth_memory_backend && **location == '\0') {
      hearth_fail(err, HEARTH_INVALID, "'%s' names no place after its colon", uri);
      return NULL;
    }
    return backend;
  }
  list_schemes(others, schemes, sizeof schemes);
  size_t n = strcspn(uri, ":"); /* what follows may be a password */
  hearth_fail(err, HEARTH_INVALID, "'%.*s%s' is no store's URI: it begins with %s", (int)(n < 100 ? n : 100), uri,
              uri[n] != '\0' ? ":..." : "", schemes);
  return NULL;
}

hearth_status hearth_open_uri(lua_State *L, const char *uri, const hearth_options *options, hearth_store **out,
                              hearth_error *err) {
  const size_t least = offsetof(hearth_options, backends) + sizeof options->backends;
  const hearth_backend *const *others = options != NULL && options->size >= least ? options->backends : NULL;
  const char *location;
  *out = NULL;
  const hearth_backend *backend = hearth_backend_for_uri(uri, others, &location, err);
  return backend != NULL ? hearth_open(L, backend, location, options, out, err) : HEARTH_INVALID;
}
