/* Both readers, one after the other, over the same bytes. */
#ifndef HEARTH_TESTS_READER_COMPARING_H
#define HEARTH_TESTS_READER_COMPARING_H

#include "../codec/codec_testing.h"

#include "first.h"
#include "hearth_testkit_disk.h"
#include "telling.h"
#include "tell.h"

typedef char *(*Teller)(const void *bytes, size_t size, int *status);

/* The bytes in memory of exactly their size, so that a read behind their end is seen. */
static inline char *told(Teller tell, const void *bytes, size_t size, int *status) {
  unsigned char *copy = malloc(size > 0 ? size : 1);
  memcpy(copy, bytes, size);
  char *text = tell(copy, size, status);
  free(copy);
  assert_non_null(text);
  return text;
}

/* Both give one text; free() it. */
static inline char *both(Teller first, Teller current, const void *bytes, size_t size, const char *what) {
  int first_status, status;
  char *text = told(first, bytes, size, &first_status), *now = told(current, bytes, size, &status);
  if (first_status != 0) fail_msg("%s: the first reader: %s", what, text);
  if (status != 0) fail_msg("%s: the current reader: %s", what, now);
  if (strcmp(text, now) != 0) fail_msg("%s: the first reader says\n%s\nthe current one\n%s", what, text, now);
  free(now);
  return text;
}

static inline char *both_blob(const void *bytes, size_t size, const char *what) {
  return both(reader1_tell_blob, tell_blob, bytes, size, what);
}

static inline char *both_log(const void *bytes, size_t size, const char *what) {
  return both(reader1_tell_log, tell_log, bytes, size, what);
}

static inline void refuses(const char *reader, Teller tell, const void *bytes, size_t size, hearth_status expected) {
  int status;
  char *text = told(tell, bytes, size, &status);
  if (status != expected)
    fail_msg("the %s reader: %s, not %s: %s", reader, hearth_status_name((hearth_status)status),
             hearth_status_name(expected), text);
  free(text);
}

/* Both refuse it so. */
static inline void both_refuse(Teller first, Teller current, const void *bytes, size_t size, hearth_status expected) {
  refuses("first", first, bytes, size, expected);
  refuses("current", current, bytes, size, expected);
}

/* ----------------------------------------------------------------- stores */

#define PLACE "/world.hearth"

typedef struct World {
  hearth_disk *disk;
  lua_State *L;
  hearth_store *store;
  hearth_error err;
} World;

static inline hearth_status world_try(World *w, unsigned flags, uint32_t page_size) {
  hearth_options options = {.size = sizeof options, .flags = flags, .page_size = page_size,
                            .environment = hearth_disk_environment(w->disk)};
  w->L = luaL_newstate();
  lua_pushcfunction(w->L, open_all);
  if (lua_pcall(w->L, 0, 0, 0) != LUA_OK) fail_msg("%s", lua_tostring(w->L, -1));
  hearth_status status = hearth_open(w->L, &hearth_file_backend, PLACE, &options, &w->store, &w->err);
  if (status == HEARTH_OK) status = hearth_install(w->L, w->store);
  if (status != HEARTH_OK) lua_close(w->L);
  return status;
}

static inline void world_open(World *w, unsigned flags, uint32_t page_size) {
  if (world_try(w, flags, page_size) != HEARTH_OK) fail_msg("%s", w->err.message);
}

static inline void world_run(World *w, const char *code) {
  if (luaL_dostring(w->L, code) != LUA_OK) fail_msg("%s", lua_tostring(w->L, -1));
}

static inline void world_commit(World *w) {
  if (hearth_commit(w->L, w->store, HEARTH_DEFAULT_DURABILITY, &w->err) != HEARTH_OK) fail_msg("%s", w->err.message);
}

static inline void world_close(World *w) {
  assert_int_equal(hearth_close(w->L, w->store), HEARTH_OK);
  lua_close(w->L);
}

static inline hearth_status file_open(hearth_disk *disk, unsigned flags, hearth_backend_store **out,
                                      hearth_error *err) {
  hearth_backend_config config = {.size = sizeof config, .location = PLACE, .flags = flags,
                                  .environment = hearth_disk_environment(disk)};
  return hearth_file_backend.open(&config, out, err);
}

/* What the file backend and the view on it say. */
static inline char *told_by_file(hearth_disk *disk, int *status) {
  hearth_error err;
  hearth_backend_store *store = NULL;
  Buffer out;
  buffer_init(&out, &hearth_libc_allocator);
  hearth_status answer = file_open(disk, HEARTH_OPEN_READONLY, &store, &err);
  if (answer == HEARTH_OK) {
    answer = tell_store(&hearth_file_backend, store, &out, &err);
    assert_int_equal(hearth_file_backend.close(store, NULL), HEARTH_OK);
  }
  return tell_end(&out, answer, &err, status);
}

#endif
