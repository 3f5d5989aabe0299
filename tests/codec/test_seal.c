/*
** Seals of prototypes: those of the caller, those that fail, and libsodium's.
*/
#include "chunk_testing.h"

static int sum_hash(void *ud, const void *bytes, size_t size, unsigned char out[HEARTH_SEAL_SIZE]) {
  const unsigned char *p = bytes;
  memset(out, *(unsigned char *)ud, HEARTH_SEAL_SIZE);
  for (size_t i = 0; i < size; i++) {
    unsigned char *o = &out[i % HEARTH_SEAL_SIZE];
    *o = (unsigned char)(*o * 31u + p[i] + i);
  }
  return 0;
}

static int failing_hash(void *ud, const void *bytes, size_t size, unsigned char out[HEARTH_SEAL_SIZE]) {
  (void)ud, (void)bytes, (void)size;
  memset(out, 0, HEARTH_SEAL_SIZE);
  return 1;
}

static void check_seal(const hearth_seal *seal, const hearth_seal *other) {
  lua_State *L = new_state();
  Buffer sealed, plain;
  hearth_error err;
  load(L, programs[3]);
  dump(L, -1, false, seal, &sealed);
  dump(L, -1, false, NULL, &plain);
  assert_int_equal(sealed.size, plain.size + HEARTH_SEAL_SIZE);
  instantiate(L, &sealed, seal);
  instantiate(L, &sealed, NULL); /* nobody asks for it */
  Prototype p = parse(&sealed);
  assert_int_equal(prototype_load(L, &p, other, 0, &err), HEARTH_SEAL);
  p = parse(&plain);
  assert_int_equal(prototype_load(L, &p, seal, 0, &err), HEARTH_SEAL);
  for (size_t i = 0; i < sealed.size; i++) {
    ChunkFault fault;
    sealed.data[i] ^= 0x10;
    if (prototype_parse(sealed.data, sealed.size, &p, &fault))
      assert_int_equal(prototype_load(L, &p, seal, 0, &err), HEARTH_SEAL);
    sealed.data[i] ^= 0x10;
  }
  buffer_free(&sealed);
  buffer_free(&plain);
  lua_close(L);
}

static void test_seal(void **state) {
  (void)state;
  unsigned char key = 1, other_key = 2;
  const hearth_seal seal = {sum_hash, &key}, other = {sum_hash, &other_key};
  check_seal(&seal, &other);
}

static void test_failing_seal(void **state) {
  (void)state;
  const hearth_seal failing = {failing_hash, NULL};
  lua_State *L = new_state();
  Buffer record;
  hearth_error err;
  const char *why = NULL;
  load(L, programs[3]);
  buffer_init(&record, &hearth_libc_allocator);
  assert_int_equal(prototype_dump(L, -1, false, &failing, &record, &why), HEARTH_SEAL);
  assert_non_null(strstr(why, "failed"));
  assert_int_equal(record.size, 0);
  unsigned char key = 1;
  const hearth_seal seal = {sum_hash, &key};
  assert_int_equal(prototype_dump(L, -1, false, &seal, &record, &why), HEARTH_OK);
  Prototype p = parse(&record);
  assert_int_equal(prototype_load(L, &p, &failing, 0, &err), HEARTH_SEAL);
  assert_non_null(strstr(err.message, "failed"));
  buffer_free(&record);
  lua_close(L);
}

static void test_sodium_seal(void **state) {
  (void)state;
  static const unsigned char key[32] = {1, 2, 3}, other_key[32] = {1, 2, 4};
  hearth_seal seal, other;
  const hearth_status status = hearth_sodium_seal(key, &seal);
  if (status == HEARTH_UNSUPPORTED) skip(); /* built without libsodium */
  assert_int_equal(status, HEARTH_OK);
  assert_int_equal(hearth_sodium_seal(other_key, &other), HEARTH_OK);
  check_seal(&seal, &other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_seal),
      cmocka_unit_test(test_failing_seal),
      cmocka_unit_test(test_sodium_seal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
