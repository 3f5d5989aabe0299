#include "names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "failure.h"

void names_beside(const char *path, const char *suffix, char out[NAMES_SIZE]) {
  size_t size = strlen(path);
  memcpy(out, path, size);
  out[size] = '.';
  memcpy(out + size + 1, suffix, strlen(suffix) + 1);
}

/* Of a long name only the beginning is shown, so that the message has room for the reason. */
static hearth_status refuse(const char *location, const char *doing, int failure, hearth_error *err) {
  char shown[200];
  (void)snprintf(shown, sizeof shown, "%s", location);
  return failure_status(err, shown, doing, failure);
}

/* Nothing has that name yet: resolve the folder and append the last part. */
static hearth_status resolve_new(Names *names, const hearth_environment *env, const char *location,
                                 hearth_error *err) {
  const char *slash = strrchr(location, '/');
  const char *last = slash == NULL ? location : slash + 1;
  size_t folder_size = slash == NULL ? 0 : (size_t)(slash - location);
  if (*last == '\0' || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
    return hearth_fail(err, HEARTH_NOTFOUND, "%s: no such folder", location);
  if (folder_size >= NAMES_SIZE) return refuse(location, "be a file's name", ENAMETOOLONG, err);
  char folder[NAMES_SIZE];
  memcpy(folder, location, folder_size);
  folder[folder_size] = '\0';
  if (slash == NULL) memcpy(folder, ".", 2);
  else if (folder_size == 0) memcpy(folder, "/", 2);
  int failure = env->realpath(env->ud, folder, names->folder, NAMES_SIZE);
  if (failure != 0) return refuse(location, "find its folder", failure, err);
  bool root = strcmp(names->folder, "/") == 0;
  int n = snprintf(names->path, NAMES_SIZE, "%s/%s", root ? "" : names->folder, last);
  if (n < 0 || n >= NAMES_SIZE) return refuse(location, "be a file's name", ENAMETOOLONG, err);
  return HEARTH_OK;
}

/* Whether every name beside the store's can be made, later too: of a torn tail, of a compacted file. */
static bool leaves_room(const char *path) {
  const char *slash = strrchr(path, '/');
  size_t part = strlen(slash == NULL ? path : slash + 1);
  return strlen(path) + NAMES_LONGEST_SUFFIX < NAMES_SIZE && part + NAMES_LONGEST_SUFFIX <= NAMES_LONGEST_PART + 1;
}

static void folder_of(Names *names) {
  memcpy(names->folder, names->path, strlen(names->path) + 1);
  char *slash = strrchr(names->folder, '/');
  if (slash == names->folder) slash[1] = '\0';
  else if (slash != NULL) *slash = '\0';
  else memcpy(names->folder, ".", 2); /* an environment whose names have no folders */
}

hearth_status names_resolve(Names *names, const hearth_environment *env, const char *location, hearth_error *err) {
  if (location == NULL || *location == '\0')
    return hearth_fail(err, HEARTH_INVALID, "a file store needs a file's name");
  int failure = env->realpath(env->ud, location, names->path, NAMES_SIZE);
  if (failure == ENOENT) {
    hearth_status status = resolve_new(names, env, location, err);
    if (status != HEARTH_OK) return status;
  } else if (failure != 0) {
    return refuse(location, "find it", failure, err);
  } else {
    folder_of(names);
  }
  if (!leaves_room(names->path))
    return refuse(location, "be a file's name", ENAMETOOLONG, err);
  names_beside(names->path, "owner", names->owner);
  names_beside(names->path, "new", names->fresh);
  names_beside(names->path, "ballast", names->ballast);
  return HEARTH_OK;
}
