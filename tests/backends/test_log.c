/* The log's bytes alone: what encode writes decode reads, and nothing else passes. */
#include "decode.h"
#include "encode.h"
#include "scan.h"
#include "testing.h"

#define SALT UINT64_C(0x1122334455667788)

/* A log in memory. */
typedef struct Memory {
  unsigned char bytes[8192];
  size_t size;
  uint64_t chain;
} Memory;

static int memory_read(void *ud, uint64_t offset, void *bytes, size_t size, size_t *got) {
  const Memory *m = ud;
  *got = offset >= m->size ? 0 : size < m->size - offset ? size : (size_t)(m->size - offset);
  memcpy(bytes, m->bytes + offset, *got);
  return 0;
}

static void start(Memory *m, uint64_t first) {
  LogHeader h = {.write_version = 1, .read_version = 1, .salt = SALT, .time = 7, .first = first, .synced = first - 1};
  memset(m, 0, sizeof *m);
  log_encode_header(m->bytes, &h);
  m->size = LOG_HEADER_SIZE;
  m->chain = h.check;
}

static void append(Memory *m, LogKind kind, uint64_t sequence, uint64_t synced, const char *key, const char *value) {
  Buffer out;
  LogFrame f = {.kind = kind, .sequence = sequence, .synced = synced, .time = 9};
  LogOp op = {.kind = HEARTH_PUT, .table = 300, .key = (const unsigned char *)key, .key_size = strlen(key),
              .value = (const unsigned char *)value, .value_size = strlen(value)};
  buffer_init(&out, &hearth_libc_allocator);
  log_encode_begin(&out);
  log_encode_op(&out, SALT, m->size, &op);
  log_encode_end(&out, SALT, m->size, m->chain, &f);
  assert_false(out.failed);
  memcpy(m->bytes + m->size, out.data, out.size);
  m->size += out.size;
  m->chain = f.check;
  buffer_free(&out);
}

/* Walks the log: how many frames, and how it ended. */
static unsigned walk(Memory *m, LogStep *end, LogScan *scan) {
  LogSource source = {m, memory_read, m->size};
  LogHeaderState state;
  unsigned frames = 0;
  log_scan_init(scan, &source, &hearth_libc_allocator);
  assert_int_equal(log_scan_header(scan, &state), LOG_STEP_FRAME);
  assert_int_equal(state, LOG_HEADER_GOOD);
  while ((*end = log_scan_next(scan)) == LOG_STEP_FRAME) frames++;
  log_scan_free(scan);
  return frames;
}

static void frames_are_read_as_written(void **state) {
  (void)state;
  Memory m;
  LogScan scan;
  LogStep end;
  LogHeader h;
  LogFrame f;
  LogOps ops;
  LogOp op;
  start(&m, 5);
  append(&m, LOG_BATCH, 5, 4, "key", "value");
  assert_int_equal(walk(&m, &end, &scan), 1);
  assert_int_equal(end, LOG_STEP_END);
  assert_int_equal(scan.sequence, 5);
  assert_int_equal(scan.synced, 4);
  assert_int_equal(log_decode_header(m.bytes, m.size, &h), LOG_HEADER_GOOD);
  assert_true(h.salt == SALT && h.time == 7 && h.first == 5 && h.synced == 4 && h.read_version == 1);
  assert_true(log_decode_second_salt(m.bytes) == SALT);
  assert_true(log_decode_frame(m.bytes + LOG_HEADER_SIZE, SALT, LOG_HEADER_SIZE, &f));
  assert_true(f.kind == LOG_BATCH && f.sequence == 5 && f.synced == 4 && f.time == 9);
  assert_int_equal(f.length, log_put_size(300, 3, 5));
  uint64_t at = LOG_HEADER_SIZE + LOG_FRAME_SIZE;
  log_ops(&ops, m.bytes + at, f.length, at);
  assert_true(log_decode_op(&ops, &op));
  assert_true(op.kind == HEARTH_PUT && op.table == 300 && op.key_size == 3 && op.value_size == 5);
  assert_memory_equal(op.key, "key", 3);
  assert_memory_equal(op.value, "value", 5);
  assert_ptr_equal(m.bytes + op.value_at, op.value);
  assert_true(log_check_op(&op, SALT));
  op.table++;
  assert_false(log_check_op(&op, SALT));
  assert_false(log_decode_op(&ops, &op));
  assert_false(ops.bad);
}

/* The bytes of the format, so that a change of it does not go unnoticed. */
static void the_format_is_what_it_was(void **state) {
  (void)state;
  static const unsigned char expected[] = {
#include "golden_log.inc"
  };
  Memory m;
  start(&m, 1);
  append(&m, LOG_PART, 1, 0, "k", "");
  append(&m, LOG_BATCH, 1, 0, "key", "value");
  if (getenv("HEARTH_PRINT_LOG") != NULL)
    for (size_t i = 0; i < m.size; i++) printf("0x%02x,%s", m.bytes[i], i % 16 == 15 ? "\n" : " ");
  assert_int_equal(m.size, sizeof expected);
  assert_memory_equal(m.bytes, expected, sizeof expected);
}

/* A frame that is whole, in its place and of the right number, but follows another history. */
static void a_frame_of_another_history_is_refused(void **state) {
  (void)state;
  Memory a, b;
  LogScan scan;
  LogStep end;
  start(&a, 1);
  append(&a, LOG_BATCH, 1, 0, "key", "one");
  size_t second = a.size;
  b = a;
  start(&b, 1);
  append(&b, LOG_BATCH, 1, 0, "key", "two");
  assert_int_equal(b.size, second);
  append(&a, LOG_BATCH, 2, 1, "key", "more");
  memcpy(b.bytes + second, a.bytes + second, a.size - second);
  b.size = a.size;
  assert_int_equal(walk(&a, &end, &scan), 2);
  assert_int_equal(walk(&b, &end, &scan), 1);
  assert_int_equal(end, LOG_STEP_BAD);
  assert_int_equal(scan.at, second);
}

/* What another file left on the disk, at the very place where a frame of this one belongs. */
static void a_frame_of_another_log_is_refused(void **state) {
  (void)state;
  Memory m;
  LogScan scan;
  LogStep end;
  LogFrame f;
  start(&m, 1);
  append(&m, LOG_BATCH, 1, 0, "key", "value");
  assert_true(log_decode_frame(m.bytes + LOG_HEADER_SIZE, SALT, LOG_HEADER_SIZE, &f));
  const unsigned char *payload = m.bytes + LOG_HEADER_SIZE + LOG_FRAME_SIZE;
  assert_true(log_check_payload(&f, payload, SALT, LOG_HEADER_SIZE));
  assert_false(log_decode_frame(m.bytes + LOG_HEADER_SIZE, SALT + 1, LOG_HEADER_SIZE, &f));
  assert_false(log_check_payload(&f, payload, SALT + 1, LOG_HEADER_SIZE));
  LogHeader h = {.write_version = 1, .read_version = 1, .salt = SALT + 1, .time = 7, .first = 1};
  log_encode_header(m.bytes, &h);
  assert_int_equal(walk(&m, &end, &scan), 0);
  assert_int_equal(end, LOG_STEP_BAD);
}

static void numbers_must_follow_each_other(void **state) {
  (void)state;
  Memory m;
  LogScan scan;
  LogStep end;
  start(&m, 1);
  append(&m, LOG_BATCH, 1, 0, "a", "1");
  append(&m, LOG_BATCH, 3, 0, "a", "1");
  assert_int_equal(walk(&m, &end, &scan), 1);
  assert_int_equal(end, LOG_STEP_BAD);
  start(&m, 1);
  append(&m, LOG_PART, 1, 0, "a", "1");
  append(&m, LOG_BATCH, 2, 0, "a", "1");
  assert_int_equal(walk(&m, &end, &scan), 1);
  assert_int_equal(end, LOG_STEP_BAD);
  assert_int_equal(scan.end, LOG_HEADER_SIZE);
}

/* Strings of up to four bytes as a payload: an operation or not, never more than there is. */
static void payloads_of_garbage(void **state) {
  (void)state;
  unsigned decoded = 0;
  for (size_t size = 1; size <= 4; size++)
    for (unsigned n = 0; n < 1u << 18; n++) {
      unsigned char *bytes = malloc(size); /* exactly, so that a sanitizer sees a read beyond */
      const unsigned char all[] = {(unsigned char)(n & 3), (unsigned char)(n >> 2 & 0xff),
                                   (unsigned char)(n >> 10 & 0xff), (unsigned char)(n >> 12 & 7)};
      LogOps ops;
      LogOp op;
      memcpy(bytes, all, size);
      log_ops(&ops, bytes, size, 0);
      for (; log_decode_op(&ops, &op); decoded++) assert_true(op.key_size < size && op.value_size == 0);
      assert_true(ops.next <= ops.end);
      free(bytes);
    }
  assert_true(decoded > 1000);
}

/* Live bytes are counted by log_put_size: lengths at which a varint gets a byte more. */
static void sizes_are_what_is_written(void **state) {
  (void)state;
  static const uint64_t lengths[] = {0, 1, 127, 128, 129, 1023, HEARTH_MAX_KEY, 16383, 16384};
  static unsigned char zeros[16384];
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    Buffer out;
    LogOps ops;
    LogOp read;
    LogOp op = {.kind = HEARTH_PUT, .table = lengths[i], .key = zeros, .value = zeros, .value_size = (size_t)lengths[i],
                .key_size = (size_t)(lengths[i] < HEARTH_MAX_KEY ? lengths[i] : HEARTH_MAX_KEY)};
    buffer_init(&out, &hearth_libc_allocator);
    log_encode_op(&out, SALT, 0, &op);
    assert_false(out.failed);
    assert_int_equal(out.size, log_put_size(op.table, op.key_size, op.value_size));
    log_ops(&ops, out.data, out.size, 0);
    assert_true(log_decode_op(&ops, &read));
    assert_true(read.table == op.table && read.key_size == op.key_size && read.value_size == op.value_size);
    assert_ptr_equal(ops.next, ops.end);
    buffer_free(&out);
  }
}

static void varints_have_one_form(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
    bool good;
    uint64_t table;
  } cases[] = {
      {"\x03\x00", 2, true, 0},
      {"\x03\x7f", 2, true, 127},
      {"\x03\x80\x01", 3, true, 128},
      {"\x03\x80\x80\x80\x80\x80\x80\x80\x10", 9, true, HEARTH_MAX_TABLE},
      {"\x03\x81\x80\x80\x80\x80\x80\x80\x10", 9, false, 0}, /* a table beyond 2^53 */
      {"\x03\x80\x00", 3, false, 0},                         /* a byte too many */
      {"\x03\x80", 2, false, 0},                             /* a byte too few */
      {"\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11, false, 0}, /* more than 64 bits */
      {"\x03\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 11, false, 0}, /* the 65th bit alone */
      {"\x06\x00", 2, false, 0},                             /* no such operation */
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    LogOps ops;
    LogOp op;
    log_ops(&ops, (const unsigned char *)cases[i].bytes, cases[i].size, 0);
    assert_int_equal(log_decode_op(&ops, &op), cases[i].good);
    assert_int_equal(ops.bad, !cases[i].good);
    if (cases[i].good) assert_true(op.table == cases[i].table && op.kind == HEARTH_DROP);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(frames_are_read_as_written),
      cmocka_unit_test(the_format_is_what_it_was),
      cmocka_unit_test(a_frame_of_another_history_is_refused),
      cmocka_unit_test(a_frame_of_another_log_is_refused),
      cmocka_unit_test(numbers_must_follow_each_other),
      cmocka_unit_test(payloads_of_garbage),
      cmocka_unit_test(sizes_are_what_is_written),
      cmocka_unit_test(varints_have_one_form),
  };
  return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
