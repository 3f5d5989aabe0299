/* Hashes of contents: which contents share one must not be known to who makes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hash.h"

#define SIZE 3000

/*
** Two contents with one XXH3 where the seed is 0. Behind 240 bytes each lane of 8 adds the product of the halves
** of (bytes xor the secret there), and the bytes themselves: with the lower half of the secret as its lower half, two
** lanes may exchange a part of their upper halves. The secret's first 16 bytes are those of XXH3's specification.
*/
static void make_twins(unsigned char a[SIZE], unsigned char b[SIZE]) {
  static const unsigned char secret[] = {0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe,
                                         0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c};
  memset(a, 'x', SIZE);
  memcpy(a, secret, 4);
  memcpy(a + 64, secret + 8, 4);
  memcpy(b, a, SIZE);
  b[4]++;
  b[64 + 4]--;
}

static void contents_of_one_hash_differ_with_another_seed(void **state) {
  (void)state;
  unsigned char a[SIZE], b[SIZE];
  make_twins(a, b);
  assert_true(hash128(a, SIZE, 0).low == hash128(b, SIZE, 0).low);
  assert_true(hash64(a, SIZE, 0) == hash64(b, SIZE, 0));
  for (int i = 0; i < 1000; i++) {
    uint64_t seed = hash_seed();
    assert_false(hash128_equal(hash128(a, SIZE, seed), hash128(b, SIZE, seed)));
    assert_true(hash128_equal(hash128(a, SIZE, seed), hash128(a, SIZE, seed)));
  }
}

static void seeds_are_different(void **state) {
  (void)state;
  uint64_t seeds[64];
  int same = 0;
  for (size_t i = 0; i < 64; i++) {
    seeds[i] = hash_seed();
    for (size_t j = 0; j < i; j++) same += seeds[i] == seeds[j];
  }
  assert_true(same < 4); /* without a source of randomness the clock must have moved */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(contents_of_one_hash_differ_with_another_seed),
      cmocka_unit_test(seeds_are_different),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
