/*
** The chapter "Blobs": one heap in one byte string.
**
**   4  magic CE 'H' 't' 'h'
**   1  format version it was written by
**   1  oldest format version whose readers understand it
**   1  flags
**   1  Lua version (0x54)
**   1  size of an integer << 4 | size of a float, in bytes
**   v  number of shapes, of prototypes, of objects; size of the heads (varints)
**      shapes, prototypes (varint size, check, record), heads, then the bodies: the
**      root value, the bodies of objects in the order of their numbers, from 1,
**      then those of late objects
*/
#ifndef HEARTH_FORMAT_BLOB_H
#define HEARTH_FORMAT_BLOB_H

#include "record.h"

#define FORMAT_VERSION 1      /* what this library writes */
#define FORMAT_READABLE_BY 1  /* the oldest reader of what it writes */

#define BLOB_CANONICAL 0x01
#define BLOB_STRIPPED 0x02
#define BLOB_HEADER_SIZE 9

/*
** A prototype's check, 8 bytes: XXH3-64 of its record with this seed. A damaged value is a wrong
** value; damaged bytecode would be run, by a rebuilding function even while it is decoded.
*/
#define BLOB_CHECK_SIZE 8
#define BLOB_CHECK_SEED 0

typedef struct BlobHeader {
  unsigned char written_by, readable_by, flags, lua_version, sizes;
  uint64_t shapes, prototypes, objects, heads_size;
} BlobHeader;

void blob_header_put(Buffer *b, const BlobHeader *h);

/* False: not a blob, or damaged; *newer is set when only the version is too new. */
bool blob_header_get(Cursor *c, BlobHeader *h, bool *newer);

#endif
