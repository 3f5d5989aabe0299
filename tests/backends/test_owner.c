/* The owner file: what it may say, and others who make, take and remove it at the same moment. */
#include <errno.h>

#include "meddled.h"

#define OWNER PLACE ".owner"

static void put_note(const char *text) {
  hearth_disk_put(d.disk, OWNER, text, strlen(text));
}

/* The disk's own numbers: this process is 1000, and only it is alive; the boot is "boot-0". */
static void what_a_note_may_say(void **state) {
  static const struct {
    const char *text;
    hearth_status unlocked; /* what opening answers where files cannot be locked */
    const char *message;
  } cases[] = {
      {"", HEARTH_BUSY, "another process is opening it"},
      {"hearth", HEARTH_BUSY, "another process is opening it"},
      {"somebody 12 boot-0 unlocked\n", HEARTH_BUSY, "another process is opening it"},
      {"hearth 12", HEARTH_BUSY, "another process is opening it"},
      {"hearth 12x boot-0 unlocked\n", HEARTH_BUSY, "another process is opening it"},
      {"hearth 12  unlocked\n", HEARTH_BUSY, "another process is opening it"},
      {"hearth 12 boot-0", HEARTH_BUSY, "another process is opening it"},
      {"hearth 12 boot-0 ", HEARTH_BUSY, "another process is opening it"},
      {"hearth 12 0123456789012345678901234567890123456789012345678901234567890123 unlocked\n", HEARTH_BUSY,
       "another process is opening it"},
      {"hearth 1000 boot-0 unlocked\n", HEARTH_BUSY, "this process (1000) has it open already"},
      {"hearth 1000 boot-9 unlocked\n", HEARTH_OK, ""},  /* before a restart */
      {"hearth 12 boot-0 unlocked\n", HEARTH_OK, ""},    /* a process that is gone */
      {"hearth 12 boot-0 locked\n", HEARTH_OK, ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (int locks = 0; locks < 2; locks++) {
      hearth_disk_locks(d.disk, locks);
      put_note(cases[i].text);
      hearth_status status = diskstore_open(&d, 0);
      bool alive = strstr(cases[i].text, "1000 boot-0") != NULL; /* such an owner needs no lock to be one */
      if (locks && !alive) {
        assert_int_equal(status, HEARTH_OK); /* whose lock can be had, or whose note says nothing, is gone */
      } else {
        if (status != cases[i].unlocked) fail_msg("case %zu: %s", i, d.err.message);
        if (status != HEARTH_OK) assert_non_null(strstr(d.err.message, cases[i].message));
      }
      (void)end(state);
      (void)begin(state);
    }
}

static int no_boot(void) {
  return EIO;
}

/* Where the boot cannot be told, the process alone says whether the owner is there. */
static void without_a_boot_id(void **state) {
  (void)state;
  hearth_disk_locks(d.disk, false);
  put_note("hearth 1000 boot-9 unlocked\n");
  meddler.boot = no_boot;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_BUSY);
}

/* ------------------------------------------------------ at the same moment */

static int is_owner_file(const char *path) {
  return strcmp(path, OWNER) == 0;
}

/* It was not there a moment ago; when it is opened, it is gone again. */
static int seen_and_gone(const char *path, unsigned flags) {
  if (!is_owner_file(path)) return 0;
  meddler.calls++;
  if (meddler.calls == 1 && (flags & HEARTH_FILE_EXCLUSIVE) != 0) return EEXIST;
  return 0;
}

static int always_seen_and_gone(const char *path, unsigned flags) {
  if (!is_owner_file(path)) return 0;
  meddler.calls++;
  return (flags & HEARTH_FILE_EXCLUSIVE) != 0 ? EEXIST : ENOENT;
}

static void an_owner_that_vanishes(void **state) {
  (void)state;
  meddler.open = seen_and_gone;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  assert_int_equal(meddler.calls, 3); /* not made, not found, made */
}

static void owners_that_keep_vanishing(void **state) {
  (void)state;
  size_t size;
  meddler.open = always_seen_and_gone;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_BUSY);
  assert_non_null(strstr(d.err.message, "other processes keep opening it"));
  assert_int_equal(meddler.calls, 32); /* it does not go on for ever */
  assert_null(hearth_disk_bytes(d.disk, PLACE, &size));
}

static int locked_once(void) {
  return meddler.calls++ == 0 ? EAGAIN : 0;
}

/* Somebody has the lock of the file that was just made: he took it for a dead owner's, and goes away. */
static void another_took_the_new_file(void **state) {
  (void)state;
  size_t size;
  meddler.lock = locked_once;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  assert_int_equal(meddler.calls, 2);
  const unsigned char *note = hearth_disk_bytes(d.disk, OWNER, &size);
  assert_true(size == strlen("hearth 1000 boot-0 locked\n") && memcmp(note, "hearth 1000 boot-0 locked\n", size) == 0);
}

static int other_inode_once(hearth_file_info *info) {
  info->inode += meddler.calls++ == 1;
  return 0;
}

static int other_device_once(hearth_file_info *info) {
  info->device += meddler.calls++ == 1;
  return 0;
}

static int gone_once(hearth_file_info *info) {
  (void)info;
  return meddler.calls++ == 1 ? EIO : 0;
}

/* The file that was opened is not the one that has the name now: it is looked at again. */
static void the_owner_file_is_another_one(void **state) {
  int (*const hooks[])(hearth_file_info *) = {other_inode_once, other_device_once, gone_once};
  for (size_t i = 0; i < 3; i++) {
    hearth_disk_put(d.disk, PLACE, "", 0);
    put_note("hearth 12 boot-0 locked\n");
    meddler.stat = hooks[i]; /* the first call looks at the store itself */
    assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
    assert_true(meddler.calls > 3);
    (void)end(state);
    (void)begin(state);
  }
}

static int somebody_removed_it(const char *path) {
  if (!is_owner_file(path) || meddler.calls++ > 0) return 0;
  hearth_disk_remove(d.disk, path);
  return 0;
}

static int may_not_remove(const char *path) {
  return is_owner_file(path) ? EACCES : 0;
}

/* Without locks a dead owner's file is removed, and whoever makes the new one is the owner. */
static void removing_a_dead_owners_file(void **state) {
  hearth_disk_locks(d.disk, false);
  put_note("hearth 12 boot-0 unlocked\n");
  meddler.unlink = somebody_removed_it;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  (void)end(state);
  (void)begin(state);
  hearth_disk_locks(d.disk, false);
  put_note("hearth 12 boot-0 unlocked\n");
  meddler.unlink = may_not_remove;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_READONLY);
  assert_non_null(strstr(d.err.message, "make its owner file"));
}

/* A file of that name that is not ours any more is not removed. */
static void a_successors_file_stays(void **state) {
  (void)state;
  size_t size;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  hearth_disk_remove(d.disk, OWNER);
  put_note("hearth 12 boot-0 unlocked\n");
  assert_int_equal(diskstore_close(&d), HEARTH_OK);
  assert_non_null(hearth_disk_bytes(d.disk, OWNER, &size));
}

static DiskStore second;

/* As soon as the lock can be had, somebody else opens the store. */
static void a_second_opener(void) {
  meddler.unlocked = NULL;
  second.disk = d.disk;
  second.memory.fail_at = -1;
  assert_int_equal(diskstore_open(&second, 0), HEARTH_OK);
}

/* The owner file goes before the lock does: it would be the successor's otherwise, and a third could open the store. */
static void a_successor_at_the_moment_of_closing(void **state) {
  (void)state;
  size_t size;
  assert_int_equal(diskstore_open(&d, 0), HEARTH_OK);
  meddler.unlocked = a_second_opener;
  assert_int_equal(diskstore_close(&d), HEARTH_OK);
  assert_non_null(second.store);
  assert_non_null(hearth_disk_bytes(d.disk, OWNER, &size));
  assert_int_equal(diskstore_open(&d, 0), HEARTH_BUSY);
  assert_int_equal(diskstore_close(&second), HEARTH_OK);
}

/* While this one becomes the owner, another one has made a store there. */
static int another_makes_a_store(const char *path, unsigned flags) {
  if (!is_owner_file(path) || (flags & HEARTH_FILE_EXCLUSIVE) == 0) return 0;
  hearth_disk_put(d.disk, PLACE, "", 0);
  return 0;
}

static void exclusive_means_that_nobody_else_made_it(void **state) {
  (void)state;
  size_t size = 1;
  meddler.open = another_makes_a_store;
  assert_int_equal(diskstore_open(&d, HEARTH_OPEN_EXCLUSIVE), HEARTH_EXISTS);
  assert_non_null(hearth_disk_bytes(d.disk, PLACE, &size));
  assert_int_equal(size, 0);
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      CHECK(what_a_note_may_say),
      CHECK(without_a_boot_id),
      CHECK(an_owner_that_vanishes),
      CHECK(owners_that_keep_vanishing),
      CHECK(another_took_the_new_file),
      CHECK(the_owner_file_is_another_one),
      CHECK(removing_a_dead_owners_file),
      CHECK(a_successors_file_stays),
      CHECK(a_successor_at_the_moment_of_closing),
      CHECK(exclusive_means_that_nobody_else_made_it),
  };
  return cmocka_run_group_tests_name("owner", tests, NULL, NULL);
}
