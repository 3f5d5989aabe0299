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

/* Stack: path, flags. */
static int encode_path(lua_State *L) {
  bridge_push_path(L, 1);
  lua_replace(L, 1);
  return encode(L);
}

int EXPORT(js_encode_path)(Bridge *b) {
  return bridge_enter(b, encode_path, false);
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

/*
** Stack: bytes, replace. Into the open store's backend; before there is one, into a new store in
** memory, which js_open takes.
*/
static int import_store(lua_State *L) {
  Bridge *b = bridge_of(L);
  const hearth_backend *backend = &hearth_memory_backend;
  hearth_backend_store *storage = b->imported;
  hearth_backend_config config = {.size = sizeof config};
  hearth_environment env;
  Buffer bytes;
  if (b->store != NULL) backend = hearth_store_backend(b->store, &storage);
  if (storage == NULL) bridge_check(L, backend->open(&config, &storage, &b->error));
  if (b->store == NULL) b->imported = storage;
  buffer_init(&bytes, &hearth_libc_allocator);
  bytes.data = (unsigned char *)(uintptr_t)luaL_checklstring(L, 1, &bytes.size); /* only read */
  bytes_environment(&env, &bytes);
  lua_pushinteger(L, bridge_check(L, hearth_import(backend, storage, &env, NULL, "import", lua_toboolean(L, 2),
                                                   &b->error)));
  return 1;
}

/* Answers the status: OK or PENDING. */
int EXPORT(js_import)(Bridge *b) {
  return bridge_enter(b, import_store, true);
}
