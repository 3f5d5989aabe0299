/* Logs that are made by hand, with every check right: what the scan and the inspection make of what they say. */
#include "inspect.h"

#include <errno.h>

#include "handmade.h"

#define FAR ((size_t)600 << 10) /* more than the scan has in its window */

/* A scan of the whole log, its header read. */
static void begin(LogScan *scan, Handmade *m) {
  LogSource source = handmade_source(m);
  LogHeaderState state;
  log_scan_init(scan, &source, &hearth_libc_allocator);
  assert_int_equal(log_scan_header(scan, &state), LOG_STEP_FRAME);
  assert_int_equal(state, LOG_HEADER_GOOD);
}

/* How many frames there are up to `end`, which is told. */
static unsigned walk(Handmade *m, LogStep *end, LogScan *scan) {
  unsigned frames = 0;
  begin(scan, m);
  while ((*end = log_scan_next(scan)) == LOG_STEP_FRAME) frames++;
  log_scan_free(scan);
  return frames;
}

/* -------------------------------------------------------------- decoding */

static void an_operation_that_is_none(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t size;
  } cases[] = {
      {"\x03\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 11}, /* a varint that does not end */
      {"\x03\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11}, /* 2^63: no table */
      {"\x03\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02", 11}, /* 2^64: no number */
      {"\x02\x00\x81\x08", 4},                             /* a key of 1,025 bytes */
      {"\x01\x00\x00\x80\x80\x80\x80\x08", 8},             /* a value of 2^31 bytes */
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    unsigned char bytes[2048] = {0}; /* so that only the limits can refuse it */
    LogOps ops;
    LogOp op;
    memcpy(bytes, cases[i].bytes, cases[i].size);
    log_ops(&ops, bytes, sizeof bytes, 0);
    assert_false(log_decode_op(&ops, &op));
    assert_true(ops.bad);
    const unsigned char *next = ops.next;
    assert_false(log_decode_op(&ops, &op)); /* and nothing follows it */
    assert_ptr_equal(ops.next, next);
  }
}

static void a_frame_of_no_kind(void **state) {
  (void)state;
  static const struct {
    LogKind kind;
    uint64_t length;
    bool good;
  } cases[] = {{(LogKind)0, 0, false}, {LOG_BATCH, 0, true},  {LOG_PART, 0, true},    {LOG_SYNCED, 0, true},
               {LOG_CLOSED, 0, true},  {(LogKind)5, 0, false}, {LOG_SYNCED, 1, false}, {LOG_CLOSED, 1, false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    Handmade m;
    LogFrame f;
    handmade_begin(&m, 1, 0);
    handmade_frame(&m, LOG_BATCH, 1, 0, "", 0);
    handmade_change(&m, m.frame_at, cases[i].kind, cases[i].length);
    assert_int_equal(log_decode_frame(m.bytes.data + m.frame_at, HANDMADE_SALT, m.frame_at, &f), cases[i].good);
    handmade_free(&m);
  }
}

/* -------------------------------------------------------------- scanning */

static void a_mark_inside_a_batch(void **state) {
  (void)state;
  Handmade m;
  LogScan scan;
  LogStep end;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  handmade_put(&m, LOG_PART, 2, 0, "k", "", 0);
  handmade_frame(&m, LOG_SYNCED, 1, 1, "", 0);
  assert_int_equal(walk(&m, &end, &scan), 2);
  assert_int_equal(end, LOG_STEP_BAD);
  assert_int_equal(scan.at, m.frame_at);
  assert_false(scan.marked);
  handmade_free(&m);
}

static void a_mark_of_another_batch(void **state) {
  (void)state;
  for (uint64_t sequence = 0; sequence < 3; sequence++) {
    Handmade m;
    LogScan scan;
    LogStep end;
    handmade_begin(&m, 1, 0);
    handmade_batch(&m, 1, 0);
    handmade_frame(&m, LOG_CLOSED, sequence, 1, "", 0);
    assert_int_equal(walk(&m, &end, &scan), sequence == 1 ? 2 : 1);
    assert_int_equal(end, sequence == 1 ? LOG_STEP_END : LOG_STEP_BAD);
    assert_int_equal(scan.closed, sequence == 1);
    handmade_free(&m);
  }
}

/* The next frame takes a mark's place: one that stands behind it was never written by us, however well it fits. */
static void nothing_follows_a_mark(void **state) {
  (void)state;
  for (LogKind kind = LOG_SYNCED; kind <= LOG_CLOSED; kind++) {
    Handmade m;
    LogScan scan;
    LogStep end;
    handmade_begin(&m, 1, 0);
    handmade_batch(&m, 1, 0);
    handmade_frame(&m, kind, 1, 1, "", 0);
    handmade_batch(&m, 2, 1);
    assert_int_equal(walk(&m, &end, &scan), 2);
    assert_int_equal(end, LOG_STEP_BAD);
    assert_int_equal(scan.at, m.frame_at);
    assert_int_equal(scan.sequence, 1);
    handmade_free(&m);
  }
}

/* The length says more than there is, by one byte or by all that a number can say. */
static void a_frame_longer_than_the_log(void **state) {
  (void)state;
  for (int much = 0; much < 2; much++) {
    Handmade m;
    LogScan scan;
    LogStep end;
    uint64_t found;
    handmade_begin(&m, 1, 0);
    handmade_batch(&m, 1, 0);
    size_t at = m.frame_at;
    uint64_t length = much ? UINT64_MAX : m.bytes.size - at - LOG_FRAME_SIZE + 1;
    handmade_change(&m, at, LOG_BATCH, length);
    assert_int_equal(walk(&m, &end, &scan), 0);
    assert_int_equal(end, LOG_STEP_BAD);
    begin(&scan, &m);
    assert_int_equal(log_scan_resync(&scan, LOG_HEADER_SIZE, &found), LOG_STEP_END);
    assert_int_equal(scan.at, LOG_HEADER_SIZE);
    log_scan_free(&scan);
    handmade_free(&m);
  }
}

/* Batch 1, garbage, batches 2 and 3; all but the last are larger than the window. Answers where batch 2 begins. */
static size_t make_far(Handmade *m) {
  char *large = calloc(1, FAR);
  handmade_begin(m, 1, 0);
  handmade_put(m, LOG_BATCH, 1, 0, "large", large, FAR);
  handmade_garbage(m, FAR);
  handmade_put(m, LOG_BATCH, 2, 1, "large", large, FAR);
  size_t two = m->frame_at;
  handmade_batch(m, 3, 2);
  free(large);
  return two;
}

static void searches_begin_anywhere(void **state) {
  (void)state;
  Handmade m;
  LogScan scan;
  LogFrame f;
  uint64_t found = 0;
  size_t two = make_far(&m);
  begin(&scan, &m);
  assert_int_equal(log_scan_search(&scan, LOG_HEADER_SIZE + 1, &found, &f), LOG_STEP_FRAME);
  assert_int_equal(found, two);
  assert_int_equal(f.sequence, 2);
  assert_int_equal(log_scan_search(&scan, m.frame_at + 1, &found, &f), LOG_STEP_END);
  assert_int_equal(log_scan_search(&scan, m.bytes.size + 1, &found, &f), LOG_STEP_END); /* behind the end */
  assert_int_equal(log_scan_search(&scan, LOG_HEADER_SIZE, &found, &f), LOG_STEP_FRAME); /* and back */
  assert_int_equal(found, LOG_HEADER_SIZE);
  assert_int_equal(f.sequence, 1);
  assert_int_equal(log_scan_search(&scan, two - 9, &found, &f), LOG_STEP_FRAME); /* far beyond the window */
  assert_int_equal(found, two);
  log_scan_free(&scan);
  handmade_free(&m);
}

/* Walks over the damage, and looks for proof of what is missing there; the first step that says why it ended. */
static LogStep walk_far(Handmade *m, size_t two, const hearth_allocator *allocator, LogScan *scan) {
  LogSource source = handmade_source(m);
  LogHeaderState state;
  uint64_t found;
  bool proven = false;
  log_scan_init(scan, &source, allocator);
  LogStep step = log_scan_header(scan, &state);
  if (step == LOG_STEP_FRAME) step = log_scan_next(scan);
  if (step == LOG_STEP_FRAME) step = log_scan_next(scan);
  if (step == LOG_STEP_BAD) step = log_scan_proof(scan, &proven);
  if (step == LOG_STEP_FRAME) assert_true(proven); /* batch 3 knows that 2 was synced */
  if (step == LOG_STEP_FRAME) step = log_scan_resync(scan, scan->at, &found);
  if (step == LOG_STEP_FRAME) assert_int_equal(found, two);
  while (step == LOG_STEP_FRAME) step = log_scan_next(scan);
  return step;
}

static void every_read_fails(void **state) {
  (void)state;
  static const int failures[] = {EIO, EACCES, 0}; /* 0: the source ends before the length that it said */
  for (size_t i = 0; i < sizeof failures / sizeof failures[0]; i++) {
    Handmade m;
    LogScan scan;
    size_t two = make_far(&m);
    m.failure = failures[i];
    for (m.fail_at = 0;; m.fail_at++) {
      LogStep step = walk_far(&m, two, &hearth_libc_allocator, &scan);
      if (m.reads > m.fail_at) {
        assert_int_equal(step, LOG_STEP_IO);
        assert_int_equal(scan.failure, failures[i] != 0 ? failures[i] : EIO);
        assert_int_equal(m.reads, m.fail_at + 1); /* it is not tried again */
      }
      log_scan_free(&scan);
      if (m.reads > m.fail_at) continue;
      assert_int_equal(step, LOG_STEP_END);
      assert_int_equal(scan.sequence, 3);
      break;
    }
    assert_true(m.fail_at > 4);
    handmade_free(&m);
  }
}

static void every_allocation_fails(void **state) {
  (void)state;
  Handmade m;
  LogScan scan;
  Counting memory = {.fail_at = 0};
  hearth_allocator allocator = counting_allocator(&memory);
  size_t two = make_far(&m);
  for (;; memory.fail_at++) {
    memory.calls = 0;
    LogStep step = walk_far(&m, two, &allocator, &scan);
    log_scan_free(&scan);
    assert_int_equal(memory.bytes, 0);
    if (memory.calls <= memory.fail_at) break;
    assert_int_equal(step, LOG_STEP_NOMEM);
  }
  assert_true(memory.fail_at > 1);
  handmade_free(&m);
}

/* ------------------------------------------------------------ inspecting */

typedef struct Seen {
  int header, frames, ops, gaps;     /* how often each was visited */
  int stop_at;                       /* this visit stops the walk, counted from 1 over all */
  uint64_t gap_at[4], gap_length[4];
  bool last[4], synced[4];           /* of each gap; synced: what the report says of the tail then */
  const LogReport *report;
} Seen;

static int visited(Seen *s) {
  return s->header + s->frames + s->ops + s->gaps == s->stop_at;
}

static int see_header(void *ud, const LogHeader *h, LogHeaderState state) {
  Seen *s = ud;
  (void)h, (void)state;
  s->header++;
  return visited(s);
}

static int see_frame(void *ud, uint64_t at, const LogFrame *f) {
  Seen *s = ud;
  (void)at, (void)f;
  s->frames++;
  return visited(s);
}

static int see_op(void *ud, const LogOp *op) {
  Seen *s = ud;
  (void)op;
  s->ops++;
  return visited(s);
}

static int see_gap(void *ud, uint64_t at, uint64_t length, bool last) {
  Seen *s = ud;
  assert_true(s->gaps < 4);
  s->gap_at[s->gaps] = at;
  s->gap_length[s->gaps] = length;
  s->last[s->gaps] = last;
  s->synced[s->gaps++] = s->report->tail_synced;
  return visited(s);
}

static LogStep inspect(Handmade *m, Seen *s, int stop_at, LogReport *report) {
  LogSource source = handmade_source(m);
  LogVisitor visitor = {s, see_header, see_frame, see_op, see_gap};
  *s = (Seen){.stop_at = stop_at, .report = report};
  return log_inspect(&source, &hearth_libc_allocator, &visitor, report);
}

/* Three batches with garbage behind each, and a frame out of order. Answers where the last garbage begins. */
static size_t make_gaps(Handmade *m) {
  handmade_begin(m, 1, 0);
  for (uint64_t n = 1; n <= 3; n++) {
    handmade_batch(m, n, n - 1);
    handmade_garbage(m, 10 * n);
  }
  return m->bytes.size - 30;
}

static void gaps_are_told(void **state) {
  (void)state;
  Handmade m;
  Seen s;
  LogReport r;
  size_t tail = make_gaps(&m);
  assert_int_equal(inspect(&m, &s, 0, &r), LOG_STEP_END);
  assert_true(s.header == 1 && s.frames == 3 && s.ops == 3 && s.gaps == 3);
  assert_true(s.gap_length[0] == 10 && s.gap_length[1] == 20 && s.gap_length[2] == 30);
  assert_true(!s.last[0] && !s.last[1] && s.last[2]);
  assert_true(r.gaps == 3 && r.gap_bytes == 60 && r.first_gap == s.gap_at[0] && r.tail_at == tail);
  assert_true(r.sequence == 3 && r.synced == 2 && r.batches == 3 && !r.tail_synced && !r.closed && !r.stopped);
  assert_true(r.first_disorder == HEARTH_NO_POSITION);
  LogReport quiet;
  LogSource source = handmade_source(&m);
  assert_int_equal(log_inspect(&source, &hearth_libc_allocator, NULL, &quiet), LOG_STEP_END);
  assert_memory_equal(&quiet, &r, sizeof r); /* the same when nobody looks */
  handmade_free(&m);
}

static void each_visit_stops_the_walk(void **state) {
  (void)state;
  Handmade m;
  Seen s;
  LogReport r;
  (void)make_gaps(&m);
  for (int stop_at = 1; stop_at <= 10; stop_at++) {
    assert_int_equal(inspect(&m, &s, stop_at, &r), LOG_STEP_END);
    assert_true(r.stopped);
    assert_int_equal(s.header + s.frames + s.ops + s.gaps, stop_at);
  }
  assert_int_equal(inspect(&m, &s, 11, &r), LOG_STEP_END);
  assert_false(r.stopped);
  handmade_free(&m);
}

/* The payloads of batches 2 and 3 are damaged: the header of 3 says that 2 was on the device. */
static void a_gap_that_was_on_the_device(void **state) {
  (void)state;
  for (uint64_t synced = 1; synced <= 2; synced++) {
    Handmade m;
    Seen s;
    LogReport r;
    handmade_begin(&m, 1, 0);
    handmade_batch(&m, 1, 0);
    handmade_batch(&m, 2, 1);
    size_t two = m.frame_at;
    m.bytes.data[m.bytes.size - 1] ^= 1;
    handmade_batch(&m, 3, synced);
    m.bytes.data[m.bytes.size - 1] ^= 1;
    assert_int_equal(inspect(&m, &s, 0, &r), LOG_STEP_END);
    assert_true(s.gaps == 1 && s.gap_at[0] == two && s.last[0]);
    assert_int_equal(r.tail_synced, synced == 2);
    assert_int_equal(s.synced[0], synced == 2); /* known already when the gap is visited */
    handmade_free(&m);
  }
}

static void whole_frames_out_of_order(void **state) {
  (void)state;
  Handmade m;
  Seen s;
  LogReport r;
  handmade_begin(&m, 1, 0);
  handmade_batch(&m, 1, 0);
  handmade_batch(&m, 3, 0);
  size_t first = m.frame_at;
  handmade_batch(&m, 2, 0);
  handmade_frame(&m, LOG_BATCH, 3, 0, "\x07", 1); /* and one whose payload is no operation */
  assert_int_equal(inspect(&m, &s, 0, &r), LOG_STEP_END);
  assert_true(r.frames == 4 && r.gaps == 0 && r.first_disorder == first);
  handmade_free(&m);
}

static void every_read_of_an_inspection_fails(void **state) {
  (void)state;
  for (int damaged = 0; damaged < 3; damaged++) { /* nothing; the header; the first of its salts */
    Handmade m;
    Seen s;
    LogReport r;
    (void)make_far(&m);
    handmade_garbage(&m, FAR);
    if (damaged == 1) m.bytes.data[24] ^= 1;
    if (damaged == 2) m.bytes.data[16] ^= 1;
    m.failure = EACCES;
    for (m.fail_at = 0;; m.fail_at++) {
      LogStep step = inspect(&m, &s, 0, &r);
      if (m.reads <= m.fail_at) {
        assert_int_equal(step, LOG_STEP_END);
        assert_true(r.batches == 3 && r.gaps == 2 && r.salt == HANDMADE_SALT);
        break;
      }
      assert_int_equal(step, LOG_STEP_IO);
      assert_int_equal(r.failure, EACCES);
    }
    assert_true(m.fail_at > 8);
    handmade_free(&m);
  }
}

static void a_log_that_is_hardly_there(void **state) {
  (void)state;
  static const struct {
    size_t size;     /* of what is left */
    size_t flip;     /* byte that is changed */
    LogStep step;
    LogHeaderState state;
    unsigned gaps;
  } cases[] = {
      {0, 99, LOG_STEP_BAD, LOG_HEADER_FOREIGN, 0},
      {1, 99, LOG_STEP_END, LOG_HEADER_DAMAGED, 0},
      {63, 99, LOG_STEP_END, LOG_HEADER_DAMAGED, 0},
      {64, 99, LOG_STEP_END, LOG_HEADER_GOOD, 0},
      {64, 30, LOG_STEP_END, LOG_HEADER_DAMAGED, 0},
      {65, 99, LOG_STEP_END, LOG_HEADER_GOOD, 1},
      {65, 30, LOG_STEP_END, LOG_HEADER_DAMAGED, 1}, /* nothing can be made out */
      {65, 0, LOG_STEP_BAD, LOG_HEADER_FOREIGN, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    Handmade m;
    Seen s;
    LogReport r;
    handmade_begin(&m, 1, 0);
    handmade_garbage(&m, 40);
    m.bytes.data[cases[i].flip] ^= 1;
    m.bytes.size = cases[i].size;
    assert_int_equal(inspect(&m, &s, 0, &r), cases[i].step);
    assert_int_equal(r.header_state, cases[i].state);
    assert_int_equal(r.gaps, cases[i].gaps);
    assert_int_equal(s.header, cases[i].step == LOG_STEP_END);
    handmade_free(&m);
  }
}

static void a_log_of_a_newer_format(void **state) {
  (void)state;
  Handmade m;
  Seen s;
  LogReport r;
  handmade_header(&m, (LogHeader){.write_version = 9, .read_version = 2, .salt = HANDMADE_SALT, .first = 1});
  handmade_batch(&m, 1, 0);
  assert_int_equal(inspect(&m, &s, 0, &r), LOG_STEP_BAD);
  assert_int_equal(r.header_state, LOG_HEADER_NEWER);
  assert_int_equal(r.header.read_version, 2);
  assert_int_equal(s.header + s.frames, 0);
  handmade_free(&m);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_operation_that_is_none),
      cmocka_unit_test(a_frame_of_no_kind),
      cmocka_unit_test(a_mark_inside_a_batch),
      cmocka_unit_test(a_mark_of_another_batch),
      cmocka_unit_test(nothing_follows_a_mark),
      cmocka_unit_test(a_frame_longer_than_the_log),
      cmocka_unit_test(searches_begin_anywhere),
      cmocka_unit_test(every_read_fails),
      cmocka_unit_test(every_allocation_fails),
      cmocka_unit_test(gaps_are_told),
      cmocka_unit_test(each_visit_stops_the_walk),
      cmocka_unit_test(a_gap_that_was_on_the_device),
      cmocka_unit_test(whole_frames_out_of_order),
      cmocka_unit_test(every_read_of_an_inspection_fails),
      cmocka_unit_test(a_log_that_is_hardly_there),
      cmocka_unit_test(a_log_of_a_newer_format),
  };
  return cmocka_run_group_tests_name("scan", tests, NULL, NULL);
}
