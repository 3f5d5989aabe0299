#include "encode.h"

static void put_u16(unsigned char *p, uint16_t n) {
  p[0] = (unsigned char)(n & 0xff);
  p[1] = (unsigned char)(n >> 8);
}

static void put_u32(unsigned char *p, uint32_t n) {
  put_u16(p, (uint16_t)(n & 0xffff));
  put_u16(p + 2, (uint16_t)(n >> 16));
}

static void put_u64(unsigned char *p, uint64_t n) {
  put_u32(p, (uint32_t)(n & 0xffffffff));
  put_u32(p + 4, (uint32_t)(n >> 32));
}

static void put_varint(Buffer *out, uint64_t n) {
  for (; n >= 0x80; n >>= 7) buffer_byte(out, (unsigned char)(0x80 | (n & 0x7f)));
  buffer_byte(out, (unsigned char)n);
}

void log_encode_header(unsigned char out[LOG_HEADER_SIZE], LogHeader *h) {
  memcpy(out, LOG_MAGIC, LOG_MAGIC_SIZE);
  put_u16(out + 8, h->write_version);
  put_u16(out + 10, h->read_version);
  put_u32(out + 12, h->flags);
  put_u64(out + 16, h->salt);
  put_u64(out + 24, h->time);
  put_u64(out + 32, h->first);
  put_u64(out + 40, h->synced);
  put_u64(out + 48, h->salt);
  h->check = hash64(out, 56, 0);
  put_u64(out + 56, h->check);
}

void log_encode_begin(Buffer *out) {
  buffer_clear(out);
  unsigned char *p = buffer_reserve(out, LOG_FRAME_SIZE);
  if (p == NULL) return;
  memset(p, 0, LOG_FRAME_SIZE);
  out->size += LOG_FRAME_SIZE;
}

void log_encode_op(Buffer *out, uint64_t salt, uint64_t at, LogOp *op) {
  buffer_byte(out, (unsigned char)op->kind);
  put_varint(out, op->table);
  if (op->kind == HEARTH_DROP) return;
  put_varint(out, op->key_size);
  buffer_put(out, op->key, op->key_size);
  if (op->kind == HEARTH_DEL) return;
  put_varint(out, op->value_size);
  op->value_at = at + out->size + LOG_VALUE_CHECK_SIZE;
  op->value_check = log_value_check(salt, op->value_at, op->table, op->key, op->key_size, op->value, op->value_size);
  unsigned char check[LOG_VALUE_CHECK_SIZE];
  put_u64(check, op->value_check);
  buffer_put(out, check, sizeof check);
  buffer_put(out, op->value, op->value_size);
}

static void encode_frame(unsigned char *out, uint64_t salt, uint64_t at, LogFrame *f) {
  memset(out, 0, LOG_FRAME_SIZE);
  memcpy(out, LOG_FRAME_MAGIC, LOG_FRAME_MAGIC_SIZE);
  out[4] = (unsigned char)f->kind;
  put_u64(out + 8, f->length);
  put_u64(out + 16, f->sequence);
  put_u64(out + 24, f->time);
  put_u64(out + 32, f->synced);
  put_u64(out + 40, f->payload_check);
  put_u64(out + 48, f->chain);
  f->check = hash64(out, 56, log_seed(salt, at));
  put_u64(out + 56, f->check);
}

void log_encode_end(Buffer *out, uint64_t salt, uint64_t at, uint64_t chain, LogFrame *f) {
  if (out->failed) return;
  f->length = out->size - LOG_FRAME_SIZE;
  f->payload_check = hash64(out->data + LOG_FRAME_SIZE, (size_t)f->length, log_seed(salt, at + LOG_FRAME_SIZE));
  f->chain = chain;
  encode_frame(out->data, salt, at, f);
}

void log_encode_mark(unsigned char out[LOG_FRAME_SIZE], uint64_t salt, uint64_t at, uint64_t chain, LogFrame *f) {
  f->length = 0;
  f->payload_check = hash64("", 0, log_seed(salt, at + LOG_FRAME_SIZE));
  f->chain = chain;
  encode_frame(out, salt, at, f);
}
