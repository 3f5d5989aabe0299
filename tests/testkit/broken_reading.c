/* Wrong: reading, order, sizes. */
#include "broken.h"

typedef struct Through {
  hearth_found found;
  void *ud;
  uint64_t number;
} Through;

/* -------------------------------------------------------------- what is there */

static hearth_status begins_at_one(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = good->stat(s, stat, err);
  stat->sequence++;
  return status;
}

static void new_stores_have_a_batch(hearth_backend *b) { b->stat = begins_at_one; }

static hearth_status finds_anything(GET_ARGS) {
  hearth_status status = GET;
  if (status != HEARTH_NOTFOUND) return status;
  found(ud, table, key, key_size, "", 0);
  return answer(err, HEARTH_OK);
}

static void notfound_is_ok(hearth_backend *b) { b->get = finds_anything; }

static hearth_status any_table(GET_ARGS) {
  hearth_status status = GET;
  if (status == HEARTH_NOTFOUND && table == 2) table = 1;
  return status == HEARTH_NOTFOUND ? GET : status;
}

static void get_looks_in_another_table(hearth_backend *b) { b->get = any_table; }

static hearth_status says_nothing(GET_ARGS) {
  return good->get(s, table, key, key_size, found, ud, NULL);
  (void)err;
}

static void err_is_not_filled(hearth_backend *b) { b->get = says_nothing; }

static int twice(FOUND_ARGS) {
  Through *t = ud;
  (void)t->found(t->ud, table, key, key_size, value, value_size);
  return t->found(t->ud, table, key, key_size, value, value_size);
}

static hearth_status get_twice(GET_ARGS) {
  Through t = {found, ud, 0};
  return good->get(s, table, key, key_size, twice, &t, err);
}

static void get_calls_found_twice(hearth_backend *b) { b->get = get_twice; }

static int note_answer(FOUND_ARGS) {
  Through *t = ud;
  t->number = (uint64_t)t->found(t->ud, table, key, key_size, value, value_size);
  return 0;
}

static hearth_status get_answers(GET_ARGS) {
  Through t = {found, ud, 0};
  hearth_status status = good->get(s, table, key, key_size, note_answer, &t, err);
  return t.number != 0 ? answer(err, (hearth_status)(int)t.number) : status;
}

static void get_answers_what_found_answers(hearth_backend *b) { b->get = get_answers; }

static hearth_status backwards(SUBMIT_ARGS) {
  hearth_op turned[1000];
  if (count > 1000) return SUBMIT(ops, count);
  for (size_t i = 0; i < count; i++) turned[i] = ops[count - 1 - i];
  return SUBMIT(turned, count);
}

static void operations_happen_backwards(hearth_backend *b) { b->submit = backwards; }

static hearth_status without_kind(SUBMIT_ARGS, hearth_op_kind kind) {
  hearth_op *left = calloc(count + 1, sizeof *left);
  size_t n = 0;
  for (size_t i = 0; i < count; i++)
    if (ops[i].kind != kind) left[n++] = ops[i];
  hearth_status status = SUBMIT(left, n);
  free(left);
  return status;
}

static hearth_status without_del(SUBMIT_ARGS) {
  return without_kind(s, ops, count, flags, level, sequence, err, HEARTH_DEL);
}

static void del_is_ignored(hearth_backend *b) { b->submit = without_del; }

static hearth_status del_must_find(SUBMIT_ARGS) {
  unsigned char value[256];
  size_t size;
  for (size_t i = 0; i < count; i++)
    if (ops[i].kind == HEARTH_DEL && !value_of(s, ops[i].table, ops[i].key, ops[i].key_size, value, &size))
      return answer(err, HEARTH_NOTFOUND);
  return SUBMIT(ops, count);
}

static void del_of_nothing_fails(hearth_backend *b) { b->submit = del_must_find; }

static int remember_key(FOUND_ARGS) {
  (void)ud;
  hearth_op op = {HEARTH_DEL, table, key, key_size, NULL, 0};
  if (remembered.count < 64) remember(&op);
  (void)value;
  (void)value_size;
  return 0;
}

static hearth_status drop_but_one(SUBMIT_ARGS) {
  if (count != 1 || ops[0].kind != HEARTH_DROP) return SUBMIT(ops, count);
  int result;
  remembered.count = 0;
  (void)good->scan(s, ops[0].table, NULL, 0, NULL, 0, false, remember_key, NULL, &result, NULL);
  return SUBMIT(remembered.ops, remembered.count > 0 ? remembered.count - 1 : 0);
}

static void drop_forgets_one_key(hearth_backend *b) { b->submit = drop_but_one; }

static hearth_status drop_two(SUBMIT_ARGS) {
  hearth_op both[2];
  if (count != 1 || ops[0].kind != HEARTH_DROP) return SUBMIT(ops, count);
  both[0] = both[1] = ops[0];
  both[1].table++;
  return SUBMIT(both, 2);
}

static void drop_takes_the_next_table_along(hearth_backend *b) { b->submit = drop_two; }

static hearth_status counts_one_more(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = good->stat(s, stat, err);
  if (status == HEARTH_OK && stat->size > offsetof(hearth_backend_stat, entries) && stat->sequence > 1) stat->entries++;
  return status;
}

static void deleted_entries_are_counted(hearth_backend *b) { b->stat = counts_one_more; }

static hearth_status counts_fewer_bytes(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = good->stat(s, stat, err);
  if (stat->size > offsetof(hearth_backend_stat, live_bytes)) stat->live_bytes -= stat->entries;
  return status;
}

static void bytes_of_keys_are_not_counted(hearth_backend *b) { b->stat = counts_fewer_bytes; }

/* ----------------------------------------------------------------- order */

#define MOST 4000

typedef struct Item {
  size_t key_size, value_size;
  unsigned char bytes[200];
} Item;

static Item items[MOST];
static size_t item_count;

static int collect(FOUND_ARGS) {
  Item *item = &items[item_count];
  (void)ud;
  (void)table;
  if (key_size + value_size > sizeof item->bytes || item_count == MOST) return 1;
  item->key_size = key_size;
  item->value_size = value_size;
  if (key_size > 0) memcpy(item->bytes, key, key_size);
  if (value_size > 0) memcpy(item->bytes + key_size, value, value_size);
  item_count++;
  return 0;
}

static hearth_status scan_in_order(SCAN_ARGS, int (*order)(const void *, const void *)) {
  int answered = 0;
  item_count = 0;
  hearth_status status = good->scan(s, table, from, from_size, to, to_size, reverse, collect, NULL, result, err);
  if (item_count > 0) qsort(items, item_count, sizeof *items, order);
  for (size_t i = 0; i < item_count && answered == 0; i++) {
    const Item *item = &items[reverse ? item_count - 1 - i : i];
    answered = found(ud, table, item->bytes, item->key_size, item->bytes + item->key_size, item->value_size);
  }
  *result = answered;
  return status;
}

static int by_signed_bytes(const void *a, const void *b) {
  const Item *x = a, *y = b;
  for (size_t i = 0; i < x->key_size && i < y->key_size; i++)
    if (x->bytes[i] != y->bytes[i]) return (signed char)x->bytes[i] < (signed char)y->bytes[i] ? -1 : 1;
  return x->key_size < y->key_size ? -1 : x->key_size > y->key_size;
}

static int by_size_backwards(const void *a, const void *b) {
  const Item *x = a, *y = b;
  size_t least = x->key_size < y->key_size ? x->key_size : y->key_size;
  int order = memcmp(x->bytes, y->bytes, least);
  return order != 0 ? order : x->key_size > y->key_size ? -1 : x->key_size < y->key_size;
}

static int by_size_first(const void *a, const void *b) {
  const Item *x = a, *y = b;
  if (x->key_size != y->key_size) return x->key_size < y->key_size ? -1 : 1;
  return memcmp(x->bytes, y->bytes, x->key_size);
}

static hearth_status scan_signed(SCAN_ARGS) {
  return scan_in_order(s, table, from, from_size, to, to_size, reverse, found, ud, result, err, by_signed_bytes);
}

static void bytes_are_signed(hearth_backend *b) { b->scan = scan_signed; }

static hearth_status scan_longest_first(SCAN_ARGS) {
  return scan_in_order(s, table, from, from_size, to, to_size, reverse, found, ud, result, err, by_size_backwards);
}

static void longer_keys_come_first(hearth_backend *b) { b->scan = scan_longest_first; }

static hearth_status scan_by_size(SCAN_ARGS) {
  return scan_in_order(s, table, from, from_size, to, to_size, reverse, found, ud, result, err, by_size_first);
}

static void keys_are_ordered_by_size(hearth_backend *b) { b->scan = scan_by_size; }

static int key_as_text(FOUND_ARGS) {
  Through *t = ud;
  const unsigned char *end = key_size > 0 ? memchr(key, 0, key_size) : NULL;
  if (end != NULL) key_size = (size_t)(end - (const unsigned char *)key);
  return t->found(t->ud, table, key, key_size, value, value_size);
}

static hearth_status scan_text(SCAN_ARGS) {
  Through t = {found, ud, 0};
  return good->scan(s, table, from, from_size, to, to_size, reverse, key_as_text, &t, result, err);
}

static void keys_end_at_a_zero(hearth_backend *b) { b->scan = scan_text; }

/* ---------------------------------------------------------------- bounds */

static hearth_status scan_to_included(SCAN_ARGS) {
  unsigned char end[HEARTH_MAX_KEY + 1] = {0};
  if (to != NULL) {
    if (to_size > 0) memcpy(end, to, to_size);
    to = end;
    to_size++;
  }
  return SCAN;
}

static void the_upper_bound_is_included(hearth_backend *b) { b->scan = scan_to_included; }

static hearth_status scan_from_excluded(SCAN_ARGS) {
  unsigned char first[HEARTH_MAX_KEY + 1] = {0};
  if (from != NULL) {
    if (from_size > 0) memcpy(first, from, from_size);
    from = first;
    from_size++;
  }
  return SCAN;
}

static void the_lower_bound_is_excluded(hearth_backend *b) { b->scan = scan_from_excluded; }

static hearth_status scan_forwards(SCAN_ARGS) {
  reverse = false;
  return SCAN;
}

static void reverse_is_ignored(hearth_backend *b) { b->scan = scan_forwards; }

static hearth_status scan_without_to(SCAN_ARGS) {
  if (to_size == 0) to = NULL;
  return SCAN;
}

static void an_empty_upper_bound_is_none(hearth_backend *b) { b->scan = scan_without_to; }

static hearth_status scan_reverse_without_bound(SCAN_ARGS) {
  if (reverse) to = NULL;
  return SCAN;
}

static void reverse_scans_ignore_the_upper_bound(hearth_backend *b) { b->scan = scan_reverse_without_bound; }

static int go_on(FOUND_ARGS) {
  Through *t = ud;
  (void)t->found(t->ud, table, key, key_size, value, value_size);
  return 0;
}

static hearth_status scan_to_the_end(SCAN_ARGS) {
  Through t = {found, ud, 0};
  return good->scan(s, table, from, from_size, to, to_size, reverse, go_on, &t, result, err);
}

static void a_scan_cannot_be_ended(hearth_backend *b) { b->scan = scan_to_the_end; }

static hearth_status scan_no_result(SCAN_ARGS) {
  hearth_status status = SCAN;
  *result = 0;
  return status;
}

static void a_scan_has_no_result(hearth_backend *b) { b->scan = scan_no_result; }

static hearth_status tables_to_the_end(hearth_backend_store *s, hearth_found found, void *ud, int *result,
                                       hearth_error *err) {
  Through t = {found, ud, 0};
  return good->tables(s, go_on, &t, result, err);
}

static void tables_cannot_be_ended(hearth_backend *b) { b->tables = tables_to_the_end; }

static hearth_status one_table_more(hearth_backend_store *s, hearth_found found, void *ud, int *result,
                                    hearth_error *err) {
  hearth_status status = good->tables(s, found, ud, result, err);
  if (*result == 0) *result = found(ud, HEARTH_MAX_TABLE, NULL, 0, NULL, 0);
  return status;
}

static void tables_gives_an_empty_table(hearth_backend *b) { b->tables = one_table_more; }

/* ----------------------------------------------------------------- sizes */

static void cut_value(hearth_op *op) {
  if (op->kind == HEARTH_PUT && op->value_size > 65535) op->value_size = 65535;
}

static hearth_status submit_cut(SUBMIT_ARGS) {
  return submit_changed(s, ops, count, flags, level, sequence, err, cut_value);
}

static void long_values_are_cut(hearth_backend *b) { b->submit = submit_cut; }

static void empty_is_none(hearth_op *op) {
  if (op->kind == HEARTH_PUT && op->value_size == 0) op->kind = HEARTH_DEL;
}

static hearth_status submit_without_empty(SUBMIT_ARGS) {
  return submit_changed(s, ops, count, flags, level, sequence, err, empty_is_none);
}

static void an_empty_value_is_none(hearth_backend *b) { b->submit = submit_without_empty; }

static void cut_key(hearth_op *op) {
  if (op->key_size > 255 && op->key_size <= HEARTH_MAX_KEY) op->key_size = 255;
}

static hearth_status submit_short_keys(SUBMIT_ARGS) {
  return submit_changed(s, ops, count, flags, level, sequence, err, cut_key);
}

static void long_keys_are_cut(hearth_backend *b) { b->submit = submit_short_keys; }

static void cut_table(hearth_op *op) {
  if (op->table <= HEARTH_MAX_TABLE) op->table = (uint32_t)op->table;
}

static hearth_status submit_small_tables(SUBMIT_ARGS) {
  return submit_changed(s, ops, count, flags, level, sequence, err, cut_table);
}

static void tables_have_32_bits(hearth_backend *b) { b->submit = submit_small_tables; }

static int first_thousand(FOUND_ARGS) {
  Through *t = ud;
  if (t->number++ == 1000) return 0x7777;
  return t->found(t->ud, table, key, key_size, value, value_size);
}

static hearth_status scan_thousand(SCAN_ARGS) {
  Through t = {found, ud, 0};
  hearth_status status = good->scan(s, table, from, from_size, to, to_size, reverse, first_thousand, &t, result, err);
  if (*result == 0x7777) *result = 0;
  return status;
}

static void a_scan_ends_after_a_thousand(hearth_backend *b) { b->scan = scan_thousand; }

static int through_a_buffer(FOUND_ARGS) {
  static unsigned char buffer[4 << 20];
  Through *t = ud;
  if (value_size > 0) memcpy(buffer, value, value_size);
  return t->found(t->ud, table, key, key_size, buffer, value_size);
}

static hearth_status get_buffered(GET_ARGS) {
  Through t = {found, ud, 0};
  return good->get(s, table, key, key_size, through_a_buffer, &t, err);
}

static void get_has_one_buffer(hearth_backend *b) { b->get = get_buffered; }

const Broken broken_reading[] = {
    {"a new store has a batch", "a_new_store_is_empty", new_stores_have_a_batch, ON_DISK},
    {"tables gives an empty table", "a_new_store_is_empty", tables_gives_an_empty_table, ON_DISK},
    {"NOTFOUND is answered OK", "puts_are_read_back_in_order", notfound_is_ok, ON_DISK},
    {"get looks in another table", "puts_are_read_back_in_order", get_looks_in_another_table, ON_DISK},
    {"the error's code is not set", "puts_are_read_back_in_order", err_is_not_filled, ON_DISK},
    {"get calls found twice", "what_the_callback_of_get_answers_is_ignored", get_calls_found_twice, ON_DISK},
    {"get answers what found answers", "what_the_callback_of_get_answers_is_ignored", get_answers_what_found_answers,
     ON_DISK},
    {"the operations of a batch happen backwards", "the_last_operation_on_a_key_counts", operations_happen_backwards,
     ON_DISK},
    {"DEL is ignored", "a_deleted_key_is_gone", del_is_ignored, ON_DISK},
    {"DEL of an absent key fails", "a_deleted_key_is_gone", del_of_nothing_fails, ON_DISK},
    {"DROP forgets one key", "a_drop_takes_every_entry", drop_forgets_one_key, ON_DISK},
    {"DROP takes the next table along", "a_drop_takes_every_entry", drop_takes_the_next_table_along, ON_DISK},
    {"deleted entries are counted", "the_numbers_of_entries_and_bytes_are_right", deleted_entries_are_counted, ON_DISK},
    {"bytes of keys are not counted", "the_numbers_of_entries_and_bytes_are_right", bytes_of_keys_are_not_counted,
     ON_DISK},
    {"keys are compared as signed bytes", "keys_are_ordered_by_memcmp", bytes_are_signed, ON_DISK},
    {"a longer key comes before its beginning", "keys_are_ordered_by_memcmp", longer_keys_come_first, ON_DISK},
    {"keys are ordered by their size first", "keys_are_ordered_by_memcmp", keys_are_ordered_by_size, ON_DISK},
    {"keys end at a zero byte", "keys_are_ordered_by_memcmp", keys_end_at_a_zero, ON_DISK},
    {"the upper bound is included", "scans_keep_their_bounds", the_upper_bound_is_included, ON_DISK},
    {"the lower bound is excluded", "scans_keep_their_bounds", the_lower_bound_is_excluded, ON_DISK},
    {"reverse is ignored", "scans_keep_their_bounds", reverse_is_ignored, ON_DISK},
    {"an empty upper bound is taken for none", "scans_keep_their_bounds", an_empty_upper_bound_is_none, ON_DISK},
    {"reverse scans ignore the upper bound", "scans_keep_their_bounds", reverse_scans_ignore_the_upper_bound, ON_DISK},
    {"a callback cannot end a scan", "a_callback_ends_a_scan", a_scan_cannot_be_ended, ON_DISK},
    {"a scan has no result", "a_callback_ends_a_scan", a_scan_has_no_result, ON_DISK},
    {"a callback cannot end tables", "a_callback_ends_the_tables", tables_cannot_be_ended, ON_DISK},
    {"long values are cut", "values_of_many_sizes", long_values_are_cut, ON_DISK},
    {"an empty value is taken for none", "values_of_many_sizes", an_empty_value_is_none, ON_DISK},
    {"long keys are cut", "keys_and_tables_at_the_limits", long_keys_are_cut, ON_DISK},
    {"tables are numbered with 32 bits", "keys_and_tables_at_the_limits", tables_have_32_bits, ON_DISK},
    {"a scan ends after a thousand entries", "many_entries_are_scanned", a_scan_ends_after_a_thousand, ON_DISK},
    {"the bytes of a callback are those of the last get", "a_callback_of_get_may_get", get_has_one_buffer, ON_DISK},
    {NULL, NULL, NULL, ON_DISK},
};
