#include "bytes.h"

#include <errno.h>

static int bytes_open(void *ud, const char *path, unsigned flags, hearth_file *out) {
  const Buffer *b = ud;
  (void)path;
  *out = 0;
  if ((flags & HEARTH_FILE_EXCLUSIVE) != 0) return b->size != 0 ? EEXIST : 0;
  return b->size != 0 ? 0 : ENOENT;
}

static int bytes_close(void *ud, hearth_file file) {
  (void)ud, (void)file;
  return 0;
}

static int bytes_pread(void *ud, hearth_file file, uint64_t offset, void *bytes, size_t size, size_t *got) {
  const Buffer *b = ud;
  (void)file;
  size_t left = offset < b->size ? b->size - (size_t)offset : 0;
  *got = size < left ? size : left;
  if (*got > 0) memcpy(bytes, b->data + (size_t)offset, *got);
  return 0;
}

static int bytes_pwrite(void *ud, hearth_file file, uint64_t offset, const void *bytes, size_t size) {
  Buffer *b = ud;
  (void)file;
  if (offset > b->size) return EINVAL; /* no holes: a log is written in order */
  size_t inside = b->size - (size_t)offset;
  if (inside > size) inside = size;
  if (inside > 0) memcpy(b->data + (size_t)offset, bytes, inside);
  buffer_put(b, (const unsigned char *)bytes + inside, size - inside);
  return b->failed ? ENOMEM : 0;
}

static int bytes_sync(void *ud, hearth_file file) {
  (void)ud, (void)file;
  return 0;
}

static int bytes_sync_folder(void *ud, const char *path) {
  (void)ud, (void)path;
  return 0;
}

static int bytes_truncate(void *ud, hearth_file file, uint64_t length) {
  Buffer *b = ud;
  (void)file;
  if (length > b->size) return EINVAL;
  b->size = (size_t)length;
  return 0;
}

static int bytes_file_stat(void *ud, hearth_file file, hearth_file_info *info) {
  const Buffer *b = ud;
  (void)file;
  *info = (hearth_file_info){.device = 1, .inode = 1, .length = b->size, .regular = true};
  return 0;
}

static int bytes_stat(void *ud, const char *path, hearth_file_info *info) {
  const Buffer *b = ud;
  (void)path;
  return b->size != 0 ? bytes_file_stat(ud, 0, info) : ENOENT;
}

static int bytes_rename(void *ud, const char *from, const char *to) {
  (void)ud, (void)from, (void)to;
  return ENOTSUP;
}

static int bytes_unlink(void *ud, const char *path) {
  (void)path;
  buffer_clear(ud);
  return 0;
}

static int bytes_realpath(void *ud, const char *path, char *out, size_t size) {
  (void)ud, (void)path, (void)out, (void)size;
  return ENOTSUP;
}

static int bytes_lock(void *ud, hearth_file file) {
  (void)ud, (void)file;
  return ENOTSUP;
}

/* An export carries neither times nor salt, and nobody else can see these bytes. */
static uint64_t bytes_number(void *ud) {
  (void)ud;
  return 0;
}

static int bytes_random(void *ud, void *bytes, size_t size) {
  (void)ud, (void)bytes, (void)size;
  return ENOTSUP;
}

static int bytes_boot(void *ud, char out[HEARTH_BOOT_SIZE]) {
  (void)ud, (void)out;
  return ENOTSUP;
}

static bool bytes_alive(void *ud, uint64_t process) {
  (void)ud, (void)process;
  return true;
}

void bytes_environment(hearth_environment *out, Buffer *bytes) {
  *out = (hearth_environment){
      .size = sizeof *out,
      .ud = bytes,
      .open = bytes_open,
      .close = bytes_close,
      .pread = bytes_pread,
      .pwrite = bytes_pwrite,
      .sync = bytes_sync,
      .sync_folder = bytes_sync_folder,
      .truncate = bytes_truncate,
      .stat = bytes_stat,
      .file_stat = bytes_file_stat,
      .rename = bytes_rename,
      .unlink = bytes_unlink,
      .realpath = bytes_realpath,
      .lock = bytes_lock,
      .unlock = bytes_lock,
      .clock = bytes_number,
      .random = bytes_random,
      .process = bytes_number,
      .boot = bytes_boot,
      .alive = bytes_alive,
  };
}
