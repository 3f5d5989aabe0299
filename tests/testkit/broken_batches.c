/* Wrong: batches, their numbers and checks; parts. */
#include "broken.h"

static bool is_check(const hearth_op *op) {
  return op->kind == HEARTH_CHECK_EQUAL || op->kind == HEARTH_CHECK_ABSENT;
}

static bool changes(const hearth_op *ops, size_t count) {
  for (size_t i = 0; i < count; i++)
    if (!is_check(&ops[i])) return true;
  return false;
}

/* Submits the operations that `keep` says. */
static hearth_status submit_some(SUBMIT_ARGS, bool (*keep)(hearth_backend_store *s, const hearth_op *ops, size_t i)) {
  hearth_op *left = calloc(count + 1, sizeof *left);
  size_t n = 0;
  for (size_t i = 0; i < count; i++)
    if (keep(s, ops, i)) left[n++] = ops[i];
  hearth_status status = SUBMIT(left, n);
  free(left);
  return status;
}

/* --------------------------------------------------------------- numbers */

static hearth_status number_skips(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  if (status == HEARTH_OK && sequence != NULL) *sequence *= 2;
  return status;
}

static void numbers_skip(hearth_backend *b) { b->submit = number_skips; }

static hearth_status count_failed(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  if (status == HEARTH_CONFLICT) remembered.calls++;
  if (sequence != NULL) *sequence += remembered.calls;
  return status;
}

static hearth_status count_empty(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  if (status == HEARTH_OK && flags == 0 && !changes(ops, count)) remembered.calls++;
  if (sequence != NULL) *sequence += remembered.calls;
  return status;
}

static hearth_status stat_counted(hearth_backend_store *s, hearth_backend_stat *stat, hearth_error *err) {
  hearth_status status = good->stat(s, stat, err);
  stat->sequence += remembered.calls;
  return status;
}

static void failed_batches_have_numbers(hearth_backend *b) {
  b->submit = count_failed;
  b->stat = stat_counted;
}

static void empty_batches_have_numbers(hearth_backend *b) {
  b->submit = count_empty;
  b->stat = stat_counted;
}

static hearth_status no_number(SUBMIT_ARGS) {
  return good->submit(s, ops, count, flags, level, changes(ops, count) ? sequence : NULL, err);
}

static void empty_batches_give_no_number(hearth_backend *b) { b->submit = no_number; }

/* ---------------------------------------------------------------- checks */

static bool no_check(hearth_backend_store *s, const hearth_op *ops, size_t i) {
  (void)s;
  return !is_check(&ops[i]);
}

static hearth_status without_checks(SUBMIT_ARGS) {
  return submit_some(s, ops, count, flags, level, sequence, err, no_check);
}

static void checks_are_ignored(hearth_backend *b) { b->submit = without_checks; }

static bool not_equal_to_nothing(hearth_backend_store *s, const hearth_op *ops, size_t i) {
  unsigned char value[5000];
  size_t size;
  return ops[i].kind != HEARTH_CHECK_EQUAL || ops[i].value_size > 0 ||
         value_of(s, ops[i].table, ops[i].key, ops[i].key_size, value, &size);
}

static hearth_status absent_is_empty(SUBMIT_ARGS) {
  return submit_some(s, ops, count, flags, level, sequence, err, not_equal_to_nothing);
}

static void an_absent_key_equals_an_empty_value(hearth_backend *b) { b->submit = absent_is_empty; }

static bool not_the_same_beginning(hearth_backend_store *s, const hearth_op *ops, size_t i) {
  unsigned char value[5000];
  size_t size;
  if (ops[i].kind != HEARTH_CHECK_EQUAL || !value_of(s, ops[i].table, ops[i].key, ops[i].key_size, value, &size))
    return true;
  return ops[i].value_size < size || (size > 0 && memcmp(value, ops[i].value, size) != 0);
}

static hearth_status compare_beginnings(SUBMIT_ARGS) {
  return submit_some(s, ops, count, flags, level, sequence, err, not_the_same_beginning);
}

static void checks_compare_beginnings(hearth_backend *b) { b->submit = compare_beginnings; }

static bool not_absent_and_empty(hearth_backend_store *s, const hearth_op *ops, size_t i) {
  unsigned char value[5000];
  size_t size;
  return ops[i].kind != HEARTH_CHECK_ABSENT || !value_of(s, ops[i].table, ops[i].key, ops[i].key_size, value, &size) ||
         size > 0;
}

static hearth_status empty_is_absent(SUBMIT_ARGS) {
  return submit_some(s, ops, count, flags, level, sequence, err, not_absent_and_empty);
}

static void an_empty_value_is_absent(hearth_backend *b) { b->submit = empty_is_absent; }

static hearth_status conflict_without_message(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  if (status == HEARTH_CONFLICT && err != NULL) err->message[0] = '\0';
  return status;
}

static void a_conflict_has_no_message(hearth_backend *b) { b->submit = conflict_without_message; }

/* A check of a key that the batch has put before is judged on that. */
static bool not_put_before(hearth_backend_store *s, const hearth_op *ops, size_t i) {
  (void)s;
  for (size_t k = 0; is_check(&ops[i]) && k < i; k++)
    if (ops[k].kind == HEARTH_PUT && ops[k].table == ops[i].table && ops[k].key_size == ops[i].key_size &&
        memcmp(ops[k].key, ops[i].key, ops[i].key_size) == 0)
      return false;
  return true;
}

static hearth_status judge_after(SUBMIT_ARGS) {
  for (size_t i = 0; i < count; i++)
    if (!not_put_before(s, ops, i) && ops[i].kind == HEARTH_CHECK_ABSENT) {
      (void)good->submit(s, NULL, 0, HEARTH_BATCH_ABANDON, level, NULL, NULL);
      return answer(err, HEARTH_CONFLICT);
    }
  return submit_some(s, ops, count, flags, level, sequence, err, not_put_before);
}

static void checks_are_judged_after_the_batch(hearth_backend *b) { b->submit = judge_after; }

static bool first_hundred(hearth_backend_store *s, const hearth_op *ops, size_t i) {
  (void)s;
  return !is_check(&ops[i]) || i < 100;
}

static hearth_status check_some(SUBMIT_ARGS) {
  return submit_some(s, ops, count, flags, level, sequence, err, first_hundred);
}

static void only_the_first_checks_count(hearth_backend *b) { b->submit = check_some; }

/* ---------------------------------------------------------- all or nothing */

/* What stands before the check that fails is done. */
static hearth_status one_by_one(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  for (size_t i = 0; status == HEARTH_CONFLICT && count > 1 && i < count; i++)
    if (good->submit(s, ops + i, 1, 0, level, sequence, NULL) != HEARTH_OK) break;
  return status;
}

static void a_batch_is_half_applied(hearth_backend *b) { b->submit = one_by_one; }

static hearth_status leave_a_trace(SUBMIT_ARGS) {
  hearth_op trace = {HEARTH_PUT, 77, "trace", 5, "", 0};
  hearth_status status = SUBMIT(ops, count);
  if (status == HEARTH_CONFLICT) (void)good->submit(s, &trace, 1, 0, level, NULL, NULL);
  return status;
}

static void a_failed_batch_leaves_a_trace(hearth_backend *b) { b->submit = leave_a_trace; }

/* ----------------------------------------------------------- wrong batches */

static void cut_key(hearth_op *op) {
  if (op->key_size > HEARTH_MAX_KEY) op->key_size = HEARTH_MAX_KEY;
}

static hearth_status cut_keys(SUBMIT_ARGS) {
  return submit_changed(s, ops, count, flags, level, sequence, err, cut_key);
}

static void keys_beyond_the_limit_are_cut(hearth_backend *b) { b->submit = cut_keys; }

static void wrap_table(hearth_op *op) { op->table &= HEARTH_MAX_TABLE - 1; }

static hearth_status wrap_tables(SUBMIT_ARGS) {
  return submit_changed(s, ops, count, flags, level, sequence, err, wrap_table);
}

static void tables_beyond_the_limit_are_taken(hearth_backend *b) { b->submit = wrap_tables; }

static bool known(hearth_backend_store *s, const hearth_op *ops, size_t i) {
  (void)s;
  return ops[i].kind >= HEARTH_PUT && ops[i].kind <= HEARTH_CHECK_ABSENT;
}

static hearth_status only_known(SUBMIT_ARGS) {
  return submit_some(s, ops, count, flags, level, sequence, err, known);
}

static void unknown_kinds_are_ignored(hearth_backend *b) { b->submit = only_known; }

static hearth_status known_flags(SUBMIT_ARGS) {
  flags &= HEARTH_BATCH_ABANDON | HEARTH_BATCH_MORE;
  return SUBMIT(ops, count);
}

static void unknown_flags_are_ignored(hearth_backend *b) { b->submit = known_flags; }

static hearth_status known_level(SUBMIT_ARGS) {
  if (level > HEARTH_DURABLE) level = HEARTH_DURABLE;
  return SUBMIT(ops, count);
}

static void unknown_levels_are_taken(hearth_backend *b) { b->submit = known_level; }

static hearth_status invalid_as_conflict(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  return status == HEARTH_TOOBIG ? answer(err, HEARTH_INVALID) : status;
}

static void too_big_is_invalid(hearth_backend *b) { b->submit = invalid_as_conflict; }

/* Parts are kept with pointers to the caller's bytes until the last one comes. */
static hearth_status keep_pointers(SUBMIT_ARGS) {
  if ((flags & HEARTH_BATCH_ABANDON) != 0) remembered.count = 0;
  for (size_t i = 0; i < count && remembered.count < 64; i++) remembered.ops[remembered.count++] = ops[i];
  if ((flags & HEARTH_BATCH_MORE) != 0) return answer(err, HEARTH_OK);
  size_t all = remembered.count;
  remembered.count = 0;
  return SUBMIT(remembered.ops, all);
}

static void bytes_are_borrowed_for_longer(hearth_backend *b) { b->submit = keep_pointers; }

static hearth_status failing_needs_err(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  return err == NULL ? HEARTH_OK : status;
}

static void without_err_all_is_well(hearth_backend *b) { b->submit = failing_needs_err; }

const Broken broken_batches[] = {
    {"numbers skip", "batches_are_numbered_by_one", numbers_skip, ON_DISK},
    {"batches that fail have numbers", "a_batch_that_fails_has_no_number", failed_batches_have_numbers, ON_DISK},
    {"batches without changes have numbers", "a_batch_without_changes_has_no_number", empty_batches_have_numbers,
     ON_DISK},
    {"a batch without changes does not give the last number", "a_batch_without_changes_has_no_number",
     empty_batches_give_no_number, ON_DISK},
    {"checks are ignored", "checks_decide", checks_are_ignored, ON_DISK},
    {"an absent key equals an empty value", "checks_decide", an_absent_key_equals_an_empty_value, ON_DISK},
    {"checks compare only the beginning", "checks_decide", checks_compare_beginnings, ON_DISK},
    {"a key with an empty value is absent", "checks_decide", an_empty_value_is_absent, ON_DISK},
    {"an error has no message", "checks_decide", a_conflict_has_no_message, ON_DISK},
    {"checks are judged after the batch", "checks_look_at_what_was_before_their_batch",
     checks_are_judged_after_the_batch, ON_DISK},
    {"only the first hundred checks count", "many_checks_in_one_batch", only_the_first_checks_count, ON_DISK},
    {"a batch is half applied", "a_batch_that_fails_leaves_no_trace", a_batch_is_half_applied, ON_DISK},
    {"a batch that fails leaves a trace", "a_batch_that_fails_leaves_no_trace", a_failed_batch_leaves_a_trace, ON_DISK},
    {"keys beyond the limit are cut", "wrong_batches_are_refused", keys_beyond_the_limit_are_cut, ON_DISK},
    {"tables beyond the limit are taken", "wrong_batches_are_refused", tables_beyond_the_limit_are_taken, ON_DISK},
    {"operations of unknown kinds are ignored", "wrong_batches_are_refused", unknown_kinds_are_ignored, ON_DISK},
    {"unknown flags are ignored", "wrong_batches_are_refused", unknown_flags_are_ignored, ON_DISK},
    {"unknown levels are taken", "wrong_batches_are_refused", unknown_levels_are_taken, ON_DISK},
    {"what is too big is invalid", "wrong_batches_are_refused", too_big_is_invalid, ON_DISK},
    {"bytes are borrowed for longer than the call", "bytes_passed_in_are_borrowed", bytes_are_borrowed_for_longer,
     ON_DISK},
    {"without err a failure is answered OK", "errors_may_be_null", without_err_all_is_well, ON_DISK},
    {NULL, NULL, NULL, ON_DISK},
};

/* ----------------------------------------------------------------- parts */

static hearth_status without_more(SUBMIT_ARGS) {
  flags &= ~HEARTH_BATCH_MORE;
  return SUBMIT(ops, count);
}

static void parts_are_batches(hearth_backend *b) { b->submit = without_more; }

static hearth_status forget_with_empty(SUBMIT_ARGS) {
  if (count > 0 || flags != 0) return SUBMIT(ops, count);
  (void)good->submit(s, NULL, 0, HEARTH_BATCH_ABANDON, level, NULL, NULL);
  return SUBMIT(NULL, 0);
}

static void an_empty_last_part_forgets_the_batch(hearth_backend *b) { b->submit = forget_with_empty; }

/* A check of a key that an earlier part has put fails. */
static hearth_status check_parts(SUBMIT_ARGS) {
  for (size_t i = 0; i < count; i++)
    for (size_t k = 0; ops[i].kind == HEARTH_CHECK_ABSENT && k < remembered.count; k++)
      if (remembered.ops[k].kind == HEARTH_PUT && remembered.ops[k].key_size == ops[i].key_size &&
          memcmp(remembered.ops[k].key, ops[i].key, ops[i].key_size) == 0) {
        (void)good->submit(s, NULL, 0, HEARTH_BATCH_ABANDON, level, NULL, NULL);
        return answer(err, HEARTH_CONFLICT);
      }
  if ((flags & HEARTH_BATCH_MORE) == 0) remembered.count = 0;
  for (size_t i = 0; (flags & HEARTH_BATCH_MORE) != 0 && i < count && remembered.count < 64; i++) remember(&ops[i]);
  return SUBMIT(ops, count);
}

static void checks_of_parts_see_the_batch(hearth_backend *b) { b->submit = check_parts; }

static hearth_status never_abandon(SUBMIT_ARGS) {
  return flags == HEARTH_BATCH_ABANDON && count == 0 ? answer(err, HEARTH_OK) : SUBMIT(ops, count);
}

static void abandon_does_nothing(hearth_backend *b) { b->submit = never_abandon; }

static hearth_status compact_anyway(hearth_backend_store *s, unsigned keep, hearth_error *err) {
  hearth_status status = good->compact(s, keep, err);
  return status == HEARTH_BUSY ? answer(err, HEARTH_OK) : status;
}

static void compaction_is_never_busy(hearth_backend *b) { b->compact = compact_anyway; }

static hearth_status note_checks(SUBMIT_ARGS) {
  bool part = (flags & HEARTH_BATCH_MORE) != 0;
  remembered.flag = part && (remembered.flag || changes(ops, count));
  return SUBMIT(ops, count);
}

static hearth_status compact_with_checks(hearth_backend_store *s, unsigned keep, hearth_error *err) {
  hearth_status status = good->compact(s, keep, err);
  return status == HEARTH_BUSY && !remembered.flag ? answer(err, HEARTH_OK) : status;
}

static void checks_alone_are_no_part(hearth_backend *b) {
  b->submit = note_checks;
  b->compact = compact_with_checks;
}

/* A part is judged alone, and joins those before it only when it is good. */
static hearth_status keep_earlier_parts(SUBMIT_ARGS) {
  if ((flags & HEARTH_BATCH_ABANDON) != 0) remembered.count = 0;
  hearth_status status = good->submit(s, ops, count, flags | HEARTH_BATCH_MORE, level, NULL, err);
  if (status != HEARTH_OK || (flags & HEARTH_BATCH_ABANDON) != 0) return status;
  (void)good->submit(s, NULL, 0, HEARTH_BATCH_ABANDON, level, NULL, NULL);
  for (size_t i = 0; i < count && remembered.count < 64; i++) remember(&ops[i]);
  if ((flags & HEARTH_BATCH_MORE) != 0) return answer(err, HEARTH_OK);
  size_t all = remembered.count;
  remembered.count = 0;
  return SUBMIT(remembered.ops, all);
}

static void a_failed_part_leaves_the_others(hearth_backend *b) { b->submit = keep_earlier_parts; }

static hearth_status note_part(SUBMIT_ARGS) {
  hearth_status status = SUBMIT(ops, count);
  remembered.flag = status == HEARTH_OK && (flags & HEARTH_BATCH_MORE) != 0;
  return status;
}

static hearth_status close_and_commit(hearth_backend_store *s, hearth_error *err) {
  if (remembered.flag) (void)good->submit(s, NULL, 0, 0, HEARTH_DURABLE, NULL, NULL);
  remembered.flag = false;
  return good->close(s, err);
}

static void close_commits_what_is_open(hearth_backend *b) {
  b->submit = note_part;
  b->close = close_and_commit;
}

/* What is open is committed, so that it may be flushed. */
static hearth_status barrier_commits(hearth_backend_store *s, hearth_durability level, hearth_error *err) {
  if (remembered.flag) (void)good->submit(s, NULL, 0, 0, level, NULL, NULL);
  remembered.flag = false;
  return good->barrier(s, level, err);
}

static void a_barrier_commits_what_is_open(hearth_backend *b) {
  b->submit = note_part;
  b->barrier = barrier_commits;
}

const Broken broken_parts[] = {
    {"parts are batches of their own", "parts_become_one_batch", parts_are_batches, ON_DISK},
    {"an empty last part forgets the batch", "the_last_part_may_be_empty", an_empty_last_part_forgets_the_batch,
     ON_DISK},
    {"checks of parts see earlier parts", "checks_of_parts_look_before_their_batch", checks_of_parts_see_the_batch,
     ON_DISK},
    {"ABANDON does nothing", "parts_can_be_abandoned", abandon_does_nothing, ON_DISK},
    {"compaction is never busy", "compaction_is_busy_while_parts_are_open", compaction_is_never_busy, ON_DISK},
    {"a part of checks alone is none", "compaction_is_busy_while_parts_are_open", checks_alone_are_no_part, ON_DISK},
    {"a barrier commits the parts that are there", "a_barrier_leaves_an_open_batch_alone",
     a_barrier_commits_what_is_open, ON_DISK},
    {"a part that fails leaves the others", "a_part_that_fails_takes_its_batch_along", a_failed_part_leaves_the_others,
     ON_DISK},
    {"close commits the parts that are there", "parts_without_their_last_are_ignored", close_commits_what_is_open,
     ON_DISK},
    {NULL, NULL, NULL, ON_DISK},
};
