#include "known.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "view.h"

#define MOST_KNOWN 256

static struct {
  unsigned char *bytes;
  size_t size;
} known[MOST_KNOWN];
static size_t count;

bool known_prototype(const void *bytes, size_t size) {
  for (size_t i = 0; i < count; i++)
    if (known[i].size == size && memcmp(known[i].bytes, bytes, size) == 0) return true;
  return false;
}

static void add(const void *bytes, size_t size) {
  if (known_prototype(bytes, size)) return;
  FUZZ_CHECK(count < MOST_KNOWN);
  known[count].bytes = malloc(size);
  FUZZ_CHECK(known[count].bytes != NULL);
  memcpy(known[count].bytes, bytes, size);
  known[count++].size = size;
}

/* The place of prototype i of an open blob. */
static ViewPlace place_of(const View *v, size_t i) {
  ViewPlace place;
  memcpy(&place, v->prototypes.data + i * sizeof place, sizeof place);
  return place;
}

void known_add(const void *blob, size_t size) {
  hearth_error e;
  View v;
  if (view_open_blob(&v, blob, size, &hearth_libc_allocator, &e) != HEARTH_OK) fuzz_fail("a sample: %s", e.message);
  for (size_t i = 0; i < v.header.prototypes; i++) {
    ViewPlace place = place_of(&v, i);
    add(v.bytes + place.position, place.size);
  }
  view_close(&v);
}

static void add_file(const char *path) {
  unsigned char bytes[65536];
  FILE *f = fopen(path, "rb");
  FUZZ_CHECK(f != NULL);
  size_t size = fread(bytes, 1, sizeof bytes, f);
  (void)fclose(f);
  known_add(bytes, size);
}

void known_add_folder(const char *path) {
  DIR *folder = opendir(path);
  if (folder == NULL) fuzz_fail("%s: no folder", path);
  for (struct dirent *e; (e = readdir(folder)) != NULL;) {
    char name[4096];
    size_t length = strlen(e->d_name);
    if (length < 5 || strcmp(e->d_name + length - 5, ".blob") != 0) continue;
    FUZZ_CHECK(snprintf(name, sizeof name, "%s/%s", path, e->d_name) < (int)sizeof name);
    add_file(name);
  }
  (void)closedir(folder);
}

bool known_all(const void *blob, size_t size) {
  View v;
  bool all = view_open_blob(&v, blob, size, &hearth_libc_allocator, NULL) == HEARTH_OK;
  for (size_t i = 0; all && i < v.header.prototypes; i++) {
    ViewPlace place = place_of(&v, i);
    all = known_prototype(v.bytes + place.position, place.size);
  }
  view_close(&v);
  return all;
}
