#include "fixture.h"

#include <stdarg.h>

/* ------------------------------------------------------------- failing */

const char *kit_status_name(hearth_status status) {
  return status == HEARTH_PENDING ? "pending" : hearth_status_name(status);
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}

void kit_note(Fixture *f, const char *file, int line, const char *format, ...) {
  va_list args;
  if (f->failed) return;
  f->failed = true;
  f->file = base_name(file);
  f->line = line;
  va_start(args, format);
  (void)vsnprintf(f->message, sizeof f->message, format, args);
  va_end(args);
}

void kit_judge(Fixture *f) {
  if (f->failed) longjmp(f->end, 1);
}

void kit_status(Fixture *f, const char *file, int line, const char *what, hearth_status expected,
                    hearth_status actual) {
  if (actual == expected) return;
  kit_note(f, file, line, "%s answered %s instead of %s%s%s", what, kit_status_name(actual), kit_status_name(expected),
               actual < 0 ? ": " : "", actual < 0 ? f->err.message : "");
  kit_judge(f);
}

void kit_number(Fixture *f, const char *file, int line, const char *what, uint64_t expected, uint64_t actual) {
  if (actual == expected) return;
  kit_note(f, file, line, "%s is %llu instead of %llu", what, ULL(actual), ULL(expected));
  kit_judge(f);
}

void kit_text(Fixture *f, const char *file, int line, const char *what, const char *expected, const char *actual) {
  if (strcmp(actual, expected) == 0) return;
  kit_note(f, file, line, "%s is \"%.300s\" instead of \"%.300s\"", what, actual, expected);
  kit_judge(f);
}

hearth_error *kit_fresh(Fixture *f) {
  memset(&f->err, 0, sizeof f->err);
  f->err.code = (hearth_status)77;
  return &f->err;
}

hearth_status kit_judged(Fixture *f, hearth_status status) {
  MUST(f, f->err.code == status, "the error's code is %d (%s) where the call answered %s", (int)f->err.code,
       kit_status_name(f->err.code), kit_status_name(status));
  MUST(f, memchr(f->err.message, '\0', sizeof f->err.message) != NULL, "the error's message has no end");
  MUST(f, status >= 0 || f->err.message[0] != '\0', "%s was answered without a message", kit_status_name(status));
  MUST(f, strchr(f->err.message, '\n') == NULL, "the error's message has more than one line: %s", f->err.message);
  return status;
}

/* ------------------------------------------------------ opening, closing */

hearth_backend_config kit_config(Fixture *f, unsigned flags) {
  const hearth_testkit_subject *s = f->subject;
  hearth_backend_config config = {.size = sizeof config, .location = f->location, .flags = flags,
                                  .allocator = hearth_testkit_allocator(&f->memory), .ud = s->backend_ud};
  if (f->disk != NULL) {
    config.location = s->on_disk;
    config.environment = hearth_disk_environment(f->disk);
    return config;
  }
  if (s->environment != NULL) config.environment = s->environment(s->ud);
  return config;
}

hearth_status kit_try_open(Fixture *f, unsigned flags, hearth_backend_store **out) {
  hearth_backend_config config = kit_config(f, flags);
  *out = (hearth_backend_store *)(void *)f; /* what open must replace */
  hearth_status status = f->backend->open(&config, out, kit_fresh(f));
  if (status != HEARTH_OK) {
    bool cleared = *out == NULL;
    *out = NULL; /* nothing to close */
    MUST(f, cleared, "open answered %s and left something else than NULL", kit_status_name(status));
  }
  return kit_judged(f, status);
}

void kit_open_store(Fixture *f) {
  hearth_status status = kit_try_open(f, 0, &f->store);
  MUST(f, status == HEARTH_OK, "open: %s, %s", kit_status_name(status), f->err.message);
}

static void close_one(Fixture *f, hearth_backend_store **store) {
  hearth_backend_store *closing = *store;
  bool alone = true;
  *store = NULL;
  hearth_status status = f->backend->close(closing, kit_fresh(f));
  MUST(f, status == HEARTH_OK, "close: %s, %s", kit_status_name(status), f->err.message);
  (void)kit_judged(f, status);
  for (size_t i = 0; i < MOST_STORES; i++) alone = alone && f->others[i] == NULL;
  MUST(f, !alone || f->store != NULL || f->memory.bytes == 0, "close has left %zu bytes of memory", f->memory.bytes);
}

void kit_close_store(Fixture *f) {
  close_one(f, &f->store);
}

void kit_close_other(Fixture *f, size_t n) {
  close_one(f, &f->others[n]);
}

void kit_reopen(Fixture *f) {
  if (!f->subject->persistent) return;
  kit_close_store(f);
  kit_open_store(f);
}

/* ---------------------------------------------------------------- calls */

/* What the status of a call becomes when the subject is asynchronous and the case waits. */
static hearth_status settled(Fixture *f, hearth_status status) {
  if (status < 0 || f->subject->settle == NULL) return status;
  ANSWERS(f, status, f->backend->poll(f->store, kit_fresh(f)));
  f->subject->settle(f->subject->ud);
  return kit_judged(f, f->backend->poll(f->store, kit_fresh(f)));
}

hearth_status kit_submit_at(Fixture *f, const hearth_op *ops, size_t count, unsigned flags, hearth_durability level,
                        uint64_t *sequence) {
  return settled(f, kit_judged(f, f->backend->submit(f->store, ops, count, flags, level, sequence, kit_fresh(f))));
}

hearth_status kit_submit(Fixture *f, const hearth_op *ops, size_t count, unsigned flags) {
  return kit_submit_at(f, ops, count, flags, HEARTH_DEFAULT_DURABILITY, NULL);
}

hearth_status kit_barrier(Fixture *f, hearth_durability level) {
  return settled(f, kit_judged(f, f->backend->barrier(f->store, level, kit_fresh(f))));
}

hearth_status kit_compact(Fixture *f, unsigned keep) {
  return settled(f, kit_judged(f, f->backend->compact(f->store, keep, kit_fresh(f))));
}

hearth_backend_stat kit_look_at(Fixture *f, hearth_backend_store *store) {
  hearth_backend_stat stat = {.size = sizeof stat};
  ANSWERS(f, HEARTH_OK, kit_judged(f, f->backend->stat(store, &stat, kit_fresh(f))));
  MUST(f, stat.size <= sizeof stat, "stat says that it filled %zu bytes of %zu", stat.size, sizeof stat);
  MUST(f, stat.durable <= stat.sequence, "batch %llu is durable where %llu is the last complete one", ULL(stat.durable),
       ULL(stat.sequence));
  return stat;
}

hearth_backend_stat kit_look(Fixture *f) {
  return kit_look_at(f, f->store);
}

/* ------------------------------------------------------------- contents */

static size_t write_bytes(char *out, size_t size, const unsigned char *bytes, size_t count) {
  size_t n = 0;
  for (size_t i = 0; i < count && n + 4 < size; i++) {
    bool plain = bytes[i] > ' ' && bytes[i] < 127 && bytes[i] != '\\';
    n += (size_t)snprintf(out + n, size - n, plain ? "%c" : "\\%02x", bytes[i]);
  }
  return n;
}

int kit_write_down(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  Text *t = ud;
  size_t n = strlen(t->text);
  t->count++;
  if (n + 32 < sizeof t->text) {
    n += (size_t)snprintf(t->text + n, sizeof t->text - n, "%llu/", ULL(table));
    n += write_bytes(t->text + n, sizeof t->text - n, key, key_size);
    n += (size_t)snprintf(t->text + n, sizeof t->text - n, "=");
    n += write_bytes(t->text + n, sizeof t->text - n, value, value_size);
    (void)snprintf(t->text + n, sizeof t->text - n, " ");
  }
  return t->stop_after > 0 && --t->stop_after == 0 ? 7 : 0;
}

const char *kit_get(Fixture *f, uint64_t table, const char *key, Text *t) {
  memset(t, 0, sizeof *t);
  hearth_status status = f->backend->get(f->store, table, key, strlen(key), kit_write_down, t, kit_fresh(f));
  (void)kit_judged(f, status);
  if (status == HEARTH_NOTFOUND) {
    MUST(f, t->count == 0, "get called its callback and answered notfound");
    return "nothing";
  }
  MUST(f, status == HEARTH_OK, "get: %s, %s", kit_status_name(status), f->err.message);
  MUST(f, t->count == 1, "get called its callback %zu times", t->count);
  return t->text;
}

const char *kit_range(Fixture *f, uint64_t table, const char *from, const char *to, bool reverse, Text *t) {
  memset(t, 0, sizeof *t);
  int result = -1;
  hearth_status status = kit_judged(f, f->backend->scan(f->store, table, from, from != NULL ? strlen(from) : 0, to,
                                                    to != NULL ? strlen(to) : 0, reverse, kit_write_down, t, &result,
                                                    kit_fresh(f)));
  MUST(f, status == HEARTH_OK, "scan: %s, %s", kit_status_name(status), f->err.message);
  EQUALS(f, 0, (uint64_t)result);
  return t->text;
}

typedef struct Tables {
  Fixture *f;
  uint64_t numbers[256];
  size_t count;
} Tables;

static int note_table(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Tables *t = ud;
  if (key != NULL || value != NULL || key_size + value_size != 0) NOTE(t->f, "tables gave a key or a value");
  if (t->count > 0 && table <= t->numbers[t->count - 1])
    NOTE(t->f, "tables gave %llu after %llu", ULL(table), ULL(t->numbers[t->count - 1]));
  if (t->count < 256) t->numbers[t->count++] = table;
  return 0;
}

hearth_status kit_everything_in(Fixture *f, hearth_backend_store *store, Text *t) {
  Tables tables = {.f = f};
  int result = -1;
  memset(t, 0, sizeof *t);
  hearth_status status = kit_judged(f, f->backend->tables(store, note_table, &tables, &result, kit_fresh(f)));
  kit_judge(f);
  if (status != HEARTH_OK) return status;
  EQUALS(f, 0, (uint64_t)result);
  for (size_t i = 0; i < tables.count && status == HEARTH_OK; i++) {
    size_t before = t->count;
    status = kit_judged(f, f->backend->scan(store, tables.numbers[i], NULL, 0, NULL, 0, false, kit_write_down, t,
                                            &result, kit_fresh(f)));
    MUST(f, status != HEARTH_OK || t->count > before, "tables gave table %llu, which is empty", ULL(tables.numbers[i]));
  }
  return status;
}

const char *kit_everything(Fixture *f, Text *t) {
  hearth_status status = kit_everything_in(f, f->store, t);
  MUST(f, status == HEARTH_OK, "reading everything: %s, %s", kit_status_name(status), f->err.message);
  return t->text;
}
