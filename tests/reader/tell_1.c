/* tell-1 FILE: what the first reader says of a blob or a log. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "first.h"

#define LOG_FIRST_BYTE 0x89 /* a blob begins with CE */

static unsigned char *read_file(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  unsigned char *bytes = NULL;
  size_t room = 0;
  *size = 0;
  if (f == NULL) return NULL;
  do {
    room = room == 0 ? 65536 : 2 * room;
    unsigned char *more = realloc(bytes, room);
    if (more == NULL) break;
    bytes = more;
    *size += fread(bytes + *size, 1, room - *size, f);
  } while (*size == room);
  (void)fclose(f);
  return bytes;
}

int main(int argc, char **argv) {
  size_t size;
  int status;
  unsigned char *bytes = argc == 2 ? read_file(argv[1], &size) : NULL;
  if (bytes == NULL) {
    (void)fprintf(stderr, "usage: tell-1 FILE\n");
    return 2;
  }
  bool is_log = size > 0 && bytes[0] == LOG_FIRST_BYTE;
  char *text = is_log ? reader1_tell_log(bytes, size, &status) : reader1_tell_blob(bytes, size, &status);
  (void)fprintf(status == 0 ? stdout : stderr, status == 0 ? "%s" : "%s\n", text != NULL ? text : "out of memory");
  free(text);
  free(bytes);
  return status == 0 ? 0 : 1;
}
