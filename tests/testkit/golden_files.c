/* golden_files FOLDER: writes each of the kit's golden files and its text into a folder, and prints name and kind. */
#include <stdio.h>

#include "hearth_testkit.h"

static int write_file(const char *folder, const char *name, const char *end, const void *bytes, size_t size) {
  char path[600];
  (void)snprintf(path, sizeof path, "%s/%s.%s", folder, name, end);
  FILE *file = fopen(path, "wb");
  if (file == NULL) return 1;
  size_t written = fwrite(bytes, 1, size, file);
  return fclose(file) != 0 || written != size;
}

int main(int argc, char **argv) {
  hearth_testkit_golden_file g;
  if (argc != 2) return 2;
  for (size_t i = 0; hearth_testkit_golden(i, &g); i++) {
    if (write_file(argv[1], g.name, "bytes", g.bytes, g.size) ||
        write_file(argv[1], g.name, "txt", g.text, g.text_size))
      return 1;
    printf("%s %s %u\n", g.name, g.kind == HEARTH_TESTKIT_BLOB ? "blob" : "log", g.version);
  }
  return 0;
}
