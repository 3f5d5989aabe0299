/* Files as migrate reads and replaces them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "migrate.h"

static int complain_errno(int status, const char *path, const char *what) {
  return complain(status, "%s: %s: %s", path, what, strerror(errno));
}

/* ----------------------------------------------------------------- folders */

static void add_path(PathList *paths, const char *path) {
  char *copy = strdup(path);
  if (copy == NULL) out_of_memory();
  paths->items = grown(paths->items, paths->count, &paths->capacity, sizeof *paths->items);
  paths->items[paths->count++] = copy;
}

void paths_free(PathList *paths) {
  for (size_t i = 0; i < paths->count; i++) free(paths->items[i]);
  free(paths->items);
}

static bool is_lua(const char *name) {
  size_t n = strlen(name);
  return n > 4 && strcmp(name + n - 4, ".lua") == 0;
}

static int add_folder(PathList *paths, const char *path);

/* Links are left out: they may lead around in circles, and a file would be read twice. */
static int add_entry(PathList *paths, const char *folder, const char *name) {
  struct stat st;
  Buffer path;
  int status = STATUS_OK;
  size_t n = strlen(folder);
  buffer_init(&path, &hearth_libc_allocator);
  buffer_put(&path, folder, n);
  if (folder[n - 1] != '/') buffer_byte(&path, '/');
  buffer_put(&path, name, strlen(name) + 1);
  if (path.failed) out_of_memory();
  const char *full = (const char *)path.data;
  if (lstat(full, &st) != 0)
    status = complain_errno(STATUS_NO_STORE, full, "cannot look at it");
  else if (S_ISDIR(st.st_mode))
    status = add_folder(paths, full);
  else if (S_ISREG(st.st_mode) && is_lua(name))
    add_path(paths, full);
  buffer_free(&path);
  return status;
}

static int add_folder(PathList *paths, const char *path) {
  int status = STATUS_OK;
  DIR *folder = opendir(path);
  if (folder == NULL) return complain_errno(STATUS_NO_STORE, path, "cannot read the folder");
  const struct dirent *entry;
  errno = 0;
  while ((entry = readdir(folder)) != NULL) {
    int one = entry->d_name[0] != '.' ? add_entry(paths, path, entry->d_name) : STATUS_OK;
    if (one > status) status = one;
    errno = 0;
  }
  if (errno != 0) status = complain_errno(STATUS_NO_STORE, path, "cannot read the folder");
  (void)closedir(folder);
  return status;
}

static int compare_paths(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

int paths_add(PathList *paths, const char *path) {
  struct stat st;
  size_t first = paths->count;
  if (strcmp(path, "-") == 0 || stat(path, &st) != 0 || !S_ISDIR(st.st_mode)) {
    add_path(paths, path); /* what is wrong with it reading will tell */
    return STATUS_OK;
  }
  int status = add_folder(paths, path);
  if (paths->count > first) qsort(paths->items + first, paths->count - first, sizeof *paths->items, compare_paths);
  return status;
}

/* ----------------------------------------------------------------- reading */

/* Reads to the end; false: see errno. */
static bool read_all(int fd, Buffer *out) {
  for (;;) {
    size_t room = out->size < 65536 ? 65536 : out->size; /* doubles */
    unsigned char *at = buffer_reserve(out, room);
    if (at == NULL) out_of_memory();
    ssize_t n = read(fd, at, room);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (n == 0) return true;
    out->size += (size_t)n;
  }
}

int file_read(const char *path, Buffer *out) {
  bool standard_input = strcmp(path, "-") == 0;
  int fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return complain_errno(STATUS_NO_STORE, path, "cannot open it");
  int status = read_all(fd, out) ? STATUS_OK : complain_errno(STATUS_NO_STORE, path, "cannot read it");
  if (!standard_input) (void)close(fd);
  return status;
}

/* ------------------------------------------------------------- replacement */

static bool write_all(int fd, const unsigned char *bytes, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, bytes, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes += n;
    size -= (size_t)n;
  }
  return true;
}

/* Owner, mode and bytes, on the device. */
static bool fill(int fd, const struct stat *st, const Buffer *bytes) {
  struct stat own;
  if (fstat(fd, &own) != 0) return false;
  if ((own.st_uid != st->st_uid || own.st_gid != st->st_gid) && fchown(fd, st->st_uid, st->st_gid) != 0) return false;
  return write_all(fd, bytes->data, bytes->size) && fchmod(fd, st->st_mode & 07777) == 0 && fsync(fd) == 0;
}

/* Did somebody write to the file since it was read? */
static bool is_unchanged(const char *path, const Source *before) {
  Buffer now;
  buffer_init(&now, &hearth_libc_allocator);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  bool read = fd >= 0 && read_all(fd, &now);
  bool equal = read && now.size == before->size && (now.size == 0 || memcmp(now.data, before->text, now.size) == 0);
  if (fd >= 0) (void)close(fd);
  buffer_free(&now);
  return equal;
}

/* The renaming itself is to survive a power failure. */
static bool sync_folder(const char *folder) {
  int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool ok = fd >= 0 && fsync(fd) == 0;
  if (fd >= 0) (void)close(fd);
  return ok;
}

/* Replacing needs only the folder's leave: what says that the file shall stay is asked here. */
static int refuse(const char *path, const char *target, struct stat *st) {
  if (stat(target, st) != 0) return complain_errno(STATUS_FAILED, path, "cannot look at it");
  if (!S_ISREG(st->st_mode)) return complain(STATUS_FAILED, "%s: it is no file that could be replaced", path);
  if (st->st_nlink > 1)
    return complain(STATUS_FAILED, "%s: it has other names (hard links), which would keep the old text", path);
  if ((st->st_mode & S_IWUSR) == 0 || access(target, W_OK) != 0) /* root may write to all: the mode counts too */
    return complain(STATUS_FAILED, "%s: it is read-only", path);
  return STATUS_OK;
}

/* With the file at the end of all links, and the name of a temporary file beside it. */
static int replace(const char *path, char *target, char *temporary, const Source *before, const Buffer *after) {
  struct stat st;
  int refused = refuse(path, target, &st);
  if (refused != STATUS_OK) return refused;
  int fd = mkostemp(temporary, O_CLOEXEC);
  if (fd < 0) return complain_errno(STATUS_FAILED, path, "cannot make a file beside it");
  bool filled = fill(fd, &st, after);
  int error = errno;
  if (close(fd) != 0 && filled) {
    filled = false;
    error = errno;
  }
  errno = error;
  int status = STATUS_OK;
  if (!filled)
    status = complain_errno(STATUS_FAILED, path, "cannot write a file beside it");
  else if (!is_unchanged(target, before))
    status = complain(STATUS_FAILED, "%s: it changed meanwhile", path);
  else if (rename(temporary, target) != 0)
    status = complain_errno(STATUS_FAILED, path, "cannot replace it");
  if (status != STATUS_OK) (void)unlink(temporary);
  return status;
}

int file_replace(const char *path, const Source *before, const Buffer *after) {
  static const char name[] = ".hearth-migrate-XXXXXX";
  char *target = realpath(path, NULL);
  if (target == NULL) return complain_errno(STATUS_FAILED, path, "cannot find it");
  size_t folder = (size_t)(strrchr(target, '/') - target) + 1;
  char *temporary = malloc(folder + sizeof name);
  if (temporary == NULL) out_of_memory();
  memcpy(temporary, target, folder);
  memcpy(temporary + folder, name, sizeof name);
  int status = replace(path, target, temporary, before, after);
  temporary[folder] = '\0';
  if (status == STATUS_OK && !sync_folder(temporary))
    status = complain_errno(STATUS_FAILED, path, "replaced, but its folder cannot be synced");
  free(temporary);
  free(target);
  return status;
}
