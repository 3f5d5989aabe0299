/* The keyed hash of contents against SipHash's published vectors, and keys that nobody can foresee. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "hash.h"

/* The paper's key: bytes 0, 1, ... 15. */
static const HashKey vector_key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

/*
** Of the reference code's list vectors_sip128: what the bytes 0, 1, ... size - 1 give, as the two little-endian halves
** of its 16 bytes.
*/
static const struct Vector {
  size_t size;
  Hash128 hash;
} vectors[] = {
    {0, {UINT64_C(0xe6a825ba047f81a3), UINT64_C(0x930255c71472f66d)}},
    {1, {UINT64_C(0x44af996bd8c187da), UINT64_C(0x45fc229b11597634)}},
    {2, {UINT64_C(0xc75da4a48d227781), UINT64_C(0xe4ff0af6de8ba3fc)}},
    {3, {UINT64_C(0x4ea967520cb6709c), UINT64_C(0x51ed8529b0b6335f)}},
    {4, {UINT64_C(0xaf8f9c2dc16481f8), UINT64_C(0x7955cd7b7c6e0f7d)}},
    {5, {UINT64_C(0x886f778059876813), UINT64_C(0x27960e69077a5254)}},
    {6, {UINT64_C(0x1386208b33caee14), UINT64_C(0x5ea1d78f30a05e48)}},
    {7, {UINT64_C(0x53c1dbd8beebf1a1), UINT64_C(0x3982f01fa64ab8c0)}},
    {8, {UINT64_C(0x61f55862baa9623b), UINT64_C(0xb49714f364e2830f)}},
    {9, {UINT64_C(0xabbad90a06994426), UINT64_C(0xed716dbb028b7fc4)}},
    {10, {UINT64_C(0x56691478c30d1100), UINT64_C(0xbafbd0f3d34754c9)}},
    {11, {UINT64_C(0x77666b3868c55101), UINT64_C(0x18dce5816fdcb4a2)}},
    {12, {UINT64_C(0x58f35e9066b226d6), UINT64_C(0x25c13285f64d6382)}},
    {13, {UINT64_C(0x108bc0e947e26998), UINT64_C(0xf752b9c44f9329d0)}},
    {14, {UINT64_C(0x9cded766aceffc31), UINT64_C(0x024949e45f48c77e)}},
    {15, {UINT64_C(0x11a8b03399e99354), UINT64_C(0xd9c3cf970fec087e)}},
    {16, {UINT64_C(0xbb54b067caa4e26e), UINT64_C(0x77052385bf1533fd)}},
    {31, {UINT64_C(0xfcfa233218b03929), UINT64_C(0x353dc4524fde2317)}},
    {63, {UINT64_C(0x4a83502f77d15051), UINT64_C(0x7cbd3f979a063e50)}},
};

static void hashes_are_siphash(void **state) {
  (void)state;
  unsigned char bytes[64];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)i;
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    Hash128 hash = hash128(bytes, vectors[i].size, vector_key);
    assert_true(hash128_equal(hash, vectors[i].hash));
  }
}

/* Wherever the bytes lie, and each of them, and each bit of the key, counts. */
static void every_bit_counts(void **state) {
  (void)state;
  unsigned char bytes[48], moved[64];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (unsigned char)(i * 37);
  for (size_t size = 0; size <= sizeof bytes; size++) {
    Hash128 hash = hash128(bytes, size, vector_key);
    for (size_t at = 0; at < 8; at++) {
      memcpy(moved + at, bytes, size);
      assert_true(hash128_equal(hash128(moved + at, size, vector_key), hash));
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
      bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
      Hash128 other = hash128(bytes, size, vector_key);
      assert_true(other.low != hash.low && other.high != hash.high);
      bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    for (int bit = 0; bit < 64; bit++) {
      HashKey low = vector_key, high = vector_key;
      low.low ^= UINT64_C(1) << bit;
      high.high ^= UINT64_C(1) << bit;
      assert_false(hash128_equal(hash128(bytes, size, low), hash));
      assert_false(hash128_equal(hash128(bytes, size, high), hash));
    }
  }
}

static void keys_are_different(void **state) {
  (void)state;
  HashKey keys[64];
  int same = 0;
  for (size_t i = 0; i < 64; i++) {
    keys[i] = hash_key();
    for (size_t j = 0; j < i; j++) same += keys[i].low == keys[j].low || keys[i].high == keys[j].high;
    same += keys[i].low == keys[i].high;
  }
  assert_true(same < 4); /* without a source of randomness the clock must have moved */
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hashes_are_siphash),
      cmocka_unit_test(every_bit_counts),
      cmocka_unit_test(keys_are_different),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
