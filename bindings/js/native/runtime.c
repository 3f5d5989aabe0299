/*
** What the C library asks of a system, answered where there is none (stdio.c and calendar.c do so too): there are no
** programs and no variables. So the package imports nothing that it did not name itself, and needs no JavaScript by
** Emscripten.
*/
#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

#define HEARTH(name) __attribute__((import_module("hearth"), import_name(name))) extern

/* Bytes that nobody can foresee. */
HEARTH("random") void js_random(void *out, size_t size);

/* What the C library calls beside its public functions; it declares these to itself alone. */
void emscripten_notify_memory_growth(size_t memory);
unsigned getTempRet0(void);
void setTempRet0(unsigned value);

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

/* These are in the C library for long texts, and several times as large. */
char *strcpy(char *restrict to, const char *restrict from) {
  memcpy(to, from, strlen(from) + 1);
  return to;
}

size_t strspn(const char *text, const char *accepted) {
  const char *at = text;
  while (*at != '\0' && strchr(accepted, *at) != NULL) at++;
  return (size_t)(at - text);
}

size_t strcspn(const char *text, const char *refused) {
  const char *at = text;
  while (*at != '\0' && strchr(refused, *at) == NULL) at++;
  return (size_t)(at - text);
}

char *strstr(const char *text, const char *part) {
  size_t size = strlen(part);
  for (; strncmp(text, part, size) != 0; text++)
    if (*text == '\0') return NULL;
  return (char *)(uintptr_t)text;
}

/* There is one locale. */
char *setlocale(int category, const char *name) {
  static char only[] = "C";
  (void)category;
  return name == NULL || *name == '\0' || strcmp(name, only) == 0 || strcmp(name, "POSIX") == 0 ? only : NULL;
}

/* -------------------------------------------------------------- randomness */

int getentropy(void *out, size_t size) {
  js_random(out, size);
  return 0;
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
