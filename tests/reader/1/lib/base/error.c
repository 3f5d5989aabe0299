#include "error.h"

#include <stdio.h>
#include <string.h>

hearth_status hearth_ok(hearth_error *err) {
  if (err != NULL) {
    err->code = HEARTH_OK;
    err->position = HEARTH_NO_POSITION;
    err->path[0] = '\0';
    err->message[0] = '\0';
  }
  return HEARTH_OK;
}

hearth_status hearth_vfail(hearth_error *err, hearth_status code, uint64_t position, const char *format,
                           va_list args) {
  if (err != NULL) {
    err->code = code;
    err->position = position;
    err->path[0] = '\0';
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    for (char *p = err->message; *p != '\0'; p++) /* messages quote file names and keys: keep them one line */
      if ((unsigned char)*p < 0x20 || *p == 0x7f) *p = '?';
  }
  return code;
}

hearth_status(hearth_fail)(hearth_error *err, hearth_status code, const char *format, ...) {
  va_list args;
  va_start(args, format);
  hearth_vfail(err, code, HEARTH_NO_POSITION, format, args);
  va_end(args);
  return code;
}

hearth_status(hearth_fail_at)(hearth_error *err, hearth_status code, uint64_t position, const char *format, ...) {
  va_list args;
  va_start(args, format);
  hearth_vfail(err, code, position, format, args);
  va_end(args);
  return code;
}

void hearth_error_path(hearth_error *err, const char *path) {
  if (err == NULL) return;
  size_t n = strlen(path);
  if (n < sizeof err->path) {
    memcpy(err->path, path, n + 1);
    return;
  }
  size_t keep = sizeof err->path - 4;
  memcpy(err->path, "...", 3);
  memcpy(err->path + 3, path + n - keep, keep + 1);
}
