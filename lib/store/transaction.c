/*
** The public commit, rollback, transaction, compact, refresh and stat.
*/
#include <lauxlib.h>

#include "external.h"
#include "pending.h"
#include "protect.h"
#include "store.h"

static hearth_status outside(hearth_store *S, const char *what, hearth_error *err) {
  hearth_status status = store_enter(S, err);
  if (status == HEARTH_OK && S->in_transaction)
    status = hearth_fail(err, HEARTH_BUSY, "%s inside a transaction", what);
  return status;
}

hearth_status hearth_commit(lua_State *L, hearth_store *S, hearth_durability durability, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  hearth_status status = outside(S, "a commit", err);
  return status == HEARTH_OK ? store_commit(L, S, durability, err) : status;
}

/* To what would a rollback go, if what is pending failed after it? */
static hearth_status check_complete(hearth_store *S, hearth_error *err) {
  if (S->oldest == NULL) return HEARTH_OK;
  hearth_status status = pending_poll(S, err);
  if (status < 0) return status;
  if (S->oldest != NULL) return hearth_fail(err, HEARTH_BUSY, "a commit is pending; roll back when it is complete");
  return hearth_ok(err);
}

hearth_status hearth_rollback(lua_State *L, hearth_store *S, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  hearth_status status = outside(S, "a rollback", err);
  if (status == HEARTH_OK && !S->torn) status = check_complete(S, err);
  return status == HEARTH_OK ? store_load(L, S, err) : status;
}

hearth_status hearth_poll(lua_State *L, hearth_store *S, hearth_error *err) {
  hearth_error own;
  (void)L;
  if (err == NULL) err = &own;
  hearth_status status = outside(S, "a poll", err);
  if (status == HEARTH_OK) status = store_check_whole(S, err); /* a rollback goes to what may be pending */
  return status == HEARTH_OK ? pending_poll(S, err) : status;
}

/* f raised; its error value is on the top. */
static hearth_status raised(lua_State *L, hearth_store *S, hearth_error *err) {
  hearth_error failed;
  hearth_status status = store_load(L, S, &failed);
  if (status != HEARTH_OK) {
    hearth_fail(err, status, "the transaction raised, and rolling it back failed: %s", failed.message);
    lua_pop(L, 1);
    return status;
  }
  return hearth_fail(err, HEARTH_RAISED, "%s",
                     lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : luaL_typename(L, -1));
}

/*
** The commit of what f did failed. The start may be pending: it is gone back to first, while the backend still shows
** it; if an earlier commit's failure was the reason, that is told only then, and the start's changes are dirty again.
*/
static hearth_status undone(lua_State *L, hearth_store *S, hearth_status status, hearth_error *err) {
  hearth_error other;
  /* A dead store's graph stays as it is, to be saved elsewhere. */
  if (store_load(L, S, &other) != HEARTH_OK) return status;
  if (status != HEARTH_BUSY || S->oldest == NULL) return status;
  hearth_status earlier = pending_poll(S, &other);
  if (earlier >= 0) return status;
  *err = other;
  return earlier;
}

hearth_status hearth_transaction(lua_State *L, hearth_store *S, int nargs, int nresults, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  int base = lua_gettop(L) - nargs - 1;
  hearth_status status = outside(S, "a transaction", err);
  if (status == HEARTH_OK) status = store_commit(L, S, HEARTH_DEFAULT_DURABILITY, err);
  if (status < 0) {
    lua_settop(L, base);
    return status;
  }
  S->in_transaction = true;
  int result = lua_pcall(L, nargs, nresults, 0);
  S->in_transaction = false;
  if (result != LUA_OK) return raised(L, S, err);
  status = store_commit_unasked(L, S, HEARTH_DEFAULT_DURABILITY, err);
  if (status < 0) {
    lua_settop(L, base);
    status = undone(L, S, status, err);
  }
  return status;
}

hearth_status hearth_compact(lua_State *L, hearth_store *S, unsigned keep, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  hearth_status status = outside(S, "a compaction", err);
  if (status != HEARTH_OK) return status;
  if (S->readonly) return store_fail_readonly(S, err);
  lua_gc(L, LUA_GCCOLLECT); /* so that only handles count that are alive */
  status = outside(S, "a compaction", err); /* a finalizer may have closed the store */
  if (status != HEARTH_OK) return status;
  hearth_status committed = store_commit_collecting(L, S, err);
  if (committed < 0) return committed;
  status = S->backend->compact(S->storage, keep, err);
  if (status < 0) externals_unread(S);
  if (status == HEARTH_OK) status = committed;
  if (status >= 0) err->code = status;
  return status;
}

hearth_status hearth_refresh(lua_State *L, hearth_store *S, hearth_error *err) {
  hearth_error own;
  if (err == NULL) err = &own;
  hearth_status status = outside(S, "a refresh", err);
  if (status != HEARTH_OK) return status;
  if (!(S->flags & HEARTH_OPEN_READONLY))
    return hearth_fail(err, HEARTH_INVALID, "only a store that was opened read-only is refreshed");
  status = S->backend->refresh(S->storage, err);
  if (status < 0) externals_unread(S);
  return status == HEARTH_OK ? store_load(L, S, err) : status;
}

hearth_status hearth_store_stat(hearth_store *S, hearth_stat *out, hearth_error *err) {
  hearth_error own;
  hearth_stat stat = {.size = sizeof stat};
  if (err == NULL) err = &own;
  hearth_status status = store_enter(S, err);
  if (status != HEARTH_OK) return status;
  if (out->size < sizeof out->size)
    return hearth_fail(err, HEARTH_INVALID, "hearth_stat.size is %zu: the caller sets it", out->size);
  stat.home_id = S->heap.objects[S->home].number;
  stat.memory_id = S->metadata.written_by != 0 ? S->metadata.memory_id : stat.home_id;
  stat.next_id = S->heap.next_number;
  stat.saved_at = S->metadata.saved_at;
  for (uint32_t i = 0; i < S->heap.object_count; i++) stat.objects += S->heap.objects[i].number != 0;
  stat.externals = externals_count(S->externals);
  stat.committed_entries = S->committed_entries;
  stat.committed_bytes = S->committed_bytes;
  stat.alias_uses = S->alias_uses;
  stat.page_size = (uint32_t)S->metadata.page_size;
  stat.backend = S->backend->name;
  stat.storage.size = sizeof stat.storage;
  status = S->backend->stat(S->storage, &stat.storage, err);
  if (status != HEARTH_OK) externals_unread(S);
  if (status != HEARTH_OK) return status;
  size_t size = out->size < sizeof stat ? out->size : sizeof stat;
  stat.size = size;
  memcpy(out, &stat, size);
  return HEARTH_OK;
}
