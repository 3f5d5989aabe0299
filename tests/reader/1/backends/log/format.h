/*
** The log: a header, then frames. Everything is little-endian, every size in
** bytes, every offset counted from the start of the log.
**
** Header, 64 bytes. Its place and its check never change with the version:
**    0  magic, 8 bytes
**    8  write version, u16: who knows a lower one must not write here
**   10  read version, u16: who knows a lower one cannot read this
**   12  flags, u32, 0
**   16  salt, u64, random: frames of another log do not pass for ours
**   24  time, u64, milliseconds since 1970 when the log was made
**   32  first, u64: the sequence number of the first batch in this log
**   40  synced, u64: batches up to this one were synced before the log got its name
**   48  the salt again, for salvage
**   56  check, u64: XXH3 of bytes 0..55
**
** Frame: 64 bytes of frame header, then the payload:
**    0  magic, 4 bytes, for who looks for a frame after damage
**    4  kind, u8; 5..7: 0
**    8  length of the payload, u64
**   16  sequence, u64: the number of the batch; of a mark: that of the last batch
**   24  time, u64, milliseconds since 1970
**   32  synced, u64: every batch up to this one was on the device when this frame was written
**   40  payload check, u64: XXH3 of the payload, seeded with salt and its offset
**   48  chain, u64: the check of the frame before, of the header for the first
**   56  check, u64: XXH3 of bytes 0..55, seeded with salt and offset
**
** So each check covers all that came before it; a copy of a frame at another
** place, inside a value for example, is none; and a frame behind a damaged one
** can still be told to be whole.
**
** Kinds: a batch; a part of a batch, whose last frame is a batch with the same
** number; and two marks without payload that the next frame overwrites: synced,
** written after a successful sync, and closed.
**
** Payload: operations, each its kind (u8, as in hearth_backend.h), the table
** (varint), then for PUT and DEL the key's size (varint) and the key, then for
** PUT the value's size (varint), its check (u64) and the value. The check is XXH3
** of the value, seeded with salt, offset of the value, table and key (log_value_check):
** a PUT can be told to be whole by itself. Varints have 7 bits a byte, the lowest
** first, the top bit meaning that more follow, in the fewest bytes.
*/
#ifndef HEARTH_LOG_FORMAT_H
#define HEARTH_LOG_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hash.h"
#include "hearth_backend.h"

#define LOG_HEADER_SIZE 64
#define LOG_FRAME_SIZE 64 /* of a frame's header */
#define LOG_VALUE_CHECK_SIZE 8 /* stands right before the value */

#define LOG_WRITE_VERSION 1
#define LOG_READ_VERSION 1

#define LOG_MAGIC "\x89HLOG\r\n\x1a" /* a transfer that changes line ends or strips bits breaks it */
#define LOG_MAGIC_SIZE 8
#define LOG_FRAME_MAGIC "\xf5HFR"
#define LOG_FRAME_MAGIC_SIZE 4

typedef struct LogHeader {
  uint16_t write_version, read_version;
  uint32_t flags;
  uint64_t salt, time, first, synced;
  uint64_t check; /* the first link of the chain */
} LogHeader;

typedef enum LogKind {
  LOG_BATCH = 1,  /* the last frame, or the only one, of a batch */
  LOG_PART = 2,   /* a frame of a batch that is not its last */
  LOG_SYNCED = 3, /* a mark: everything before is on the device */
  LOG_CLOSED = 4  /* the same, and the store was closed */
} LogKind;

typedef struct LogFrame {
  LogKind kind;
  uint64_t length, sequence, time, synced, payload_check;
  uint64_t chain; /* the check of the frame before */
  uint64_t check; /* the next link of the chain */
} LogFrame;

typedef struct LogOp {
  hearth_op_kind kind; /* PUT, DEL or DROP */
  uint64_t table;
  const unsigned char *key;
  size_t key_size;
  const unsigned char *value;
  size_t value_size;
  uint64_t value_check;
  uint64_t value_at; /* the value's offset */
} LogOp;

/* The seed of a check that shall hold at this offset of this log only. */
static inline uint64_t log_seed(uint64_t salt, uint64_t offset) {
  return salt ^ (offset * UINT64_C(0x9e3779b97f4a7c15));
}

/* What stands before a value. */
static inline uint64_t log_value_check(uint64_t salt, uint64_t value_at, uint64_t table, const void *key,
                                       size_t key_size, const void *value, size_t value_size) {
  return hash64(value, value_size, log_seed(salt, value_at) ^ hash64(key, key_size, table));
}

static inline size_t log_varint_size(uint64_t n) {
  size_t size = 1;
  for (; n >= 0x80; n >>= 7) size++;
  return size;
}

/* What a PUT takes in a payload. */
static inline uint64_t log_put_size(uint64_t table, uint64_t key_size, uint64_t value_size) {
  return 1 + log_varint_size(table) + log_varint_size(key_size) + key_size + log_varint_size(value_size) +
         LOG_VALUE_CHECK_SIZE + value_size;
}

#endif
