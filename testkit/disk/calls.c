/* The calls: what the environment's functions do on this disk, and which of them fail. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk_parts.h"

/* 0, or the failure that strikes this call. */
static int strikes(hearth_disk *d, hearth_disk_calls kind) {
  if (d->fault.at < 0 || (d->fault.which != HEARTH_DISK_ALL_CALLS && d->fault.which != kind)) return 0;
  long call = d->calls++;
  if (call != d->fault.at && !(d->fault.for_good && call > d->fault.at)) return 0;
  d->struck = true;
  return d->fault.failure;
}

static void change_names(hearth_disk *d, NameChange change) {
  if (d->change_count == d->change_room) {
    d->change_room = d->change_room * 2 + 8;
    d->changes = kit_disk_must(realloc(d->changes, d->change_room * sizeof *d->changes));
  }
  d->changes[d->change_count++] = change;
  kit_names_apply(&d->now, &change);
  kit_disk_stepped(d);
}

static NameChange name_change(NameChangeKind kind, const char *path, const char *to, size_t file) {
  NameChange change = {.kind = kind, .file = file};
  (void)snprintf(change.path, sizeof change.path, "%s", path);
  (void)snprintf(change.to, sizeof change.to, "%s", to);
  return change;
}

static void remember(File *f, uint64_t at, const void *bytes, size_t size, bool truncate) {
  if (f->write_count == f->write_room) {
    size_t room = f->write_room * 2 + 4;
    f->writes = kit_disk_must(realloc(f->writes, room * sizeof *f->writes));
    memset(f->writes + f->write_room, 0, (room - f->write_room) * sizeof *f->writes);
    f->write_room = room;
  }
  Write *w = &f->writes[f->write_count++];
  Bytes given = {(unsigned char *)(uintptr_t)bytes, size, size};
  w->at = at;
  w->truncate = truncate;
  kit_bytes_copy(&w->bytes, &given);
}

static int disk_open(void *ud, const char *path, unsigned flags, hearth_file *out) {
  hearth_disk *d = ud;
  int failure = strikes(d, HEARTH_DISK_ALL_CALLS);
  if (failure != 0) return failure;
  Name *name = kit_names_find(&d->now, path);
  int i = 0;
  while (i < MOST_HANDLES && d->handles[i].used) i++;
  if (i == MOST_HANDLES) return EMFILE;
  if ((flags & HEARTH_FILE_EXCLUSIVE) != 0) {
    if (name != NULL) return EEXIST;
    if (strlen(path) > LONGEST_NAME) return ENAMETOOLONG;
    if (d->now.count == MOST_NAMES) return ENOSPC;
    change_names(d, name_change(NAME_MADE, path, "", kit_disk_new_file(d)));
    name = kit_names_find(&d->now, path);
  }
  if (name == NULL) return ENOENT;
  d->handles[i].used = true;
  d->handles[i].writable = (flags & HEARTH_FILE_WRITE) != 0;
  d->handles[i].file = name->file;
  *out = i;
  return 0;
}

static File *file_of(hearth_disk *d, hearth_file file) {
  if (file < 0 || file >= MOST_HANDLES || !d->handles[file].used) abort(); /* closed twice, or never opened */
  return &d->files[d->handles[file].file];
}

static int disk_close(void *ud, hearth_file file) {
  hearth_disk *d = ud;
  File *f = file_of(d, file);
  if (f->locked_by == (int)file + 1) f->locked_by = 0;
  d->handles[file].used = false;
  return strikes(d, HEARTH_DISK_ALL_CALLS);
}

static int disk_pread(void *ud, hearth_file file, uint64_t offset, void *bytes, size_t size, size_t *got) {
  hearth_disk *d = ud;
  File *f = file_of(d, file);
  *got = 0;
  int failure = strikes(d, HEARTH_DISK_READS);
  if (failure != 0) return failure;
  if (offset >= f->now.size) return 0;
  *got = size < f->now.size - offset ? size : (size_t)(f->now.size - offset);
  if (*got > 0) memcpy(bytes, f->now.data + offset, *got);
  return 0;
}

static int disk_pwrite(void *ud, hearth_file file, uint64_t offset, const void *bytes, size_t size) {
  hearth_disk *d = ud;
  File *f = file_of(d, file);
  if (!d->handles[file].writable) return EBADF;
  int failure = strikes(d, HEARTH_DISK_WRITES);
  size_t part = failure == 0 ? size : d->fault.half ? size / 2 : 0;
  uint64_t grows = offset + part > f->now.size ? offset + part - f->now.size : 0;
  if (d->capacity > 0 && grows > 0 && hearth_disk_used(d) + grows > d->capacity) { /* what fits is written */
    uint64_t room = d->capacity > hearth_disk_used(d) ? d->capacity - hearth_disk_used(d) : 0;
    part = offset + part - grows + room > offset ? (size_t)(part - grows + room) : 0;
    failure = ENOSPC;
  }
  if (part == 0) return failure;
  kit_bytes_write(&f->now, offset, bytes, part);
  remember(f, offset, bytes, part, false);
  kit_disk_stepped(d);
  return failure;
}

static int disk_sync(void *ud, hearth_file file) {
  hearth_disk *d = ud;
  File *f = file_of(d, file);
  int failure = strikes(d, HEARTH_DISK_SYNCS);
  size_t count = f->write_count, half = (count + 1) / 2;
  if (failure == 0 || d->failed_sync == HEARTH_DISK_KEEPS_ALL) kit_disk_bring(f, 0, count);
  else if (d->failed_sync == HEARTH_DISK_KEEPS_FIRST_HALF) kit_disk_bring(f, 0, half);
  else if (d->failed_sync == HEARTH_DISK_KEEPS_LAST_HALF) kit_disk_bring(f, half, count);
  /* as systems do it: after a failure the pages count as clean, so that a second sync would say that all is well */
  kit_disk_forget_writes(f);
  kit_disk_stepped(d);
  return failure;
}

static int disk_sync_folder(void *ud, const char *path) {
  hearth_disk *d = ud;
  (void)path;
  int failure = strikes(d, HEARTH_DISK_SYNCS);
  if (failure != 0) return failure;
  kit_names_copy(&d->synced, &d->now);
  d->change_count = 0;
  kit_disk_stepped(d);
  return 0;
}

static int disk_truncate(void *ud, hearth_file file, uint64_t length) {
  hearth_disk *d = ud;
  File *f = file_of(d, file);
  int failure = strikes(d, HEARTH_DISK_WRITES);
  if (failure != 0 && failure != ENOSPC) return failure; /* cutting needs no room */
  kit_bytes_resize(&f->now, (size_t)length);
  remember(f, length, NULL, 0, true);
  kit_disk_stepped(d);
  return 0;
}

static void fill_info(const File *f, hearth_file_info *info) {
  memset(info, 0, sizeof *info);
  info->device = 1;
  info->inode = f->inode;
  info->length = f->now.size;
  info->regular = true;
}

static int disk_stat(void *ud, const char *path, hearth_file_info *info) {
  hearth_disk *d = ud;
  int failure = strikes(d, HEARTH_DISK_ALL_CALLS);
  if (failure != 0) return failure;
  Name *name = kit_names_find(&d->now, path);
  if (name == NULL) return ENOENT;
  fill_info(&d->files[name->file], info);
  return 0;
}

static int disk_file_stat(void *ud, hearth_file file, hearth_file_info *info) {
  hearth_disk *d = ud;
  int failure = strikes(d, HEARTH_DISK_ALL_CALLS);
  if (failure == 0) fill_info(file_of(d, file), info);
  return failure;
}

static int disk_rename(void *ud, const char *from, const char *to) {
  hearth_disk *d = ud;
  int failure = strikes(d, HEARTH_DISK_ALL_CALLS);
  if (failure != 0) return failure;
  if (kit_names_find(&d->now, from) == NULL) return ENOENT;
  if (strlen(to) > LONGEST_NAME) return ENAMETOOLONG;
  change_names(d, name_change(NAME_MOVED, from, to, 0));
  return 0;
}

static int disk_unlink(void *ud, const char *path) {
  hearth_disk *d = ud;
  int failure = strikes(d, HEARTH_DISK_ALL_CALLS);
  if (failure != 0) return failure;
  if (kit_names_find(&d->now, path) == NULL) return ENOENT;
  change_names(d, name_change(NAME_REMOVED, path, "", 0));
  return 0;
}

static int disk_realpath(void *ud, const char *path, char *out, size_t size) {
  hearth_disk *d = ud;
  int failure = strikes(d, HEARTH_DISK_ALL_CALLS);
  if (failure != 0) return failure;
  if (strcmp(path, "/") != 0 && kit_names_find(&d->now, path) == NULL) return ENOENT;
  (void)snprintf(out, size, "%s", path);
  return 0;
}

static int disk_lock(void *ud, hearth_file file) {
  hearth_disk *d = ud;
  File *f = file_of(d, file);
  int failure = strikes(d, HEARTH_DISK_ALL_CALLS);
  if (failure != 0) return failure;
  if (!d->locks) return ENOTSUP;
  if (f->locked_by != 0 && f->locked_by != (int)file + 1) return EAGAIN;
  f->locked_by = (int)file + 1;
  return 0;
}

static int disk_unlock(void *ud, hearth_file file) {
  hearth_disk *d = ud;
  file_of(d, file)->locked_by = 0;
  return strikes(d, HEARTH_DISK_ALL_CALLS);
}

static uint64_t disk_clock(void *ud) {
  return ((hearth_disk *)ud)->clock;
}

static int disk_random(void *ud, void *bytes, size_t size) {
  hearth_disk *d = ud;
  int failure = strikes(d, HEARTH_DISK_ALL_CALLS);
  for (size_t i = 0; i < size; i++) {
    d->random = d->random * UINT64_C(6364136223846793005) + 1;
    ((unsigned char *)bytes)[i] = (unsigned char)(d->random >> 56);
  }
  return failure;
}

static uint64_t disk_process(void *ud) {
  return ((hearth_disk *)ud)->process;
}

static int disk_boot(void *ud, char out[HEARTH_BOOT_SIZE]) {
  hearth_disk *d = ud;
  (void)snprintf(out, HEARTH_BOOT_SIZE, "boot-%llu", (unsigned long long)d->boots);
  return strikes(d, HEARTH_DISK_ALL_CALLS);
}

static bool disk_alive(void *ud, uint64_t process) {
  return ((hearth_disk *)ud)->process == process;
}

void kit_disk_fill_environment(hearth_disk *d) {
  d->environment = (hearth_environment){
      .size = sizeof(hearth_environment), .ud = d,
      .open = disk_open, .close = disk_close, .pread = disk_pread, .pwrite = disk_pwrite, .sync = disk_sync,
      .sync_folder = disk_sync_folder, .truncate = disk_truncate, .stat = disk_stat, .file_stat = disk_file_stat,
      .rename = disk_rename, .unlink = disk_unlink, .realpath = disk_realpath, .lock = disk_lock,
      .unlock = disk_unlock, .clock = disk_clock, .random = disk_random, .process = disk_process,
      .boot = disk_boot, .alive = disk_alive};
}
