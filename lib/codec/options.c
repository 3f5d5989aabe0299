#include "options.h"

#include <string.h>

#define KNOWN_FLAGS \
  (HEARTH_CANONICAL | HEARTH_STRIP | HEARTH_TRUSTED | HEARTH_PLACEHOLDERS | HEARTH_MODULES_BY_VALUE)

hearth_status codec_options_read(lua_State *L, const hearth_codec_options *options, hearth_codec_options *out,
                                 hearth_error *err) {
  memset(out, 0, sizeof *out);
  out->size = sizeof *out;
  if (options == NULL) return HEARTH_OK;
  if (options->size > sizeof *out || options->size < sizeof options->size)
    return hearth_fail(err, HEARTH_INVALID, "hearth_codec_options.size is %zu, this library knows up to %zu",
                       options->size, sizeof *out);
  memcpy(out, options, options->size);
  if ((out->flags & ~KNOWN_FLAGS) != 0)
    return hearth_fail(err, HEARTH_INVALID, "unknown flags %#x in hearth_codec_options", out->flags & ~KNOWN_FLAGS);
  if (out->permanents != 0) {
    out->permanents = lua_absindex(L, out->permanents);
    if (out->permanents <= 0 && out->permanents > LUA_REGISTRYINDEX)
      return hearth_fail(err, HEARTH_INVALID, "the permanents are below the stack");
    if (!lua_istable(L, out->permanents))
      return hearth_fail(err, HEARTH_INVALID, "the permanents are a %s, not a table",
                         lua_typename(L, lua_type(L, out->permanents)));
  }
  return HEARTH_OK;
}
