#include "memo.h"

/* Tables of entries smaller than this, on average, are made anew as fast as they are compared. */
#define WORTH_A_MEMO 32

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

/*
** Compares the table with its memo: which pages have changed (C->changed: a byte a page, 0 or 1), and how many.
** False: its keys are others.
*/
static bool compare(Committer *C, int t, Memo *m, size_t *changed) {
  Encoder *E = &C->E;
  lua_State *L = E->L;
  size_t i = 0;
  *changed = 0;
  lua_pushnil(L);
  for (; lua_next(L, t); i++) {
    int value = lua_gettop(L);
    uint8_t key_type, value_type;
    const Identity *known = &m->entries[i];
    if (i == m->count || encode_identity(E, value - 1, &key_type) != known->key || key_type != known->key_type ||
        key_type == IDENTITY_NONE) {
      lua_settop(L, value - 2);
      return false;
    }
    reach(E, value - 1, key_type);
    uint64_t identity = encode_identity(E, value, &value_type);
    if (identity == known->value && value_type == known->value_type && value_type != IDENTITY_NONE) {
      reach(E, value, value_type);
    } else if (C->changed.data[known->page] == 0) {
      C->changed.data[known->page] = 1;
      ++*changed;
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

/* The entries of one changed page: its new weight, or false where it must be divided. */
static bool weigh(Committer *C, const Saved *saved, Memo *m, const Entry *entries, size_t count, uint32_t page,
                  uint64_t *value_bytes) {
  size_t weight = 0;
  for (size_t i = 0; i < count; i++) {
    weight += entries[i].key_size + entries[i].value_size;
    *value_bytes += entries[i].value_size;
  }
  if (count > 1 && saved->pages[page].depth < 64 && weight > C->E.page_size) return false;
  if (weight > UINT32_MAX) return false;
  uint32_t *weights = (uint32_t *)(void *)C->weights.data;
  if (weight != m->weights[page]) note(C, &(Change){m, page, weight, 0, CHANGE_WEIGHT});
  weights[page] = (uint32_t)weight;
  return true;
}

/* Calls f with each run of sorted entries that belong to one page; ends when it answers false. */
typedef bool (*PageEntries)(Committer *C, const Saved *saved, Memo *m, const Entry *entries, size_t count,
                            uint32_t page, uint64_t *sum);

static bool each_page(Committer *C, const Saved *saved, Memo *m, size_t count, PageEntries f, uint64_t *sum) {
  const Entry *entries = (const Entry *)(const void *)C->E.entries.data;
  for (size_t i = 0, end; i < count; i = end) {
    uint32_t page = m->entries[entries[i].index].page;
    for (end = i + 1; end < count && m->entries[entries[end].index].page == page; end++) continue;
    if (!f(C, saved, m, entries + i, end - i, page, sum)) return false;
  }
  return true;
}

static bool write_page(Committer *C, const Saved *saved, Memo *m, const Entry *entries, size_t count, uint32_t page,
                       uint64_t *sum) {
  Page p = saved->pages[page];
  (void)m, (void)sum;
  committer_page(C, &p, entries, count);
  memcpy(C->pages.data + page * sizeof p, &p, sizeof p);
  return true;
}

/* What each changed entry is now, in the order of lua_next. */
static void note_values(Committer *C, int t, Memo *m) {
  Encoder *E = &C->E;
  lua_State *L = E->L;
  lua_pushnil(L);
  for (size_t i = 0; lua_next(L, t); i++) {
    const Identity *known = &m->entries[i];
    if (C->changed.data[known->page] != 0) {
      Change change = {.memo = m, .at = i, .kind = CHANGE_VALUE};
      bool constant = lua_type(L, -1) == LUA_TSTRING && lua_rawlen(L, -1) > E->page_size / 2;
      change.value = encode_identity(E, lua_gettop(L), &change.value_type);
      if (constant) change.value_type = IDENTITY_NONE;
      if (change.value != known->value || change.value_type != known->value_type) note(C, &change);
    }
    lua_pop(L, 1);
  }
}

/* A table whose values alone outweigh a page has pages. What they weigh is known from below: the safe side. */
static bool stays_paged(Committer *C, Memo *m, uint64_t now_in_changed) {
  uint64_t before = 0; /* in the changed pages, the keys counted too */
  for (uint32_t i = 0; i < m->page_count; i++)
    if (C->changed.data[i] != 0) before += m->weights[i];
  uint64_t least = (m->value_bytes > before ? m->value_bytes - before : 0) + now_in_changed;
  note(C, &(Change){m, 0, least, 0, CHANGE_VALUE_BYTES});
  return least > C->E.page_size;
}

static bool write_changed(Committer *C, int t, const Saved *saved, Memo *m) {
  uint64_t value_bytes = 0;
  size_t count = encode_gather_chosen(&C->E, t, m->entries, C->changed.data);
  memcpy(C->weights.data, m->weights, m->page_count * sizeof(uint32_t));
  const uint32_t *weights = (const uint32_t *)(const void *)C->weights.data;
  if (!each_page(C, saved, m, count, weigh, &value_bytes) || !stays_paged(C, m, value_bytes)) return false;
  for (uint32_t i = 0; i < m->page_count; i++)
    if (C->changed.data[i] != 0 && weights[i] < m->weights[i] && would_merge(C, saved, weights, i)) return false;
  (void)each_page(C, saved, m, count, write_page, &value_bytes);
  note_values(C, t, m);
  return true;
}

static bool make_room(Committer *C, const Saved *saved, const Memo *m) {
  buffer_clear(&C->changed);
  buffer_clear(&C->weights);
  buffer_clear(&C->pages);
  if (buffer_reserve(&C->changed, m->page_count) == NULL ||
      buffer_reserve(&C->weights, m->page_count * sizeof(uint32_t)) == NULL)
    return false;
  memset(C->changed.data, 0, m->page_count);
  buffer_put(&C->pages, saved->pages, saved->page_count * sizeof(Page));
  return !C->pages.failed;
}

bool memo_known(Encoder *E, int index, Head *head) {
  Committer *C = E->owner;
  size_t changed;
  if (C->dry || !C->memos_alive || E->nested || E->current >= C->S->saved_capacity) return false;
  const Saved *saved = &C->S->saved[E->current];
  Memo *m = saved->memo;
  if (m == NULL || saved->page_count != m->page_count || !make_room(C, saved, m)) return false;
  size_t mark = C->memo_changes.size;
  if (!compare(C, index, m, &changed) || (changed > 0 && !write_changed(C, index, saved, m))) {
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

bool memo_is_alive(lua_State *L, hearth_store *S) {
  store_push_value(L, S, STORE_WATCHED);
  lua_rawgeti(L, -1, 1);
  bool alive = !lua_isnil(L, -1);
  lua_pop(L, 2);
  return alive;
}

void memo_push_watched(lua_State *L) {
  lua_newtable(L);
}

/* The field is in the table's array part, made with it: setting it allocates nothing. */
void memo_watch(lua_State *L, hearth_store *S) {
  store_push_value(L, S, STORE_WATCHED);
  lua_insert(L, -2);
  lua_rawseti(L, -2, 1);
  lua_pop(L, 1);
}
