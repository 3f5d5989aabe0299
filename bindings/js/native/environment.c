/*
** The operating system, seen through JavaScript: Node's own file system. In a page there is none, and
** JavaScript answers ENOSYS to all of it. Numbers beyond 2^53 go over as two halves.
*/
#include <errno.h>

#include "bridge.h"
#include "hearth_environment.h"

/* Each answers 0 or an errno value as Emscripten's C library numbers them. `out` is 8 bytes each. */
#define FILES(name) IMPORT("hearth_files", #name)
FILES(open) int js_file_open(const char *path, size_t size, unsigned flags, int32_t *out);
FILES(close) int js_file_close(int file);
FILES(read) int js_file_read(int file, double offset, void *bytes, size_t size, size_t *got);
FILES(write) int js_file_write(int file, double offset, const void *bytes, size_t size);
FILES(sync) int js_file_sync(int file);
FILES(sync_folder) int js_file_sync_folder(const char *path, size_t size);
FILES(truncate) int js_file_truncate(int file, double length);
FILES(stat) int js_file_stat(const char *path, size_t size, int file, uint64_t out[5]);
FILES(like) int js_file_like(int file, int model);
FILES(rename) int js_file_rename(const char *from, size_t from_size, const char *to, size_t to_size);
FILES(unlink) int js_file_unlink(const char *path, size_t size);
FILES(realpath) int js_file_realpath(const char *path, size_t size, char *out, size_t room);
FILES(clock) double js_file_clock(void);
FILES(random) int js_file_random(void *bytes, size_t size);
FILES(process) double js_file_process(void);
FILES(boot) int js_file_boot(char *out, size_t room);
FILES(alive) int js_file_alive(double process);
FILES(reason) int js_file_reason(int failure, char *out, size_t room); /* how many bytes, without a zero byte */

static int node_open(void *ud, const char *path, unsigned flags, hearth_file *out) {
  int32_t file;
  (void)ud;
  int failure = js_file_open(path, strlen(path), flags, &file);
  if (failure == 0) *out = file;
  return failure;
}

static int node_close(void *ud, hearth_file file) {
  (void)ud;
  return js_file_close((int)file);
}

static int node_pread(void *ud, hearth_file file, uint64_t offset, void *bytes, size_t size, size_t *got) {
  (void)ud;
  *got = 0;
  return js_file_read((int)file, (double)offset, bytes, size, got);
}

static int node_pwrite(void *ud, hearth_file file, uint64_t offset, const void *bytes, size_t size) {
  (void)ud;
  return js_file_write((int)file, (double)offset, bytes, size);
}

static int node_sync(void *ud, hearth_file file) {
  (void)ud;
  return js_file_sync((int)file);
}

static int node_sync_folder(void *ud, const char *path) {
  (void)ud;
  return js_file_sync_folder(path, strlen(path));
}

static int node_truncate(void *ud, hearth_file file, uint64_t length) {
  (void)ud;
  return js_file_truncate((int)file, (double)length);
}

/* Of a path, or of an open file when `path` is NULL. */
static int get_info(const char *path, hearth_file file, hearth_file_info *info) {
  uint64_t out[5];
  int failure = js_file_stat(path, path != NULL ? strlen(path) : 0, (int)file, out);
  if (failure != 0) return failure;
  *info = (hearth_file_info){out[0], out[1], out[2], out[3] != 0, out[4] != 0};
  return 0;
}

static int node_stat(void *ud, const char *path, hearth_file_info *info) {
  (void)ud;
  return get_info(path, -1, info);
}

static int node_file_stat(void *ud, hearth_file file, hearth_file_info *info) {
  (void)ud;
  return get_info(NULL, file, info);
}

static int node_rename(void *ud, const char *from, const char *to) {
  (void)ud;
  return js_file_rename(from, strlen(from), to, strlen(to));
}

static int node_unlink(void *ud, const char *path) {
  (void)ud;
  return js_file_unlink(path, strlen(path));
}

static int node_realpath(void *ud, const char *path, char *out, size_t size) {
  (void)ud;
  return js_file_realpath(path, strlen(path), out, size);
}

/* Node has no locks of files: the owner file alone decides. */
static int node_lock(void *ud, hearth_file file) {
  (void)ud, (void)file;
  return ENOTSUP;
}

static uint64_t node_clock(void *ud) {
  (void)ud;
  return (uint64_t)js_file_clock();
}

static int node_random(void *ud, void *bytes, size_t size) {
  (void)ud;
  return js_file_random(bytes, size);
}

static uint64_t node_process(void *ud) {
  (void)ud;
  return (uint64_t)js_file_process();
}

static int node_boot(void *ud, char out[HEARTH_BOOT_SIZE]) {
  (void)ud;
  return js_file_boot(out, HEARTH_BOOT_SIZE);
}

static bool node_alive(void *ud, uint64_t process) {
  (void)ud;
  return js_file_alive((double)process) != 0;
}

static int node_like(void *ud, hearth_file file, hearth_file model) {
  (void)ud;
  return js_file_like((int)file, (int)model);
}

/* The C library's texts are a hundredth of hearth.wasm. Valid until the next call, as its own. */
char *strerror(int failure) {
  static char text[96];
  int size = js_file_reason(failure, text, sizeof text - 1);
  text[size > 0 && size < (int)sizeof text ? size : 0] = '\0';
  return text;
}

const hearth_environment hearth_system_environment = {
    .size = sizeof(hearth_environment),
    .ud = NULL,
    .open = node_open,
    .close = node_close,
    .pread = node_pread,
    .pwrite = node_pwrite,
    .sync = node_sync,
    .sync_folder = node_sync_folder,
    .truncate = node_truncate,
    .stat = node_stat,
    .file_stat = node_file_stat,
    .rename = node_rename,
    .unlink = node_unlink,
    .realpath = node_realpath,
    .lock = node_lock,
    .unlock = node_lock,
    .clock = node_clock,
    .random = node_random,
    .process = node_process,
    .boot = node_boot,
    .alive = node_alive,
    .like = node_like,
};
