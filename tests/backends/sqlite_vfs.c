#include "sqlite_vfs.h"

#include <signal.h>
#include <sqlite3.h>
#include <unistd.h>

#include "testing.h"

#define MOST_FILES 16
#define SECTOR 512

typedef struct OurFile {
  sqlite3_file base;
  char path[600];
  sqlite3_file *real; /* follows in memory */
} OurFile;

typedef struct Dirty {
  char path[600];
  bool unsynced;
} Dirty;

static sqlite3_vfs ours, *real_vfs;
static sqlite3_io_methods methods;
static VfsFault armed = {.at = -1};
static long calls;
static bool struck, keeping;
static Dirty dirty[MOST_FILES];

/* ---------------------------------------------------------------- faults */

static int fault(VfsCalls which) {
  if (armed.at < 0 || (armed.which != VFS_ALL_CALLS && armed.which != which)) return SQLITE_OK;
  long call = calls++;
  if (call != armed.at && !(armed.for_good && call > armed.at)) return SQLITE_OK;
  struck = true;
  if (armed.failure == 0) (void)raise(SIGKILL);
  return armed.failure;
}

void vfs_arm(VfsFault f) {
  armed = f;
  calls = 0;
  struck = false;
}

bool vfs_struck(void) {
  armed.at = -1;
  return struck;
}

/* ------------------------------------------------------- what was synced */

static unsigned char *file_bytes(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  *size = 0;
  if (f == NULL) return NULL;
  unsigned char *bytes = NULL;
  for (size_t got = 1; got > 0; *size += got) {
    unsigned char *more = realloc(bytes, *size + 65536);
    if (more == NULL) abort();
    bytes = more;
    got = fread(bytes + *size, 1, 65536, f);
  }
  (void)fclose(f);
  return bytes;
}

static void put_bytes(const char *path, const unsigned char *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  if (f == NULL || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) abort();
}

/* Whole under its name or not at all: the process may be killed here. */
static void keep_synced(const char *path) {
  char shadow[640], fresh[640];
  size_t size;
  (void)snprintf(shadow, sizeof shadow, "%s.synced", path);
  (void)snprintf(fresh, sizeof fresh, "%s.syncing", path);
  unsigned char *bytes = file_bytes(path, &size);
  put_bytes(fresh, bytes, size);
  free(bytes);
  if (rename(fresh, shadow) != 0) abort();
}

static Dirty *dirty_of(const char *path) {
  for (int i = 0; i < MOST_FILES; i++) {
    if (dirty[i].path[0] == '\0') (void)snprintf(dirty[i].path, sizeof dirty[i].path, "%s", path);
    if (strcmp(dirty[i].path, path) == 0) return &dirty[i];
  }
  abort();
}

void vfs_keep_synced(bool keep) {
  keeping = keep;
}

bool vfs_has_unsynced(const char *path) {
  return dirty_of(path)->unsynced;
}

static unsigned draw(unsigned *seed) {
  *seed = *seed * 1103515245u + 12345u;
  return *seed >> 16;
}

/*
** One file after the loss; without a shadow nothing of it was ever synced, and it is empty. What is left is on the
** device.
*/
static void lose(const char *path, unsigned *seed) {
  char shadow[640], made[640];
  size_t size, synced_size;
  (void)snprintf(shadow, sizeof shadow, "%s.synced", path);
  (void)snprintf(made, sizeof made, "%s.new.synced", path);
  if (access(shadow, F_OK) != 0) (void)rename(made, shadow); /* of a file that was renamed */
  unsigned char *now = file_bytes(path, &size), *synced = file_bytes(shadow, &synced_size);
  const bool nothing = *seed == 0;
  size_t length = nothing || draw(seed) % 3 == 0 || synced == NULL ? synced_size : size;
  unsigned char *left = calloc(1, length + SECTOR);
  for (size_t at = 0; at < length; at += SECTOR) {
    const bool cut = size < synced_size && at + SECTOR > size; /* a truncation happens wholly or not at all */
    bool old = nothing || cut || draw(seed) % 2 == 0;
    const unsigned char *from = old ? synced : now;
    size_t from_size = old ? synced_size : size, n = length - at < SECTOR ? length - at : SECTOR;
    if (from != NULL && at < from_size) memcpy(left + at, from + at, from_size - at < n ? from_size - at : n);
  }
  put_bytes(path, left, length);
  put_bytes(shadow, left, length);
  free(left);
  free(now);
  free(synced);
}

void vfs_power_loss(const char *path, unsigned seed) {
  char log[620], memory[620];
  (void)snprintf(log, sizeof log, "%s-wal", path);
  (void)snprintf(memory, sizeof memory, "%s-shm", path);
  if (access(path, F_OK) == 0) lose(path, &seed);
  if (access(log, F_OK) == 0) lose(log, &seed);
  (void)unlink(memory); /* SQLite makes it anew after the machine's start */
}

/* --------------------------------------------------------- SQLite's calls */

static int our_close(sqlite3_file *f) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods != NULL ? o->real->pMethods->xClose(o->real) : SQLITE_OK;
}

static int our_read(sqlite3_file *f, void *bytes, int size, sqlite3_int64 at) {
  OurFile *o = (OurFile *)f;
  int result = fault(VFS_READS);
  return result != SQLITE_OK ? result : o->real->pMethods->xRead(o->real, bytes, size, at);
}

/* A write that fails has written its first half. */
static int our_write(sqlite3_file *f, const void *bytes, int size, sqlite3_int64 at) {
  OurFile *o = (OurFile *)f;
  int result = fault(VFS_WRITES);
  dirty_of(o->path)->unsynced = true;
  if (result == SQLITE_OK) return o->real->pMethods->xWrite(o->real, bytes, size, at);
  (void)o->real->pMethods->xWrite(o->real, bytes, size / 2, at);
  return result;
}

static int our_truncate(sqlite3_file *f, sqlite3_int64 size) {
  OurFile *o = (OurFile *)f;
  int result = fault(VFS_WRITES);
  dirty_of(o->path)->unsynced = true;
  return result != SQLITE_OK ? result : o->real->pMethods->xTruncate(o->real, size);
}

/* The tests' disk need not be flushed. */
static int our_sync(sqlite3_file *f, int flags) {
  OurFile *o = (OurFile *)f;
  int result = fault(VFS_SYNCS);
  (void)flags;
  if (result != SQLITE_OK) return result;
  dirty_of(o->path)->unsynced = false;
  if (keeping) keep_synced(o->path);
  return SQLITE_OK;
}

static int our_size(sqlite3_file *f, sqlite3_int64 *size) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods->xFileSize(o->real, size);
}

static int our_lock(sqlite3_file *f, int level) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods->xLock(o->real, level);
}

static int our_unlock(sqlite3_file *f, int level) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods->xUnlock(o->real, level);
}

static int our_reserved(sqlite3_file *f, int *out) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods->xCheckReservedLock(o->real, out);
}

static int our_control(sqlite3_file *f, int op, void *argument) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods->xFileControl(o->real, op, argument);
}

static int our_sector(sqlite3_file *f) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods->xSectorSize(o->real);
}

static int our_device(sqlite3_file *f) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods->xDeviceCharacteristics(o->real);
}

static int our_map(sqlite3_file *f, int region, int size, int extend, void volatile **out) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods->xShmMap(o->real, region, size, extend, out);
}

static int our_shm_lock(sqlite3_file *f, int offset, int n, int flags) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods->xShmLock(o->real, offset, n, flags);
}

static void our_barrier(sqlite3_file *f) {
  OurFile *o = (OurFile *)f;
  o->real->pMethods->xShmBarrier(o->real);
}

static int our_unmap(sqlite3_file *f, int remove) {
  OurFile *o = (OurFile *)f;
  return o->real->pMethods->xShmUnmap(o->real, remove);
}

static int our_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *f, int flags, int *out) {
  OurFile *o = (OurFile *)f;
  (void)vfs;
  o->real = (sqlite3_file *)(o + 1);
  o->base.pMethods = NULL;
  (void)snprintf(o->path, sizeof o->path, "%s", path != NULL ? path : "temporary");
  int result = fault(VFS_READS);
  if (result == SQLITE_OK) result = real_vfs->xOpen(real_vfs, path, o->real, flags, out);
  if (result == SQLITE_OK) o->base.pMethods = &methods;
  return result;
}

static int our_delete(sqlite3_vfs *vfs, const char *path, int sync_folder) {
  char shadow[640];
  (void)vfs;
  int result = fault(VFS_WRITES);
  if (result != SQLITE_OK) return result;
  (void)snprintf(shadow, sizeof shadow, "%s.synced", path);
  (void)unlink(shadow);
  dirty_of(path)->unsynced = false;
  return real_vfs->xDelete(real_vfs, path, sync_folder);
}

static const sqlite3_io_methods all_methods = {
    2,          our_close,  our_read,     our_write,   our_truncate, our_sync,   our_size, our_lock,     our_unlock,
    our_reserved, our_control, our_sector, our_device, our_map,      our_shm_lock, our_barrier, our_unmap, NULL, NULL,
};

void vfs_install(void) {
  real_vfs = sqlite3_vfs_find(NULL);
  methods = all_methods;
  ours = *real_vfs;
  ours.zName = "faults";
  ours.szOsFile = (int)sizeof(OurFile) + real_vfs->szOsFile;
  ours.pNext = NULL;
  ours.xOpen = our_open;
  ours.xDelete = our_delete;
  assert_int_equal(sqlite3_vfs_register(&ours, 1), SQLITE_OK);
}

void vfs_uninstall(void) {
  (void)sqlite3_vfs_unregister(&ours);
  armed.at = -1;
  memset(dirty, 0, sizeof dirty);
}
