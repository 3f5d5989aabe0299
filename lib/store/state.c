/*
** The store's Lua side, and small things that all chapters use.
*/
#include <stdarg.h>
#include <stdio.h>

#include <lauxlib.h>

#include "memo.h"
#include "store.h"

/* The registry maps the store's address to its userdata while it is open. */
void store_push(lua_State *L, const hearth_store *S) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, S);
}

void store_push_value(lua_State *L, const hearth_store *S, int which) {
  store_push(L, S);
  if (lua_type(L, -1) != LUA_TUSERDATA) return; /* closed: nil */
  lua_getiuservalue(L, -1, which);
  lua_remove(L, -2);
}

void store_set_value(lua_State *L, const hearth_store *S, int which) {
  store_push(L, S);
  lua_insert(L, -2);
  lua_setiuservalue(L, -2, which);
  lua_pop(L, 1);
}

hearth_status store_enter(hearth_store *S, hearth_error *err) {
  if (S->closed) return hearth_fail(err, HEARTH_CLOSED, "the store is closed");
  if (S->busy)
    return hearth_fail(err, HEARTH_BUSY, "the store is at work: it was called again from a hook or a finalizer");
  return hearth_ok(err);
}

hearth_status store_check_whole(const hearth_store *S, hearth_error *err) {
  if (S->torn)
    return hearth_fail(err, HEARTH_STALE, "a rollback failed half-way: roll back again before the next commit");
  return HEARTH_OK;
}

hearth_status store_fail_readonly(const hearth_store *S, hearth_error *err) {
  return hearth_fail(err, HEARTH_READONLY, "%s",
                     S->newer ? "the store was written by a newer format and may only be read"
                     : S->metadata.written_by == 0
                         ? "nothing was ever committed to the store, which was opened read-only"
                         : "the store was opened read-only");
}

bool store_reserve_saved(hearth_store *S) {
  uint32_t needed = S->heap.object_count;
  if (needed <= S->saved_capacity) return true;
  uint32_t capacity = needed < UINT32_MAX / 2 ? needed * 2 : needed;
  Saved *saved = hearth_realloc(&S->allocator, S->saved, S->saved_capacity * sizeof *saved, capacity * sizeof *saved);
  if (saved == NULL) return false;
  memset(saved + S->saved_capacity, 0, (capacity - S->saved_capacity) * sizeof *saved);
  S->saved = saved;
  S->saved_capacity = capacity;
  return true;
}

/* All memory that hangs on one goes here. */
static void forget(const hearth_store *S, Saved *saved) {
  hearth_free(&S->allocator, saved->pages, saved->page_count * sizeof(Page));
  memo_free(&S->allocator, saved->memo);
  memset(saved, 0, sizeof *saved);
}

void store_forget(hearth_store *S, uint32_t slot) {
  if (slot < S->saved_capacity) forget(S, &S->saved[slot]);
}

void store_free_saved(const hearth_store *S, Saved *saved, size_t capacity) {
  for (size_t i = 0; saved != NULL && i < capacity; i++) forget(S, &saved[i]);
  hearth_free(&S->allocator, saved, capacity * sizeof *saved);
}

void store_warn_line(lua_State *L, hearth_store *S, const char *text) {
  if (S->warn != NULL) {
    S->warn(S->warn_ud, text);
  } else {
    lua_warning(L, "hearth: ", 1);
    lua_warning(L, text, 0);
  }
}

void store_warn(lua_State *L, hearth_store *S, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  (void)vsnprintf(text, sizeof text, format, args);
  va_end(args);
  store_warn_line(L, S, text);
}
