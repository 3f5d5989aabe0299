#include "prototype_record.h"

#include "cursor.h"

void prototype_put_head(const ChunkHeader *header, unsigned nupvalues, size_t body_size, bool sealed,
                        unsigned char out[PROTOTYPE_HEAD_SIZE]) {
  out[0] = (unsigned char)((sealed ? PROTOTYPE_SEALED : 0) | (header->little_endian ? PROTOTYPE_LITTLE_ENDIAN : 0));
  out[1] = header->version;
  out[2] = header->format;
  out[3] = header->instruction_size;
  out[4] = header->integer_size;
  out[5] = header->number_size;
  out[6] = (unsigned char)nupvalues;
  for (unsigned i = 0; i < 4; i++) out[7 + i] = (unsigned char)(body_size >> 8 * i);
}

bool prototype_parse(const void *bytes, size_t size, Prototype *out, ChunkFault *fault) {
  Cursor c = cursor_over(bytes, size);
  unsigned char flags = cursor_byte(&c);
  if (flags & ~(PROTOTYPE_SEALED | PROTOTYPE_LITTLE_ENDIAN)) cursor_fail(&c, "a prototype has unknown flags");
  out->record = bytes;
  out->header.little_endian = (flags & PROTOTYPE_LITTLE_ENDIAN) != 0;
  out->header.version = cursor_byte(&c);
  out->header.format = cursor_byte(&c);
  out->header.instruction_size = cursor_byte(&c);
  out->header.integer_size = cursor_byte(&c);
  out->header.number_size = cursor_byte(&c);
  out->nupvalues = cursor_byte(&c);
  out->body_size = (size_t)fixed_get(&c, 4);
  out->body = cursor_bytes(&c, out->body_size);
  out->seal = flags & PROTOTYPE_SEALED ? cursor_bytes(&c, PROTOTYPE_SEAL_SIZE) : NULL;
  if (cursor_left(&c) > 0) cursor_fail(&c, "bytes follow a prototype");
  if (c.why == NULL) return true;
  *fault = (ChunkFault){c.position, c.why};
  return false;
}
