/*
** The worked examples of the format's specification, taken out of the page (its path is the argument):
** decoded, and where the library can write them, written again byte for byte.
**
** An example is a line "# KIND: TEXT" inside a fence "```hex" and the bytes up to the next such line or
** the end of the fence; `#` begins a comment elsewhere.
*/
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <lauxlib.h>
#include <lualib.h>

#include "external_entry.h"
#include "hearth.h"
#include "path.h"
#include "verify.h"

#define MOST_BYTES 4096
#define MOST_LINES 64
#define MOST_EXAMPLES 64

typedef struct Example {
  char kind[16], text[256];
  unsigned char bytes[MOST_BYTES];
  size_t size;
  size_t splits[MOST_LINES], line_ends[MOST_LINES]; /* of lines "key = value": where the value begins, where it ends */
  size_t lines;
} Example;

static Example examples[MOST_EXAMPLES];
static size_t example_count;

/* ----------------------------------------------------------------- reading */

static void begin_example(const char *line) {
  assert_true(example_count < MOST_EXAMPLES);
  Example *e = &examples[example_count++];
  assert_int_equal(sscanf(line, "# %15[a-z]: %255[^\n]", e->kind, e->text), 2);
}

static int hex_digit(char c) {
  return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? toupper((unsigned char)c) - 'A' + 10 : -1;
}

static void add_line(Example *e, const char *p) {
  bool split = false;
  for (; *p != '\0' && *p != '#' && *p != '\n';) {
    if (*p == ' ') {
      p++;
    } else if (*p == '=') {
      assert_true(e->lines < MOST_LINES);
      e->splits[e->lines] = e->size;
      split = true;
      p++;
    } else {
      assert_true(hex_digit(p[0]) >= 0 && hex_digit(p[1]) >= 0 && e->size < MOST_BYTES);
      e->bytes[e->size++] = (unsigned char)(hex_digit(p[0]) * 16 + hex_digit(p[1]));
      p += 2;
    }
  }
  if (split) e->line_ends[e->lines++] = e->size;
}

static bool is_title(const char *line) {
  char kind[16], colon;
  return sscanf(line, "# %15[a-z]%c", kind, &colon) == 2 && colon == ':';
}

static int read_page(const char *path) {
  char line[2048];
  bool inside = false;
  FILE *f = fopen(path, "r");
  if (f == NULL) return -1;
  while (fgets(line, sizeof line, f) != NULL) {
    if (strncmp(line, "```", 3) == 0)
      inside = !inside && strcmp(line, "```hex\n") == 0;
    else if (inside && is_title(line))
      begin_example(line);
    else if (inside)
      add_line(&examples[example_count - 1], line);
  }
  return fclose(f);
}

static size_t count_of(const char *kind) {
  size_t n = 0;
  for (size_t i = 0; i < example_count; i++) n += strcmp(examples[i].kind, kind) == 0;
  return n;
}

/* Each example of the kind, in order. */
static const Example *next_of(const char *kind, size_t *at) {
  while (*at < example_count && strcmp(examples[*at].kind, kind) != 0) ++*at;
  return *at < example_count ? &examples[(*at)++] : NULL;
}

/* ------------------------------------------------------------------- blobs */

static const char compare[] =
    "local seen = {}\n"
    "local function same(a, b)\n"
    "  if type(a) ~= 'table' or type(b) ~= 'table' or seen[a] == b then return rawequal(a, b) or seen[a] == b end\n"
    "  seen[a] = b\n"
    "  for k, v in next, a do if math.type(v) ~= math.type(b[k]) or not same(v, b[k]) then return false end end\n"
    "  for k in next, b do if a[k] == nil then return false end end\n"
    "  return true\n"
    "end\n"
    "return same(...)\n";

static void test_blobs(void **state) {
  (void)state;
  hearth_error err;
  hearth_codec_options trusted = {.size = sizeof trusted, .flags = HEARTH_TRUSTED};
  hearth_codec_options canonical = {.size = sizeof canonical, .flags = HEARTH_CANONICAL};
  assert_true(count_of("blob") >= 3);
  size_t at = 0;
  for (const Example *e; (e = next_of("blob", &at)) != NULL;) {
    lua_State *L = luaL_newstate();
    View v;
    size_t size;
    assert_non_null(L);
    luaL_openlibs(L);
    if (view_open_blob(&v, e->bytes, e->size, &hearth_libc_allocator, &err) != HEARTH_OK)
      fail_msg("%s: %s", e->text, err.message);
    view_close(&v);
    assert_int_equal(luaL_loadstring(L, compare), LUA_OK);
    if (hearth_decode(L, e->bytes, e->size, &trusted, &err) != HEARTH_OK) fail_msg("%s: %s", e->text, err.message);
    lua_pushfstring(L, "return %s", e->text);
    assert_int_equal(luaL_loadstring(L, lua_tostring(L, -1)), LUA_OK);
    lua_remove(L, -2);
    lua_call(L, 0, 1);
    if (hearth_encode(L, -1, &canonical, &err) != HEARTH_OK) fail_msg("%s: %s", e->text, err.message);
    const char *bytes = lua_tolstring(L, -1, &size);
    if (size != e->size || memcmp(bytes, e->bytes, size) != 0) fail_msg("%s: encoded otherwise", e->text);
    lua_pop(L, 1);
    lua_call(L, 2, 1);
    if (!lua_toboolean(L, -1)) fail_msg("%s: decoded to something else", e->text);
    lua_close(L);
  }
}

/* ------------------------------------------------------------------ stores */

/* Checks "path = value; path = value": what get would print. */
static void check_values(View *v, const char *text) {
  char copy[256], *rest = copy;
  (void)snprintf(copy, sizeof copy, "%s", text);
  for (char *one; (one = strtok_r(rest, ";", &rest)) != NULL;) {
    hearth_error err;
    ViewTarget t;
    Buffer found;
    char path[64], value[128];
    assert_int_equal(sscanf(one, " %63s = %127[^\n]", path, value), 2);
    view_target_init(&t, v);
    buffer_init(&found, &hearth_libc_allocator);
    if (view_resolve(&t, path, &err) != HEARTH_OK) fail_msg("%s", err.message);
    if (t.value.kind == VALUE_REF)
      assert_int_equal(view_describe(&t.object, &found, &err), HEARTH_OK);
    else
      view_put_scalar(&found, &t.value, 0);
    if (found.size < strlen(value) || memcmp(found.data, value, strlen(value)) != 0)
      fail_msg("%s is %.*s, not %s", path, (int)found.size, (const char *)found.data, value);
    buffer_free(&found);
    view_target_free(&t);
  }
}

static void on_problem(void *ud, const char *message) {
  (void)ud;
  fail_msg("%s", message);
}

static void on_step(void *ud, uint64_t done) {
  (void)ud, (void)done;
}

static void check_store(const hearth_backend *backend, hearth_backend_store *b, const char *text) {
  hearth_error err;
  View v;
  ViewVerify verify = {.problem = on_problem, .step = on_step};
  if (view_open_store(&v, backend, b, &hearth_libc_allocator, &err) != HEARTH_OK) fail_msg("%s", err.message);
  assert_int_equal(view_verify(&v, &verify, &err), HEARTH_OK);
  check_values(&v, text);
  view_close(&v);
}

static void test_entries(void **state) {
  (void)state;
  hearth_error err;
  assert_true(count_of("entries") >= 1);
  size_t at = 0;
  for (const Example *e; (e = next_of("entries", &at)) != NULL;) {
    hearth_backend_store *b;
    hearth_backend_config config = {.size = sizeof config};
    assert_int_equal(hearth_memory_backend.open(&config, &b, &err), HEARTH_OK);
    size_t begin = 0;
    for (size_t i = 0; i < e->lines; begin = e->line_ends[i++]) {
      hearth_op op = {HEARTH_PUT, 0, e->bytes + begin, e->splits[i] - begin, e->bytes + e->splits[i],
                      e->line_ends[i] - e->splits[i]};
      assert_int_equal(hearth_memory_backend.submit(b, &op, 1, 0, HEARTH_DEFAULT_DURABILITY, NULL, &err), HEARTH_OK);
    }
    check_store(&hearth_memory_backend, b, e->text);
    assert_int_equal(hearth_memory_backend.close(b, &err), HEARTH_OK);
  }
}

static void test_keys(void **state) {
  (void)state;
  assert_true(count_of("key") >= 5);
  size_t at = 0;
  for (const Example *e; (e = next_of("key", &at)) != NULL;) {
    unsigned char again[EXTERNAL_MAX_KEY];
    Cursor c = cursor_over(e->bytes, e->size);
    Value key;
    Buffer text;
    buffer_init(&text, &hearth_libc_allocator);
    external_get_key(&c, &key);
    assert_null(c.why);
    view_put_scalar(&text, &key, 0);
    if (text.size != strlen(e->text) || memcmp(text.data, e->text, text.size) != 0)
      fail_msg("%.*s, not %s", (int)text.size, (const char *)text.data, e->text);
    assert_int_equal(external_put_key(again, &key), e->size);
    assert_memory_equal(again, e->bytes, e->size);
    buffer_free(&text);
  }
}

static void test_logs(void **state) {
  (void)state;
  hearth_error err;
  assert_true(count_of("log") >= 1);
  size_t at = 0;
  for (const Example *e; (e = next_of("log", &at)) != NULL;) {
    char path[] = "/tmp/hearth-example-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, e->bytes, e->size), e->size);
    assert_int_equal(close(fd), 0);
    hearth_backend_store *b;
    hearth_backend_config config = {.size = sizeof config, .location = path, .flags = HEARTH_OPEN_READONLY};
    if (hearth_file_backend.open(&config, &b, &err) != HEARTH_OK) fail_msg("%s", err.message);
    check_store(&hearth_file_backend, b, e->text);
    assert_int_equal(hearth_file_backend.close(b, &err), HEARTH_OK);
    assert_int_equal(unlink(path), 0);
  }
}

int main(int argc, char **argv) {
  const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_blobs),
    cmocka_unit_test(test_entries),
    cmocka_unit_test(test_keys),
    cmocka_unit_test(test_logs),
  };
  if (argc != 2 || read_page(argv[1]) != 0) {
    (void)fprintf(stderr, "usage: test_examples FORMAT.md\n");
    return 2;
  }
  return cmocka_run_group_tests(tests, NULL, NULL);
}
