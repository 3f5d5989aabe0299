#include "stream.h"

#define PORTION ((size_t)256 << 10) /* so much is read at once, and one entry more */

typedef struct EntrySizes {
  size_t key, value;
} EntrySizes;

void stream_init(Stream *s, const View *v, uint64_t table) {
  memset(s, 0, sizeof *s);
  s->view = v;
  s->table = table;
  buffer_init(&s->bytes, &v->allocator);
  buffer_init(&s->last, &v->allocator);
}

void stream_free(Stream *s) {
  buffer_free(&s->bytes);
  buffer_free(&s->last);
}

static int take(void *ud, uint64_t table, const void *key, size_t key_size, const void *value, size_t value_size) {
  (void)table;
  Stream *s = ud;
  EntrySizes sizes = {key_size, value_size};
  buffer_put(&s->bytes, &sizes, sizeof sizes);
  buffer_put(&s->bytes, key, key_size);
  buffer_put(&s->bytes, value, value_size);
  buffer_clear(&s->last);
  buffer_put(&s->last, key, key_size);
  return s->bytes.size >= PORTION || s->bytes.failed || s->last.failed;
}

static hearth_status fill(Stream *s, hearth_error *err) {
  const View *v = s->view;
  int more = 0;
  if (s->begun) buffer_byte(&s->last, 0); /* the least key that is greater */
  buffer_clear(&s->bytes);
  s->at = 0;
  hearth_status status = HEARTH_OK;
  if (!s->last.failed)
    status = v->backend->scan(v->store, s->table, s->begun ? s->last.data : NULL, s->last.size, NULL, 0, false, take, s,
                              &more, err);
  if (status == HEARTH_OK && (s->bytes.failed || s->last.failed))
    status = hearth_fail(err, HEARTH_NOMEM, "%s", hearth_status_text(HEARTH_NOMEM));
  s->begun = true;
  s->done = more == 0;
  return status;
}

hearth_status stream_next(Stream *s, bool *found, hearth_error *err) {
  *found = false;
  if (s->at == s->bytes.size) {
    if (s->done) return HEARTH_OK;
    hearth_status status = fill(s, err);
    if (status != HEARTH_OK || s->bytes.size == 0) return status;
  }
  EntrySizes sizes;
  memcpy(&sizes, s->bytes.data + s->at, sizeof sizes);
  s->key = s->bytes.data + s->at + sizeof sizes;
  s->key_size = sizes.key;
  s->value = s->key + sizes.key;
  s->value_size = sizes.value;
  s->at += sizeof sizes + sizes.key + sizes.value;
  *found = true;
  return HEARTH_OK;
}
