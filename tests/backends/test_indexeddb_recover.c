/* Opening and refreshing a store in the browser's database: logs that are made by hand, a host that fails. */
#include "handmade.h"
#include "idbstore.h"

static void put(World *w, const Handmade *m) {
  fake_put(w->fake, m->bytes.data, m->bytes.size);
}

static int take_value(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t size) {
  (void)table, (void)key, (void)key_size;
  (void)snprintf(ud, 16, "%.*s", (int)size, (const char *)value);
  return 0;
}

/* The entry "k" says which batch was the last. */
static void assert_holds(World *w, uint64_t sequence) {
  char value[16] = "";
  assert_int_equal(look(w).sequence, sequence);
  hearth_status status = idb->get(w->store, 1, "k", 1, take_value, value, NULL);
  assert_int_equal(status, sequence > 0 ? HEARTH_OK : HEARTH_NOTFOUND);
  assert_int_equal(strtoull(value, NULL, 10), sequence);
}

static void headers_that_are_none(void **state) {
  World *w = *state;
  const struct {
    LogHeader h;
    size_t flip;
    hearth_status writes, reads;
  } cases[] = {
      {{.write_version = 1, .read_version = 1, .first = 1}, 99, HEARTH_OK, HEARTH_OK},
      {{.write_version = 1, .read_version = 1, .first = 1}, 0, HEARTH_DAMAGED, HEARTH_DAMAGED}, /* the magic */
      {{.write_version = 1, .read_version = 1, .first = 1}, 20, HEARTH_DAMAGED, HEARTH_DAMAGED},
      {{.write_version = 1, .read_version = 1, .first = 0}, 99, HEARTH_DAMAGED, HEARTH_DAMAGED},
      {{.write_version = 2, .read_version = 2, .first = 1}, 99, HEARTH_VERSION, HEARTH_VERSION},
      {{.write_version = 2, .read_version = 2, .first = 0}, 99, HEARTH_VERSION, HEARTH_VERSION},
      {{.write_version = 2, .read_version = 1, .first = 1}, 99, HEARTH_VERSION, HEARTH_OK},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    for (int reader = 0; reader < 2; reader++) {
      Handmade m;
      handmade_header(&m, cases[i].h);
      handmade_garbage(&m, 100);
      m.bytes.data[cases[i].flip] ^= 1;
      m.bytes.size = LOG_HEADER_SIZE;
      put(w, &m);
      hearth_status status = open_with(w, reader ? HEARTH_OPEN_READONLY : 0);
      assert_int_equal(status, reader ? cases[i].reads : cases[i].writes);
      if (status == HEARTH_DAMAGED) {
        assert_int_equal(w->err.position, 0);
        assert_null(strstr(w->err.message, "salvage")); /* which a browser has not */
      }
      if (status == HEARTH_OK) closes(w);
      handmade_free(&m);
    }
}

static void a_frame_that_makes_no_sense(void **state) {
  World *w = *state;
  Handmade m;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  handmade_frame(&m, LOG_BATCH, 2, 1, "\x07", 1);
  put(w, &m);
  assert_int_equal(open_with(w, 0), HEARTH_DAMAGED);
  assert_int_equal(w->err.position, m.frame_at);
  assert_int_equal(w->memory.bytes, 0);
  handmade_free(&m);
}

/* A compacted log whose records were lost: its header says up to which batch it was written. */
static void a_log_shorter_than_its_header_says(void **state) {
  World *w = *state;
  Handmade m;
  handmade_begin(&m, 3, 4);
  for (uint64_t n = 2; n < 5; n++) {
    if (n > 2) handmade_batch(&m, n, n - 1);
    put(w, &m);
    hearth_status expected = n < 4 ? HEARTH_DAMAGED : HEARTH_OK;
    assert_int_equal(open_with(w, HEARTH_OPEN_READONLY), expected);
    if (n == 4) closes(w);
    assert_int_equal(open_with(w, 0), expected);
    if (n < 4) assert_int_equal(w->err.position, m.bytes.size);
  }
  assert_holds(w, 4);
  handmade_free(&m);
}

/* Parts without their last are nobody's, and the next batch takes their place. */
static void parts_without_their_last(void **state) {
  World *w = *state;
  Handmade m;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  size_t whole = m.bytes.size;
  handmade_put(&m, LOG_PART, 2, 1, "k", "no", 2);
  put(w, &m);
  opens(w);
  assert_holds(w, 1);
  assert_true(fake_end(w->fake) == (double)whole);
  handmade_free(&m);
}

/* Each read in turn: an error, with nothing changed and nothing kept. */
static void a_host_that_cannot_read(void **state) {
  World *w = *state;
  Handmade m;
  static const unsigned char large[600 << 10];
  handmade_begin(&m, 1, 0);
  handmade_put(&m, LOG_BATCH, 1, 0, "large", large, sizeof large);
  handmade_batch(&m, 2, 1);
  put(w, &m);
  long n = 0;
  for (;; n++) {
    fake_refuse_reads(w->fake, n, HEARTH_IO);
    if (open_with(w, 0) == HEARTH_OK) break;
    assert_int_equal(w->err.code, HEARTH_IO);
    assert_non_null(strstr(w->err.message, "world: cannot read"));
    assert_int_equal(w->memory.bytes, 0);
  }
  assert_true(n > 1);
  assert_holds(w, 2);
  handmade_free(&m);
}

/* ------------------------------------------------------------- refreshing */

static void a_writer_has_nothing_to_refresh(void **state) {
  World *w = *state;
  opens(w);
  submits(w, 1, 2);
  fake_settle_all(w->fake);
  assert_int_equal(idb->refresh(w->store, NULL), HEARTH_OK);
  reads(w, 2);
}

static void what_a_refresh_finds(void **state) {
  World *w = *state;
  Handmade m;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  put(w, &m);
  assert_int_equal(open_with(w, HEARTH_OPEN_READONLY), HEARTH_OK);
  handmade_batch(&m, 2, 1);
  put(w, &m);
  static const hearth_status refusals[] = {HEARTH_NOMEM, HEARTH_IO};
  for (size_t i = 0; i < 2; i++) {
    fake_refuse_reload(w->fake, refusals[i]);
    assert_int_equal(idb->refresh(w->store, &w->err), refusals[i]);
    assert_non_null(strstr(w->err.message, "cannot read again"));
    assert_holds(w, 1);
  }
  fake_refuse_reload(w->fake, HEARTH_OK);
  m.bytes.data[m.bytes.size - 1] ^= 1; /* damage: what was read stays */
  put(w, &m);
  fake_read_again(w->fake);
  assert_int_equal(idb->refresh(w->store, &w->err), HEARTH_DAMAGED);
  assert_int_equal(w->err.position, m.frame_at);
  assert_holds(w, 1);
  m.bytes.data[m.bytes.size - 1] ^= 1;
  put(w, &m);
  fake_read_again(w->fake);
  assert_int_equal(idb->refresh(w->store, NULL), HEARTH_OK);
  assert_holds(w, 2);
  fake_cut(w->fake, 0); /* the store was deleted and made anew */
  fake_read_again(w->fake);
  assert_int_equal(idb->refresh(w->store, NULL), HEARTH_OK);
  assert_holds(w, 0);
  assert_int_equal(look(w).entries, 0);
  handmade_free(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      CHECK(headers_that_are_none),
      CHECK(a_frame_that_makes_no_sense),
      CHECK(a_log_shorter_than_its_header_says),
      CHECK(parts_without_their_last),
      CHECK(a_host_that_cannot_read),
      CHECK(a_writer_has_nothing_to_refresh),
      CHECK(what_a_refresh_finds),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
