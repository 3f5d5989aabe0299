/*
** The pages of a table at work: compared with those of the last commit, written, deleted.
*/
#include "committer.h"
#include "memo.h"

void committer_put_page(Committer *C, const Page *page, const void *bytes, size_t size) {
  const Encoder *E = &C->E;
  LayoutKey key = {LAYOUT_PAGE, E->heap->objects[E->current].number, 0, page->section, page->depth, page->prefix};
  if (!C->dry) committer_check(C, batch_put_at(&C->batch, &key, bytes, size, E->error));
}

void committer_page(Committer *C, Page *page, const Entry *entries, size_t count) {
  Encoder *E = &C->E;
  Buffer *b = &E->scratch;
  buffer_clear(b);
  page_put(b, page->section, entries, count, E->entry_bytes.data);
  if (b->failed) encoder_fail_memory(E);
  Hash128 hash = heap_hash(E->heap, b->data, b->size);
  if (hash128_equal(page->hash, hash)) return;
  page->hash = hash;
  committer_put_page(C, page, b->data, b->size);
}

/* The committed page of this place, or NULL. They are in order: a binary search. */
static const Page *find_page(const Saved *saved, const Page *page) {
  for (size_t low = 0, high = saved->page_count; low < high;) {
    size_t i = low + (high - low) / 2;
    const Page *old = &saved->pages[i];
    if (old->section == page->section && old->prefix == page->prefix && old->depth == page->depth) return old;
    if (old->section < page->section ||
        (old->section == page->section &&
         (old->prefix < page->prefix || (old->prefix == page->prefix && old->depth < page->depth))))
      low = i + 1;
    else
      high = i;
  }
  return NULL;
}

void committer_know_page(const Committer *C, Page *page) {
  const Page *old = find_page(&C->S->saved[C->E.current], page);
  if (old != NULL) page->hash = old->hash;
}

static void add_page(void *ud, uint8_t section, uint64_t prefix, uint8_t depth, const Entry *entries, size_t count) {
  Committer *C = ud;
  Page page;
  memset(&page, 0, sizeof page);
  page.prefix = prefix;
  page.section = section;
  page.depth = depth;
  committer_know_page(C, &page);
  committer_page(C, &page, entries, count);
  buffer_put(&C->pages, &page, sizeof page);
  if (C->pages.failed) encoder_fail_memory(&C->E);
}

void committer_pages(Committer *C, const Entry *entries, size_t count) {
  pages_divide(entries, count, C->E.page_size, add_page, C);
}

void committer_paged(Encoder *E, const Head *head, const Entry *entries, size_t count) {
  Committer *C = E->owner;
  if (!store_reserve_saved(C->S)) encoder_fail_memory(E);
  head_put(&E->head, head);
  committer_pages(C, entries, count);
  if (!C->dry) memo_make(C, E->current, head, entries, count);
}

static Page page_at(const Buffer *pages, size_t i) {
  Page page;
  memcpy(&page, pages->data + i * sizeof page, sizeof page);
  return page;
}

void committer_delete_pages(Committer *C, uint32_t slot, const Buffer *kept) {
  const Saved *saved = &C->S->saved[slot];
  size_t count = kept != NULL ? kept->size / sizeof(Page) : 0, j = 0;
  for (uint32_t i = 0; i < saved->page_count; i++) {
    const Page *old = &saved->pages[i];
    while (j < count) {
      Page p = page_at(kept, j);
      if (p.section > old->section || (p.section == old->section && p.prefix >= old->prefix)) break;
      j++;
    }
    bool stays = false;
    for (size_t k = j; k < count && !stays; k++) { /* pages with one prefix differ in depth; there is one at a time */
      Page p = page_at(kept, k);
      if (p.section != old->section || p.prefix != old->prefix) break;
      stays = p.depth == old->depth;
    }
    if (stays) continue;
    LayoutKey key = {LAYOUT_PAGE, C->S->heap.objects[slot].number, 0, old->section, old->depth, old->prefix};
    committer_check(C, batch_del_at(&C->batch, &key, C->E.error));
  }
}

bool committer_same_pages(const Saved *saved, const Buffer *pages) {
  if (pages->size / sizeof(Page) != saved->page_count) return false;
  for (uint32_t i = 0; i < saved->page_count; i++) {
    Page p = page_at(pages, i);
    if (!hash128_equal(p.hash, saved->pages[i].hash) || p.prefix != saved->pages[i].prefix ||
        p.depth != saved->pages[i].depth || p.section != saved->pages[i].section)
      return false;
  }
  return true;
}
