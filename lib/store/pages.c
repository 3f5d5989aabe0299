/*
** Pages of large tables: a binary trie over the entries' 64-bit order. A range is
** a page if its entries weigh at most a page, else its halves are looked at; so the
** division follows from the content alone, whatever the table's history.
*/
#include "store.h"

typedef struct Range {
  size_t first, count;
  uint64_t prefix;
  uint8_t depth;
} Range;

#define DEEPEST 64

static size_t weight_of(const Entry *entries, size_t count, size_t limit) {
  size_t weight = 0;
  for (size_t i = 0; i < count && weight <= limit; i++) weight += entries[i].key_size + entries[i].value_size;
  return weight;
}

/* How many entries lie in the range's lower half. */
static size_t lower_half(const Entry *entries, const Range *r) {
  uint64_t middle = r->prefix | (uint64_t)1 << (DEEPEST - 1 - r->depth);
  size_t low = 0, high = r->count;
  while (low < high) {
    size_t i = low + (high - low) / 2;
    if (entries[r->first + i].order < middle)
      low = i + 1;
    else
      high = i;
  }
  return low;
}

static void divide_section(const Entry *entries, size_t count, uint8_t section, size_t page_size, PageFound found,
                           void *ud) {
  Range stack[DEEPEST + 2]; /* one waiting half a level, at most */
  size_t height = 0;
  if (count == 0) return;
  stack[height++] = (Range){0, count, 0, 0};
  while (height > 0) {
    Range r = stack[--height];
    if (r.count <= 1 || r.depth == DEEPEST || weight_of(entries + r.first, r.count, page_size) <= page_size) {
      found(ud, section, r.prefix, r.depth, entries + r.first, r.count);
      continue;
    }
    size_t low = lower_half(entries, &r);
    uint64_t middle = r.prefix | (uint64_t)1 << (DEEPEST - 1 - r.depth);
    uint8_t depth = (uint8_t)(r.depth + 1);
    if (low < r.count) stack[height++] = (Range){r.first + low, r.count - low, middle, depth};
    if (low > 0) stack[height++] = (Range){r.first, low, r.prefix, depth};
  }
}

void pages_divide(const Entry *entries, size_t count, size_t page_size, PageFound found, void *ud) {
  size_t integers = 0;
  while (integers < count && !entries[integers].other) integers++;
  divide_section(entries, integers, 0, page_size, found, ud);
  if (integers < count) divide_section(entries + integers, count - integers, 1, page_size, found, ud);
}

void page_put(Buffer *b, uint8_t section, const Entry *entries, size_t count, const unsigned char *bytes) {
  size_t i = 0;
  if (section == 1) {
    for (; i < count; i++) {
      if (entries[i].value == entries[i].key + entries[i].key_size) { /* as they are gathered */
        buffer_put(b, bytes + entries[i].key, entries[i].key_size + entries[i].value_size);
        continue;
      }
      buffer_put(b, bytes + entries[i].key, entries[i].key_size);
      buffer_put(b, bytes + entries[i].value, entries[i].value_size);
    }
    return;
  }
  while (i < count) { /* a run of consecutive keys */
    size_t end = i + 1;
    while (end < count && entries[end].order == entries[end - 1].order + 1) end++;
    buffer_put(b, bytes + entries[i].key, entries[i].key_size);
    varint_put(b, end - i);
    for (; i < end; i++) buffer_put(b, bytes + entries[i].value, entries[i].value_size);
  }
}

/* A value's offset and size. */
static void get_value(Cursor *c, size_t base, Entry *e) {
  Value v;
  e->value = base + cursor_position(c);
  value_get(c, &v);
  e->value_size = base + cursor_position(c) - e->value;
}

/* A run of consecutive keys, of which only the first is written. */
static void get_run(Buffer *entries, Buffer *bytes, Cursor *c, size_t base) {
  Value first;
  value_get(c, &first);
  if (first.kind != VALUE_INTEGER) cursor_fail(c, "a run that begins with no integer");
  uint64_t key = (uint64_t)first.as.integer;
  for (size_t left = count_get(c); left > 0 && c->why == NULL; left--, key++) {
    Entry e = {.order = key ^ (uint64_t)1 << 63, .key = bytes->size};
    value_put_integer(bytes, (int64_t)key);
    e.key_size = (uint32_t)(bytes->size - e.key);
    get_value(c, base, &e);
    buffer_put(entries, &e, sizeof e);
  }
}

bool page_get(Buffer *entries, Buffer *bytes, uint8_t section, const unsigned char *page, size_t size) {
  size_t base = bytes->size;
  Cursor c = cursor_over(page, size);
  buffer_put(bytes, page, size);
  while (c.why == NULL && cursor_left(&c) > 0) {
    if (section == 0) {
      get_run(entries, bytes, &c, base);
      continue;
    }
    Entry e = {.other = 1};
    get_value(&c, base, &e);
    e.key = e.value;
    e.key_size = (uint32_t)e.value_size;
    get_value(&c, base, &e);
    buffer_put(entries, &e, sizeof e);
  }
  return c.why == NULL && !entries->failed && !bytes->failed;
}
