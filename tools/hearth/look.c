#include "look.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

int look_at_store(const Call *call, Look *look) {
  hearth_error err;
  memset(look, 0, sizeof *look);
  buffer_init(&look->file, &hearth_libc_allocator);
  int status = storage_open(call, HEARTH_OPEN_READONLY | HEARTH_OPEN_NO_CREATE, &look->storage);
  if (status != STATUS_OK) return status;
  look->location = look->storage.location;
  if (view_open_store(&look->view, look->storage.backend, look->storage.store, &hearth_libc_allocator, &err) ==
      HEARTH_OK)
    return STATUS_OK;
  (void)complain_about(STATUS_NO_STORE, look->location, &err);
  (void)look_end(look, STATUS_NO_STORE);
  return STATUS_NO_STORE;
}

static int read_file(const char *path, Buffer *out) {
  struct stat info;
  FILE *f = fopen(path, "rb");
  if (f == NULL) return complain(STATUS_NO_STORE, "%s: cannot open: %s", path, strerror(errno));
  if (fstat(fileno(f), &info) == 0 && S_ISDIR(info.st_mode)) {
    (void)fclose(f);
    return complain(STATUS_NO_STORE, "%s: a folder, not a file", path);
  }
  size_t got = 1;
  while (got > 0 && !out->failed) {
    unsigned char *room = buffer_reserve(out, 65536);
    got = room != NULL ? fread(room, 1, 65536, f) : 0;
    out->size += got;
  }
  bool bad = ferror(f) != 0;
  int code = errno;
  (void)fclose(f);
  if (bad) return complain(STATUS_NO_STORE, "%s: cannot read: %s", path, strerror(code));
  if (out->failed) return complain(STATUS_NO_STORE, "%s: %s", path, hearth_status_text(HEARTH_NOMEM));
  return STATUS_OK;
}

int look_at_blob(const char *path, Look *look) {
  hearth_error err;
  memset(look, 0, sizeof *look);
  look->location = path;
  buffer_init(&look->file, &hearth_libc_allocator);
  int status = read_file(path, &look->file);
  if (status == STATUS_OK && view_open_blob(&look->view, look->file.data, look->file.size, &hearth_libc_allocator,
                                            &err) != HEARTH_OK) {
    status = complain_about(STATUS_NO_STORE, path, &err);
    view_close(&look->view);
  }
  if (status != STATUS_OK) buffer_free(&look->file);
  return status;
}

int look_end(Look *look, int status) {
  view_close(&look->view);
  buffer_free(&look->file);
  int closed = look->storage.store != NULL ? storage_close(&look->storage) : STATUS_OK;
  return status != STATUS_OK ? status : closed;
}
