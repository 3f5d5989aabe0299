#include "encode_sorted.h"
#include "memo.h"

/* What changes in a memo, or which memo a slot gets, when the commit is in. */
typedef struct NewMemo {
  uint32_t slot;
  Memo *memo; /* NULL: none any more */
} NewMemo;

typedef enum ChangeKind { CHANGE_VALUE, CHANGE_WEIGHT, CHANGE_VALUE_BYTES } ChangeKind;

typedef struct Change {
  Memo *memo;
  size_t at; /* which entry, which page */
  uint64_t value;
  uint8_t value_type;
  ChangeKind kind;
} Change;

static size_t size_of(size_t entries, uint32_t pages) {
  return sizeof(Memo) + entries * sizeof(Identity) + pages * sizeof(uint32_t);
}

void memo_free(const hearth_allocator *a, Memo *m) {
  if (m != NULL) hearth_free(a, m, size_of(m->count, m->page_count));
}

/* ----------------------------------------------------------------- making */

static Page page_at(const Committer *C, size_t i) {
  Page page;
  memcpy(&page, C->pages.data + i * sizeof page, sizeof page);
  return page;
}

/* Does the entry belong into the page? Pages hold a range of orders each. */
static bool holds(const Page *page, const Entry *e) {
  uint64_t mask = page->depth == 0 ? 0 : ~UINT64_C(0) << (64 - page->depth);
  return page->section == (e->other != 0) && page->prefix == (e->order & mask);
}

static void fill(Committer *C, Memo *m, const Entry *entries) {
  uint32_t page = 0;
  for (uint32_t i = 0; i < m->page_count; i++) m->weights[i] = 0;
  m->value_bytes = 0;
  for (size_t i = 0; i < m->count; i++) {
    const Entry *e = &entries[i];
    for (Page p = page_at(C, page); !holds(&p, e); p = page_at(C, page)) page++;
    m->entries[e->index].page = page;
    m->weights[page] += (uint32_t)(e->key_size + e->value_size);
    m->value_bytes += e->value_size;
  }
}

void memo_make(Committer *C, uint32_t slot, const Head *head, const Entry *entries, size_t count) {
  Encoder *E = &C->E;
  const hearth_allocator *a = &C->S->allocator;
  NewMemo fresh = {slot, NULL};
  size_t pages = C->pages.size / sizeof(Page);
  bool worth = count > 0 && count < ENTRY_MOST_INDEX && E->entry_bytes.size / count >= WORTH_A_MEMO &&
               E->entry_bytes.size < UINT32_MAX && E->identities.size == count * sizeof(Identity);
  if (worth) fresh.memo = hearth_realloc(a, NULL, 0, size_of(count, (uint32_t)pages));
  if (fresh.memo != NULL) {
    Memo *m = fresh.memo;
    *m = (Memo){.count = count, .array = head->array, .pairs = head->pairs, .page_count = (uint32_t)pages};
    memcpy(m->entries, E->identities.data, E->identities.size);
    m->weights = (uint32_t *)(void *)(m->entries + count);
    fill(C, m, entries);
  }
  buffer_put(&C->memos, &fresh, sizeof fresh);
  if (!C->memos.failed) return;
  memo_free(a, fresh.memo);
  encoder_fail_memory(E);
}

/* -------------------------------------------------------------- comparing */

/* What a store's walk must do for an object whatever it was before: reach it. */
static void reach(Encoder *E, int index, uint8_t type) {
  if (type == IDENTITY_OBJECT) (void)encode_reach(E, index);
}

/* So many changed entries may be put into their pages one by one; with more all pages are made as fast. */
static size_t most_changes(const Memo *m) {
  return m->count / 8 + 1;
}

/* Compares the table with its memo, and gathers the entries that are others. False: its keys differ, or too much. */
static bool compare(Encoder *E, int t, const Memo *m) {
  lua_State *L = E->L;
  size_t i = 0, changes = 0;
  int value = lua_gettop(L) + 2;
  encode_gather_begin(E);
  lua_pushnil(L);
  for (; lua_next(L, t); i++) {
    uint8_t key_type, value_type;
    const Identity *known = &m->entries[i];
    if (i == m->count || encode_identity(E, value - 1, &key_type) != known->key || key_type != known->key_type ||
        key_type == IDENTITY_NONE || changes > most_changes(m)) {
      lua_settop(L, value - 2);
      return false;
    }
    uint64_t identity = encode_identity(E, value, &value_type);
    if (identity == known->value && value_type == known->value_type && value_type != IDENTITY_NONE) {
      reach(E, value - 1, key_type);
      reach(E, value, value_type);
    } else {
      encode_gather_entry(E, i);
      changes++;
    }
    lua_settop(L, value - 1);
  }
  return i == m->count;
}

/* ------------------------------------------------------- writing what changed */

static bool in_range(const Page *page, uint8_t section, uint64_t prefix, uint64_t mask) {
  return page->section == section && (page->prefix & mask) == prefix;
}

/* Would the page's parent fit a page now? Then the division is another. */
static bool would_merge(const Committer *C, const Saved *saved, const uint32_t *weights, uint32_t page) {
  const Page *p = &saved->pages[page];
  size_t weight = 0, limit = C->E.page_size;
  if (p->depth == 0) return false;
  uint64_t mask = p->depth == 1 ? 0 : ~UINT64_C(0) << (65 - p->depth), prefix = p->prefix & mask;
  uint32_t first = page;
  while (first > 0 && in_range(&saved->pages[first - 1], p->section, prefix, mask)) first--;
  for (uint32_t i = first; i < saved->page_count && weight <= limit; i++) {
    if (!in_range(&saved->pages[i], p->section, prefix, mask)) break;
    weight += weights[i];
  }
  return weight <= limit;
}

static void note(Committer *C, const Change *change) {
  buffer_put(&C->memo_changes, change, sizeof *change);
}

static int keep_page(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)key, (void)key_size;
  buffer_put(ud, value, size);
  return 0;
}

/* The entries of a committed page, with the values that were gathered in place of the old. False: it is damaged. */
static bool patch_page(Committer *C, const Page *page, const Entry *changed, size_t count) {
  Encoder *E = &C->E;
  hearth_store *S = C->S;
  unsigned char key[LAYOUT_MAX_KEY];
  LayoutKey at = {LAYOUT_PAGE, E->heap->objects[E->current].number, 0, page->section, page->depth, page->prefix};
  size_t key_size = layout_put_key(key, &at), found = 0;
  buffer_clear(&C->page_bytes);
  buffer_clear(&C->page_entries);
  Buffer *b = &C->page_bytes;
  hearth_status status = S->backend->get(S->storage, LAYOUT_TABLE, key, key_size, keep_page, b, NULL);
  if (status != HEARTH_OK || b->failed || !hash128_equal(heap_hash(&S->heap, b->data, b->size), page->hash))
    return false;
  if (!page_get(&C->page_entries, &E->entry_bytes, page->section, b->data, b->size)) return false;
  Entry *entries = (Entry *)(void *)C->page_entries.data;
  const unsigned char *bytes = E->entry_bytes.data;
  for (size_t i = 0, n = C->page_entries.size / sizeof *entries; i < n && found < count; i++)
    for (size_t k = 0; k < count; k++) {
      const Entry *e = &changed[k];
      bool same =
          e->key_size == entries[i].key_size && memcmp(bytes + e->key, bytes + entries[i].key, e->key_size) == 0;
      if (!same) continue;
      entries[i].value = e->value;
      entries[i].value_size = e->value_size;
      found++;
    }
  return found == count;
}

/* What a page weighs now, or false where it must be divided. Then how many bytes its values have. */
static bool weigh_page(Committer *C, Memo *m, const Page *page, uint32_t number, uint64_t *value_bytes) {
  const Entry *entries = (const Entry *)(const void *)C->page_entries.data;
  size_t count = C->page_entries.size / sizeof *entries, weight = 0;
  for (size_t i = 0; i < count; i++) {
    weight += entries[i].key_size + entries[i].value_size;
    *value_bytes += entries[i].value_size;
  }
  if ((count > 1 && page->depth < 64 && weight > C->E.page_size) || weight > UINT32_MAX) return false;
  uint32_t *weights = (uint32_t *)(void *)C->weights.data;
  if (weight != m->weights[number]) note(C, &(Change){m, number, weight, 0, CHANGE_WEIGHT});
  weights[number] = (uint32_t)weight;
  return true;
}

/* What each gathered entry is now. */
static void note_values(Committer *C, Memo *m) {
  const Buffer *now = &C->E.identities;
  for (size_t i = 0; i < now->size; i += sizeof(Identity)) {
    Identity id;
    memcpy(&id, now->data + i, sizeof id);
    note(C, &(Change){m, id.page, id.value, id.value_type, CHANGE_VALUE});
  }
}

/* The next run of gathered entries that belong to one page. */
static size_t run_of(const Memo *m, const Entry *entries, size_t count, uint32_t *page) {
  size_t n = 1;
  *page = m->entries[entries[0].index].page;
  while (n < count && m->entries[entries[n].index].page == *page) n++;
  return n;
}

/* The gathered entries; patch_page may move them. */
static const Entry *gathered(const Committer *C) {
  return (const Entry *)(const void *)C->E.entries.data;
}

/* Is the table divided as before? Its values alone must outweigh a page (they are known from below: the safe side). */
static bool division_stays(Committer *C, const Saved *saved, Memo *m, size_t count) {
  uint64_t before = 0, now = 0; /* bytes of the values in the pages that change; before: of the keys as well */
  const uint32_t *weights = (const uint32_t *)(const void *)C->weights.data;
  uint32_t page;
  for (size_t i = 0, n; i < count; i += n) {
    n = run_of(m, gathered(C) + i, count - i, &page);
    if (!patch_page(C, &saved->pages[page], gathered(C) + i, n)) return false;
    if (!weigh_page(C, m, &saved->pages[page], page, &now)) return false;
    before += m->weights[page];
  }
  for (size_t i = 0; i < count; i += run_of(m, gathered(C) + i, count - i, &page)) {
    page = m->entries[gathered(C)[i].index].page;
    if (weights[page] < m->weights[page] && would_merge(C, saved, weights, page)) return false;
  }
  uint64_t least = (m->value_bytes > before ? m->value_bytes - before : 0) + now;
  note(C, &(Change){m, 0, least, 0, CHANGE_VALUE_BYTES});
  return least > C->E.page_size;
}

/* Only when all is known to stay as it is may something go into the batch. */
static bool write_changed(Committer *C, const Saved *saved, Memo *m) {
  size_t count = encode_gather_end(&C->E);
  uint32_t page;
  if (count == 0) return true;
  memcpy(C->weights.data, m->weights, m->page_count * sizeof(uint32_t));
  if (!division_stays(C, saved, m, count)) return false;
  for (size_t i = 0, n; i < count; i += n) {
    n = run_of(m, gathered(C) + i, count - i, &page);
    Page p = saved->pages[page];
    if (!patch_page(C, &p, gathered(C) + i, n)) encoder_fail_memory(&C->E); /* it was read a moment ago */
    committer_page(C, &p, (const Entry *)(const void *)C->page_entries.data, C->page_entries.size / sizeof(Entry));
    memcpy(C->pages.data + page * sizeof p, &p, sizeof p);
  }
  note_values(C, m);
  return true;
}

static bool make_room(Committer *C, const Saved *saved, const Memo *m) {
  buffer_clear(&C->weights);
  buffer_clear(&C->pages);
  if (buffer_reserve(&C->weights, m->page_count * sizeof(uint32_t)) == NULL) return false;
  buffer_put(&C->pages, saved->pages, saved->page_count * sizeof(Page));
  return !C->pages.failed;
}

bool memo_known(Encoder *E, int index, Head *head) {
  Committer *C = E->owner;
  if (C->dry || E->nested || E->current >= C->S->saved_capacity) return false;
  const Saved *saved = &C->S->saved[E->current];
  Memo *m = saved->memo;
  if (m == NULL || saved->page_count != m->page_count) return false;
  if (!memo_is_alive(E->L, C->S)) return false; /* asked each time: a hook may have collected since the walk began */
  if (!make_room(C, saved, m)) {
    buffer_clear(&C->pages);
    return false;
  }
  size_t mark = C->memo_changes.size;
  if (!compare(E, index, m) || !write_changed(C, saved, m)) {
    C->memo_changes.size = mark;
    buffer_clear(&C->pages);
    return false;
  }
  if (C->memo_changes.failed) encoder_fail_memory(E);
  *head = (Head){.kind = OBJECT_PAGED, .array = m->array, .pairs = m->pairs};
  return true;
}

/* --------------------------------------------------------------- settling */

static void apply_changes(const Committer *C) {
  for (size_t i = 0; i < C->memo_changes.size; i += sizeof(Change)) {
    Change change;
    memcpy(&change, C->memo_changes.data + i, sizeof change);
    Memo *m = change.memo;
    switch (change.kind) {
      case CHANGE_VALUE:
        m->entries[change.at].value = change.value;
        m->entries[change.at].value_type = change.value_type;
        break;
      case CHANGE_WEIGHT: m->weights[change.at] = (uint32_t)change.value; break;
      case CHANGE_VALUE_BYTES: m->value_bytes = change.value; break;
    }
  }
}

void memo_settle(Committer *C, bool committed) {
  hearth_store *S = C->S;
  if (committed) apply_changes(C);
  C->memo_changes.size = 0;
  for (size_t i = 0; i < C->memos.size; i += sizeof(NewMemo)) {
    NewMemo fresh;
    memcpy(&fresh, C->memos.data + i, sizeof fresh);
    if (committed && fresh.slot < S->saved_capacity) {
      memo_free(&S->allocator, S->saved[fresh.slot].memo);
      S->saved[fresh.slot].memo = fresh.memo;
    } else {
      memo_free(&S->allocator, fresh.memo);
    }
  }
  C->memos.size = 0;
}

/* ----------------------------------------------------------- the collector */

/* Fields in the array part, made with the table: setting them allocates nothing. */
enum { WATCHED = 1, WATCHED_NEXT = 2 };

static bool is_there(lua_State *L, const hearth_store *S, int field) {
  store_push_value(L, S, STORE_WATCHED);
  bool there = lua_rawgeti(L, -1, field) != LUA_TNIL;
  lua_pop(L, 2);
  return there;
}

bool memo_is_alive(lua_State *L, const hearth_store *S) {
  return is_there(L, S, WATCHED);
}

/* Nothing else may refer to it, the stack neither: a hook may collect during the walk. */
void memo_begin_watch(lua_State *L, hearth_store *S) {
  store_push_value(L, S, STORE_WATCHED);
  lua_newtable(L);
  lua_rawseti(L, -2, WATCHED_NEXT);
  lua_pop(L, 1);
}

void memo_watch(lua_State *L, hearth_store *S) {
  store_push_value(L, S, STORE_WATCHED);
  lua_rawgeti(L, -1, WATCHED_NEXT);
  lua_rawseti(L, -2, WATCHED);
  lua_pop(L, 1);
}
