/*
** What a reader of version N does with version N + 1 (docs/FORMAT.md, "Versions"), for both readers and the library:
** bytes of versions that nobody has written yet, with their checks mended.
*/
#include "comparing.h"

#include "blob.h"
#include "encode.h"
#include "export.h"
#include "layout.h"

/* ------------------------------------------------------------------ blobs */

static const unsigned char small_blob[] = {0xCE, 'H', 't', 'h', 1, 1, 1, 0x54, 0x88, 0, 0, 0, 0, 42};

enum { WRITTEN_BY = 4, READABLE_BY = 5, FLAGS = 6, ROOT = 13 };

/* The small blob, with versions and flags. */
static void blob_of(unsigned char out[sizeof small_blob], unsigned char written, unsigned char readable,
                    unsigned char flags) {
  memcpy(out, small_blob, sizeof small_blob);
  out[WRITTEN_BY] = written;
  out[READABLE_BY] = readable;
  out[FLAGS] = flags;
}

static hearth_status decoded(const void *bytes, size_t size) {
  hearth_error err;
  lua_State *L = luaL_newstate();
  hearth_status status = hearth_decode(L, bytes, size, NULL, &err);
  if (status == HEARTH_OK) assert_int_equal(lua_tointeger(L, -1), 42);
  lua_close(L);
  return status;
}

static void all_refuse_blob(const void *bytes, size_t size, hearth_status status) {
  both_refuse(reader1_tell_blob, tell_blob, bytes, size, status);
  assert_int_equal(decoded(bytes, size), status);
}

/* Before anything behind the version is looked at: it may be anything. */
static void blobs_of_a_newer_format_are_refused(void **state) {
  (void)state;
  unsigned char bytes[sizeof small_blob];
  for (unsigned readable = FORMAT_VERSION + 1; readable < 256; readable++) {
    blob_of(bytes, 255, (unsigned char)readable, 0xFF);
    all_refuse_blob(bytes, sizeof bytes, HEARTH_VERSION);
    all_refuse_blob(bytes, READABLE_BY + 1, HEARTH_VERSION);
  }
  blob_of(bytes, 1, FORMAT_VERSION + 1, 1); /* whatever it says of who wrote it */
  all_refuse_blob(bytes, sizeof bytes, HEARTH_VERSION);
}

static void blobs_that_say_they_can_be_read_are(void **state) {
  (void)state;
  unsigned char bytes[sizeof small_blob];
  for (unsigned flags = 0; flags < 256; flags++) { /* those it does not know mean nothing to it */
    blob_of(bytes, FORMAT_VERSION + 1, FORMAT_VERSION, (unsigned char)flags);
    char *text = both_blob(bytes, sizeof bytes, "written by a newer format");
    assert_non_null(strstr(text, "root = 42"));
    assert_int_equal(strstr(text, "canonical") != NULL, flags & BLOB_CANONICAL);
    free(text);
    assert_int_equal(decoded(bytes, sizeof bytes), HEARTH_OK);
  }
}

static void blobs_that_contradict_themselves_are_damaged(void **state) {
  (void)state;
  unsigned char bytes[sizeof small_blob];
  blob_of(bytes, 1, 0, 0);
  all_refuse_blob(bytes, sizeof bytes, HEARTH_DAMAGED);
  blob_of(bytes, 0, 1, 0);
  all_refuse_blob(bytes, sizeof bytes, HEARTH_DAMAGED);
  for (unsigned flag = 4; flag < 256; flag *= 2) { /* of its own version it knows all flags */
    blob_of(bytes, 1, 1, (unsigned char)flag);
    all_refuse_blob(bytes, sizeof bytes, HEARTH_DAMAGED);
  }
}

/* A newer version must have raised `readable_by` for them: nothing can be skipped. */
static void free_tags_and_kinds_are_damaged(void **state) {
  (void)state;
  unsigned char bytes[sizeof small_blob];
  for (unsigned char written = 1; written <= 2; written++) {
    blob_of(bytes, written, 1, 0);
    for (unsigned tag = 0xCB; tag < 256; tag++) {
      if (tag >= 0xD0 && tag <= 0xDF) continue;
      bytes[ROOT] = (unsigned char)tag;
      all_refuse_blob(bytes, sizeof bytes, HEARTH_DAMAGED);
    }
    for (unsigned head = 0; head < 256; head++) {
      unsigned kind = head & HEAD_KIND;
      bool plain = kind == OBJECT_CLOSURE || kind == OBJECT_CELL || kind == OBJECT_LATE; /* without flags */
      bool is_free = kind == 0 || kind > 11 || (plain && head > 15) || (kind == OBJECT_SPECIAL && head > 31) ||
                     (kind == OBJECT_PERMANENT && head >> 4 > PERMANENT_CELL);
      unsigned char one[18] = {0xCE, 'H', 't', 'h', written, 1, 0, 0x54, 0x88, 0, 0, 1, 2, (unsigned char)head, 0, 42};
      if (is_free) all_refuse_blob(one, sizeof one, HEARTH_DAMAGED);
    }
  }
}

/* ----------------------------------------------------------------- stores */

typedef struct Version { /* what differs from what this library writes */
  uint16_t write_version, read_version;
  uint32_t log_flags;
  uint64_t format, readable_by;
  bool more_names;             /* that version 1 does not know */
  bool more_values;            /* of such a name, and no scalar */
  bool more_entries;           /* whose keys version 1 does not know */
  LogKind kind;                /* of a frame more, behind the batch; 0: none */
  uint64_t synced;
} Version;

static const Version usual = {.write_version = 1, .read_version = 1, .format = 1, .readable_by = 1, .synced = 1};

static void put_pair(Buffer *b, const char *name, uint64_t n) {
  value_put_string(b, name, strlen(name));
  value_put_integer(b, (int64_t)n);
}

static void put_metadata(Buffer *b, const Version *v) {
  varint_put(b, 6u + (v->more_names ? 6 : 0) + (v->more_values ? 1 : 0));
  put_pair(b, "format", v->format);
  put_pair(b, "readableBy", v->readable_by);
  if (v->more_names) {
    put_pair(b, "compressedBy", 3);
    value_put_string(b, "comment", 7);
    value_put_string(b, "of a later version", 18);
    put_pair(b, "format2", 9);
    value_put_string(b, "ratio", 5);
    value_put_float(b, UINT64_C(0x3ff8000000000000));
    value_put_string(b, "locked", 6);
    value_put_tag(b, TAG_FALSE);
    value_put_string(b, "nobody", 6);
    value_put_tag(b, TAG_NIL);
  }
  put_pair(b, "homeTableId", 1);
  put_pair(b, "memoryTableId", 1);
  put_pair(b, "nextTableId", 1000);
  put_pair(b, "pageSize", 4096);
  if (v->more_values) {
    value_put_string(b, "index", 5);
    value_put_ref(b, 3);
  }
}

typedef struct Made {
  Buffer frame;
  const Version *version;
} Made;

static void put_op(Buffer *frame, const void *key, size_t key_size, const void *value, size_t value_size) {
  LogOp op = {.kind = HEARTH_PUT, .key = key, .key_size = key_size, .value = value, .value_size = value_size};
  log_encode_op(frame, 0, LOG_HEADER_SIZE, &op);
}

static int copy_entry(void *ud, uint64_t table, const void *key, size_t key_size, const void *value,
                      size_t value_size) {
  Made *m = ud;
  (void)table;
  if (!layout_is_metadata(LAYOUT_TABLE, key, key_size)) {
    put_op(&m->frame, key, key_size, value, value_size);
    return 0;
  }
  Buffer metadata;
  buffer_init(&metadata, &hearth_libc_allocator);
  put_metadata(&metadata, m->version);
  put_op(&m->frame, key, key_size, metadata.data, metadata.size);
  buffer_free(&metadata);
  return 0;
}

/* A log with the entries of `store` as version v would have written them. */
static Buffer log_of(hearth_backend_store *store, const Version *v) {
  Buffer out;
  LogHeader h = {.write_version = v->write_version, .read_version = v->read_version, .flags = v->log_flags, .first = 1,
                 .synced = v->synced};
  unsigned char header[LOG_HEADER_SIZE];
  Made m = {.version = v};
  buffer_init(&out, &hearth_libc_allocator);
  buffer_init(&m.frame, &hearth_libc_allocator);
  log_encode_header(header, &h);
  buffer_put(&out, header, sizeof header);
  log_encode_begin(&m.frame);
  if (v->more_entries) put_op(&m.frame, "a", 1, "one that is sorted first", 24);
  (void)log_backend.scan(store, LAYOUT_TABLE, NULL, 0, NULL, 0, false, copy_entry, &m, NULL, NULL);
  if (v->more_entries) put_op(&m.frame, "z", 1, "and one last", 12);
  LogFrame f = {.kind = LOG_BATCH, .sequence = 1, .synced = 0};
  log_encode_end(&m.frame, 0, LOG_HEADER_SIZE, h.check, &f);
  buffer_put(&out, m.frame.data, m.frame.size);
  buffer_free(&m.frame);
  if (v->kind != 0) {
    LogFrame more = {.kind = v->kind, .sequence = 2};
    uint64_t at = out.size;
    log_encode_begin(&m.frame);
    log_encode_end(&m.frame, 0, at, f.check, &more);
    buffer_put(&out, m.frame.data, m.frame.size);
    buffer_free(&m.frame);
  }
  assert_false(out.failed);
  return out;
}

typedef struct Fixture {
  World w;
  Buffer bytes; /* of the store that the library wrote */
  hearth_backend_store *store;
  Buffer made;
} Fixture;

static int begin(void **state) {
  static Fixture f;
  hearth_backend_store *store;
  size_t size;
  memset(&f, 0, sizeof f);
  f.w.disk = hearth_disk_new();
  world_open(&f.w, 0, 0);
  world_run(&f.w, "_home.x, _home.list = 1, { 'a', { 'b' } }");
  world_commit(&f.w);
  world_close(&f.w);
  assert_int_equal(file_open(f.w.disk, HEARTH_OPEN_READONLY, &store, &f.w.err), HEARTH_OK);
  const hearth_environment *env = hearth_disk_environment(f.w.disk);
  assert_int_equal(hearth_export(&hearth_file_backend, store, env, NULL, "/export", &f.w.err), HEARTH_OK);
  assert_int_equal(hearth_file_backend.close(store, NULL), HEARTH_OK);
  const unsigned char *bytes = hearth_disk_bytes(f.w.disk, "/export", &size);
  buffer_init(&f.bytes, &hearth_libc_allocator);
  buffer_put(&f.bytes, bytes, size);
  buffer_init(&f.made, &hearth_libc_allocator);
  assert_int_equal(log_open(f.bytes.data, f.bytes.size, &f.store, &f.w.err), HEARTH_OK);
  *state = &f;
  return 0;
}

static int end(void **state) {
  Fixture *f = *state;
  log_close(f->store);
  buffer_free(&f->bytes);
  buffer_free(&f->made);
  hearth_disk_free(f->w.disk);
  return 0;
}

/* The store is now one of this version. */
static void is_of(Fixture *f, const Version *v) {
  buffer_free(&f->made);
  f->made = log_of(f->store, v);
  hearth_disk_put(f->w.disk, PLACE, f->made.data, f->made.size);
}

static void library_refuses(Fixture *f, unsigned flags, hearth_status status, const char *text) {
  hearth_status answer = world_try(&f->w, flags, 0);
  if (answer != status || strstr(f->w.err.message, text) == NULL)
    fail_msg("%s: %s", hearth_status_name(answer), f->w.err.message);
}

static void all_refuse(Fixture *f, hearth_status status, const char *text) {
  both_refuse(reader1_tell_log, tell_log, f->made.data, f->made.size, status);
  library_refuses(f, 0, status, text);
  library_refuses(f, HEARTH_OPEN_READONLY, status, text);
}

/* Both readers read it, and so does the library, with these flags. It is not changed. */
static void all_read(Fixture *f, unsigned flags, const char *said) {
  size_t size;
  char *text = both_log(f->made.data, f->made.size, "of another version");
  if (strstr(text, said) == NULL) fail_msg("'%s' is not in\n%s", said, text);
  free(text);
  world_open(&f->w, flags, 0);
  world_run(&f->w, "assert(_home.x == 1 and _home.list[1] == 'a' and _home.list[2][1] == 'b')");
  world_run(&f->w, "_home.x = 2");
  assert_int_equal(hearth_commit(f->w.L, f->w.store, HEARTH_DEFAULT_DURABILITY, &f->w.err), HEARTH_READONLY);
  (void)hearth_close(f->w.L, f->w.store);
  lua_close(f->w.L);
  const unsigned char *bytes = hearth_disk_bytes(f->w.disk, PLACE, &size);
  assert_true(size >= f->made.size); /* who opened it for writing has left his mark of a clean end */
  assert_memory_equal(bytes, f->made.data, f->made.size);
}

/* As made here it is an ordinary store. */
static void this_version_is_read_and_written(void **state) {
  Fixture *f = *state;
  is_of(f, &usual);
  free(both_log(f->made.data, f->made.size, "as usual"));
  world_open(&f->w, 0, 0);
  world_run(&f->w, "assert(_home.x == 1) _home.x = 2");
  world_commit(&f->w);
  world_close(&f->w);
}

static void logs_of_a_newer_format_are_refused(void **state) {
  Fixture *f = *state;
  Version v = usual;
  v.read_version = v.write_version = 2;
  is_of(f, &v);
  all_refuse(f, HEARTH_VERSION, "has format 2");
  v.read_version = v.write_version = 65535;
  v.log_flags = UINT32_MAX;
  is_of(f, &v);
  all_refuse(f, HEARTH_VERSION, "has format 65535");
}

static void logs_that_say_they_can_be_read_are_and_not_written(void **state) {
  Fixture *f = *state;
  Version v = usual;
  v.write_version = 2;
  is_of(f, &v);
  library_refuses(f, 0, HEARTH_VERSION, "it can be opened read-only");
  all_read(f, HEARTH_OPEN_READONLY, "store: written by 1, readable by 1");
  v.log_flags = 0x80000001; /* what is 0 now is not looked at */
  is_of(f, &v);
  all_read(f, HEARTH_OPEN_READONLY, "store: written by 1, readable by 1");
  unsigned char *frame = f->made.data + LOG_HEADER_SIZE;
  memset(frame + 5, 0xFF, 3);
  uint64_t check = hash64(frame, 56, log_seed(0, LOG_HEADER_SIZE));
  for (int i = 0; i < 8; i++) frame[56 + i] = (unsigned char)(check >> 8 * i);
  hearth_disk_put(f->w.disk, PLACE, f->made.data, f->made.size);
  all_read(f, HEARTH_OPEN_READONLY, "store: written by 1, readable by 1");
}

/* A frame of another kind is no frame: the log ends before it, unless it was on the device. */
static void frames_of_other_kinds_end_the_log(void **state) {
  Fixture *f = *state;
  Version v = usual;
  for (unsigned kind = 5; kind < 256; kind += 50) {
    v.kind = (LogKind)kind;
    v.synced = 1;
    is_of(f, &v);
    all_read(f, HEARTH_OPEN_READONLY, "store: written by 1");
    v.synced = 2;
    is_of(f, &v);
    all_refuse(f, HEARTH_DAMAGED, "damaged");
  }
}

static void stores_of_a_newer_format_are_refused(void **state) {
  Fixture *f = *state;
  Version v = usual;
  v.format = v.readable_by = 2;
  is_of(f, &v);
  all_refuse(f, HEARTH_VERSION, "format 2 is needed to read it");
  v.more_names = v.more_values = v.more_entries = true; /* whatever else is in it, and wherever it is sorted */
  is_of(f, &v);
  all_refuse(f, HEARTH_VERSION, "format 2 is needed to read it");
  v.format = v.readable_by = INT64_MAX;
  is_of(f, &v);
  all_refuse(f, HEARTH_VERSION, "is needed to read it");
}

static void stores_that_say_they_can_be_read_are_and_not_written(void **state) {
  Fixture *f = *state;
  Version v = usual;
  v.format = 2;
  is_of(f, &v);
  all_read(f, 0, "store: written by 2, readable by 1, home #1");
  v.more_names = true; /* are skipped */
  is_of(f, &v);
  all_read(f, 0, "store: written by 2, readable by 1, home #1");
  all_read(f, HEARTH_OPEN_READONLY, "store: written by 2, readable by 1, home #1");
}

static void stores_that_contradict_themselves_are_damaged(void **state) {
  Fixture *f = *state;
  static const uint64_t versions[][2] = {{0, 0}, {0, 1}, {1, 0}, {2, 0}};
  for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
    Version v = usual;
    v.format = versions[i][0];
    v.readable_by = versions[i][1];
    is_of(f, &v);
    all_refuse(f, HEARTH_DAMAGED, "the metadata");
  }
}

/* Names can be skipped with a scalar, and with nothing else; an entry of another kind cannot. */
static void other_values_and_entries_are_damaged(void **state) {
  Fixture *f = *state;
  Version v = usual;
  for (v.format = 1; v.format <= 2; v.format++) {
    v.more_values = true;
    is_of(f, &v);
    all_refuse(f, HEARTH_DAMAGED, "the metadata");
    v.more_values = false;
    v.more_entries = true;
    is_of(f, &v);
    library_refuses(f, 0, HEARTH_DAMAGED, "an entry with an unknown key"); /* who looks for what he knows sees none */
    library_refuses(f, HEARTH_OPEN_READONLY, HEARTH_DAMAGED, "an entry with an unknown key");
    v.more_entries = false;
  }
}

int main(void) {
#define STORE(name) cmocka_unit_test_setup_teardown(name, begin, end)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(blobs_of_a_newer_format_are_refused),
      cmocka_unit_test(blobs_that_say_they_can_be_read_are),
      cmocka_unit_test(blobs_that_contradict_themselves_are_damaged),
      cmocka_unit_test(free_tags_and_kinds_are_damaged),
      STORE(this_version_is_read_and_written),
      STORE(logs_of_a_newer_format_are_refused),
      STORE(logs_that_say_they_can_be_read_are_and_not_written),
      STORE(frames_of_other_kinds_end_the_log),
      STORE(stores_of_a_newer_format_are_refused),
      STORE(stores_that_say_they_can_be_read_are_and_not_written),
      STORE(stores_that_contradict_themselves_are_damaged),
      STORE(other_values_and_entries_are_damaged),
  };
  return cmocka_run_group_tests_name("reader versions", tests, NULL, NULL);
}
