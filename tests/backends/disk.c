#include "disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR 512
#define MOST_HANDLES 64
#define MOST_NAMES 64

typedef struct Bytes {
  unsigned char *data;
  size_t size;
} Bytes;

typedef struct Write { /* not synced yet; data NULL: the length was set to `at` */
  uint64_t at;
  Bytes bytes;
  bool truncate;
} Write;

typedef struct File {
  uint64_t inode;
  Bytes now, synced;
  Write *writes;
  size_t write_count;
  int locked_by; /* handle + 1 */
} File;

typedef struct Name {
  char path[128];
  size_t file; /* index */
} Name;

typedef struct NameTable {
  Name names[MOST_NAMES];
  size_t count;
} NameTable;

struct Disk {
  hearth_environment environment;
  File *files;
  size_t file_count;
  NameTable now;
  NameTable *history; /* the names after each change since the folder was synced; history[0] are the synced ones */
  size_t history_count;
  struct {
    bool used, writable;
    size_t file;
  } handles[MOST_HANDLES];
  DiskFault fault;
  long calls;
  bool struck, locks;
  uint64_t capacity, clock, process, boots, random;
};

static void *must(void *p) {
  if (p == NULL) abort();
  return p;
}

static void bytes_resize(Bytes *b, size_t size) {
  b->data = must(realloc(b->data, size > 0 ? size : 1));
  if (size > b->size) memset(b->data + b->size, 0, size - b->size);
  b->size = size;
}

static void bytes_copy(Bytes *to, const Bytes *from) {
  bytes_resize(to, from->size);
  if (from->size > 0) memcpy(to->data, from->data, from->size);
}

/* 0, or the failure that strikes this call. */
static int strikes(Disk *d, DiskCalls kind) {
  if (d->fault.at < 0 || (d->fault.which != DISK_ALL_CALLS && d->fault.which != kind)) return 0;
  long call = d->calls++;
  if (call != d->fault.at && !(d->fault.for_good && call > d->fault.at)) return 0;
  d->struck = true;
  return d->fault.failure;
}

static Name *find_name(NameTable *table, const char *path) {
  for (size_t i = 0; i < table->count; i++)
    if (strcmp(table->names[i].path, path) == 0) return &table->names[i];
  return NULL;
}

static void set_name(NameTable *table, const char *path, size_t file) {
  Name *name = find_name(table, path);
  if (name == NULL) {
    if (table->count == MOST_NAMES) abort();
    name = &table->names[table->count++];
    (void)snprintf(name->path, sizeof name->path, "%s", path);
  }
  name->file = file;
}

static void remove_name(NameTable *table, const char *path) {
  Name *name = find_name(table, path);
  if (name != NULL) *name = table->names[--table->count];
}

static void names_changed(Disk *d) {
  d->history = must(realloc(d->history, (d->history_count + 1) * sizeof *d->history));
  d->history[d->history_count++] = d->now;
}

static size_t new_file(Disk *d) {
  d->files = must(realloc(d->files, (d->file_count + 1) * sizeof *d->files));
  memset(&d->files[d->file_count], 0, sizeof *d->files);
  d->files[d->file_count].inode = d->file_count + 100;
  return d->file_count++;
}

static void forget_writes(File *f) {
  for (size_t i = 0; i < f->write_count; i++) free(f->writes[i].bytes.data);
  free(f->writes);
  f->writes = NULL;
  f->write_count = 0;
}

static void remember(File *f, uint64_t at, const void *bytes, size_t size, bool truncate) {
  f->writes = must(realloc(f->writes, (f->write_count + 1) * sizeof *f->writes));
  Write *w = &f->writes[f->write_count++];
  memset(w, 0, sizeof *w);
  w->at = at;
  w->truncate = truncate;
  if (truncate) return;
  Bytes given = {(unsigned char *)(uintptr_t)bytes, size};
  bytes_copy(&w->bytes, &given);
}

static void write_bytes(Bytes *to, uint64_t at, const unsigned char *bytes, size_t size) {
  if (size == 0) return;
  if (at + size > to->size) bytes_resize(to, (size_t)at + size);
  memcpy(to->data + at, bytes, size);
}

static void apply_write(Bytes *to, const Write *w) {
  if (w->truncate) bytes_resize(to, (size_t)w->at);
  else write_bytes(to, w->at, w->bytes.data, w->bytes.size);
}

/* -------------------------------------------------------- the environment */

static int disk_open(void *ud, const char *path, unsigned flags, hearth_file *out) {
  Disk *d = ud;
  int failure = strikes(d, DISK_ALL_CALLS);
  if (failure != 0) return failure;
  Name *name = find_name(&d->now, path);
  if ((flags & HEARTH_FILE_EXCLUSIVE) != 0) {
    if (name != NULL) return EEXIST;
    set_name(&d->now, path, new_file(d));
    names_changed(d);
    name = find_name(&d->now, path);
  }
  if (name == NULL) return ENOENT;
  for (int i = 0; i < MOST_HANDLES; i++)
    if (!d->handles[i].used) {
      d->handles[i].used = true;
      d->handles[i].writable = (flags & HEARTH_FILE_WRITE) != 0;
      d->handles[i].file = name->file;
      *out = i;
      return 0;
    }
  abort();
}

static File *file_of(Disk *d, hearth_file file) {
  if (file < 0 || file >= MOST_HANDLES || !d->handles[file].used) abort(); /* closed twice, or never opened */
  return &d->files[d->handles[file].file];
}

static int disk_close(void *ud, hearth_file file) {
  Disk *d = ud;
  File *f = file_of(d, file);
  if (f->locked_by == (int)file + 1) f->locked_by = 0;
  d->handles[file].used = false;
  return strikes(d, DISK_ALL_CALLS);
}

static int disk_pread(void *ud, hearth_file file, uint64_t offset, void *bytes, size_t size, size_t *got) {
  Disk *d = ud;
  File *f = file_of(d, file);
  *got = 0;
  int failure = strikes(d, DISK_READS);
  if (failure != 0) return failure;
  if (offset >= f->now.size) return 0;
  *got = size < f->now.size - offset ? size : (size_t)(f->now.size - offset);
  if (*got > 0) memcpy(bytes, f->now.data + offset, *got);
  return 0;
}

static int disk_pwrite(void *ud, hearth_file file, uint64_t offset, const void *bytes, size_t size) {
  Disk *d = ud;
  File *f = file_of(d, file);
  if (!d->handles[file].writable) return EBADF;
  int failure = strikes(d, DISK_WRITES);
  size_t part = failure == 0 ? size : d->fault.half ? size / 2 : 0;
  uint64_t grows = offset + part > f->now.size ? offset + part - f->now.size : 0;
  if (d->capacity > 0 && grows > 0 && disk_used(d) + grows > d->capacity) { /* what fits is written */
    uint64_t room = d->capacity > disk_used(d) ? d->capacity - disk_used(d) : 0;
    part = offset + part - grows + room > offset ? (size_t)(part - grows + room) : 0;
    failure = ENOSPC;
  }
  write_bytes(&f->now, offset, bytes, part);
  if (part > 0) remember(f, offset, bytes, part, false);
  return failure;
}

static int disk_sync(void *ud, hearth_file file) {
  Disk *d = ud;
  File *f = file_of(d, file);
  int failure = strikes(d, DISK_SYNCS);
  /* as systems do it: after a failure the pages count as clean, so that a second sync would say that all is well */
  for (size_t i = 0; i < f->write_count && failure == 0; i++) apply_write(&f->synced, &f->writes[i]);
  forget_writes(f);
  return failure;
}

static int disk_sync_folder(void *ud, const char *path) {
  Disk *d = ud;
  (void)path;
  int failure = strikes(d, DISK_SYNCS);
  if (failure != 0) return failure;
  d->history_count = 0;
  names_changed(d);
  return 0;
}

static int disk_truncate(void *ud, hearth_file file, uint64_t length) {
  Disk *d = ud;
  File *f = file_of(d, file);
  int failure = strikes(d, DISK_WRITES);
  if (failure != 0 && failure != ENOSPC) return failure; /* cutting needs no room */
  bytes_resize(&f->now, (size_t)length);
  remember(f, length, NULL, 0, true);
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
  Disk *d = ud;
  int failure = strikes(d, DISK_ALL_CALLS);
  if (failure != 0) return failure;
  Name *name = find_name(&d->now, path);
  if (name == NULL) return ENOENT;
  fill_info(&d->files[name->file], info);
  return 0;
}

static int disk_file_stat(void *ud, hearth_file file, hearth_file_info *info) {
  Disk *d = ud;
  int failure = strikes(d, DISK_ALL_CALLS);
  if (failure == 0) fill_info(file_of(d, file), info);
  return failure;
}

static int disk_rename(void *ud, const char *from, const char *to) {
  Disk *d = ud;
  int failure = strikes(d, DISK_ALL_CALLS);
  if (failure != 0) return failure;
  Name *name = find_name(&d->now, from);
  if (name == NULL) return ENOENT;
  size_t file = name->file;
  remove_name(&d->now, from);
  set_name(&d->now, to, file);
  names_changed(d);
  return 0;
}

static int disk_unlink(void *ud, const char *path) {
  Disk *d = ud;
  int failure = strikes(d, DISK_ALL_CALLS);
  if (failure != 0) return failure;
  if (find_name(&d->now, path) == NULL) return ENOENT;
  remove_name(&d->now, path);
  names_changed(d);
  return 0;
}

static int disk_realpath(void *ud, const char *path, char *out, size_t size) {
  Disk *d = ud;
  int failure = strikes(d, DISK_ALL_CALLS);
  if (failure != 0) return failure;
  if (strcmp(path, "/") != 0 && find_name(&d->now, path) == NULL) return ENOENT;
  (void)snprintf(out, size, "%s", path);
  return 0;
}

static int disk_lock(void *ud, hearth_file file) {
  Disk *d = ud;
  File *f = file_of(d, file);
  int failure = strikes(d, DISK_ALL_CALLS);
  if (failure != 0) return failure;
  if (!d->locks) return ENOTSUP;
  if (f->locked_by != 0 && f->locked_by != (int)file + 1) return EAGAIN;
  f->locked_by = (int)file + 1;
  return 0;
}

static int disk_unlock(void *ud, hearth_file file) {
  Disk *d = ud;
  file_of(d, file)->locked_by = 0;
  return strikes(d, DISK_ALL_CALLS);
}

static uint64_t disk_clock(void *ud) {
  return ((Disk *)ud)->clock;
}

static int disk_random(void *ud, void *bytes, size_t size) {
  Disk *d = ud;
  int failure = strikes(d, DISK_ALL_CALLS);
  for (size_t i = 0; i < size; i++) {
    d->random = d->random * UINT64_C(6364136223846793005) + 1;
    ((unsigned char *)bytes)[i] = (unsigned char)(d->random >> 56);
  }
  return failure;
}

static uint64_t disk_process(void *ud) {
  return ((Disk *)ud)->process;
}

static int disk_boot(void *ud, char out[HEARTH_BOOT_SIZE]) {
  Disk *d = ud;
  (void)snprintf(out, HEARTH_BOOT_SIZE, "boot-%llu", (unsigned long long)d->boots);
  return strikes(d, DISK_ALL_CALLS);
}

static bool disk_alive(void *ud, uint64_t process) {
  return ((Disk *)ud)->process == process;
}

/* -------------------------------------------------------------- outside */

Disk *disk_new(void) {
  Disk *d = must(calloc(1, sizeof *d));
  d->environment = (hearth_environment){
      .size = sizeof(hearth_environment), .ud = d,
      .open = disk_open, .close = disk_close, .pread = disk_pread, .pwrite = disk_pwrite, .sync = disk_sync,
      .sync_folder = disk_sync_folder, .truncate = disk_truncate, .stat = disk_stat, .file_stat = disk_file_stat,
      .rename = disk_rename, .unlink = disk_unlink, .realpath = disk_realpath, .lock = disk_lock,
      .unlock = disk_unlock, .clock = disk_clock, .random = disk_random, .process = disk_process,
      .boot = disk_boot, .alive = disk_alive};
  d->fault.at = -1;
  d->locks = true;
  d->process = 1000;
  d->clock = 1700000000000;
  names_changed(d);
  return d;
}

void disk_free(Disk *d) {
  for (size_t i = 0; i < d->file_count; i++) {
    forget_writes(&d->files[i]);
    free(d->files[i].now.data);
    free(d->files[i].synced.data);
  }
  free(d->files);
  free(d->history);
  free(d);
}

const hearth_environment *disk_environment(Disk *d) {
  return &d->environment;
}

void disk_arm(Disk *d, DiskFault fault) {
  d->fault = fault;
  d->calls = 0;
  d->struck = false;
}

bool disk_struck(const Disk *d) {
  return d->struck;
}

void disk_disarm(Disk *d) {
  d->fault.at = -1;
}

void disk_capacity(Disk *d, uint64_t bytes) {
  d->capacity = bytes;
}

uint64_t disk_used(const Disk *d) {
  uint64_t used = 0;
  for (size_t f = 0; f < d->file_count; f++) { /* unlinked files count while they are open */
    bool there = false;
    for (size_t i = 0; i < d->now.count && !there; i++) there = d->now.names[i].file == f;
    for (size_t i = 0; i < MOST_HANDLES && !there; i++) there = d->handles[i].used && d->handles[i].file == f;
    if (there) used += d->files[f].now.size;
  }
  return used;
}

void disk_set_clock(Disk *d, uint64_t milliseconds) {
  d->clock = milliseconds;
}

void disk_set_process(Disk *d, uint64_t process) {
  d->process = process;
}

void disk_locks(Disk *d, bool work) {
  d->locks = work;
}

void disk_kill_process(Disk *d) {
  memset(d->handles, 0, sizeof d->handles);
  for (size_t i = 0; i < d->file_count; i++) d->files[i].locked_by = 0;
}

/* Each sector of each write arrived or did not, in any order; lengths follow what arrived. */
static void lose_writes(File *f) {
  bool reordered = rand() % 2 == 0;
  size_t until = reordered ? f->write_count : (size_t)rand() % (f->write_count + 1);
  for (size_t i = 0; i < until; i++) {
    const Write *w = &f->writes[i];
    if (w->truncate) {
      if (!reordered || rand() % 2 == 0) bytes_resize(&f->synced, (size_t)w->at);
      continue;
    }
    for (uint64_t at = w->at; at < w->at + w->bytes.size;) {
      uint64_t next = (at / SECTOR + 1) * SECTOR;
      uint64_t end = next < w->at + w->bytes.size ? next : w->at + w->bytes.size;
      if (!reordered || rand() % 2 == 0)
        write_bytes(&f->synced, at, w->bytes.data + (at - w->at), (size_t)(end - at));
      at = end;
    }
  }
  forget_writes(f);
  bytes_copy(&f->now, &f->synced);
}

void disk_power_loss(Disk *d, unsigned seed) {
  srand(seed);
  disk_kill_process(d);
  d->boots++;
  d->now = d->history[(size_t)rand() % d->history_count];
  d->history_count = 0;
  names_changed(d);
  for (size_t i = 0; i < d->file_count; i++) lose_writes(&d->files[i]);
}

const unsigned char *disk_bytes(const Disk *d, const char *path, size_t *size) {
  for (size_t i = 0; i < d->now.count; i++)
    if (strcmp(d->now.names[i].path, path) == 0) {
      const File *f = &d->files[d->now.names[i].file];
      *size = f->now.size;
      return f->now.data;
    }
  *size = 0;
  return NULL;
}

void disk_put(Disk *d, const char *path, const void *bytes, size_t size) {
  Name *name = find_name(&d->now, path);
  if (name == NULL) {
    set_name(&d->now, path, new_file(d));
    name = find_name(&d->now, path);
  }
  File *f = &d->files[name->file];
  Bytes given = {(unsigned char *)(uintptr_t)bytes, size};
  forget_writes(f);
  bytes_copy(&f->now, &given);
  bytes_copy(&f->synced, &given);
  d->history_count = 0;
  names_changed(d);
}

void disk_remove(Disk *d, const char *path) {
  remove_name(&d->now, path);
  d->history_count = 0;
  names_changed(d);
}

const char *disk_name(const Disk *d, size_t n) {
  return n < d->now.count ? d->now.names[n].path : NULL;
}
