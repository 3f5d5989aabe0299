#include "faulty_environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const call_names[CALL_KINDS] = {
    "open", "close", "read", "write", "sync", "sync of the folder", "truncate", "stat", "stat of an open file",
    "rename", "unlink", "realpath", "lock", "unlock", "random", "boot id", "memory of Lua", "memory of the backend"};

/* What happens to this call; a killed process reaches nothing. */
static Failure ask(Faulty *f, CallKind kind, const char *path) {
  if (f->killed) return (Failure){EIO, false};
  return f->ask(f->ud, kind, path);
}

static const char *name_of(Faulty *f, hearth_file file) {
  if (file < 0 || file >= FAULTY_FILES) abort();
  return f->names[file];
}

static int faulty_open(void *ud, const char *path, unsigned flags, hearth_file *out) {
  Faulty *f = ud;
  int failure = ask(f, CALL_OPEN, path).code;
  if (failure == 0) failure = f->real->open(f->real->ud, path, flags, out);
  if (failure != 0) return failure;
  if (*out < 0 || *out >= FAULTY_FILES) abort();
  (void)snprintf(f->names[*out], FAULTY_NAME, "%s", path);
  f->open_files++;
  return 0;
}

/* Whatever it answers, the file is closed. */
static int faulty_close(void *ud, hearth_file file) {
  Faulty *f = ud;
  int failure = ask(f, CALL_CLOSE, name_of(f, file)).code;
  int real = f->killed ? 0 : f->real->close(f->real->ud, file);
  f->open_files--;
  return failure != 0 ? failure : real;
}

static int faulty_pread(void *ud, hearth_file file, uint64_t offset, void *bytes, size_t size, size_t *got) {
  Faulty *f = ud;
  int failure = ask(f, CALL_READ, name_of(f, file)).code;
  *got = 0;
  return failure != 0 ? failure : f->real->pread(f->real->ud, file, offset, bytes, size, got);
}

static int faulty_pwrite(void *ud, hearth_file file, uint64_t offset, const void *bytes, size_t size) {
  Faulty *f = ud;
  Failure failure = ask(f, CALL_WRITE, name_of(f, file));
  if (failure.code == 0) return f->real->pwrite(f->real->ud, file, offset, bytes, size);
  if (failure.half) (void)f->real->pwrite(f->real->ud, file, offset, bytes, size / 2);
  return failure.code;
}

static int faulty_sync(void *ud, hearth_file file) {
  Faulty *f = ud;
  int failure = ask(f, CALL_SYNC, name_of(f, file)).code;
  return failure != 0 ? failure : f->real->sync(f->real->ud, file);
}

static int faulty_sync_folder(void *ud, const char *path) {
  Faulty *f = ud;
  int failure = ask(f, CALL_SYNC_FOLDER, path).code;
  return failure != 0 ? failure : f->real->sync_folder(f->real->ud, path);
}

static int faulty_truncate(void *ud, hearth_file file, uint64_t length) {
  Faulty *f = ud;
  int failure = ask(f, CALL_TRUNCATE, name_of(f, file)).code;
  return failure != 0 ? failure : f->real->truncate(f->real->ud, file, length);
}

static int faulty_stat(void *ud, const char *path, hearth_file_info *info) {
  Faulty *f = ud;
  int failure = ask(f, CALL_STAT, path).code;
  return failure != 0 ? failure : f->real->stat(f->real->ud, path, info);
}

static int faulty_file_stat(void *ud, hearth_file file, hearth_file_info *info) {
  Faulty *f = ud;
  int failure = ask(f, CALL_FILE_STAT, name_of(f, file)).code;
  return failure != 0 ? failure : f->real->file_stat(f->real->ud, file, info);
}

static int faulty_rename(void *ud, const char *from, const char *to) {
  Faulty *f = ud;
  int failure = ask(f, CALL_RENAME, to).code;
  return failure != 0 ? failure : f->real->rename(f->real->ud, from, to);
}

static int faulty_unlink(void *ud, const char *path) {
  Faulty *f = ud;
  int failure = ask(f, CALL_UNLINK, path).code;
  return failure != 0 ? failure : f->real->unlink(f->real->ud, path);
}

static int faulty_realpath(void *ud, const char *path, char *out, size_t size) {
  Faulty *f = ud;
  int failure = ask(f, CALL_REALPATH, path).code;
  return failure != 0 ? failure : f->real->realpath(f->real->ud, path, out, size);
}

static int faulty_lock(void *ud, hearth_file file) {
  Faulty *f = ud;
  int failure = ask(f, CALL_LOCK, name_of(f, file)).code;
  return failure != 0 ? failure : f->real->lock(f->real->ud, file);
}

static int faulty_unlock(void *ud, hearth_file file) {
  Faulty *f = ud;
  int failure = ask(f, CALL_UNLOCK, name_of(f, file)).code;
  return failure != 0 ? failure : f->real->unlock(f->real->ud, file);
}

static uint64_t faulty_clock(void *ud) {
  Faulty *f = ud;
  return f->real->clock(f->real->ud);
}

static int faulty_random(void *ud, void *bytes, size_t size) {
  Faulty *f = ud;
  int failure = ask(f, CALL_RANDOM, "").code;
  return failure != 0 ? failure : f->real->random(f->real->ud, bytes, size);
}

static uint64_t faulty_process(void *ud) {
  Faulty *f = ud;
  return f->real->process(f->real->ud);
}

static int faulty_boot(void *ud, char out[HEARTH_BOOT_SIZE]) {
  Faulty *f = ud;
  int failure = ask(f, CALL_BOOT, "").code;
  return failure != 0 ? failure : f->real->boot(f->real->ud, out);
}

static bool faulty_alive(void *ud, uint64_t process) {
  Faulty *f = ud;
  return f->real->alive(f->real->ud, process);
}

static void *faulty_alloc(void *ud, void *ptr, size_t osize, size_t nsize) {
  Faulty *f = ud;
  size_t had = ptr != NULL ? osize : 0;
  if (nsize == 0) {
    f->bytes -= had;
    free(ptr);
    return NULL;
  }
  if (!f->killed && nsize > had && f->ask(f->ud, CALL_BACKEND_MEMORY, "").code != 0) return NULL;
  void *fresh = realloc(ptr, nsize);
  if (fresh == NULL) abort();
  f->bytes += nsize - had;
  return fresh;
}

void faulty_init(Faulty *f, const hearth_environment *real, Failure (*asked)(void *ud, CallKind kind, const char *path),
                 void *ud) {
  memset(f, 0, sizeof *f);
  f->real = real;
  f->ask = asked;
  f->ud = ud;
  f->allocator = (hearth_allocator){faulty_alloc, f};
  f->environment = (hearth_environment){
      .size = sizeof(hearth_environment), .ud = f,
      .open = faulty_open, .close = faulty_close, .pread = faulty_pread, .pwrite = faulty_pwrite, .sync = faulty_sync,
      .sync_folder = faulty_sync_folder, .truncate = faulty_truncate, .stat = faulty_stat,
      .file_stat = faulty_file_stat, .rename = faulty_rename, .unlink = faulty_unlink, .realpath = faulty_realpath,
      .lock = faulty_lock, .unlock = faulty_unlock, .clock = faulty_clock, .random = faulty_random,
      .process = faulty_process, .boot = faulty_boot, .alive = faulty_alive};
}
