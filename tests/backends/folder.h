/* A folder of its own for a test that needs real files. */
#ifndef HEARTH_TESTS_FOLDER_H
#define HEARTH_TESTS_FOLDER_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void folder_make(char *out, size_t size) {
  const char *where = getenv("TMPDIR");
  (void)snprintf(out, size, "%s/hearth-test-XXXXXX", where != NULL ? where : "/tmp");
  if (mkdtemp(out) == NULL) abort();
}

/* With the files in it; it has no folders in it. */
static inline void folder_remove(const char *path) {
  DIR *dir = opendir(path);
  if (dir == NULL) return;
  for (struct dirent *e; (e = readdir(dir)) != NULL;) {
    char name[1024];
    if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
    (void)snprintf(name, sizeof name, "%s/%s", path, e->d_name);
    (void)unlink(name);
  }
  (void)closedir(dir);
  (void)rmdir(path);
}

#endif
