#include "stores.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

hearth_store *stores_open(const Bench *b, lua_State *L, const char *path, unsigned flags) {
  hearth_options options = {.size = sizeof options, .flags = flags};
  const hearth_backend *backend = path != NULL ? &hearth_file_backend : &hearth_memory_backend;
  hearth_store *S;
  hearth_error err;
  bench_ok(b, hearth_open(L, backend, path != NULL ? path : "", &options, &S, &err), &err);
  return S;
}

void stores_set_home(lua_State *L, hearth_store *S, const char *name) {
  hearth_push_home(L, S);
  lua_insert(L, -2);
  lua_setfield(L, -2, name);
  lua_pop(L, 1);
}

void stores_push_home(lua_State *L, hearth_store *S, const char *name) {
  hearth_push_home(L, S);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

void stores_commit(const Bench *b, lua_State *L, hearth_store *S, hearth_durability durability) {
  hearth_error err;
  bench_ok(b, hearth_commit(L, S, durability, &err), &err);
}

hearth_stat stores_stat(const Bench *b, hearth_store *S) {
  hearth_stat stat = {.size = sizeof stat};
  hearth_error err;
  stat.storage.size = sizeof stat.storage;
  bench_ok(b, hearth_store_stat(S, &stat, &err), &err);
  return stat;
}

void raw_open(const Bench *b, Raw *raw, const char *name) {
  char path[BENCH_PATH];
  bench_path(b, name, path);
  raw->file = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
  raw->size = 0;
  if (raw->file < 0) bench_fail(b, "%s: %s", path, strerror(errno));
}

void raw_append(const Bench *b, Raw *raw, const void *bytes, size_t size) {
  if (pwrite(raw->file, bytes, size, (off_t)raw->size) != (ssize_t)size || fdatasync(raw->file) != 0)
    bench_fail(b, "the plain file: %s", strerror(errno));
  raw->size += size;
}

void raw_close(const Bench *b, Raw *raw) {
  struct stat s;
  if (fstat(raw->file, &s) != 0 || (uint64_t)s.st_size != raw->size) bench_fail(b, "the plain file lost bytes");
  close(raw->file);
}
