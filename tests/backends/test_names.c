/* The names that belong to a store: what an environment says of a location, and names that are too long. */
#include "names.h"

#include <errno.h>

#include "error.h"
#include "testing.h"

/* What realpath answers, by the name that it is asked for; others are not there. */
typedef struct Known {
  const char *name, *path;
  int failure;
} Known;

static Known known[2];

static int known_realpath(void *ud, const char *path, char *out, size_t size) {
  (void)ud;
  for (size_t i = 0; i < 2; i++) {
    if (known[i].name == NULL || strcmp(known[i].name, path) != 0) continue;
    if (known[i].failure == 0) (void)snprintf(out, size, "%s", known[i].path);
    return known[i].failure;
  }
  return ENOENT;
}

static const hearth_environment environment = {.size = sizeof environment, .realpath = known_realpath};
static Names names;
static hearth_error err;

static int forget(void **state) {
  (void)state;
  memset(known, 0, sizeof known);
  memset(&names, 0, sizeof names);
  return 0;
}

static hearth_status resolve(const char *location) {
  hearth_status status = names_resolve(&names, &environment, location, &err);
  if (status != HEARTH_OK) assert_int_equal(status, err.code);
  return status;
}

static void assert_resolves(const char *location, const char *path, const char *folder) {
  if (resolve(location) != HEARTH_OK) fail_msg("%s: %s", location, err.message);
  assert_string_equal(names.path, path);
  assert_string_equal(names.folder, folder);
}

static void assert_refuses(const char *location, hearth_status status, const char *text) {
  assert_int_equal(resolve(location), status);
  if (strstr(err.message, text) == NULL) fail_msg("%s", err.message);
}

/* "/xxx/xxx": `size` bytes, no part of it longer than 100. */
static const char *long_name(size_t size) {
  static char name[2 * NAMES_SIZE];
  memset(name, 'x', size);
  for (size_t i = 0; i + 1 < size; i += 101) name[i] = '/';
  name[size] = '\0';
  return name;
}

static void no_name(void **state) {
  (void)state;
  assert_refuses(NULL, HEARTH_INVALID, "needs a file's name");
  assert_refuses("", HEARTH_INVALID, "needs a file's name");
}

static void what_is_there(void **state) {
  (void)state;
  known[0] = (Known){"link", "/worlds/first/a.hearth", 0};
  assert_resolves("link", "/worlds/first/a.hearth", "/worlds/first");
  assert_string_equal(names.owner, "/worlds/first/a.hearth.owner");
  assert_string_equal(names.fresh, "/worlds/first/a.hearth.new");
  assert_string_equal(names.ballast, "/worlds/first/a.hearth.ballast");
  known[0].path = "/a.hearth";
  assert_resolves("link", "/a.hearth", "/");
  known[0].path = "a.hearth"; /* an environment without folders */
  assert_resolves("link", "a.hearth", ".");
  assert_string_equal(names.owner, "a.hearth.owner");
}

static void what_is_to_be_made(void **state) {
  (void)state;
  known[0] = (Known){".", "/here", 0};
  known[1] = (Known){"/", "/", 0};
  assert_resolves("new", "/here/new", "/here");
  assert_resolves("/new", "/new", "/");
  known[0] = (Known){"../there", "/there", 0};
  assert_resolves("../there/new", "/there/new", "/there");
  known[0].path = "/"; /* a link to the root */
  assert_resolves("../there/new", "/new", "/");
  assert_string_equal(names.ballast, "/new.ballast");
}

static void what_cannot_be_a_file(void **state) {
  static const char *const locations[] = {"folder/", "folder/.", "folder/..", ".", "..", "/"};
  (void)state;
  for (size_t i = 0; i < sizeof locations / sizeof locations[0]; i++)
    assert_refuses(locations[i], HEARTH_NOTFOUND, "no such folder");
  known[0] = (Known){"folder", "/folder", 0};
  for (size_t i = 0; i < 3; i++) assert_refuses(locations[i], HEARTH_NOTFOUND, "no such folder");
}

static void an_environment_that_refuses(void **state) {
  (void)state;
  assert_refuses("folder/new", HEARTH_NOTFOUND, "find its folder"); /* also one that has none, asked for one */
  assert_refuses("new", HEARTH_NOTFOUND, "find its folder");
  known[0] = (Known){"folder", NULL, EACCES};
  assert_refuses("folder/new", HEARTH_READONLY, "find its folder");
  known[0] = (Known){"folder/new", NULL, ENOTDIR};
  assert_refuses("folder/new", HEARTH_NOTFOUND, "find it");
  known[0].failure = ENAMETOOLONG;
  assert_refuses("folder/new", HEARTH_INVALID, "find it");
  known[0].failure = EIO;
  assert_refuses("folder/new", HEARTH_IO, "find it");
}

/* Every name beside the store's has room, or there is no store. */
static void names_that_are_too_long(void **state) {
  (void)state;
  const size_t most = NAMES_SIZE - NAMES_LONGEST_SUFFIX - 1;
  known[0] = (Known){"there", long_name(most), 0};
  assert_int_equal(resolve("there"), HEARTH_OK);
  assert_int_equal(strlen(names.path), most);
  assert_int_equal(strlen(names.ballast), most + strlen(".ballast"));
  known[0].path = long_name(most + 1);
  assert_refuses("there", HEARTH_INVALID, "be a file's name");
  static char folder[NAMES_SIZE];
  for (size_t size = most - 2; size < NAMES_SIZE; size++) {
    const char *location = long_name(size);
    size_t folder_size = (size_t)(strrchr(location, '/') - location);
    memcpy(folder, location, folder_size);
    folder[folder_size] = '\0';
    known[0] = (Known){folder, folder, 0};
    if (size <= most) assert_resolves(location, location, folder);
    else assert_refuses(location, HEARTH_INVALID, "be a file's name");
  }
}

/* Nor is there one whose torn tail could not be kept: 255 bytes are all that a file system takes. */
static void last_parts_that_are_too_long(void **state) {
  static char location[512];
  (void)state;
  const size_t most = NAMES_LONGEST_PART - (NAMES_LONGEST_SUFFIX - 1);
  known[0] = (Known){".", "/here", 0};
  for (size_t size = most - 2; size < NAMES_LONGEST_PART + 3; size++) {
    memset(location, 'x', size);
    location[size] = '\0';
    known[1] = (Known){NULL, NULL, 0};
    if (size <= most) assert_int_equal(resolve(location), HEARTH_OK);
    else assert_refuses(location, HEARTH_INVALID, "be a file's name");
    known[1] = (Known){location, location, 0}; /* the same of one that is there, and where names have no folders */
    if (size <= most) assert_resolves(location, location, ".");
    else assert_refuses(location, HEARTH_INVALID, "be a file's name");
  }
}

/* The folder's part of a location is copied before it is looked at. */
static void folders_that_are_too_long(void **state) {
  static char location[2 * NAMES_SIZE + 8], folder[NAMES_SIZE];
  (void)state;
  for (size_t size = NAMES_SIZE - 2; size < NAMES_SIZE + 2; size++) {
    bool fits = size < NAMES_SIZE;
    (void)snprintf(location, sizeof location, "%s/new", long_name(size));
    if (fits) memcpy(folder, location, size);
    if (fits) folder[size] = '\0';
    known[0] = (Known){fits ? folder : NULL, "/short", 0};
    if (fits)
      assert_resolves(location, "/short/new", "/short"); /* links may make it shorter */
    else
      assert_refuses(location, HEARTH_INVALID, "be a file's name");
  }
}

int main(void) {
#define CHECK(name) cmocka_unit_test_setup(name, forget)
  const struct CMUnitTest tests[] = {
      CHECK(no_name),
      CHECK(what_is_there),
      CHECK(what_is_to_be_made),
      CHECK(what_cannot_be_a_file),
      CHECK(an_environment_that_refuses),
      CHECK(names_that_are_too_long),
      CHECK(last_parts_that_are_too_long),
      CHECK(folders_that_are_too_long),
  };
  return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
