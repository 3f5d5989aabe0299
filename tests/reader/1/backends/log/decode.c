#include "decode.h"

#include <string.h>

static uint16_t get_u16(const unsigned char *p) {
  return (uint16_t)(p[0] | p[1] << 8);
}

static uint32_t get_u32(const unsigned char *p) {
  return get_u16(p) | (uint32_t)get_u16(p + 2) << 16;
}

static uint64_t get_u64(const unsigned char *p) {
  return get_u32(p) | (uint64_t)get_u32(p + 4) << 32;
}

static uint64_t get_varint(LogOps *ops) {
  uint64_t n = 0;
  for (unsigned shift = 0; shift < 64 && ops->next < ops->end; shift += 7) {
    unsigned char byte = *ops->next++;
    n |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if ((byte == 0 && shift > 0) || (shift == 63 && byte > 1)) break; /* too many bytes, or bits */
      return n;
    }
  }
  ops->bad = true;
  return 0;
}

/* `n` bytes that must be there. */
static const unsigned char *get_bytes(LogOps *ops, uint64_t n) {
  if (ops->bad || n > (uint64_t)(ops->end - ops->next)) {
    ops->bad = true;
    return NULL;
  }
  const unsigned char *p = ops->next;
  ops->next += n;
  return p;
}

LogHeaderState log_decode_header(const unsigned char *bytes, size_t size, LogHeader *h) {
  size_t magic = size < LOG_MAGIC_SIZE ? size : LOG_MAGIC_SIZE;
  if (magic == 0 || memcmp(bytes, LOG_MAGIC, magic) != 0) return LOG_HEADER_FOREIGN;
  memset(h, 0, sizeof *h);
  if (size < LOG_HEADER_SIZE) return LOG_HEADER_DAMAGED;
  h->write_version = get_u16(bytes + 8);
  h->read_version = get_u16(bytes + 10);
  h->flags = get_u32(bytes + 12);
  h->salt = get_u64(bytes + 16);
  h->time = get_u64(bytes + 24);
  h->first = get_u64(bytes + 32);
  h->synced = get_u64(bytes + 40);
  h->check = get_u64(bytes + 56);
  if (h->check != hash64(bytes, 56, 0)) return LOG_HEADER_DAMAGED;
  return h->read_version > LOG_READ_VERSION ? LOG_HEADER_NEWER : LOG_HEADER_GOOD;
}

uint64_t log_decode_second_salt(const unsigned char *bytes) {
  return get_u64(bytes + 48);
}

bool log_decode_frame(const unsigned char *bytes, uint64_t salt, uint64_t at, LogFrame *f) {
  if (memcmp(bytes, LOG_FRAME_MAGIC, LOG_FRAME_MAGIC_SIZE) != 0) return false;
  f->kind = (LogKind)bytes[4];
  f->length = get_u64(bytes + 8);
  f->sequence = get_u64(bytes + 16);
  f->time = get_u64(bytes + 24);
  f->synced = get_u64(bytes + 32);
  f->payload_check = get_u64(bytes + 40);
  f->chain = get_u64(bytes + 48);
  f->check = get_u64(bytes + 56);
  return f->check == hash64(bytes, 56, log_seed(salt, at)) && f->kind >= LOG_BATCH && f->kind <= LOG_CLOSED &&
         (f->kind < LOG_SYNCED || f->length == 0);
}

bool log_check_payload(const LogFrame *f, const unsigned char *payload, uint64_t salt, uint64_t at) {
  return f->payload_check == hash64(payload, (size_t)f->length, log_seed(salt, at + LOG_FRAME_SIZE));
}

void log_ops(LogOps *ops, const unsigned char *payload, uint64_t length, uint64_t at) {
  ops->payload = ops->next = payload;
  ops->end = payload + length;
  ops->at = at;
  ops->bad = false;
}

bool log_decode_op(LogOps *ops, LogOp *op) {
  if (ops->bad || ops->next == ops->end) return false;
  memset(op, 0, sizeof *op);
  op->kind = (hearth_op_kind)*ops->next++;
  if (op->kind != HEARTH_PUT && op->kind != HEARTH_DEL && op->kind != HEARTH_DROP) ops->bad = true;
  op->table = get_varint(ops);
  if (op->table > HEARTH_MAX_TABLE) ops->bad = true;
  if (op->kind == HEARTH_DROP) return !ops->bad;
  uint64_t key_size = get_varint(ops);
  if (key_size > HEARTH_MAX_KEY) ops->bad = true;
  op->key = get_bytes(ops, key_size);
  op->key_size = (size_t)key_size;
  if (op->kind == HEARTH_DEL) return !ops->bad;
  uint64_t value_size = get_varint(ops);
  if (value_size > HEARTH_MAX_VALUE) ops->bad = true;
  const unsigned char *check = get_bytes(ops, LOG_VALUE_CHECK_SIZE);
  if (check != NULL) op->value_check = get_u64(check);
  op->value_at = ops->at + (uint64_t)(ops->next - ops->payload);
  op->value = get_bytes(ops, value_size);
  op->value_size = (size_t)value_size;
  return !ops->bad;
}

uint64_t log_decode_value_check(const unsigned char bytes[LOG_VALUE_CHECK_SIZE]) {
  return get_u64(bytes);
}

bool log_check_op(const LogOp *op, uint64_t salt) {
  return op->value_check ==
         log_value_check(salt, op->value_at, op->table, op->key, op->key_size, op->value, op->value_size);
}
