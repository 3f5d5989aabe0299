#include "heads.h"

/* ------------------------------------------------------------------ writing */

/* The head's bytes as a number that tells it from all others, or 0: a repeat stands for tables only. */
static uint64_t bytes_of(const unsigned char *head, size_t size) {
  uint64_t bytes = 0;
  if (size > sizeof bytes || (head[0] & HEAD_KIND) != OBJECT_TABLE) return 0;
  for (size_t i = 0; i < size; i++) bytes |= (uint64_t)head[i] << (8 * i);
  return bytes;
}

static uint64_t before(const HeadWriter *w, unsigned period) {
  return w->recent[(w->count - period) % HEADS_MOST_PERIOD];
}

/* The period of the repeat that becomes worth its bytes with this head; 0: none does. */
static unsigned find_period(HeadWriter *w, uint64_t bytes, size_t size) {
  for (unsigned p = 1; p <= HEADS_MOST_PERIOD; p++) {
    unsigned char *run_heads = &w->run_heads[p - 1], *run_bytes = &w->run_bytes[p - 1];
    bool equal = bytes != 0 && before(w, p) == bytes;
    *run_heads = equal ? (unsigned char)(*run_heads + 1) : 0;
    *run_bytes = equal ? (unsigned char)(*run_bytes + size) : 0;
    if (*run_bytes >= HEADS_WORTH_REPEAT) return p;
  }
  return 0;
}

static void put_repeat(HeadWriter *w, Buffer *b) {
  buffer_byte(b, (unsigned char)((w->period - 1) << 4 | OBJECT_REPEAT));
  varint_put(b, w->repeated);
  w->period = 0;
  memset(w->run_heads, 0, sizeof w->run_heads); /* a head belongs to one repeat */
  memset(w->run_bytes, 0, sizeof w->run_bytes);
}

/* The repeat at work ends before the head at `begin`: behind it for now, so that there is room, then before it. */
static void end_before(HeadWriter *w, Buffer *b, size_t begin) {
  unsigned char repeat[1 + VARINT_MAX_SIZE];
  size_t end = b->size;
  put_repeat(w, b);
  size_t size = b->size - end;
  if (b->failed) return;
  memcpy(repeat, b->data + end, size);
  memmove(b->data + begin + size, b->data + begin, end - begin);
  memcpy(b->data + begin, repeat, size);
}

void heads_added(HeadWriter *w, Buffer *b, size_t begin) {
  size_t size = b->size - begin;
  uint64_t bytes = b->failed ? 0 : bytes_of(b->data + begin, size);
  if (w->period != 0 && bytes != 0 && before(w, w->period) == bytes) {
    w->repeated++;
    b->size = begin;
  } else {
    if (w->period != 0) end_before(w, b, begin);
    w->period = find_period(w, bytes, size);
    if (w->period != 0) {
      w->repeated = w->run_heads[w->period - 1];
      b->size -= w->run_bytes[w->period - 1];
    }
  }
  w->recent[w->count++ % HEADS_MOST_PERIOD] = bytes;
}

void heads_end(HeadWriter *w, Buffer *b) {
  if (w->period != 0) put_repeat(w, b);
}

/* ------------------------------------------------------------------ reading */

/* The bits of the heads that a repeat's first round copies. */
static uint32_t copied(unsigned period, uint64_t heads) {
  uint32_t all = (UINT32_C(1) << period) - 1;
  return heads >= period ? all : all & ~((UINT32_C(1) << (period - heads)) - 1);
}

static void get_repeat(HeadReader *r, Cursor *c) {
  const unsigned char *start = c->next;
  unsigned period = (unsigned)(cursor_byte(c) >> 4) + 1;
  uint64_t heads = varint_get(c);
  const char *why = NULL;
  if (c->why != NULL) return;
  if (heads == 0 || heads > r->left)
    why = "a repeat of no heads, or of more than there are objects";
  else if ((r->repeatable & copied(period, heads)) != copied(period, heads))
    why = "a repeat of what is no table";
  if (why != NULL) {
    c->next = start;
    cursor_fail(c, why);
    return;
  }
  r->period = period;
  r->repeats = heads;
}

unsigned heads_next(HeadReader *r, Cursor *c, Head *head) {
  if (r->repeats == 0 && cursor_left(c) > 0 && (*c->next & HEAD_KIND) == OBJECT_REPEAT) get_repeat(r, c);
  r->left--;
  if (r->repeats > 0) {
    r->repeats--;
    r->repeatable = r->repeatable << 1 | 1;
    return r->period;
  }
  head_get(c, head);
  r->repeatable = r->repeatable << 1 | (head->kind == OBJECT_TABLE);
  return 0;
}
