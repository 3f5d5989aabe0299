/*
** A log that is made by hand: every check in it is right, whatever else it says. Its source can be made to
** fail and to be shorter than it says.
*/
#ifndef HEARTH_TESTS_HANDMADE_H
#define HEARTH_TESTS_HANDMADE_H

#include "encode.h"
#include "scan.h"
#include "testing.h"

#define HANDMADE_SALT UINT64_C(0x1122334455667788)

typedef struct Handmade {
  Buffer bytes;
  uint64_t chain;  /* what the next frame says of the frame before */
  size_t frame_at; /* where the last frame begins */
  long reads;      /* calls of its source */
  long fail_at;    /* this one fails; -1: none */
  int failure;     /* with this errno value; 0: it finds nothing there */
} Handmade;

static inline void handmade_header(Handmade *m, LogHeader h) {
  unsigned char bytes[LOG_HEADER_SIZE];
  memset(m, 0, sizeof *m);
  m->fail_at = -1;
  buffer_init(&m->bytes, &hearth_libc_allocator);
  log_encode_header(bytes, &h);
  buffer_put(&m->bytes, bytes, sizeof bytes);
  m->chain = h.check;
}

/* An ordinary header: the log's first batch is `first`, and up to `synced` all was synced before it got its name. */
static inline void handmade_begin(Handmade *m, uint64_t first, uint64_t synced) {
  handmade_header(m, (LogHeader){.write_version = LOG_WRITE_VERSION, .read_version = LOG_READ_VERSION,
                                 .salt = HANDMADE_SALT, .time = 7, .first = first, .synced = synced});
}

static inline void handmade_free(Handmade *m) {
  buffer_free(&m->bytes);
}

/* A frame with these bytes as its payload. After a mark the next frame takes its place in the chain. */
static inline void handmade_frame(Handmade *m, LogKind kind, uint64_t sequence, uint64_t synced, const void *payload,
                                  size_t size) {
  Buffer out;
  LogFrame f = {.kind = kind, .sequence = sequence, .synced = synced, .time = 9};
  m->frame_at = m->bytes.size;
  buffer_init(&out, &hearth_libc_allocator);
  log_encode_begin(&out);
  buffer_put(&out, payload, size);
  log_encode_end(&out, HANDMADE_SALT, m->frame_at, m->chain, &f);
  buffer_put(&m->bytes, out.data, out.size);
  assert_false(out.failed || m->bytes.failed);
  if (kind != LOG_SYNCED && kind != LOG_CLOSED) m->chain = f.check;
  buffer_free(&out);
}

/* A frame with one PUT into table 1. */
static inline void handmade_put(Handmade *m, LogKind kind, uint64_t sequence, uint64_t synced, const char *key,
                                const void *value, size_t size) {
  Buffer out;
  LogOp op = {.kind = HEARTH_PUT, .table = 1, .key = (const unsigned char *)key, .key_size = strlen(key),
              .value = value, .value_size = size};
  buffer_init(&out, &hearth_libc_allocator);
  log_encode_begin(&out);
  log_encode_op(&out, HANDMADE_SALT, m->bytes.size, &op);
  handmade_frame(m, kind, sequence, synced, out.data + LOG_FRAME_SIZE, out.size - LOG_FRAME_SIZE);
  buffer_free(&out);
}

/* Batch n with the entry "k" = "n". */
static inline void handmade_batch(Handmade *m, uint64_t n, uint64_t synced) {
  char value[24];
  int size = snprintf(value, sizeof value, "%llu", (unsigned long long)n);
  handmade_put(m, LOG_BATCH, n, synced, "k", value, (size_t)size);
}

/* Bytes that are part of no frame. */
static inline void handmade_garbage(Handmade *m, size_t size) {
  for (size_t i = 0; i < size; i++) buffer_byte(&m->bytes, (unsigned char)(i % 251));
}

/* The header of the frame at `at` once more, changed, with its check right. */
static inline void handmade_change(Handmade *m, size_t at, LogKind kind, uint64_t length) {
  unsigned char *p = m->bytes.data + at;
  p[4] = (unsigned char)kind;
  for (int i = 0; i < 8; i++) p[8 + i] = (unsigned char)(length >> 8 * i);
  uint64_t check = hash64(p, 56, log_seed(HANDMADE_SALT, at));
  for (int i = 0; i < 8; i++) p[56 + i] = (unsigned char)(check >> 8 * i);
}

static inline int handmade_read(void *ud, uint64_t offset, void *bytes, size_t size, size_t *got) {
  Handmade *m = ud;
  *got = 0;
  if (m->reads++ == m->fail_at) return m->failure;
  if (offset >= m->bytes.size) return 0;
  *got = size < m->bytes.size - offset ? size : (size_t)(m->bytes.size - offset);
  memcpy(bytes, m->bytes.data + offset, *got);
  return 0;
}

static inline LogSource handmade_source(Handmade *m) {
  m->reads = 0;
  return (LogSource){m, handmade_read, m->bytes.size};
}

#endif
