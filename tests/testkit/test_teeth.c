/*
** The suite's teeth: for each rule of the contract a backend that breaks it, and the case that must say so. With an
** argument: the rules whose case has that name.
*/
#include "../backends/testing.h"

#include "broken.h"
#include "fake_indexeddb.h"
#include "folder.h"
#include "hearth_testkit.h"
#include "hearth_testkit_disk.h"

const hearth_backend *const good = &hearth_file_backend;
Remembered remembered;

void remember(const hearth_op *op) {
  hearth_op *own = &remembered.ops[remembered.count];
  unsigned char(*bytes)[64] = remembered.bytes[remembered.count++];
  *own = *op;
  if (op->key_size > 64 || op->value_size > 64) abort();
  if (op->key_size > 0) memcpy(bytes[0], op->key, op->key_size);
  if (op->value_size > 0) memcpy(bytes[1], op->value, op->value_size);
  own->key = bytes[0];
  own->value = bytes[1];
}

/* What was lost can still be reached, or a tool that looks for leaks would find these. */
void lose_memory(const hearth_allocator *allocator) {
  static void *lost;
  void **block = allocator->alloc(allocator->ud, NULL, 0, sizeof *block);
  if (block == NULL) return;
  *block = lost;
  lost = block;
}

hearth_status answer(hearth_error *err, hearth_status status) {
  if (err == NULL) return status;
  err->code = status;
  (void)snprintf(err->message, sizeof err->message, "%s", status == HEARTH_OK ? "" : "as a broken backend does it");
  return status;
}

typedef struct Value {
  unsigned char *out;
  size_t *size;
} Value;

static int copy_value(FOUND_ARGS) {
  Value *v = ud;
  (void)table;
  (void)key;
  (void)key_size;
  if (value_size < 256 && value_size > 0) memcpy(v->out, value, value_size);
  *v->size = value_size;
  return 0;
}

bool value_of(hearth_backend_store *s, uint64_t table, const void *key, size_t key_size, unsigned char *out,
              size_t *size) {
  Value v = {out, size};
  return good->get(s, table, key, key_size, copy_value, &v, NULL) == HEARTH_OK;
}

/* --------------------------------------------------------------- subjects */

static hearth_disk *disk;
static Fake *browser;
static char folder[512], place[600];

static const char *arrive(void *ud) {
  BrokenPlace where = *(BrokenPlace *)ud;
  if (where == ON_DISK) disk = hearth_disk_new();
  if (where == IN_BROWSER) browser = fake_new("world");
  if (where != IN_FOLDER) return where == ON_DISK ? "/world.hearth" : "world";
  folder_make(folder, sizeof folder);
  (void)snprintf(place, sizeof place, "%s/world.hearth", folder);
  return place;
}

static void leave(void *ud, const char *location) {
  BrokenPlace where = *(BrokenPlace *)ud;
  (void)location;
  if (where == ON_DISK) hearth_disk_free(disk);
  if (where == IN_BROWSER) fake_free(browser);
  if (where == IN_FOLDER) folder_remove(folder);
}

static const hearth_environment *environment(void *ud) {
  (void)ud;
  return hearth_disk_environment(disk);
}

static void settle(void *ud) {
  (void)ud;
  fake_settle_all(browser);
  fake_read_again(browser);
}

static hearth_testkit_subject subject_at(BrokenPlace *where, const hearth_backend *backend) {
  hearth_testkit_subject subject = {.size = sizeof subject, .name = "broken", .backend = backend, .ud = where,
                                    .arrive = arrive, .leave = leave, .persistent = true};
  if (*where == ON_DISK) {
    subject.environment = environment;
    subject.on_disk = "/world.hearth";
  } else if (*where == IN_BROWSER) {
    subject.settle = settle;
    subject.begins_with_a_batch = true;
    subject.keeps_no_batches = true;
  }
  return subject;
}

/* ------------------------------------------------------------------ teeth */

static const Broken *const chapters[] = {broken_reading, broken_batches, broken_parts, broken_levels,
                                         broken_openers, broken_earlier, broken_memory, broken_disks,
                                         broken_pending};

#define CHAPTERS (sizeof chapters / sizeof *chapters)

static size_t case_named(const char *name) {
  for (size_t i = 0; i < hearth_testkit_case_count(); i++)
    if (strcmp(hearth_testkit_case_name(i), name) == 0) return i;
  fail_msg("there is no case %s", name);
  return 0;
}

static void tell(void *ud, const hearth_testkit_result *result) {
  const Broken *broken = ud;
  if (result->outcome == HEARTH_TESTKIT_FAILED)
    print_message("%s: %s says \"%s\"\n", broken->rule, result->name, result->message);
  else
    print_error("%s: NOT CAUGHT by %s %s\n", broken->rule, result->name, result->message);
}

static bool is_caught(const Broken *broken) {
  BrokenPlace where = broken->place;
  hearth_backend backend = where == IN_BROWSER ? hearth_indexeddb_backend : hearth_file_backend;
  memset(&remembered, 0, sizeof remembered);
  broken->breaks(&backend);
  hearth_testkit_subject subject = subject_at(&where, &backend);
  void *told = (void *)(uintptr_t)broken;
  return hearth_testkit_run_case(&subject, case_named(broken->caught_by), tell, told) == HEARTH_TESTKIT_FAILED;
}

static const char *wanted; /* the case that was asked for */

static void every_broken_rule_is_caught(void **state) {
  unsigned rules = 0, caught = 0;
  (void)state;
  for (size_t i = 0; i < CHAPTERS; i++)
    for (const Broken *b = chapters[i]; b->rule != NULL; b++) {
      if (wanted != NULL && strcmp(wanted, b->caught_by) != 0) continue;
      rules++;
      if (is_caught(b)) caught++;
    }
  printf("figure: %u broken rules, %u caught\n", rules, caught);
  assert_true(rules > 0);
  assert_int_equal(caught, rules);
}

/* No case is without a rule that it catches, and each that has one passes on what is whole. */
static void every_case_has_teeth(void **state) {
  (void)state;
  size_t count = hearth_testkit_case_count(), without = 0;
  for (size_t n = 0; n < count; n++) {
    bool found = false;
    BrokenPlace where = ON_DISK;
    for (size_t i = 0; i < CHAPTERS; i++)
      for (const Broken *b = chapters[i]; b->rule != NULL && !found; b++)
        if (strcmp(b->caught_by, hearth_testkit_case_name(n)) == 0) {
          found = true;
          where = b->place;
        }
    hearth_testkit_subject subject =
        subject_at(&where, where == IN_BROWSER ? &hearth_indexeddb_backend : &hearth_file_backend);
    if (!found) {
      print_error("no rule for %s\n", hearth_testkit_case_name(n));
      without++;
    }
    assert_int_equal(hearth_testkit_run_case(&subject, n, NULL, NULL), HEARTH_TESTKIT_PASSED);
  }
  assert_int_equal(without, 0);
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_broken_rule_is_caught),
      cmocka_unit_test(every_case_has_teeth),
  };
  if (argc > 1) wanted = argv[1];
  return cmocka_run_group_tests_name("teeth", tests, NULL, NULL);
}
