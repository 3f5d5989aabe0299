#include "blob.h"

static const unsigned char magic[4] = {0xCE, 'H', 't', 'h'};

void blob_header_put(Buffer *b, const BlobHeader *h) {
  buffer_put(b, magic, sizeof magic);
  buffer_byte(b, h->written_by);
  buffer_byte(b, h->readable_by);
  buffer_byte(b, h->flags);
  buffer_byte(b, h->lua_version);
  buffer_byte(b, h->sizes);
  varint_put(b, h->shapes);
  varint_put(b, h->prototypes);
  varint_put(b, h->objects);
  varint_put(b, h->heads_size);
}

bool blob_header_get(Cursor *c, BlobHeader *h, bool *newer) {
  *newer = false;
  memset(h, 0, sizeof *h);
  const unsigned char *m = cursor_bytes(c, sizeof magic);
  if (c->why == NULL && memcmp(m, magic, sizeof magic) != 0) {
    c->next = m;
    cursor_fail(c, "it does not begin as a Hearth blob does");
  }
  h->written_by = cursor_byte(c);
  h->readable_by = cursor_byte(c);
  if (c->why == NULL && h->readable_by > FORMAT_VERSION) {
    *newer = true;
    return false;
  }
  if (c->why == NULL && (h->readable_by == 0 || h->readable_by > h->written_by))
    cursor_fail(c, "its versions contradict each other");
  h->flags = cursor_byte(c);
  if (h->written_by <= FORMAT_VERSION && (h->flags & ~(BLOB_CANONICAL | BLOB_STRIPPED)) != 0)
    cursor_fail(c, "it has unknown flags");
  h->lua_version = cursor_byte(c);
  h->sizes = cursor_byte(c);
  h->shapes = count_get(c);
  h->prototypes = count_get(c);
  h->objects = count_get(c);
  h->heads_size = count_get(c);
  return c->why == NULL;
}
