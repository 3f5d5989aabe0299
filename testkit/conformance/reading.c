/* What was put is read back: by key, in order, between bounds. */
#include "fixture.h"

static void a_new_store_is_empty(Fixture *f) {
  Text t;
  READS(f, "", kit_everything(f, &t));
  READS(f, "nothing", kit_get(f, 1, "a", &t));
  READS(f, "", kit_range(f, 1, NULL, NULL, false, &t));
  hearth_backend_stat stat = kit_look(f);
  EQUALS(f, 0, stat.sequence);
  EQUALS(f, 0, stat.entries);
  EQUALS(f, 0, stat.live_bytes);
}

static void puts_are_read_back_in_order(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(2, "b", "1"), put(1, "ab", "2"), put(1, "a", "3"), put(1, "b", ""),
                               put(HEARTH_MAX_TABLE, "", "4"), put(1, "a\xff", "5"), put(0, "z", "6")));
  for (int i = 0; i < 2; i++) {
    READS(f, "0/z=6 1/a=3 1/ab=2 1/a\\ff=5 1/b= 2/b=1 9007199254740992/=4 ", kit_everything(f, &t));
    READS(f, "1/a=3 ", kit_get(f, 1, "a", &t));
    READS(f, "1/b= ", kit_get(f, 1, "b", &t));
    READS(f, "9007199254740992/=4 ", kit_get(f, HEARTH_MAX_TABLE, "", &t));
    READS(f, "nothing", kit_get(f, 2, "a", &t));
    READS(f, "nothing", kit_get(f, 1, "", &t));
    READS(f, "nothing", kit_get(f, 1, "abc", &t));
    kit_reopen(f);
  }
}

static void the_last_operation_on_a_key_counts(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "old"), put(1, "a", "new"), put(1, "b", "x"), del(1, "b"), del(1, "c"),
                               put(2, "a", "x"), drop(2), put(2, "b", "y"), put(3, "a", "z"), drop(3), drop(4)));
  for (int i = 0; i < 2; i++) {
    READS(f, "1/a=new 2/b=y ", kit_everything(f, &t));
    kit_reopen(f);
  }
  ANSWERS(f, HEARTH_OK, SUBMIT(f, del(1, "a"), put(2, "b", "yy")));
  for (int i = 0; i < 2; i++) {
    READS(f, "2/b=yy ", kit_everything(f, &t));
    kit_reopen(f);
  }
}

static void a_deleted_key_is_gone(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x"), put(1, "b", "y"), put(1, "bb", "z"), put(2, "b", "w")));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, del(1, "b"), del(1, "none"), del(9, "a")));
  for (int i = 0; i < 2; i++) {
    READS(f, "1/a=x 1/bb=z 2/b=w ", kit_everything(f, &t));
    READS(f, "nothing", kit_get(f, 1, "b", &t));
    kit_reopen(f);
  }
}

static void a_drop_takes_every_entry(Fixture *f) {
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x"), put(2, "", "v"), put(2, "a", "x"), put(2, "b", "y"),
                               put(2, "\xff\xff", "z"), put(3, "a", "x")));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, drop(2)));
  for (int i = 0; i < 2; i++) {
    READS(f, "1/a=x 3/a=x ", kit_everything(f, &t));
    READS(f, "nothing", kit_get(f, 2, "", &t));
    READS(f, "nothing", kit_get(f, 2, "\xff\xff", &t));
    kit_reopen(f);
  }
}

static void the_numbers_of_entries_and_bytes_are_right(Fixture *f) {
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "12345"), put(1, "bb", ""), put(2, "ccc", "1")));
  EQUALS(f, 3, kit_look(f).entries);
  EQUALS(f, 12, kit_look(f).live_bytes);
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "1"), del(1, "bb"), put(2, "d", "22"), drop(3)));
  for (int i = 0; i < 2; i++) {
    EQUALS(f, 3, kit_look(f).entries);
    EQUALS(f, 9, kit_look(f).live_bytes);
    EQUALS(f, 2, kit_look(f).sequence);
    kit_reopen(f);
  }
}

/* ----------------------------------------------------------------- order */

typedef struct Key {
  unsigned char bytes[3];
  size_t size;
} Key;

#define MOST_KEYS 80

/* In the order that is asked for: each byte of a few, after each of a few beginnings. */
static size_t make_keys(Key keys[MOST_KEYS]) {
  static const unsigned char bytes[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
  size_t n = 0;
  keys[n++] = (Key){{0}, 0};
  for (size_t i = 0; i < sizeof bytes; i++) {
    keys[n++] = (Key){{bytes[i]}, 1};
    for (size_t j = 0; j < sizeof bytes; j++) {
      keys[n++] = (Key){{bytes[i], bytes[j]}, 2};
      if (j % 2 == 0) keys[n++] = (Key){{bytes[i], bytes[j], 0}, 3};
    }
  }
  return n;
}

typedef struct Expected { /* a scan must give these keys, one after the other */
  Fixture *f;
  const Key *next;
  int step;
  size_t left;
} Expected;

static int is_next(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Expected *e = ud;
  if (e->left == 0) {
    NOTE(e->f, "a scan gave more than there is");
    return 1;
  }
  if (table != 7) NOTE(e->f, "a scan of table 7 gave an entry of table %llu", ULL(table));
  if (key_size != e->next->size || (key_size > 0 && memcmp(key, e->next->bytes, key_size) != 0))
    NOTE(e->f, "a scan gave a key of %zu bytes (first %02x) where one of %zu (first %02x) is next", key_size,
         key_size > 0 ? *(const unsigned char *)key : 0, e->next->size, e->next->bytes[0]);
  if (value_size != 1 || *(const unsigned char *)value != (unsigned char)e->next->size)
    NOTE(e->f, "a scan gave another value than was put");
  e->next += e->step;
  e->left--;
  return 0;
}

static void scan_is(Fixture *f, const Key *from, const Key *to, const Key *keys, size_t first, size_t end,
                    bool reverse) {
  Expected e = {f, NULL, reverse ? -1 : 1, end > first ? end - first : 0};
  int result = -1;
  e.next = reverse && e.left > 0 ? keys + end - 1 : keys + first;
  hearth_status status = f->backend->scan(f->store, 7, from != NULL ? from->bytes : NULL,
                                          from != NULL ? from->size : 0, to != NULL ? to->bytes : NULL,
                                          to != NULL ? to->size : 0, reverse, is_next, &e, &result, kit_fresh(f));
  (void)kit_judged(f, status);
  kit_judge(f);
  ANSWERS(f, HEARTH_OK, status);
  MUST(f, e.left == 0, "%s gave %zu of %zu entries", reverse ? "a reverse scan" : "a scan", end - first - e.left,
       end - first);
}

static void keys_are_ordered_by_memcmp(Fixture *f) {
  Key keys[MOST_KEYS];
  size_t count = make_keys(keys);
  for (size_t i = 0; i < count; i++) { /* not in their order */
    const Key *k = &keys[i * 37 % count];
    unsigned char value = (unsigned char)k->size;
    hearth_op op = {HEARTH_PUT, 7, k->bytes, k->size, &value, 1};
    ANSWERS(f, HEARTH_OK, kit_submit_at(f, &op, 1, 0, HEARTH_VISIBLE, NULL));
  }
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(6, "\xff", "x"), put(8, "", "x")));
  for (int again = 0; again < 2; again++) {
    scan_is(f, NULL, NULL, keys, 0, count, false);
    scan_is(f, NULL, NULL, keys, 0, count, true);
    kit_reopen(f);
  }
}

/* Every pair of bounds, those that are keys and those that lie between, in both directions. */
static void scans_keep_their_bounds(Fixture *f) {
  Key keys[MOST_KEYS], there[MOST_KEYS];
  size_t count = make_keys(keys), n = 0;
  hearth_op ops[MOST_KEYS];
  unsigned char values[MOST_KEYS];
  for (size_t i = 1; i < count; i += 3) {
    values[n] = (unsigned char)keys[i].size;
    there[n] = keys[i];
    ops[n] = (hearth_op){HEARTH_PUT, 7, there[n].bytes, there[n].size, &values[n], 1};
    n++;
  }
  ANSWERS(f, HEARTH_OK, kit_submit(f, ops, n, 0));
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(6, "\xff", "x"), put(8, "", "x")));
  for (size_t a = 0; a <= count; a++)
    for (size_t b = 0; b <= count; b++) { /* `count` stands for no bound; key number i is there when i % 3 == 1 */
      size_t first = a == count ? 0 : (a + 1) / 3, end = b == count ? n : (b + 1) / 3;
      for (int reverse = 0; reverse < 2; reverse++)
        scan_is(f, a == count ? NULL : &keys[a], b == count ? NULL : &keys[b], there, first, end > first ? end : first,
                reverse != 0);
    }
  Text t;
  READS(f, "", kit_range(f, 9, NULL, NULL, false, &t));
  READS(f, "", kit_range(f, 9, "a", "b", true, &t));
}

static void a_callback_ends_a_scan(Fixture *f) {
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "1"), put(1, "b", "2"), put(1, "c", "3")));
  for (int after = 1; after <= 3; after++)
    for (int reverse = 0; reverse < 2; reverse++) {
      Text t = {.stop_after = after};
      int result = 0;
      ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->scan(f->store, 1, NULL, 0, NULL, 0, reverse != 0, kit_write_down,
                                                           &t, &result, kit_fresh(f))));
      EQUALS(f, 7, (uint64_t)result);
      EQUALS(f, (uint64_t)after, t.count);
      char expected[] = "1/a=1 1/b=2 1/c=3 ", reversed[] = "1/c=3 1/b=2 1/a=1 ";
      expected[6 * after] = reversed[6 * after] = '\0';
      READS(f, reverse ? reversed : expected, t.text);
    }
}

static int stop_at_two(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  size_t *calls = ud;
  (void)key;
  (void)key_size;
  (void)value;
  (void)value_size;
  ++*calls;
  return table == 2 ? -9 : 0;
}

static void a_callback_ends_the_tables(Fixture *f) {
  size_t calls = 0;
  int result = 0;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(3, "a", "1"), put(1, "b", "2"), put(2, "c", "3"), put(9, "d", "4")));
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->tables(f->store, stop_at_two, &calls, &result, kit_fresh(f))));
  EQUALS(f, 2, calls);
  MUST(f, result == -9, "tables gave the result %d of a callback that answered -9", result);
}

static int answer_something(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                            size_t value_size) {
  (void)kit_write_down(ud, table, key, key_size, value, value_size);
  return HEARTH_IO;
}

static void what_the_callback_of_get_answers_is_ignored(Fixture *f) {
  Text t = {.count = 0};
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "a", "x")));
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->get(f->store, 1, "a", 1, answer_something, &t, kit_fresh(f))));
  READS(f, "1/a=x ", t.text);
  ANSWERS(f, HEARTH_OK, SUBMIT(f, put(1, "b", "y")));
}

/* ------------------------------------------------------------ sizes, limits */

static void values_of_many_sizes(Fixture *f) {
  static unsigned char big[3 << 20];
  for (size_t i = 0; i < sizeof big; i++) big[i] = (unsigned char)(i * 131 + i / 255);
  const size_t sizes[] = {0, 1, 127, 128, 16383, 16384, 16385, 1 << 20, sizeof big};
  hearth_op ops[9];
  char keys[9][2];
  for (unsigned i = 0; i < 9; i++) {
    keys[i][0] = (char)('a' + (int)i);
    ops[i] = (hearth_op){HEARTH_PUT, 1, keys[i], 1, big, sizes[i]};
  }
  ANSWERS(f, HEARTH_OK, kit_submit(f, ops, 9, 0));
  for (int again = 0; again < 2; again++) {
    for (unsigned i = 0; i < 9; i++) {
      hearth_op check = ops[i];
      check.kind = HEARTH_CHECK_EQUAL;
      ANSWERS(f, HEARTH_OK, kit_submit(f, &check, 1, 0));
      if (check.value_size == 0) continue;
      check.value_size--;
      ANSWERS(f, HEARTH_CONFLICT, kit_submit(f, &check, 1, 0));
    }
    kit_reopen(f);
  }
}

static int is_long(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Fixture *f = ud;
  const unsigned char *k = key;
  (void)value;
  if (table != HEARTH_MAX_TABLE || key_size != HEARTH_MAX_KEY || k[0] != 0xfe || k[HEARTH_MAX_KEY - 1] != 0xfe ||
      value_size != 1)
    NOTE(f, "a key of %d bytes in table 2^53 came back as one of %zu in table %llu", HEARTH_MAX_KEY, key_size,
         ULL(table));
  return 0;
}

static void keys_and_tables_at_the_limits(Fixture *f) {
  unsigned char key[HEARTH_MAX_KEY];
  int result = -1;
  memset(key, 0xfe, sizeof key);
  hearth_op ops[] = {{HEARTH_PUT, HEARTH_MAX_TABLE, key, sizeof key, "x", 1}, {HEARTH_PUT, 0, NULL, 0, NULL, 0},
                     {HEARTH_CHECK_ABSENT, HEARTH_MAX_TABLE, key, sizeof key - 1, NULL, 0}};
  ANSWERS(f, HEARTH_OK, kit_submit(f, ops, 3, 0));
  for (int again = 0; again < 2; again++) {
    Text t = {.count = 0};
    EQUALS(f, 2, kit_look(f).entries);
    EQUALS(f, HEARTH_MAX_KEY + 1, kit_look(f).live_bytes);
    ANSWERS(f, HEARTH_OK,
            kit_judged(f, f->backend->get(f->store, HEARTH_MAX_TABLE, key, sizeof key, is_long, f, kit_fresh(f))));
    kit_judge(f);
    ANSWERS(f, HEARTH_NOTFOUND,
            kit_judged(f, f->backend->get(f->store, HEARTH_MAX_TABLE, key, sizeof key - 1, is_long, f, kit_fresh(f))));
    ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->scan(f->store, HEARTH_MAX_TABLE, key, sizeof key, NULL, 0, true,
                                                         is_long, f, &result, kit_fresh(f))));
    kit_judge(f);
    ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->get(f->store, 0, NULL, 0, kit_write_down, &t, kit_fresh(f))));
    READS(f, "0/= ", t.text);
    kit_reopen(f);
  }
}

/* ----------------------------------------------------------------- many */

#define MANY 3000

typedef struct Many {
  Fixture *f;
  unsigned next;
  int step;
  size_t count;
} Many;

static int is_number(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Many *m = ud;
  char name[16];
  int n = snprintf(name, sizeof name, "key%06u", m->next);
  (void)table;
  if (key_size != (size_t)n || memcmp(key, name, key_size) != 0 || value_size != 40 + m->next % 90 ||
      ((const unsigned char *)value)[value_size - 1] != (unsigned char)m->next)
    NOTE(m->f, "entry %zu of a scan is not %s as it was put", m->count, name);
  m->next = (unsigned)((int)m->next + m->step);
  m->count++;
  return 0;
}

static void put_many(Fixture *f) {
  hearth_op ops[100];
  static char names[100][16];
  static unsigned char values[100][130];
  for (unsigned i = 0; i < MANY; i++) { /* the last ones first */
    unsigned n = MANY - 1 - i, at = i % 100;
    (void)snprintf(names[at], sizeof names[at], "key%06u", n);
    memset(values[at], (int)(n & 255), sizeof values[at]);
    ops[at] = (hearth_op){HEARTH_PUT, 5, names[at], 9, values[at], 40 + n % 90};
    if (at == 99) ANSWERS(f, HEARTH_OK, kit_submit(f, ops, 100, i + 1 < MANY ? HEARTH_BATCH_MORE : 0));
  }
}

static void many_entries_are_scanned(Fixture *f) {
  put_many(f);
  EQUALS(f, 1, kit_look(f).sequence);
  for (int again = 0; again < 2; again++) {
    EQUALS(f, MANY, kit_look(f).entries);
    for (int reverse = 0; reverse < 2; reverse++) {
      Many m = {f, reverse ? 2899 : 100, reverse ? -1 : 1, 0};
      int result = -1;
      hearth_status status = kit_judged(f, f->backend->scan(f->store, 5, "key000100", 9, "key002900", 9, reverse != 0,
                                                        is_number, &m, &result, kit_fresh(f)));
      kit_judge(f);
      ANSWERS(f, HEARTH_OK, status);
      EQUALS(f, 2800, m.count);
    }
    kit_reopen(f);
  }
  Text t;
  ANSWERS(f, HEARTH_OK, SUBMIT(f, drop(5)));
  READS(f, "", kit_everything(f, &t));
}

static int get_another(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                       size_t value_size) {
  Fixture *f = ud;
  char name[8];
  unsigned char first = *(const unsigned char *)value;
  (void)table;
  (void)key;
  (void)key_size;
  for (unsigned i = 0; i < 600; i++) {
    Text t = {.count = 0};
    hearth_error err;
    (void)snprintf(name, sizeof name, "%u", i);
    if (f->backend->get(f->store, 1, name, strlen(name), kit_write_down, &t, &err) != HEARTH_OK || t.count != 1)
      NOTE(f, "a get from the callback of get: %s", err.message);
  }
  if (value_size != 100 || *(const unsigned char *)value != first)
    NOTE(f, "bytes that were passed out changed during the callback");
  return 0;
}

static void a_callback_of_get_may_get(Fixture *f) {
  hearth_op ops[600];
  static char names[600][8], values[600][101];
  for (unsigned i = 0; i < 600; i++) {
    (void)snprintf(names[i], sizeof names[i], "%u", i);
    (void)snprintf(values[i], sizeof values[i], "%0100u", i);
    values[i][0] = (char)(i & 127);
    ops[i] = (hearth_op){HEARTH_PUT, 1, names[i], strlen(names[i]), values[i], 100};
  }
  for (unsigned i = 0; i < 600; i += 20) ANSWERS(f, HEARTH_OK, kit_submit_at(f, ops + i, 20, 0, HEARTH_VISIBLE, NULL));
  for (unsigned i = 0; i < 600; i += 100)
    for (int again = 0; again < 2; again++) {
      ANSWERS(f, HEARTH_OK,
              kit_judged(f, f->backend->get(f->store, 1, names[i], strlen(names[i]), get_another, f, kit_fresh(f))));
      kit_judge(f);
    }
}

const Case kit_reading_cases[] = {
    {"a_new_store_is_empty", "At a place where nothing is, open makes an empty store: no entry, no batch.",
     a_new_store_is_empty, 0},
    {"puts_are_read_back_in_order", "What was put is read back by get, scan and tables, under its table and key.",
     puts_are_read_back_in_order, 0},
    {"the_last_operation_on_a_key_counts", "The operations of a batch happen in their order.",
     the_last_operation_on_a_key_counts, 0},
    {"a_deleted_key_is_gone", "DEL takes one entry, and is no error when there is none.", a_deleted_key_is_gone, 0},
    {"a_drop_takes_every_entry", "DROP takes every key of its table, and of no other.", a_drop_takes_every_entry, 0},
    {"the_numbers_of_entries_and_bytes_are_right",
     "stat counts the entries that can be read, and the bytes of their keys and values.",
     the_numbers_of_entries_and_bytes_are_right, 0},
    {"keys_are_ordered_by_memcmp", "Keys are ordered by memcmp, a shorter key before a longer one that it begins.",
     keys_are_ordered_by_memcmp, 0},
    {"scans_keep_their_bounds",
     "A scan gives the entries of one table with from <= key < to, with reverse from the last down.",
     scans_keep_their_bounds, 0},
    {"a_callback_ends_a_scan", "A result that is not zero ends a scan and is its result.", a_callback_ends_a_scan, 0},
    {"a_callback_ends_the_tables", "A result that is not zero ends tables and is its result.",
     a_callback_ends_the_tables, 0},
    {"what_the_callback_of_get_answers_is_ignored", "get calls found once and ignores its result.",
     what_the_callback_of_get_answers_is_ignored, 0},
    {"values_of_many_sizes", "Values of no bytes and of many come back byte for byte.", values_of_many_sizes, 0},
    {"keys_and_tables_at_the_limits", "Keys have 0 to 1,024 bytes, tables are numbered from 0 to 2^53.",
     keys_and_tables_at_the_limits, 0},
    {"many_entries_are_scanned", "A scan gives every entry, however many there are.", many_entries_are_scanned, 0},
    {"a_callback_of_get_may_get", "Bytes passed out are valid during the callback, which may call get.",
     a_callback_of_get_may_get, 0},
    {NULL, NULL, NULL, 0},
};
