/*
** What the targets share: failing, memory that is measured and limited, Lua states in which nothing reaches outside.
** A target is one function, LLVMFuzzerTestOneInput, linked with libFuzzer or with replay.c.
*/
#ifndef HEARTH_FUZZ_H
#define HEARTH_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lauxlib.h>
#include <lualib.h>

#include "error.h"
#include "hearth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Optional: a mutator of the target's own; libFuzzer calls it when it is there. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

/* libFuzzer's own mutations, for custom mutators. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

/* Says what is wrong, and aborts: the fuzzer keeps the input. */
_Noreturn void fuzz_fail(const char *format, ...) HEARTH_PRINTF(1, 2);

/* Aborts unless the condition holds. */
#define FUZZ_CHECK(condition) \
  do { \
    if (!(condition)) fuzz_fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition); \
  } while (0)

/* ----------------------------------------------------------------- memory */

typedef struct FuzzMemory {
  size_t used, peak; /* bytes */
  size_t limit;      /* of `used`: requests over it fail; 0: none */
  size_t largest;    /* a single request over it is a finding; 0: none */
  lua_State *L;      /* what code in it asks for while the library runs is no finding; NULL: there is none */
} FuzzMemory;

/* No input of `size` bytes earns a larger single request than this. */
static inline size_t fuzz_largest(size_t size) {
  return 64 * size + ((size_t)1 << 20);
}

/* A lua_Alloc; `ud` is a FuzzMemory. */
void *fuzz_alloc(void *ud, void *ptr, size_t osize, size_t nsize);

static inline hearth_allocator fuzz_allocator(FuzzMemory *m) {
  return (hearth_allocator){fuzz_alloc, m};
}

/* ------------------------------------------------------------- Lua states */

/*
** A state without io, os, package and debug, and without the functions of the others that load code, print, or
** may take for ever with a few instructions (string.rep, patterns, coroutines, pcall, ...).
*/
lua_State *fuzz_state(FuzzMemory *m);

/* A state with all of the libraries, for code of the target's own. */
lua_State *fuzz_whole_state(FuzzMemory *m);

/* From now on code in L may run `instructions`; after that each one raises. */
void fuzz_limit_instructions(lua_State *L, int instructions);

/* Runs code that must succeed; `name` is for its messages. */
void fuzz_run(lua_State *L, const char *code, const char *name);

/* ------------------------------------------------------------ input bytes */

/* Numbers taken from the front of the input; zero after its end. */
typedef struct FuzzInput {
  const uint8_t *next, *end;
} FuzzInput;

static inline size_t fuzz_left(const FuzzInput *in) {
  return (size_t)(in->end - in->next);
}

static inline uint8_t fuzz_byte(FuzzInput *in) {
  return in->next < in->end ? *in->next++ : 0;
}

/* At most `size` bytes; *got says how many. */
static inline const uint8_t *fuzz_bytes(FuzzInput *in, size_t size, size_t *got) {
  const uint8_t *p = in->next;
  *got = size < fuzz_left(in) ? size : fuzz_left(in);
  in->next += *got;
  return p;
}

static inline uint64_t fuzz_number(FuzzInput *in, unsigned size) {
  uint64_t n = 0;
  for (unsigned i = 0; i < size; i++) n |= (uint64_t)fuzz_byte(in) << (8 * i);
  return n;
}

/* Numbers for mutators; the same seed gives the same ones. */
static inline uint64_t fuzz_random(uint64_t *seed) {
  *seed ^= *seed >> 12;
  *seed ^= *seed << 25;
  *seed ^= *seed >> 27;
  return *seed * UINT64_C(2685821657736338717);
}

/* 0 .. n - 1 */
static inline size_t fuzz_below(uint64_t *seed, size_t n) {
  return n == 0 ? 0 : (size_t)(fuzz_random(seed) >> 16) % n;
}

#endif
