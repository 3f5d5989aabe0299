/*
** The record of a function prototype, without Lua:
**
**   1  flags: 1 sealed, 2 little-endian; the others are 0
**   1  Lua version (0x54), as in the chunk's header
**   1  format (0)
**   1  sizeof(Instruction)
**   1  sizeof(lua_Integer)
**   1  sizeof(lua_Number)
**   1  number of upvalues
**   4  size of the body in bytes, little-endian
**   n  body, in the normal form of chunk.h
**  32  seal over everything before it, if flagged
*/
#ifndef HEARTH_FORMAT_PROTOTYPE_RECORD_H
#define HEARTH_FORMAT_PROTOTYPE_RECORD_H

#include "chunk.h"

#define PROTOTYPE_SEALED 1
#define PROTOTYPE_LITTLE_ENDIAN 2
#define PROTOTYPE_HEAD_SIZE 11
#define PROTOTYPE_SEAL_SIZE 32

/* A parsed record; every pointer points into its bytes. */
typedef struct Prototype {
  ChunkHeader header;
  unsigned nupvalues;
  const unsigned char *record; /* the first byte */
  const unsigned char *body;
  size_t body_size;
  const unsigned char *seal; /* PROTOTYPE_SEAL_SIZE bytes, or NULL; it covers [record, seal) */
} Prototype;

/*
** Parses a record of exactly `size` bytes; the body is not looked at (chunk_check does
** that, after the seal was checked). False fills `fault`, positions count from the record's first byte.
*/
bool prototype_parse(const void *bytes, size_t size, Prototype *out, ChunkFault *fault);

/* The mirror: writes the head that goes before a body of body_size bytes (at most 2^31 - 1). */
void prototype_put_head(const ChunkHeader *header, unsigned nupvalues, size_t body_size, bool sealed,
                        unsigned char out[PROTOTYPE_HEAD_SIZE]);

#endif
