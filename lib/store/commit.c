/*
** Commit: one walk from the home table. Each object's record is made and
** compared with the committed one by its hash; what differs goes into the batch, what the
** walk did not reach is deleted with it. Nothing in memory changes before the backend
** has answered.
*/
#include <lauxlib.h>
#include <stdlib.h>
#include <time.h>

#include "blob.h"
#include "committer.h"
#include "external.h"
#include "hearth_environment.h"
#include "memo.h"
#include "permanents.h"
#include "prototype.h"
#include "protect.h"
#include "stream.h"

/* What becomes of a slot's Saved when the batch is in. */
typedef struct Change {
  uint32_t slot;
  uint32_t page_count;
  Page *pages; /* taken over */
  Hash128 hash;
} Change;

/* ----------------------------------------------------------------- state */

void committer_free(Committer *C) {
  if (C->S == NULL) return;
  memo_settle(C, false);
  for (size_t i = 0; i < C->changes.size; i += sizeof(Change)) {
    Change change;
    memcpy(&change, C->changes.data + i, sizeof change);
    hearth_free(&C->S->allocator, change.pages, change.page_count * sizeof(Page));
  }
  encoder_free(&C->E);
  batch_free(&C->batch);
  Buffer *buffers[] = {&C->changes, &C->pages,        &C->specials, &C->record, &C->local_cells,
                       &C->memos,   &C->memo_changes, &C->weights,  &C->page_bytes, &C->page_entries, &C->weak_owners,
                       &C->items,   &C->held};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_free(buffers[i]);
  intmap_free(&C->owners);
  intmap_free(&C->locals);
  pending_free(C->S, C->pending);
  C->S = NULL;
}

static int release(lua_State *L) {
  committer_free(lua_touserdata(L, 1));
  return 0;
}

_Noreturn void committer_raise(Committer *C) {
  lua_pushnil(C->E.L);
  lua_error(C->E.L);
  abort();
}

/* ------------------------------------------------------------- callbacks */

static void put_constant(Encoder *E, uint32_t index, const void *bytes, size_t size) {
  Committer *C = E->owner;
  if (C->dry) return;
  const Constant *c = &E->heap->constants[index];
  LayoutKey key = {.kind = LAYOUT_CONSTANT, .number = c->number};
  Head head = {.kind = (ObjectKind)c->kind, .size = size};
  size_t mark = C->record.size;
  if (c->kind == OBJECT_PROTOTYPE) head.check = hash64(bytes, size, BLOB_CHECK_SEED);
  head_put(&C->record, &head);
  if (c->kind != OBJECT_STRING) buffer_put(&C->record, bytes, size);
  if (C->record.failed) encoder_fail_memory(E);
  committer_check(C, batch_put_at(&C->batch, &key, C->record.data + mark, C->record.size - mark, E->error));
  C->record.size = mark;
  key.kind = LAYOUT_CHUNK;
  for (size_t at = 0; c->kind == OBJECT_STRING && at < size; at += STRING_CHUNK, key.chunk++) {
    size_t n = size - at < STRING_CHUNK ? size - at : STRING_CHUNK;
    committer_check(C, batch_put_at(&C->batch, &key, (const char *)bytes + at, n, E->error));
  }
}

/* A cell is no Lua value: a private closure that shares it is its anchor. */
static void anchor_cell(Encoder *E, uint32_t slot, int function, int upvalue) {
  lua_State *L = E->L;
  Committer *C = E->owner;
  store_push_value(L, C->S, STORE_CELL_MAKER);
  prototype_instantiate(L, lua_gettop(L), 1);
  if (lua_gethookmask(L) != 0) shapes_forget(E->shapes); /* a call is an event: a debug hook may have collected */
  lua_upvaluejoin(L, -1, 1, function, upvalue);
  lua_rawseti(L, E->objects, (lua_Integer)slot + 1);
  lua_pop(L, 1);
  E->heap->objects[slot].upvalue = 1;
}

static bool push_foreign(Encoder *E, int index, uint64_t *number) {
  Committer *C = E->owner;
  const hearth_store *owner;
  bool stale;
  if (!external_is_handle(E->L, index, number, &owner, &stale)) return false;
  if (owner != C->S) encoder_fail(E, HEARTH_FOREIGN, index, "an external table of another store");
  if (stale) encoder_fail(E, HEARTH_STALE, index, "a stale external table, whose transaction was rolled back");
  externals_reach(C->S->externals, *number);
  return true;
}

static bool put_special_aside(Encoder *E, uint32_t slot, int index) {
  Committer *C = E->owner;
  (void)index;
  if (slot == C->S->home)
    encoder_fail(E, HEARTH_UNSTORABLE, 0, "the home table itself cannot have a __persist or a type");
  buffer_put(&C->specials, &slot, sizeof slot);
  if (C->specials.failed) encoder_fail_memory(E);
  return false;
}

static const EncoderOps store_ops = {.constant = put_constant,
                                     .pages = committer_paged,
                                     .known = memo_known,
                                     .stream = stream_table,
                                     .foreign = push_foreign,
                                     .anchor_cell = anchor_cell,
                                     .special = put_special_aside,
                                     .held = special_holds};

/* --------------------------------------------------------------- records */

bool committer_record(Committer *C, uint32_t slot, const Buffer *record) {
  Encoder *E = &C->E;
  Change change = {slot, (uint32_t)(C->pages.size / sizeof(Page)), NULL,
                   heap_hash(E->heap, record->data, record->size)};
  if (!store_reserve_saved(C->S)) encoder_fail_memory(E);
  const Saved *saved = &C->S->saved[slot];
  bool same = saved->written && hash128_equal(saved->hash, change.hash);
  if (C->dry) return !same;
  if (same && committer_same_pages(saved, &C->pages)) return false;
  if (!same) {
    LayoutKey key = {.kind = LAYOUT_OBJECT, .number = E->heap->objects[slot].number};
    committer_check(C, batch_put_at(&C->batch, &key, record->data, record->size, E->error));
  }
  committer_delete_pages(C, slot, &C->pages);
  buffer_put(&C->changes, &change, sizeof change); /* first, so that the pages have an owner */
  if (C->changes.failed) encoder_fail_memory(E);
  if (change.page_count > 0) {
    change.pages = hearth_realloc(&C->S->allocator, NULL, 0, C->pages.size);
    if (change.pages == NULL) encoder_fail_memory(E);
    memcpy(change.pages, C->pages.data, C->pages.size);
  }
  memcpy(C->changes.data + C->changes.size - sizeof change, &change, sizeof change);
  return true;
}

/* Hands over what the encoder wrote of the object: head and body. */
static void finish_record(Committer *C, uint32_t slot) {
  Encoder *E = &C->E;
  buffer_put(&E->head, E->body.data, E->body.size);
  encoder_check(E);
  (void)committer_record(C, slot, &E->head);
}

static void begin_record(Committer *C) {
  buffer_clear(&C->E.head);
  buffer_clear(&C->E.body);
  buffer_clear(&C->pages);
}

static void commit_object(Committer *C, uint32_t slot) {
  const Object *o = &C->E.heap->objects[slot];
  bool written = slot < C->S->saved_capacity && C->S->saved[slot].written;
  if (o->kind == OBJECT_PERMANENT && written) return; /* it keeps the name by which it is stored */
  begin_record(C);
  if (encode_object(&C->E, slot)) finish_record(C, slot);
}

/* ------------------------------------------------------------------ walk */

static bool explore_specials(Committer *C) {
  bool any = false;
  while (C->specials_done < C->specials.size) {
    uint32_t slot;
    memcpy(&slot, C->specials.data + C->specials_done, sizeof slot);
    C->specials_done += sizeof slot;
    special_explore(C, slot);
    any = true;
  }
  return any;
}

static void walk(Committer *C) {
  Heap *heap = &C->S->heap;
  Encoder *E = &C->E;
  heap_begin_walk(heap);
  externals_begin_walk(C->S->externals);
  if (!heap_reach(heap, C->S->home, HEAP_NONE)) encoder_fail_memory(E);
  do {
    while (E->done < heap_queued(heap)) commit_object(C, heap_queue_at(heap, E->done++));
  } while (explore_specials(C) || encode_weak_round(E) || special_weak_round(C) || E->done < heap_queued(heap));
  for (size_t i = 0; i < E->weak.size; i += sizeof(uint32_t)) {
    uint32_t slot;
    memcpy(&slot, E->weak.data + i, sizeof slot);
    begin_record(C);
    encode_weak_table(E, slot);
    finish_record(C, slot);
  }
  for (size_t i = 0; i < C->specials.size; i += sizeof(uint32_t)) {
    uint32_t slot;
    memcpy(&slot, C->specials.data + i, sizeof slot);
    (void)special_write(C, slot);
  }
  /* All were looked through before: what is new now came from a hook, and would not be written. */
  if (E->done < heap_queued(heap)) {
    E->current = heap_queue_at(heap, E->done);
    encoder_fail(E, HEARTH_UNSTORABLE, 0, "a hook changed what another hook had returned");
  }
  encode_check_needs(E);
}

static bool is_garbage(const Heap *heap, const Object *o) {
  return o->number != 0 && o->epoch != heap->epoch;
}

static bool is_garbage_constant(const Heap *heap, const Constant *c) {
  return c->kind != 0 && c->epoch != heap->epoch;
}

static void delete_garbage(Committer *C) {
  Heap *heap = &C->S->heap;
  if (!store_reserve_saved(C->S)) encoder_fail_memory(&C->E);
  for (uint32_t i = 0; i < heap->object_count; i++) {
    if (!is_garbage(heap, &heap->objects[i])) continue;
    LayoutKey key = {.kind = LAYOUT_OBJECT, .number = heap->objects[i].number};
    if (C->S->saved[i].written) committer_check(C, batch_del_at(&C->batch, &key, C->E.error));
    committer_delete_pages(C, i, NULL);
  }
  for (uint32_t i = 0; i < heap->constant_count; i++) {
    const Constant *c = &heap->constants[i];
    if (!is_garbage_constant(heap, c)) continue;
    LayoutKey key = {.kind = LAYOUT_CONSTANT, .number = c->number};
    committer_check(C, batch_del_at(&C->batch, &key, C->E.error));
    key.kind = LAYOUT_CHUNK;
    for (size_t at = 0; c->kind == OBJECT_STRING && at < c->size; at += STRING_CHUNK, key.chunk++)
      committer_check(C, batch_del_at(&C->batch, &key, C->E.error));
  }
}

/* ------------------------------------------------------- after the batch */

/* Clearing a field allocates nothing. `large`: where STORE_LARGE is. */
static void remove_constant(lua_State *L, Heap *heap, uint32_t index, int large) {
  heap_remove_constant(heap, index);
  lua_pushnil(L);
  lua_rawseti(L, large, (lua_Integer)index + 1);
}

/* The batch is in: memory follows. Nothing here can fail. */
static void apply(lua_State *L, Committer *C) {
  hearth_store *S = C->S;
  Heap *heap = &S->heap;
  for (size_t i = 0; i < C->changes.size; i += sizeof(Change)) {
    Change change;
    memcpy(&change, C->changes.data + i, sizeof change);
    Saved *saved = &S->saved[change.slot];
    Memo *memo = change.page_count > 0 ? saved->memo : NULL;
    if (memo != NULL) saved->memo = NULL;
    store_forget(S, change.slot);
    *saved = (Saved){change.hash, change.pages, memo, change.page_count, 1};
  }
  C->changes.size = 0; /* their pages belong to the store now */
  memo_settle(C, true);
  for (uint32_t i = 0; i < heap->object_count; i++) {
    heap->objects[i].fresh = 0;
    if (!is_garbage(heap, &heap->objects[i])) continue;
    store_forget(S, i);
    heap_remove(heap, i);
    lua_pushnil(L);
    lua_rawseti(L, C->E.objects, (lua_Integer)i + 1); /* clearing a field allocates nothing */
  }
  for (uint32_t i = 0; i < heap->constant_count; i++) {
    heap->constants[i].fresh = 0;
    if (is_garbage_constant(heap, &heap->constants[i])) remove_constant(L, heap, i, C->E.large);
  }
}

void committer_forget_fresh(lua_State *L, hearth_store *S) {
  Heap *heap = &S->heap;
  store_push_value(L, S, STORE_OBJECTS);
  for (uint32_t i = 0; i < heap->object_count; i++) {
    Object *o = &heap->objects[i];
    if (o->number != 0 && o->constant != HEAP_NONE && heap->constants[o->constant].fresh) o->constant = HEAP_NONE;
    if (!o->fresh) continue;
    heap_remove(heap, i);
    lua_pushnil(L);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  lua_pop(L, 1);
  store_push_value(L, S, STORE_LARGE);
  for (uint32_t i = 0; i < heap->constant_count; i++)
    if (heap->constants[i].fresh) remove_constant(L, heap, i, lua_gettop(L));
  lua_pop(L, 1);
}

/* ---------------------------------------------------------------- commit */

Committer *committer_push(lua_State *L, hearth_store *S, hearth_error *err) {
  luaL_checkstack(L, 3 * LUA_MINSTACK, "commit");
  Committer *C = protect_push_state(L, sizeof *C, release);
  Encoder *E = &C->E;
  const hearth_allocator *a = &S->allocator;
  C->S = S;
  bool made = encoder_init(E, L, a);
  E->error = err;
  batch_init(&C->batch, S->backend, S->storage, a);
  Buffer *buffers[] = {&C->changes, &C->pages,        &C->specials, &C->record, &C->local_cells,
                       &C->memos,   &C->memo_changes, &C->weights,  &C->page_bytes, &C->page_entries, &C->weak_owners,
                       &C->items,   &C->held};
  for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++) buffer_init(buffers[i], a);
  intmap_init(&C->owners, a);
  intmap_init(&C->locals, a);
  if (!made) encoder_fail_memory(E);
  E->ops = &store_ops;
  E->owner = C;
  E->heap = &S->heap;
  E->seal = S->seal;
  E->root = "_home";
  E->page_size = (size_t)S->metadata.page_size;
  E->sorted = true;
  E->strip = (S->flags & HEARTH_STORE_STRIP) != 0;
  E->no_functions = (S->flags & HEARTH_STORE_NO_FUNCTIONS) != 0;
  store_push_value(L, S, STORE_OBJECTS);
  E->objects = lua_gettop(L);
  store_push_value(L, S, STORE_LARGE);
  E->large = lua_gettop(L);
  store_push_value(L, S, STORE_NAMES);
  E->overlay = lua_gettop(L);
  permanents_push(L);
  E->permanents = lua_gettop(L);
  E->named = permanents_filter(L, E->permanents);
  if (!(S->flags & HEARTH_STORE_MODULES_BY_VALUE)) {
    permanents_push_modules(L);
    E->modules = lua_gettop(L);
  }
  lua_newtable(L);
  C->values = lua_gettop(L);
  lua_newtable(L);
  C->work = lua_gettop(L);
  lua_newtable(L);
  C->weak = lua_gettop(L);
  return C;
}

/* The program may have replaced the global by another table: its work would be lost without a word. */
static void check_global(Committer *C, const char *name, bool resolved) {
  lua_State *L = C->E.L;
  store_push_value(L, C->S, STORE_ENVIRONMENT);
  if (lua_istable(L, -1)) {
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    store_push_value(L, C->S, STORE_HOME);
    bool gone = lua_isnil(L, -2);
    if (!lua_rawequal(L, -1, -2) && !(gone && resolved)) {
      hearth_fail(C->E.error, HEARTH_REPLACED,
                  "the global %s was %s%s; assign into the home table instead, or set %s back", name,
                  gone ? "removed" : "replaced by a ", gone ? "" : luaL_typename(L, -2), name);
      committer_raise(C);
    }
    lua_pop(L, 2);
  }
  lua_pop(L, 1);
}

static uint64_t now(const hearth_store *S) {
  struct timespec t;
  if (S->environment != NULL) return S->environment->clock(S->environment->ud);
  if (timespec_get(&t, TIME_UTC) != TIME_UTC) return 0;
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void put_metadata(Committer *C, Metadata *m) {
  *m = C->S->metadata;
  m->written_by = STORE_FORMAT_VERSION;
  m->readable_by = STORE_FORMAT_READABLE_BY;
  m->home_id = m->memory_id = C->S->heap.objects[C->S->home].number;
  m->next_id = C->S->heap.next_number;
  m->saved_at = now(C->S);
  memcpy(m->writer, "hearth " HEARTH_VERSION_STRING, sizeof "hearth " HEARTH_VERSION_STRING);
  LayoutKey key = {.kind = LAYOUT_METADATA};
  buffer_clear(&C->record);
  metadata_put(&C->record, m);
  if (C->record.failed) encoder_fail_memory(&C->E);
  committer_check(C, batch_put_at(&C->batch, &key, C->record.data, C->record.size, C->E.error));
}

typedef struct CommitCall {
  hearth_store *S;
  hearth_error *error;
  hearth_durability durability;
  hearth_status status; /* OK or PENDING */
  Committer *committer;
  bool collect;
} CommitCall;

/* Stack: [1] the call. */
static int commit_protected(lua_State *L) {
  CommitCall *call = lua_touserdata(L, 1);
  hearth_store *S = call->S;
  Metadata m;
  Committer *C = committer_push(L, S, call->error);
  call->committer = C;
  C->memos_alive = memo_is_alive(L, S);
  memo_begin_watch(L, S);
  check_global(C, "_home", false);
  if (S->alias != HEARTH_ALIAS_OFF) check_global(C, "Memory", S->alias == HEARTH_ALIAS_TRACK);
  walk(C);
  delete_garbage(C);
  if (call->collect) committer_check(C, externals_collect(L, S, call->error));
  committer_check(C, externals_flush(L, S, &C->batch, call->error));
  if (C->batch.entries > 0) {
    if (S->readonly) {
      (void)store_fail_readonly(S, call->error);
      committer_raise(C);
    }
    put_metadata(C, &m);
    C->pending = pending_new(S);
    if (C->pending == NULL) encoder_fail_memory(&C->E);
    call->status = batch_submit(&C->batch, call->durability, &C->pending->sequence, call->error);
    committer_check(C, call->status);
    S->metadata = m;
  } else {
    call->status = S->backend->barrier(S->storage, call->durability, call->error);
    committer_check(C, call->status);
  }
  apply(L, C);
  memo_watch(L, S);
  externals_committed(L, S, C->pending);
  if (C->pending != NULL) pending_add(S, C->pending);
  C->pending = NULL;
  S->committed_entries = C->batch.entries;
  S->committed_bytes = C->batch.size;
  return 0;
}

/* What became of earlier commits comes first, and so does its failure. A read-only opener has made none. */
static hearth_status ask(hearth_store *S, hearth_error *err) {
  hearth_status status = S->readonly ? HEARTH_OK : pending_poll(S, err);
  return status < 0 ? status : HEARTH_OK;
}

static hearth_status commit(lua_State *L, hearth_store *S, hearth_durability durability, bool collect,
                            hearth_error *err) {
  CommitCall call = {S, err, durability, HEARTH_OK, NULL, collect};
  S->busy = true;
  hearth_status status = protect_without_collector(L, commit_protected, &call, 0, 0, err);
  if (status < 0) {
    if (call.committer != NULL && call.committer->S != NULL) batch_abandon(&call.committer->batch);
    externals_failed(L, S);
    committer_forget_fresh(L, S);
  }
  bool passed = status >= 0 && call.committer != NULL && call.committer->S != NULL && !call.committer->memos_alive;
  if (call.committer != NULL) committer_free(call.committer);
  collector_resume(L, S, passed);
  S->busy = false;
  if (status >= 0) err->code = status = call.status;
  return status;
}

static hearth_status commit_at(lua_State *L, hearth_store *S, hearth_durability durability, bool asks,
                               hearth_error *err) {
  hearth_status status = store_enter(S, err);
  if (status == HEARTH_OK) status = store_check_whole(S, err);
  if (status != HEARTH_OK) return status;
  if (durability == HEARTH_DEFAULT_DURABILITY) durability = S->durability;
  if (durability == HEARTH_DEFAULT_DURABILITY) durability = S->backend->max_durability;
  if (durability > S->backend->max_durability)
    return hearth_fail(err, HEARTH_UNSUPPORTED, "the backend '%s' offers no such durability", S->backend->name);
  if (asks) status = ask(S, err);
  return status == HEARTH_OK ? commit(L, S, durability, false, err) : status;
}

hearth_status store_commit(lua_State *L, hearth_store *S, hearth_durability durability, hearth_error *err) {
  return commit_at(L, S, durability, true, err);
}

hearth_status store_commit_unasked(lua_State *L, hearth_store *S, hearth_durability durability, hearth_error *err) {
  return commit_at(L, S, durability, false, err);
}

hearth_status store_commit_collecting(lua_State *L, hearth_store *S, hearth_error *err) {
  hearth_durability level = S->durability != HEARTH_DEFAULT_DURABILITY ? S->durability : S->backend->max_durability;
  hearth_status status = store_check_whole(S, err);
  if (status == HEARTH_OK) status = ask(S, err);
  return status == HEARTH_OK ? commit(L, S, level, true, err) : status;
}
