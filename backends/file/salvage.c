#include "salvage.h"

#include <inttypes.h>
#include <stdio.h>

#include "error.h"
#include "failure.h"
#include "index.h"
#include "logfile.h"

typedef struct Salvage {
  const hearth_environment *env;
  const hearth_allocator *allocator;
  const char *from;
  hearth_warn warn;
  void *warn_ud;
  LogInput input;
  LogSource source;
  LogReport *log;
  SalvageReport *report; /* NULL while only verifying */
  Index index;
  LogKind last_kind;     /* of the last frame; 0: damaged bytes follow it */
  uint64_t sequence;     /* of the batch that is being put together */
  bool doubtful;         /* bytes of that batch may be lost */
  bool whole_batches;    /* doubtful ones are left out */
  bool begun;            /* a frame was seen */
  uint64_t counted;      /* the batches up to this one are over */
  LogFrame lost;         /* the last frame whose header is whole among damaged bytes; kind 0: none */
  uint64_t bad_value;    /* position of the first value whose check fails, or HEARTH_NO_POSITION */
  hearth_status status;  /* why the walk was stopped */
} Salvage;

static void tell(const Salvage *s, const char *format, ...) HEARTH_PRINTF(2, 3);
static void tell(const Salvage *s, const char *format, ...) {
  char line[512];
  va_list args;
  if (s->warn == NULL) return;
  va_start(args, format);
  (void)vsnprintf(line, sizeof line, format, args);
  va_end(args);
  s->warn(s->warn_ud, line);
}

static int stop(Salvage *s, hearth_status status) {
  s->status = status;
  return 1;
}

static void tell_gap(const Salvage *s, uint64_t at, uint64_t length, bool last) {
  tell(s, "%s: %" PRIu64 " bytes at byte %" PRIu64 " %s", s->from, length, at,
       last ? "are a torn tail, or damaged" : "are damaged");
}

/* ------------------------------------------------------------- verify */

static int verify_op(void *ud, const LogOp *op) {
  Salvage *s = ud;
  if (op->kind != HEARTH_PUT || log_check_op(op, s->log->salt)) return 0;
  tell(s, "%s: the value at byte %" PRIu64 " is damaged", s->from, op->value_at);
  if (s->bad_value == HEARTH_NO_POSITION) s->bad_value = op->value_at;
  return 0;
}

static int verify_gap(void *ud, uint64_t at, uint64_t length, bool last) {
  tell_gap(ud, at, length, last);
  return 0;
}

/* A gap at the end is a torn tail unless something says that what stood there was on the device. */
static bool tail_is_torn(const LogReport *log) {
  return log->tail_at != HEARTH_NO_POSITION && !log->tail_synced && log->sequence >= log->synced &&
         log->sequence >= log->header.synced;
}

static hearth_status judge(const Salvage *s, hearth_error *err) {
  const LogReport *log = s->log;
  uint64_t at = log->first_gap;
  if (log->header_state == LOG_HEADER_DAMAGED || log->header.first == 0) at = 0; /* open refuses both */
  else if (at == HEARTH_NO_POSITION && log->sequence < log->header.synced) at = s->source.length; /* cut off */
  else if (log->gaps == 1 && tail_is_torn(log)) at = HEARTH_NO_POSITION;
  if (s->bad_value < at) at = s->bad_value;
  if (log->first_disorder < at) at = log->first_disorder;
  if (at == HEARTH_NO_POSITION) return HEARTH_OK;
  return hearth_fail_at(err, HEARTH_DAMAGED, at, "%s: damaged at byte %" PRIu64, s->from, at);
}

/* Walks the log of s->from, which is opened and closed here. */
static hearth_status inspect(Salvage *s, const LogVisitor *visitor, hearth_error *err) {
  LogStep step = log_inspect(&s->source, s->allocator, visitor, s->log);
  if (step == LOG_STEP_NOMEM || (s->log->stopped && s->status == HEARTH_NOMEM)) return failure_nomem(err, s->from);
  if (step == LOG_STEP_IO || s->log->stopped) return failure_io(err, s->from, "read", s->log->failure);
  if (step == LOG_STEP_BAD) return logfile_judge_header(s->from, &s->log->header, s->log->header_state, false, err);
  return HEARTH_OK;
}

static void begin(Salvage *s, const hearth_environment *env, const hearth_allocator *allocator) {
  s->env = env != NULL ? env : &hearth_system_environment;
  s->allocator = allocator != NULL && allocator->alloc != NULL ? allocator : &hearth_libc_allocator;
  s->bad_value = HEARTH_NO_POSITION;
}

hearth_status file_verify(const hearth_environment *env, const hearth_allocator *allocator, const char *path,
                          hearth_warn warn, void *warn_ud, LogReport *report, hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  Salvage s = {.from = path, .warn = warn, .warn_ud = warn_ud, .log = report};
  LogVisitor visitor = {.ud = &s, .op = verify_op, .gap = verify_gap};
  begin(&s, env, allocator);
  memset(report, 0, sizeof *report);
  hearth_status status = logfile_open(&s.input, s.env, path, &s.source, err);
  if (status != HEARTH_OK) return status;
  status = s.source.length > 0 ? inspect(&s, &visitor, err) : HEARTH_OK; /* an empty file may become a store */
  if (status == HEARTH_OK && s.source.length > 0) status = judge(&s, err);
  (void)s.env->close(s.env->ud, s.input.file);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}

/* ------------------------------------------------------------ salvage */

/* The batch that is being put together is over, even when its last frame is lost. */
static void end_batch(Salvage *s) {
  bool whole = s->last_kind == LOG_BATCH && !s->doubtful;
  if (s->whole_batches && !whole) map_batch_discard(&s->index.batch);
  else index_apply(&s->index);
  s->doubtful = false;
}

/* All batches up to this one are over: those of which no last frame was seen are broken. */
static void count_up_to(Salvage *s, uint64_t sequence) {
  if (sequence > s->counted) {
    s->report->broken += sequence - s->counted;
    s->counted = sequence;
  }
}

static int take_frame(void *ud, uint64_t at, const LogFrame *f) {
  Salvage *s = ud;
  (void)at;
  bool mark = f->kind == LOG_SYNCED || f->kind == LOG_CLOSED;
  bool follows = s->lost.kind == LOG_BATCH && s->lost.check == f->chain; /* the end of the batch before is known */
  bool behind_gap = s->doubtful && s->last_kind == 0;
  uint64_t before = mark ? f->sequence : f->sequence - 1;
  if (!s->begun) s->counted = s->log->header_state == LOG_HEADER_GOOD ? s->log->header.first - 1 : before;
  s->begun = true;
  if (mark || f->sequence != s->sequence) {
    end_batch(s);
    s->doubtful = behind_gap && !mark && !follows; /* parts of this batch, too, may have stood in the damaged bytes */
  }
  count_up_to(s, before);
  if (f->kind == LOG_BATCH && s->doubtful) count_up_to(s, f->sequence);
  if (f->kind == LOG_BATCH && s->counted < f->sequence) s->counted = f->sequence;
  s->sequence = f->sequence;
  s->last_kind = f->kind;
  return 0;
}

static bool add(Salvage *s, const LogOp *op) {
  hearth_op plain = {.kind = op->kind, .table = op->table, .key = op->key, .key_size = op->key_size,
                     .value = op->value, .value_size = op->value_size};
  return index_add(&s->index, &plain, op->value_at);
}

static int take_op(void *ud, const LogOp *op) {
  Salvage *s = ud;
  return add(s, op) ? 0 : stop(s, HEARTH_NOMEM);
}

/* The headers of frames that are whole among damaged bytes: the last one says what stood at their end. */
static void note_headers(Salvage *s, uint64_t at, const unsigned char *bytes, size_t length) {
  LogFrame f;
  for (size_t i = 0; length - i >= LOG_FRAME_SIZE; i++)
    if (log_decode_frame(bytes + i, s->log->salt, at + i, &f)) s->lost = f;
}

/* PUTs that are whole by their own check can be told from garbage at any place. */
static hearth_status rescue(Salvage *s, uint64_t at, const unsigned char *bytes, size_t length) {
  size_t lost = 0;
  for (size_t i = 0; i < length;) {
    LogOps ops;
    LogOp op;
    bool found = false;
    if (bytes[i] == HEARTH_PUT) {
      log_ops(&ops, bytes + i, length - i, at + i);
      found = log_decode_op(&ops, &op) && log_check_op(&op, s->log->salt);
    }
    if (!found) {
      lost++;
      i++;
      continue;
    }
    if (!add(s, &op)) return HEARTH_NOMEM;
    s->report->rescued++;
    i += (size_t)(ops.next - ops.payload);
  }
  s->report->lost_bytes += lost;
  return HEARTH_OK;
}

static int take_gap(void *ud, uint64_t at, uint64_t length, bool last) {
  Salvage *s = ud;
  tell_gap(s, at, length, last);
  if (last && s->log->header_state == LOG_HEADER_GOOD && tail_is_torn(s->log)) {
    s->report->tail_bytes = length;
    return 0;
  }
  if (s->last_kind == LOG_BATCH) end_batch(s);
  s->last_kind = (LogKind)0;
  s->doubtful = true;
  s->lost.kind = (LogKind)0;
  if (length > SIZE_MAX) return stop(s, HEARTH_NOMEM);
  unsigned char *bytes = hearth_realloc(s->allocator, NULL, 0, (size_t)length);
  if (bytes == NULL) return stop(s, HEARTH_NOMEM);
  size_t got = 0;
  s->log->failure = s->source.read(s->source.ud, at, bytes, (size_t)length, &got);
  hearth_status status = s->log->failure != 0 ? HEARTH_IO : HEARTH_OK;
  if (status == HEARTH_OK) note_headers(s, at, bytes, got);
  if (status == HEARTH_OK && s->whole_batches) s->report->lost_bytes += got;
  else if (status == HEARTH_OK) status = rescue(s, at, bytes, got);
  hearth_free(s->allocator, bytes, (size_t)length);
  if (last && status == HEARTH_OK) end_batch(s); /* it was on the device: what is left of it counts */
  return status == HEARTH_OK ? 0 : stop(s, status);
}

static hearth_status write_entry(Salvage *s, MapEntry *e, Buffer *scratch, LogOutput *out, hearth_error *err) {
  Place place = index_place(e);
  size_t got = 0;
  LogOp op = {.kind = HEARTH_PUT, .table = e->table, .key = map_key(e), .key_size = e->key_size};
  buffer_clear(scratch);
  unsigned char *bytes = buffer_reserve(scratch, place.size > 0 ? place.size : 1);
  if (bytes == NULL) return failure_nomem(err, s->from);
  int failure = s->source.read(s->source.ud, place.at, bytes, place.size, &got);
  if (failure != 0) return failure_io(err, s->from, "read", failure);
  if (got < place.size)
    return hearth_fail_at(err, HEARTH_DAMAGED, place.at, "%s: has changed while it was read", s->from);
  op.value = bytes;
  op.value_size = place.size;
  return logfile_op(out, &op, err);
}

static hearth_status write_store(Salvage *s, const char *to, hearth_error *err) {
  LogOutput out;
  Buffer scratch;
  MapRange all;
  uint64_t sequence = s->log->sequence > 0 ? s->log->sequence : 1;
  LogHeader h = {.write_version = LOG_WRITE_VERSION, .read_version = LOG_READ_VERSION, .first = sequence,
                 .synced = sequence, .time = s->env->clock(s->env->ud)};
  int failure = s->env->random(s->env->ud, &h.salt, sizeof h.salt);
  if (failure != 0) return failure_status(err, to, "get random bytes", failure);
  hearth_status status = logfile_create(&out, s->env, s->allocator, to, &s->input.file, &h, err);
  if (status != HEARTH_OK) return status;
  buffer_init(&scratch, s->allocator);
  map_from(&s->index.map, 0, NULL, 0, &all);
  for (MapEntry *e; status == HEARTH_OK && (e = map_range_next(&all)) != NULL;)
    status = write_entry(s, e, &scratch, &out, err);
  buffer_free(&scratch);
  if (status == HEARTH_OK) return logfile_finish(&out, err);
  logfile_abandon(&out);
  return status;
}

static hearth_status collect(Salvage *s, hearth_error *err) {
  LogVisitor visitor = {.ud = s, .frame = take_frame, .op = take_op, .gap = take_gap};
  hearth_status status = inspect(s, &visitor, err);
  if (status != HEARTH_OK) return status;
  if (s->last_kind == LOG_BATCH) end_batch(s); /* else parts without their last, which count for nothing */
  count_up_to(s, s->log->synced);
  if (s->log->header_state == LOG_HEADER_GOOD) count_up_to(s, s->log->header.synced);
  s->report->entries = s->index.map.count;
  if (s->log->frames == 0 && s->report->rescued == 0 &&
      (s->log->header_state != LOG_HEADER_GOOD || s->log->header.synced > 0))
    return hearth_fail_at(err, HEARTH_DAMAGED, 0, "%s: nothing in it can be read", s->from);
  return HEARTH_OK;
}

hearth_status file_salvage(const hearth_environment *env, const hearth_allocator *allocator, const char *from,
                           const char *to, bool whole_batches, hearth_warn warn, void *warn_ud, SalvageReport *report,
                           hearth_error *err) {
  hearth_error local;
  if (err == NULL) err = &local;
  memset(report, 0, sizeof *report);
  Salvage s = {.from = from, .warn = warn, .warn_ud = warn_ud, .log = &report->log, .report = report,
               .whole_batches = whole_batches};
  begin(&s, env, allocator);
  hearth_status status = logfile_open(&s.input, s.env, from, &s.source, err);
  if (status != HEARTH_OK) return status;
  index_init(&s.index, s.allocator);
  status = collect(&s, err);
  if (status == HEARTH_OK) status = write_store(&s, to, err);
  index_free(&s.index);
  (void)s.env->close(s.env->ud, s.input.file);
  return status == HEARTH_OK ? hearth_ok(err) : status;
}
