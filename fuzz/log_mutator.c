#include "log_mutator.h"

#include <string.h>

#include "decode.h"
#include "fuzz.h"

enum { KIND = 4, LENGTH = 8, SEQUENCE = 16, PAYLOAD_CHECK = 40, CHAIN = 48, CHECK = 56 };
enum { HEADER_SALT = 16, HEADER_SECOND_SALT = 48 };

#define MOST_FRAMES 256

static uint64_t get(const uint8_t *p) {
  uint64_t n = 0;
  for (unsigned i = 0; i < 8; i++) n |= (uint64_t)p[i] << (8 * i);
  return n;
}

static void put(uint8_t *p, uint64_t n) {
  for (unsigned i = 0; i < 8; i++) p[i] = (uint8_t)(n >> (8 * i));
}

static uint64_t reseal_header(uint8_t *data) {
  memcpy(data, LOG_MAGIC, LOG_MAGIC_SIZE);
  memcpy(data + HEADER_SECOND_SALT, data + HEADER_SALT, 8);
  put(data + CHECK, hash64(data, CHECK, 0));
  return get(data + CHECK);
}

/* The check before each value. */
static void reseal_values(uint8_t *payload, size_t length, uint64_t at, uint64_t salt) {
  LogOps ops;
  LogOp op;
  log_ops(&ops, payload, length, at);
  while (log_decode_op(&ops, &op)) {
    if (op.kind != HEARTH_PUT) continue;
    put(payload + (op.value - payload) - LOG_VALUE_CHECK_SIZE,
        log_value_check(salt, op.value_at, op.table, op.key, op.key_size, op.value, op.value_size));
  }
}

/* The length of the payload of the frame that may begin at `at`; false: none does. */
static bool frame_at(const uint8_t *data, size_t size, size_t at, size_t *length) {
  if (at > size || size - at < LOG_FRAME_SIZE) return false;
  uint64_t n = get(data + at + LENGTH);
  *length = (size_t)n;
  return n <= size - at - LOG_FRAME_SIZE;
}

void log_reseal(uint8_t *data, size_t size) {
  size_t length;
  if (size < LOG_HEADER_SIZE) return;
  uint64_t chain = reseal_header(data), salt = get(data + HEADER_SALT);
  for (size_t at = LOG_HEADER_SIZE; frame_at(data, size, at, &length); at += LOG_FRAME_SIZE + length) {
    uint8_t *frame = data + at, *payload = frame + LOG_FRAME_SIZE;
    memcpy(frame, LOG_FRAME_MAGIC, LOG_FRAME_MAGIC_SIZE);
    reseal_values(payload, length, at + LOG_FRAME_SIZE, salt);
    put(frame + PAYLOAD_CHECK, hash64(payload, length, log_seed(salt, at + LOG_FRAME_SIZE)));
    put(frame + CHAIN, chain);
    chain = hash64(frame, CHECK, log_seed(salt, at));
    put(frame + CHECK, chain);
  }
}

/* The payload of the frame at `at` mutated, with its length; the new size of all. */
static size_t mutate_payload(uint8_t *data, size_t size, size_t max_size, size_t at, size_t length) {
  static uint8_t payload[1 << 16];
  size_t room = max_size - size + length, begin = at + LOG_FRAME_SIZE, rest = size - begin - length;
  if (room > sizeof payload) room = sizeof payload;
  if (length == 0 || length > room) return size;
  memcpy(payload, data + begin, length);
  size_t mutated = LLVMFuzzerMutate(payload, length, room);
  memmove(data + begin + mutated, data + begin + length, rest);
  memcpy(data + begin, payload, mutated);
  put(data + at + LENGTH, mutated);
  return begin + mutated + rest;
}

size_t log_mutate(uint8_t *data, size_t size, size_t max_size, unsigned seed) {
  uint64_t random = (uint64_t)seed + UINT64_C(0x9e3779b97f4a7c15);
  size_t frames[MOST_FRAMES], lengths[MOST_FRAMES], count = 0, length;
  size_t what = fuzz_below(&random, 16);
  if (size > max_size) return size;
  for (size_t at = LOG_HEADER_SIZE; count < MOST_FRAMES && frame_at(data, size, at, &length);
       at += LOG_FRAME_SIZE + length) {
    frames[count] = at;
    lengths[count++] = length;
  }
  if (count == 0 || what < 4) {
    size = LLVMFuzzerMutate(data, size, max_size);
    if (what == 0) return size; /* with wrong checks */
  } else {
    size_t i = fuzz_below(&random, count);
    if (what < 10) {
      size = mutate_payload(data, size, max_size, frames[i], lengths[i]);
    } else if (what < 13) { /* kind, length, sequence, time, synced */
      size_t field = KIND + fuzz_below(&random, PAYLOAD_CHECK - KIND);
      data[frames[i] + field] ^= (uint8_t)(1u << fuzz_below(&random, 8));
    } else if (what == 13) {
      data[8 + fuzz_below(&random, 40)] ^= (uint8_t)(1u << fuzz_below(&random, 8));
    } else if (what == 14) { /* the file ends early */
      size = frames[i] + fuzz_below(&random, size - frames[i]);
    } else { /* the frame is not there */
      size_t next = frames[i] + LOG_FRAME_SIZE + lengths[i];
      memmove(data + frames[i], data + next, size - next);
      size -= next - frames[i];
    }
  }
  log_reseal(data, size);
  if (what > 4 && fuzz_below(&random, 8) == 0 && size > 0) /* and one bit somewhere is wrong */
    data[fuzz_below(&random, size)] ^= (uint8_t)(1u << fuzz_below(&random, 8));
  return size;
}
