/*
** The C library's streams where there are three: standard output and error go to JavaScript, standard input has
** ended, and no file is ever opened. The C library's own are made for more, and take 2 KB more (with gzip).
*/
#include "format.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* What print, io.write (1) and io.stderr (2) wrote: any bytes, valid during the call. */
__attribute__((import_module("hearth"), import_name("output"))) extern void js_output(int stream, const void *bytes,
                                                                                      size_t size);

struct _IO_FILE {
  int stream; /* 0: standard input, 1: output, 2: error */
  int mode;   /* of setvbuf */
  bool failed;
  size_t size;
  char held[1024]; /* `size` bytes that wait for fflush */
};

static FILE input, output = {.stream = 1, .mode = _IOLBF}, errors = {.stream = 2, .mode = _IONBF};
FILE *const stdin = &input;
FILE *const stdout = &output;
FILE *const stderr = &errors;

/* ----------------------------------------------------------------- writing */

int fflush(FILE *file) {
  if (file == NULL) file = &output; /* errors wait for nothing */
  size_t size = file->size;
  file->size = 0;
  if (size > 0) js_output(file->stream, file->held, size);
  return 0;
}

size_t fwrite(const void *restrict bytes, size_t size, size_t count, FILE *restrict file) {
  size_t total = size * count;
  if (file == &input) {
    file->failed = true;
    errno = EBADF;
    return 0;
  }
  if (total > sizeof file->held - file->size) (void)fflush(file);
  if (total > sizeof file->held) {
    js_output(file->stream, bytes, total);
    return count;
  }
  memcpy(file->held + file->size, bytes, total);
  file->size += total;
  if (file->mode == _IONBF || (file->mode == _IOLBF && memchr(bytes, '\n', total) != NULL)) (void)fflush(file);
  return count;
}

int fputs(const char *restrict text, FILE *restrict file) {
  size_t size = strlen(text);
  return fwrite(text, 1, size, file) == size ? 0 : EOF;
}

int fputc(int c, FILE *file) {
  char byte = (char)c;
  return fwrite(&byte, 1, 1, file) == 1 ? (unsigned char)byte : EOF;
}

int setvbuf(FILE *restrict file, char *restrict room, int mode, size_t size) {
  (void)room, (void)size;
  file->mode = mode;
  return 0;
}

/* ---------------------------------------------------------------- printing */

void sink_put(Sink *to, const char *bytes, size_t size) {
  to->total += size;
  if (to->file != NULL) {
    (void)fwrite(bytes, 1, size, to->file);
    return;
  }
  if (size > to->room) size = to->room;
  memcpy(to->at, bytes, size);
  to->at += size;
  to->room -= size;
}

int vsnprintf(char *restrict out, size_t size, const char *restrict format, va_list args) {
  Sink to = {.at = out, .room = size > 0 ? size - 1 : 0};
  va_list own;
  va_copy(own, args);
  sink_format(&to, format, &own);
  va_end(own);
  if (size > 0) *to.at = '\0';
  return (int)to.total;
}

int snprintf(char *restrict out, size_t size, const char *restrict format, ...) {
  va_list args;
  va_start(args, format);
  int total = vsnprintf(out, size, format, args);
  va_end(args);
  return total;
}

int fprintf(FILE *restrict file, const char *restrict format, ...) {
  Sink to = {.file = file};
  va_list args;
  va_start(args, format);
  sink_format(&to, format, &args);
  va_end(args);
  return file->failed ? -1 : (int)to.total;
}

/* What the compiler makes of an fprintf without floats, or without long double. */
int fiprintf(FILE *restrict file, const char *restrict format, ...) __attribute__((alias("fprintf")));
int __small_fprintf(FILE *restrict file, const char *restrict format, ...) __attribute__((alias("fprintf")));

/* ----------------------------------------------------------------- reading */

static int nothing(FILE *file) {
  if (file != &input) {
    file->failed = true;
    errno = EBADF;
  }
  return EOF;
}

int getc(FILE *file) { return nothing(file); }

size_t fread(void *restrict bytes, size_t size, size_t count, FILE *restrict file) {
  (void)bytes, (void)size, (void)count, (void)nothing(file);
  return 0;
}

char *fgets(char *restrict line, int size, FILE *restrict file) {
  (void)line, (void)size, (void)nothing(file);
  return NULL;
}

/* Lua puts back the end of what it reads as well, which is no byte. */
int ungetc(int c, FILE *file) {
  (void)c, (void)file;
  return EOF;
}

int feof(FILE *file) { return file == &input; }
int ferror(FILE *file) { return file->failed; }
void clearerr(FILE *file) { file->failed = false; }

int fseek(FILE *file, long offset, int from) {
  (void)file, (void)offset, (void)from;
  errno = ESPIPE;
  return -1;
}

long ftell(FILE *file) { return fseek(file, 0, SEEK_CUR); }

/* ------------------------------------------------------------------- files */

static void *none(void) {
  errno = ENOSYS;
  return NULL;
}

FILE *fopen(const char *restrict path, const char *restrict mode) {
  (void)path, (void)mode;
  return none();
}

FILE *freopen(const char *restrict path, const char *restrict mode, FILE *restrict file) {
  (void)path, (void)mode, (void)file;
  return none();
}

FILE *tmpfile(void) { return none(); }

char *tmpnam(char *name) {
  (void)name;
  return none();
}

int fclose(FILE *file) { return fflush(file); }

int remove(const char *path) {
  (void)path, (void)none();
  return -1;
}

int rename(const char *from, const char *to) {
  (void)from, (void)to, (void)none();
  return -1;
}
