/* Filling the error record; the table of status texts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "error.h"

static void test_filling(void **state) {
  (void)state;
  hearth_error e;
  memset(&e, 0x55, sizeof e);
  assert_int_equal(hearth_fail(&e, HEARTH_IO, "%s: %d", "world.hearth", 5), HEARTH_IO);
  assert_int_equal(e.code, HEARTH_IO);
  assert_true(e.position == HEARTH_NO_POSITION);
  assert_string_equal(e.message, "world.hearth: 5");
  assert_string_equal(e.path, "");
  assert_int_equal(hearth_fail_at(&e, HEARTH_DAMAGED, 4711, "damaged"), HEARTH_DAMAGED);
  assert_true(e.position == 4711);
  assert_int_equal(hearth_ok(&e), HEARTH_OK);
  assert_int_equal(e.code, HEARTH_OK);
  assert_string_equal(e.message, "");
  assert_int_equal(hearth_fail(NULL, HEARTH_IO, "x"), HEARTH_IO);
  assert_int_equal(hearth_ok(NULL), HEARTH_OK);
  hearth_error_path(NULL, "x");
}

static void test_one_line(void **state) {
  (void)state;
  hearth_error e;
  hearth_fail(&e, HEARTH_IO, "a\nb\tc\x7f" "d\xc3\xa9");
  assert_string_equal(e.message, "a?b?c?d\xc3\xa9");
}

static void test_long_texts_are_cut(void **state) {
  (void)state;
  hearth_error e;
  char text[2000];
  memset(text, 'x', sizeof text - 1);
  text[sizeof text - 1] = '\0';
  text[sizeof text - 2] = '!';
  hearth_fail(&e, HEARTH_IO, "%s", text);
  assert_int_equal(strlen(e.message), sizeof e.message - 1);
  hearth_error_path(&e, text); /* at its front: the end says more */
  assert_int_equal(strlen(e.path), sizeof e.path - 1);
  assert_memory_equal(e.path, "...x", 4);
  assert_int_equal(e.path[sizeof e.path - 2], '!');
  text[255] = '\0';
  hearth_error_path(&e, text);
  assert_string_equal(e.path, text); /* the longest that fits */
}

static void test_every_status_has_its_texts(void **state) {
  (void)state;
  for (int i = HEARTH_LOST; i <= HEARTH_PENDING; i++) {
    const char *name = hearth_status_name((hearth_status)i), *sentence = hearth_status_text((hearth_status)i);
    assert_true(strlen(name) > 0 && strlen(sentence) > 0);
    for (const char *p = name; *p != '\0'; p++) assert_true(*p >= 'a' && *p <= 'z');
    for (int j = HEARTH_LOST; j < i; j++) assert_string_not_equal(name, hearth_status_name((hearth_status)j));
  }
  assert_string_equal(hearth_status_name(HEARTH_UNSTORABLE), "unstorable");
  assert_non_null(hearth_status_name((hearth_status)-1000));
  assert_non_null(hearth_status_text((hearth_status)1000));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_filling),
      cmocka_unit_test(test_one_line),
      cmocka_unit_test(test_long_texts_are_cut),
      cmocka_unit_test(test_every_status_has_its_texts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
