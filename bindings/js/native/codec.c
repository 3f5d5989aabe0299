/*
** The codec, and whole stores as bytes. What JavaScript gets here is not a message: the bytes
** stand in `out` as they are.
*/
#include <lauxlib.h>

#include "bytes.h"
#include "error.h"
#include "export.h"
#include "transfer.h"

/* The string on the top, as it is. */
static int answer_bytes(lua_State *L) {
  Bridge *b = bridge_of(L);
  size_t size;
  const char *bytes = lua_tolstring(L, -1, &size);
  buffer_clear(&b->out);
  buffer_put(&b->out, bytes, size);
  return b->out.failed ? luaL_error(L, "not enough memory") : 0;
}

/* Stack: value, flags of HEARTH_CANONICAL and so on. */
static int encode(lua_State *L) {
  Bridge *b = bridge_of(L);
  hearth_codec_options o = {.size = sizeof o, .flags = (unsigned)lua_tointeger(L, 2)};
  if (b->sealed) o.seal = &bridge_seal;
  bridge_check(L, hearth_encode(L, 1, &o, &b->error));
  return answer_bytes(L);
}

int EXPORT(js_encode)(Bridge *b) {
  return bridge_enter(b, encode, false);
}

/* Stack: bytes, flags of HEARTH_TRUSTED and so on. */
static int decode(lua_State *L) {
  Bridge *b = bridge_of(L);
  size_t size;
  const char *bytes = luaL_checklstring(L, 1, &size);
  hearth_codec_options o = {.size = sizeof o, .flags = (unsigned)lua_tointeger(L, 2)};
  if (b->sealed) o.seal = &bridge_seal;
  bridge_check(L, hearth_decode(L, bytes, size, &o, &b->error));
  return 1;
}

int EXPORT(js_decode)(Bridge *b) {
  return bridge_enter(b, decode, true);
}

/* ----------------------------------------------------------- whole stores */

int EXPORT(js_export)(Bridge *b) {
  hearth_backend_store *storage;
  hearth_environment env;
  hearth_ok(&b->error);
  buffer_clear(&b->out);
  if (b->store == NULL)
    return bridge_answer(b, hearth_fail(&b->error, HEARTH_CLOSED, "the store is closed"));
  const hearth_backend *backend = hearth_store_backend(b->store, &storage);
  bytes_environment(&env, &b->out);
  hearth_status status = hearth_export(backend, storage, &env, NULL, "export", &b->error);
  return status < 0 ? bridge_answer(b, status) : HEARTH_OK;
}

/* Stack: URI, bytes, replace. The store is not open. */
static int import_store(lua_State *L) {
  Bridge *b = bridge_of(L);
  const char *location;
  Buffer bytes;
  hearth_environment env;
  hearth_backend_store *storage;
  size_t size;
  const hearth_backend *backend = bridge_backend(luaL_checkstring(L, 1), &location, &b->error);
  if (backend == NULL) return bridge_fail(L);
  hearth_backend_config config = {.size = sizeof config, .location = location};
  bridge_check(L, backend->open(&config, &storage, &b->error));
  buffer_init(&bytes, &hearth_libc_allocator);
  bytes.data = (unsigned char *)(uintptr_t)luaL_checklstring(L, 2, &size); /* only read */
  bytes.size = size;
  bytes_environment(&env, &bytes);
  hearth_status status = hearth_import(backend, storage, &env, NULL, "import", lua_toboolean(L, 3), &b->error);
  hearth_error why = b->error;
  hearth_status closed = backend->close(storage, &b->error);
  if (status < 0) b->error = why;
  bridge_check(L, status < 0 ? status : closed);
  return 0;
}

int EXPORT(js_import)(Bridge *b) {
  return bridge_enter(b, import_store, false);
}
