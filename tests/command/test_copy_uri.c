/* Passwords are taken out of what is shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "copy_uri.h"

static void hides(const char *text, const char *ends, const char *expected) {
  char copy[200];
  (void)snprintf(copy, sizeof copy, "%s", text);
  hide_passwords(copy, ends);
  assert_string_equal(copy, expected);
}

static void passwords_are_hidden(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"postgresql://me:pw@host/db#world", "postgresql://me@host/db#world"},
      {"//me:pw@host:5432/db#world", "//me@host:5432/db#world"},
      {"postgresql://:pw@host", "postgresql://@host"},
      {"postgresql://me:@host", "postgresql://me@host"},
      {"postgresql://me:p:w@host", "postgresql://me@host"},
      {"postgresql://me:p@w@host", "postgresql://me@host"},
      {"postgresql://me:p/w@host/db", "postgresql://me@host/db"},
      {"postgresql://me:p?w@host/db", "postgresql://me@host/db"},
      {"postgresql://me:p#w@host/db#world", "postgresql://me@host/db#world"},
      {"postgresql://host/db?password=pw", "postgresql://host/db?password="},
      {"postgresql://host/db?a=b&password=pw&c=d#world", "postgresql://host/db?a=b&password=&c=d#world"},
      {"postgresql://me:pw@host/db?sslpassword=pw&PASSWORD=pw#w", "postgresql://me@host/db?sslpassword=&PASSWORD=#w"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) hides(cases[i][0], "", cases[i][1]);
}

static void other_texts_stay(void **state) {
  (void)state;
  static const char *const texts[] = {
      "", "/", "//", "://", "file:world.hearth", "file:/home/me/a:b@c", "file:///home/a:b@c", "file:a?password=b",
      "postgresql://host/db#world", "postgresql://me@host:5432/db?user=x&passfile=y#world", "memory:",
  };
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) hides(texts[i], "", texts[i]);
}

static void inside_a_message(void **state) {
  (void)state;
  hides("cannot open 'postgresql://me:pw@host/db': me@else: no", " '",
        "cannot open 'postgresql://me@host/db': me@else: no");
  hides("//a:b@c and //d:e@f?password=g h=i&password=j", " ", "//a@c and //d@f?password= h=i&password=j");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(passwords_are_hidden),
      cmocka_unit_test(other_texts_stay),
      cmocka_unit_test(inside_a_message),
  };
  return cmocka_run_group_tests_name("copy uri", tests, NULL, NULL);
}
