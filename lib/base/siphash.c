/*
** SipHash-2-4 with 128 bits, by Jean-Philippe Aumasson and Daniel J. Bernstein ("SipHash: a fast short-input PRF",
** 2012; the form with 128 bits is that of their reference code): names and constants are the paper's.
*/
#include <stdbool.h>

#include "hash.h"

typedef struct State {
  uint64_t v0, v1, v2, v3;
} State;

static inline uint64_t rotate(uint64_t x, int bits) {
  return x << bits | x >> (64 - bits);
}

static inline uint64_t little_endian(const unsigned char *p) {
  return (uint64_t)p[0] | (uint64_t)p[1] << 8 | (uint64_t)p[2] << 16 | (uint64_t)p[3] << 24 | (uint64_t)p[4] << 32 |
         (uint64_t)p[5] << 40 | (uint64_t)p[6] << 48 | (uint64_t)p[7] << 56;
}

static inline void sip_rounds(State *s, int n) {
  for (; n > 0; n--) {
    s->v0 += s->v1;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v3;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 += s->v3;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 += s->v1;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v2 = rotate(s->v2, 32);
  }
}

Hash128 hash128(const void *bytes, size_t size, HashKey key) {
  State s = {key.low ^ UINT64_C(0x736f6d6570736575), key.high ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
             key.low ^ UINT64_C(0x6c7967656e657261), key.high ^ UINT64_C(0x7465646279746573)};
  const unsigned char *p = bytes, *end = p + size - size % 8;
  uint64_t last = (uint64_t)size << 56, halves[2];
  for (size_t i = 0; i < size % 8; i++) last |= (uint64_t)end[i] << (8 * i);
  for (bool more = true; more; p += 8) {
    more = p < end;
    uint64_t word = more ? little_endian(p) : last;
    s.v3 ^= word;
    sip_rounds(&s, 2);
    s.v0 ^= word;
  }
  s.v2 ^= 0xee;
  for (int half = 0; half < 2; half++) {
    sip_rounds(&s, 4);
    halves[half] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    s.v1 ^= 0xdd;
  }
  return (Hash128){halves[0], halves[1]};
}
