/*
** What the C library asks of a system, answered where there is none: standard output goes to JavaScript,
** standard input has ended, and there are no files, no programs and no variables. So the package imports nothing that it did not name itself, and needs no JavaScript by Emscripten.
*/
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

#define HEARTH(name) __attribute__((import_module("hearth"), import_name(name))) extern

/* What print, io.write (1) and io.stderr (2) wrote: any bytes, valid during the call. */
HEARTH("output") void js_output(int stream, const void *bytes, size_t size);

/* Milliseconds: 0: since 1970, 1: since some moment in the past, never backwards. */
HEARTH("clock") double js_clock(int kind);

/* Bytes that nobody can foresee. */
HEARTH("random") void js_random(void *out, size_t size);

/* How many seconds local time is ahead of UTC at a moment, in milliseconds since 1970. */
HEARTH("timezone") double js_timezone(double moment);

/* What the C library calls beside its public functions; it declares these to itself alone. */
int __clock_gettime(clockid_t id, struct timespec *out);
int __syscall_dup3(int from, int to, int flags);
int __syscall_lstat64(intptr_t path, intptr_t out);
int __syscall_open(intptr_t path, int flags, ...);
int __syscall_rename(intptr_t from, intptr_t to);
int __syscall_rmdir(intptr_t path);
int __syscall_unlink(intptr_t path);
long long __tm_to_secs(const struct tm *local);
const char *__tm_to_tzname(const struct tm *local);
extern const char __utc[];
void emscripten_notify_memory_growth(size_t memory);
unsigned getTempRet0(void);
void setTempRet0(unsigned value);

/* ----------------------------------------------------------------- streams */

__wasi_errno_t __wasi_fd_write(__wasi_fd_t fd, const __wasi_ciovec_t *pieces, size_t count, __wasi_size_t *written) {
  *written = 0;
  for (size_t i = 0; i < count; i++) {
    if (pieces[i].buf_len > 0) js_output((int)fd, pieces[i].buf, pieces[i].buf_len);
    *written += pieces[i].buf_len;
  }
  return 0;
}

__wasi_errno_t __wasi_fd_read(__wasi_fd_t fd, const __wasi_iovec_t *pieces, size_t count, __wasi_size_t *got) {
  (void)fd, (void)pieces, (void)count;
  *got = 0;
  return 0;
}

__wasi_errno_t __wasi_fd_seek(__wasi_fd_t fd, __wasi_filedelta_t offset, __wasi_whence_t whence,
                              __wasi_filesize_t *position) {
  (void)fd, (void)offset, (void)whence, (void)position;
  return __WASI_ERRNO_SPIPE;
}

__wasi_errno_t __wasi_fd_close(__wasi_fd_t fd) {
  (void)fd;
  return 0;
}

/* ------------------------------------------------------------------- files */

int __syscall_open(intptr_t path, int flags, ...) {
  (void)path, (void)flags;
  return -ENOSYS;
}

int __syscall_unlink(intptr_t path) {
  (void)path;
  return -ENOSYS;
}

int __syscall_rmdir(intptr_t path) {
  (void)path;
  return -ENOSYS;
}

int __syscall_rename(intptr_t from, intptr_t to) {
  (void)from, (void)to;
  return -ENOSYS;
}

int __syscall_lstat64(intptr_t path, intptr_t out) {
  (void)path, (void)out;
  return -ENOSYS;
}

int __syscall_dup3(int from, int to, int flags) {
  (void)from, (void)to, (void)flags;
  return -ENOSYS;
}

/* ---------------------------------------------------------------- programs */

char *getenv(const char *name) {
  (void)name;
  return NULL;
}

int system(const char *command) {
  if (command == NULL) return 0; /* no shell */
  errno = ENOSYS;
  return -1;
}

/* ------------------------------------------------------------------ memory */

#define PAGE ((size_t)65536)

extern unsigned char __heap_base; /* the linker's: behind stack and data */
static uintptr_t heap_end;

static bool grow_to(size_t size) {
  size_t pages = size / PAGE + (size % PAGE != 0), now = __builtin_wasm_memory_size(0);
  return pages <= now || __builtin_wasm_memory_grow(0, pages - now) != (size_t)-1;
}

/*
** What malloc is given. Growing costs the engine much, however little it is: half as much again each time, or
** what is needed where that is not to be had.
*/
void *sbrk(intptr_t more) {
  if (heap_end == 0) heap_end = (uintptr_t)&__heap_base;
  uintptr_t begin = heap_end, end = begin + (uintptr_t)more;
  size_t memory = __builtin_wasm_memory_size(0) * PAGE, ahead = memory + memory / 2;
  bool overflow = (more > 0 && end < begin) || (more < 0 && end > begin);
  if (overflow || (end > memory && !(ahead > end && grow_to(ahead)) && !grow_to(end))) {
    errno = ENOMEM;
    return (void *)-1;
  }
  heap_end = end;
  return (void *)begin;
}

/* exit and abort: nothing may run after them. */
_Noreturn void __wasi_proc_exit(__wasi_exitcode_t code) {
  (void)code;
  __builtin_trap();
}

/* ------------------------------------------------------------------- texts */

/* The C library's takes 1,500 bytes, for long texts that nobody searches by it. */
char *strstr(const char *text, const char *part) {
  size_t size = strlen(part);
  for (; strncmp(text, part, size) != 0; text++)
    if (*text == '\0') return NULL;
  return (char *)(uintptr_t)text;
}

/* -------------------------------------------------------------- randomness */

int getentropy(void *out, size_t size) {
  js_random(out, size);
  return 0;
}

/* -------------------------------------------------------------------- time */

const char __utc[] = "UTC";

int __clock_gettime(clockid_t id, struct timespec *out) {
  double now = js_clock(id == CLOCK_REALTIME ? 0 : 1) / 1000;
  out->tv_sec = (time_t)now;
  out->tv_nsec = (long)((now - (double)out->tv_sec) * 1e9);
  return 0;
}

int timespec_get(struct timespec *out, int base) {
  return base == TIME_UTC && __clock_gettime(CLOCK_REALTIME, out) == 0 ? base : 0;
}

static time_t ahead(time_t moment) {
  return (time_t)js_timezone((double)moment * 1000);
}

struct tm *localtime(const time_t *moment) {
  time_t shift = ahead(*moment), local = *moment + shift;
  struct tm *out = gmtime(&local);
  if (out != NULL) out->tm_gmtoff = (long)shift;
  return out;
}

/* The shift of a local time is that of the moment it denotes: found by trying one shift to know the other. */
#define DAY (24 * 60 * 60)

/* Emscripten's time_t has 32 bits: a moment that it cannot hold is none, and Lua says so. */
time_t mktime(struct tm *local) {
  long long shown = __tm_to_secs(local);
  if (shown < INT32_MIN + DAY || shown > INT32_MAX - DAY) {
    errno = EOVERFLOW;
    return -1;
  }
  time_t moment = (time_t)shown - ahead((time_t)shown);
  moment = (time_t)shown - ahead(moment);
  *local = *localtime(&moment);
  return moment;
}

/* For %Z. JavaScript has no name that is the same everywhere. */
const char *__tm_to_tzname(const struct tm *local) {
  (void)local;
  return "";
}

/* ------------------------------------------------------- WebAssembly's own */

/* The second half of what Emscripten's setjmp answers. */
static unsigned second_half;

void setTempRet0(unsigned value) {
  second_half = value;
}

unsigned getTempRet0(void) {
  return second_half;
}

/* JavaScript looks at the memory's buffer anew after each call. */
void emscripten_notify_memory_growth(size_t memory) {
  (void)memory;
}
