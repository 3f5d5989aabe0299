/*
** Paged tables: their pages in the order of their keys, each entry checked
** against the range of the page that it is in.
*/
#include "hash.h"
#include "reader.h"

typedef struct Found {
  Buffer *bytes;
  LayoutKey key;
} Found;

static int take_page(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                     size_t value_size) {
  (void)table;
  Found *found = ud;
  found->key = layout_get_key(key, key_size);
  buffer_put(found->bytes, value, value_size);
  return 1;
}

static uint64_t bits_of_depth(unsigned depth) {
  return depth == 0 ? 0 : ~UINT64_C(0) << (64 - depth);
}

static bool fail_page(ViewFields *f, const char *why) {
  if (f->status == HEARTH_OK)
    f->status = hearth_fail(f->error, HEARTH_DAMAGED, "object %llu, page %u.%016llx/%u: %s",
                            (unsigned long long)f->number, f->page.section, (unsigned long long)f->page.prefix,
                            f->page.depth, why);
  return false;
}

/* The next page after f->page; false: none, or f->status. */
static bool open_next_page(ViewFields *f) {
  const View *v = f->r.view;
  unsigned char from[LAYOUT_MAX_KEY + 1], to[LAYOUT_MAX_KEY];
  LayoutKey first = f->page, beyond = {.kind = LAYOUT_OBJECT, .number = f->number + 1};
  bool fresh = first.kind == LAYOUT_NONE;
  if (fresh) first = (LayoutKey){.kind = LAYOUT_PAGE, .number = f->number};
  size_t from_size = layout_put_key(from, &first), to_size = layout_put_key(to, &beyond);
  if (!fresh) from[from_size++] = 0; /* the least key that is greater */
  Found found = {&f->page_bytes, {0}};
  int result = 0;
  buffer_clear(&f->page_bytes);
  f->status = v->backend->scan(v->store, LAYOUT_TABLE, from, from_size, to, to_size, false, take_page, &found,
                               &result, f->error);
  if (f->status != HEARTH_OK || result == 0) return false;
  if (f->page_bytes.failed) {
    f->status = hearth_fail(f->error, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
    return false;
  }
  if (found.key.kind != LAYOUT_PAGE) return fail_page(f, "the entry after it has a key of no known form");
  if (found.key.section != f->page.section) f->has_order = false;
  f->page = found.key;
  f->run_left = 0;
  f->page_reader = (ViewReader){.view = v, .c = cursor_over(f->page_bytes.data, f->page_bytes.size)};
  if (f->page_bytes.size == 0) return fail_page(f, "it is empty");
  if ((f->page.prefix & ~bits_of_depth(f->page.depth)) != 0) return fail_page(f, "its range has no such beginning");
  return true;
}

/* Entries ascend, within their page's range; entries whose order is equal occur in section 1 only. */
static bool check_order(ViewFields *f, uint64_t order) {
  if ((order & bits_of_depth(f->page.depth)) != f->page.prefix) return fail_page(f, "an entry that belongs elsewhere");
  if (f->has_order && (order < f->order || (order == f->order && f->page.section == 0)))
    return fail_page(f, "its entries are not in order");
  f->has_order = true;
  f->order = order;
  return true;
}

static bool read_integer_entry(ViewFields *f, ViewField *field) {
  ViewReader *r = &f->page_reader;
  if (f->run_left == 0) {
    Value first;
    view_reader_value(r, &first);
    if (r->c.why == NULL && first.kind != VALUE_INTEGER) cursor_fail(&r->c, "a run that begins with no integer");
    f->run_key = (uint64_t)first.as.integer;
    f->run_left = count_get(&r->c);
    if (r->c.why == NULL && f->run_left == 0) cursor_fail(&r->c, "a run without values");
  }
  field->key.kind = VALUE_INTEGER;
  field->key.as.integer = (int64_t)f->run_key;
  view_reader_value(r, &field->value);
  uint64_t order = f->run_key ^ (uint64_t)1 << 63;
  f->run_key++; /* past the greatest integer the order fails */
  f->run_left--;
  f->integers++;
  return r->c.why != NULL || check_order(f, order);
}

static bool read_other_entry(ViewFields *f, ViewField *field) {
  ViewReader *r = &f->page_reader;
  const unsigned char *start = r->c.next;
  view_reader_value(r, &field->key);
  size_t size = (size_t)(r->c.next - start);
  if (r->c.why == NULL && (field->key.kind == VALUE_NIL || field->key.kind == VALUE_INTEGER))
    view_reader_fail_at(r, start, "a key that does not belong there");
  if (r->c.why == NULL && view_is_nan(&field->key)) view_reader_fail_at(r, start, "a NaN as a key");
  view_reader_value(r, &field->value);
  f->others++;
  return r->c.why != NULL || check_order(f, hash64(start, size, 0));
}

static bool check_counts(ViewFields *f) {
  if (f->integers == f->head.array && f->others == f->head.pairs) return true;
  f->status = hearth_fail(f->error, HEARTH_DAMAGED, "object %llu says %llu entries, and its pages hold %llu",
                          (unsigned long long)f->number, (unsigned long long)(f->head.array + f->head.pairs),
                          (unsigned long long)(f->integers + f->others));
  return false;
}

bool view_pages_next(ViewFields *f, ViewField *field) {
  if (f->page.kind == LAYOUT_NONE || cursor_left(&f->page_reader.c) == 0) {
    if (f->run_left > 0) return fail_page(f, "it ends too early");
    if (!open_next_page(f)) return f->status == HEARTH_OK && check_counts(f) && false;
  }
  field->kind = VIEW_ENTRY;
  ViewReader *r = &f->page_reader;
  bool ok = f->page.section == 0 ? read_integer_entry(f, field) : read_other_entry(f, field);
  if (r->c.why == NULL && ok && field->value.kind == VALUE_NIL) cursor_fail(&r->c, "a nil inside a table");
  if (r->c.why != NULL) return fail_page(f, r->c.why);
  return ok;
}
