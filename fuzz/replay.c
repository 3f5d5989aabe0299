/*
** Instead of libFuzzer: runs the target on each file named, and on each file of each folder named.
**   replay_TARGET FILE-OR-FOLDER...
*/
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static unsigned long replayed;

static void stop(const char *path) {
  (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
  exit(EXIT_FAILURE);
}

/* In memory of exactly its size, so that a read behind its end is seen. */
static void replay_file(const char *path) {
  FILE *f = fopen(path, "rb");
  if (f == NULL || fseek(f, 0, SEEK_END) != 0) stop(path);
  long size = ftell(f);
  if (size < 0) stop(path);
  rewind(f);
  uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
  if (bytes == NULL || fread(bytes, 1, (size_t)size, f) != (size_t)size) stop(path);
  (void)fclose(f);
  (void)LLVMFuzzerTestOneInput(bytes, (size_t)size);
  free(bytes);
  replayed++;
}

static void replay(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) {
    replay_file(path);
    return;
  }
  for (struct dirent *e; (e = readdir(folder)) != NULL;) {
    char name[4096];
    if (e->d_name[0] == '.') continue;
    if (snprintf(name, sizeof name, "%s/%s", path, e->d_name) >= (int)sizeof name) continue;
    replay_file(name);
  }
  (void)closedir(folder);
}

/* Custom mutators are linked with it, and not called. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size) {
  (void)data, (void)max_size;
  return size;
}

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) replay(argv[i]);
  (void)printf("%lu replayed\n", replayed);
  return replayed > 0 ? EXIT_SUCCESS : EXIT_FAILURE; /* an empty corpus is a mistake */
}
