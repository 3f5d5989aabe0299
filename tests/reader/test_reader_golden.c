/*
** Golden stores: files that the first version wrote, with the text that its reader gives of them. Both readers say that
** text for ever, and the library opens them, finds what was stored, and goes on with it.
**   test_reader_golden FOLDER          compares
**   test_reader_golden FOLDER write    first makes those that are missing; never overwrites one
*/
#include "comparing.h"

#include "export.h"

static const char *folder;
static bool may_write;

/* What is in them, in two commits: every kind of object, page, value and operation. */
static const char first_commit[] =
    "local h = _home\n"
    "h.numbers = { 0, -1, 300, math.mininteger, 0.5, 0.1, -0.0, 1 / 0 }\n"
    "h.strings = { '', 'x', ('s'):rep(31), ('l'):rep(32), '\\0\\r\\n\\255' }\n"
    "h.big = ('0123456789abcdef'):rep(4100)\n"
    "h.shapes = { { id = 1, name = 'one' }, { name = 'two', id = 2 } }\n"
    "h.pairs = { [-1] = 'minus one', [2.5] = 'float', [true] = false, ['a b'] = {} }\n"
    "h.pairs[h.shapes] = h.pairs\n"
    "h.meta = setmetatable({ 1 }, { __name = 'M' })\n"
    "h.paged = setmetatable({}, { __name = 'P' })\n"
    "for i = 1, 120 do h.paged[i] = i * i h.paged['key' .. i] = ('v'):rep(i % 50) end\n"
    "local n = 0\n"
    "h.inc, h.get = function() n = n + 1 return n end, function() return n end\n"
    "h.fs = {} for i = 1, 3 do h.fs[i] = function() return i end end\n"
    "h.permanents = { print, string, io.stdout, _G, game.spawn, game.Class }\n"
    "local key = { 'key' }\n"
    "h.key, h.weak = key, setmetatable({ [key] = { 'kept' }, [{}] = 'gone' }, { __mode = 'k' })\n"
    "local class = {}\n"
    "function class.__persist(o) local x, own = o.x, { o.x } "
    "return function() return setmetatable({ x = x, own = own }, class) end end\n"
    "h.class, h.object, h.point = class, setmetatable({ x = 5 }, class), point(3, 4)\n"
    "h.log, h.dropped = ext.table(), ext.table()\n"
    "h.log.inner, h.dropped.x = ext.table(), 'x'\n"
    "h.log.inner.deep = true\n"
    "for i = -3, 3 do h.log[i] = i h.log[i + 0.5] = { i, { i } } end\n"
    "h.log.f, h.log.text, h.log[true], h.log.print = function(x) return x end, ('t'):rep(100), false, { print }\n";

static const char second_commit[] =
    "_home.dropped, _home.strings[1], _home.paged[60] = nil, nil, 'changed'\n"
    "_home.log[0], _home.log.more = nil, 'more'\n"
    "_home.again = { _home.shapes[1], _home.inc }\n";

static const char checks[] =
    "local h = _home\n"
    "assert(#h.numbers == 8 and h.numbers[4] == math.mininteger and 1 / h.numbers[7] == -1 / 0)\n"
    "assert(h.numbers[6] == 0.1 and h.numbers[8] == math.huge)\n"
    "assert(h.strings[1] == nil and h.strings[3] == ('s'):rep(31) and h.strings[5] == '\\0\\r\\n\\255')\n"
    "assert(h.big == ('0123456789abcdef'):rep(4100))\n"
    "assert(h.shapes[2].name == 'two' and h.again[1] == h.shapes[1])\n"
    "assert(h.pairs[-1] == 'minus one' and h.pairs[2.5] == 'float' and h.pairs[true] == false)\n"
    "assert(h.pairs[h.shapes] == h.pairs)\n"
    "assert(getmetatable(h.meta).__name == 'M' and getmetatable(h.paged).__name == 'P')\n"
    "for i = 1, 120 do assert(h.paged[i] == (i == 60 and 'changed' or i * i)) end\n"
    "for i = 1, 120 do assert(h.paged['key' .. i] == ('v'):rep(i % 50)) end\n"
    "for i, v in ipairs { print, string, io.stdout, _G, game.spawn, game.Class } do assert(h.permanents[i] == v) end\n"
    "assert(h.weak[h.key][1] == 'kept' and getmetatable(h.weak).__mode == 'k')\n"
    "local x, y = coordinates(h.point) assert(x == 3 and y == 4)\n"
    "assert(h.dropped == nil and h.log.inner.deep == true and h.log[0] == nil and h.log.more == 'more')\n"
    "for i = -3, 3 do assert((i == 0 or h.log[i] == i) and h.log[i + 0.5][2][1] == i) end\n"
    "assert(h.log.text == ('t'):rep(100) and h.log[true] == false and h.log.print[1] == print)\n"
    "assert(h.object.x == 5 and h.object.own[1] == 5 and getmetatable(h.object) == h.class)\n"
    "assert(h.inc() == 1 and h.inc() == 2 and h.get() == 2 and h.again[2] == h.inc)\n"
    "assert(h.fs[2]() == 2 and h.log.f(7) == 7)\n";

/* ------------------------------------------------------------------ files */

static void path_of(char path[512], const char *name, const char *suffix) {
  (void)snprintf(path, 512, "%s/%s%s", folder, name, suffix);
}

static bool read_file(const char *name, const char *suffix, Buffer *out) {
  char path[512], chunk[4096];
  path_of(path, name, suffix);
  FILE *f = fopen(path, "rb");
  buffer_init(out, &hearth_libc_allocator);
  if (f == NULL) return false;
  for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;) buffer_put(out, chunk, n);
  assert_int_equal(fclose(f), 0);
  return true;
}

static void write_file(const char *name, const char *suffix, const void *bytes, size_t size) {
  char path[512];
  Buffer there;
  if (read_file(name, suffix, &there)) fail_msg("%s%s is there already", name, suffix);
  path_of(path, name, suffix);
  FILE *f = fopen(path, "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(bytes, 1, size, f), size);
  assert_int_equal(fclose(f), 0);
}

/* ----------------------------------------------------------------- making */

static void make_export(World *w) {
  hearth_backend_store *store;
  assert_int_equal(file_open(w->disk, HEARTH_OPEN_READONLY, &store, &w->err), HEARTH_OK);
  const hearth_environment *env = hearth_disk_environment(w->disk);
  assert_int_equal(hearth_export(&hearth_file_backend, store, env, NULL, "/export", &w->err), HEARTH_OK);
  assert_int_equal(hearth_file_backend.close(store, NULL), HEARTH_OK);
}

static void make_file(const World *w, const char *place, const char *name, size_t missing, const char *text_name) {
  size_t size;
  int status;
  const unsigned char *bytes = hearth_disk_bytes(w->disk, place, &size);
  write_file(name, ".hearth", bytes, size - missing);
  if (text_name == NULL) return;
  char *text = told(tell_log, bytes, size - missing, &status);
  assert_int_equal(status, 0);
  write_file(text_name, ".txt", text, strlen(text));
  free(text);
}

/* A closed file of two commits, one that was torn in the second, and an export, which says the same as the first. */
static void make(void) {
  World w = {.disk = hearth_disk_new()};
  world_open(&w, 0, 256);
  world_run(&w, first_commit);
  world_commit(&w);
  world_run(&w, second_commit);
  assert_int_equal(hearth_commit(w.L, w.store, HEARTH_COMPLETE, &w.err), HEARTH_OK);
  make_file(&w, PLACE, "torn", 100, "one-commit");
  world_close(&w);
  make_file(&w, PLACE, "closed", 0, "two-commits");
  make_export(&w);
  make_file(&w, "/export", "export", 0, NULL);
  hearth_disk_free(w.disk);
}

/* ---------------------------------------------------------------- reading */

static void check_text(const char *name, const Buffer *bytes, const Buffer *text) {
  char *now = both_log(bytes->data, bytes->size, name);
  if (strlen(now) != text->size || memcmp(now, text->data, text->size) != 0)
    fail_msg("%s: the readers say\n%s\nand not\n%.*s", name, now, (int)text->size, (const char *)text->data);
  free(now);
}

/* The library opens it, finds everything, changes it, and finds that again. */
static void check_library(const char *name, const Buffer *bytes) {
  if (*(const unsigned char *)&(const unsigned short){1} != 1) return; /* its functions are of the other order */
  World w = {.disk = hearth_disk_new()};
  hearth_disk_put(w.disk, PLACE, bytes->data, bytes->size);
  world_open(&w, 0, 0);
  if (strcmp(name, "torn") == 0) world_run(&w, second_commit);
  world_run(&w, checks);
  world_run(&w, "_home.new = 'new'");
  world_commit(&w);
  world_close(&w);
  world_open(&w, 0, 0);
  world_run(&w, "assert(_home.new == 'new' and _home.get() == 2 and _home.log.more == 'more')");
  world_close(&w);
  hearth_disk_free(w.disk);
}

static void golden_stores_are_read(void **state) {
  static const char *const names[][2] = {{"closed", "two-commits"}, {"torn", "one-commit"}, {"export", "two-commits"}};
  (void)state;
  if (may_write) make();
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    Buffer bytes, text;
    if (!read_file(names[i][0], ".hearth", &bytes)) fail_msg("%s.hearth is missing", names[i][0]);
    if (!read_file(names[i][1], ".txt", &text)) fail_msg("%s.txt is missing", names[i][1]);
    check_text(names[i][0], &bytes, &text);
    check_library(names[i][0], &bytes);
    buffer_free(&bytes);
    buffer_free(&text);
  }
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(golden_stores_are_read)};
  if (argc < 2) return 2;
  folder = argv[1];
  may_write = argc > 2 && strcmp(argv[2], "write") == 0;
  return cmocka_run_group_tests_name("reader golden", tests, NULL, NULL);
}
