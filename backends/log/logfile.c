#include "logfile.h"

#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "failure.h"

hearth_status logfile_judge_header(const char *path, const LogHeader *h, LogHeaderState state, bool writable,
                                   hearth_error *err) {
  if (state == LOG_HEADER_FOREIGN) return hearth_fail(err, HEARTH_NOTSTORE, "%s: is not a Hearth store", path);
  if (state == LOG_HEADER_NEWER)
    return hearth_fail(err, HEARTH_VERSION, "%s: has format %u, this library reads up to %d", path,
                       (unsigned)h->read_version, LOG_READ_VERSION);
  if (state == LOG_HEADER_DAMAGED || h->first == 0)
    return hearth_fail_at(err, HEARTH_DAMAGED, 0,
                          "%s: damaged at byte 0: the header is not whole; the file was not changed; "
                          "see hearth salvage", path);
  if (writable && h->write_version > LOG_WRITE_VERSION)
    return hearth_fail(err, HEARTH_VERSION,
                       "%s: has format %u, this library writes up to %d; it can be opened read-only", path,
                       (unsigned)h->write_version, LOG_WRITE_VERSION);
  return HEARTH_OK;
}

hearth_status logfile_step_status(const char *path, const LogScan *scan, LogStep step, hearth_error *err) {
  if (step == LOG_STEP_NOMEM) return failure_nomem(err, path);
  if (step == LOG_STEP_IO) return failure_io(err, path, "read", scan->failure);
  return HEARTH_OK;
}

static int input_read(void *ud, uint64_t offset, void *bytes, size_t size, size_t *got) {
  const LogInput *input = ud;
  return input->env->pread(input->env->ud, input->file, offset, bytes, size, got);
}

LogSource logfile_source(LogInput *input, uint64_t length) {
  return (LogSource){input, input_read, length};
}

hearth_status logfile_open(LogInput *input, const hearth_environment *env, const char *path, LogSource *source,
                           hearth_error *err) {
  hearth_file_info info;
  input->env = env;
  int failure = env->stat(env->ud, path, &info);
  if (failure == 0 && info.folder)
    return hearth_fail(err, HEARTH_NOTSTORE, "%s: is a folder, not a Hearth store", path);
  if (failure == 0) failure = env->open(env->ud, path, 0, &input->file);
  if (failure != 0) return failure_status(err, path, "open it", failure);
  failure = env->file_stat(env->ud, input->file, &info);
  if (failure != 0) {
    (void)env->close(env->ud, input->file);
    return failure_status(err, path, "look at it", failure);
  }
  *source = logfile_source(input, info.length);
  return HEARTH_OK;
}

/* -------------------------------------------------------------- writing */

static bool has_permissions(const hearth_environment *env) {
  return env->size >= offsetof(hearth_environment, like) + sizeof env->like && env->like != NULL;
}

int logfile_make(const hearth_environment *env, const char *path, const hearth_file *model, hearth_file *out) {
  unsigned flags = HEARTH_FILE_WRITE | HEARTH_FILE_EXCLUSIVE;
  if (model == NULL || !has_permissions(env)) return env->open(env->ud, path, flags, out);
  int failure = env->open(env->ud, path, flags | HEARTH_FILE_PRIVATE, out);
  if (failure != 0) return failure;
  failure = env->like(env->ud, *out, *model);
  if (failure != 0) {
    (void)env->close(env->ud, *out);
    (void)env->unlink(env->ud, path);
  }
  return failure;
}

static int output_write(void *ud, uint64_t offset, const void *bytes, size_t size) {
  const LogOutput *out = ud;
  return out->env->pwrite(out->env->ud, out->file, offset, bytes, size);
}

static hearth_status written(const LogOutput *out, LogResult result, hearth_error *err) {
  if (result == LOG_WRITTEN) return HEARTH_OK;
  if (result == LOG_NO_MEMORY) return failure_nomem(err, out->path);
  return failure_status(err, out->path, "write", out->writer.failure);
}

void logfile_abandon(LogOutput *out) {
  (void)out->env->close(out->env->ud, out->file);
  (void)out->env->unlink(out->env->ud, out->path);
  log_writer_free(&out->writer);
}

hearth_status logfile_create(LogOutput *out, const hearth_environment *env, const hearth_allocator *allocator,
                             const char *path, const hearth_file *model, LogHeader *h, hearth_error *err) {
  out->env = env;
  out->path = path;
  int failure = logfile_make(env, path, model, &out->file);
  if (failure == EEXIST) return hearth_fail(err, HEARTH_EXISTS, "%s: there is something already", path);
  if (failure != 0) return failure_status(err, path, "make it", failure);
  LogSink sink = {out, output_write};
  log_writer_init(&out->writer, &sink, allocator);
  hearth_status status = written(out, log_writer_header(&out->writer, h), err);
  out->writer.sequence = h->synced;
  out->writer.synced = h->synced - 1;
  out->writer.time = h->time;
  if (status != HEARTH_OK) logfile_abandon(out);
  return status;
}

hearth_status logfile_op(LogOutput *out, LogOp *op, hearth_error *err) {
  return written(out, log_writer_op(&out->writer, op), err);
}

static int sync_folder_of(const LogOutput *out) {
  const char *slash = strrchr(out->path, '/');
  if (slash == NULL) return out->env->sync_folder(out->env->ud, ".");
  if (slash == out->path) return out->env->sync_folder(out->env->ud, "/");
  size_t size = (size_t)(slash - out->path);
  char *folder = hearth_realloc(&out->writer.frame.allocator, NULL, 0, size + 1);
  if (folder == NULL) return ENOMEM;
  memcpy(folder, out->path, size);
  folder[size] = '\0';
  int failure = out->env->sync_folder(out->env->ud, folder);
  hearth_free(&out->writer.frame.allocator, folder, size + 1);
  return failure;
}

static hearth_status finish(LogOutput *out, hearth_error *err) {
  hearth_status status = written(out, log_writer_end(&out->writer, false), err);
  if (status != HEARTH_OK) return status;
  int failure = out->env->sync(out->env->ud, out->file);
  if (failure == 0) failure = sync_folder_of(out);
  if (failure != 0) return failure_status(err, out->path, "flush it to the device", failure);
  out->writer.synced = out->writer.sequence;
  status = written(out, log_writer_mark(&out->writer, LOG_CLOSED), err); /* only now is it true */
  if (status != HEARTH_OK) return status;
  failure = out->env->sync(out->env->ud, out->file);
  return failure == 0 ? HEARTH_OK : failure_status(err, out->path, "flush it to the device", failure);
}

hearth_status logfile_finish(LogOutput *out, hearth_error *err) {
  hearth_status status = finish(out, err);
  if (status != HEARTH_OK) {
    logfile_abandon(out);
    return status;
  }
  log_writer_free(&out->writer);
  int failure = out->env->close(out->env->ud, out->file);
  if (failure == 0) return HEARTH_OK;
  (void)out->env->unlink(out->env->ud, out->path);
  return failure_status(err, out->path, "close it", failure);
}
