/*
** Opening by URI: the one place that knows all backends.
*/
#include <string.h>

#include "error.h"
#include "hearth.h"

static const hearth_backend *const backends[] = {&hearth_memory_backend, &hearth_file_backend};

const hearth_backend *hearth_backend_for_uri(const char *uri, const char **location, hearth_error *err) {
  for (size_t i = 0; i < sizeof backends / sizeof *backends; i++) {
    size_t n = strlen(backends[i]->name);
    if (strncmp(uri, backends[i]->name, n) != 0 || uri[n] != ':') continue;
    *location = uri + n + 1;
    if (backends[i] != &hearth_memory_backend && **location == '\0') {
      hearth_fail(err, HEARTH_INVALID, "'%s' names no place after its colon", uri);
      return NULL;
    }
    return backends[i];
  }
  hearth_fail(err, HEARTH_INVALID, "'%s' is no store's URI: it is memory: or file:PATH", uri);
  return NULL;
}

hearth_status hearth_open_uri(lua_State *L, const char *uri, const hearth_options *options, hearth_store **out,
                              hearth_error *err) {
  const char *location;
  *out = NULL;
  const hearth_backend *backend = hearth_backend_for_uri(uri, &location, err);
  return backend != NULL ? hearth_open(L, backend, location, options, out, err) : HEARTH_INVALID;
}
