/*
** The chapter "External tables": how one entry is written.
**
** A key is ordered by memcmp, a shorter key before a longer one that it begins, as:
** false < true < numbers < strings.
**
**   01            false
**   02            true
**   03 number     at most 10 bytes
**   04 bytes      a string
**
** A number is d and r: d the largest double that is not above it, 8 bytes, most
** significant first, its sign bit inverted, all bits inverted if it is negative;
** r, 2 bytes, what an integer has above d. Zeros at the end are left out. So integers
** and floats are in one exact order, and a small integer takes 2 to 4 bytes.
** As in Lua, a float with an integer's value is that integer, and a NaN is no key.
**
** A value is
**
**   00 value      one tagged value (value.h): a scalar, a string, or REF with the
**                 number of an external table
**   01 blob       anything else, as a blob (blob.h)
*/
#ifndef HEARTH_FORMAT_EXTERNAL_H
#define HEARTH_FORMAT_EXTERNAL_H

#include "value.h"

#define EXTERNAL_MAX_KEY 1024 /* bytes as encoded: HEARTH_MAX_KEY */

enum { EXTERNAL_PLAIN = 0, EXTERNAL_BLOB = 1 };

/*
** Writes a key of kind FALSE, TRUE, INTEGER, FLOAT (no NaN, no integer's value) or STRING;
** answers its size, 0 if it would be over EXTERNAL_MAX_KEY.
*/
size_t external_put_key(unsigned char out[EXTERNAL_MAX_KEY], const Value *key);

/* Reads one that ends where the cursor's input ends. */
void external_get_key(Cursor *c, Value *key);

typedef struct ExternalValue {
  bool blob;
  Value value; /* if not a blob */
  const unsigned char *bytes; /* of the blob, in the input */
  size_t size;
} ExternalValue;

/* What goes before the bytes of a string; the bytes themselves follow. */
void external_put_string_head(Buffer *b, size_t size);

/* A value that is no string: FALSE, TRUE, INTEGER, FLOAT or REF. */
void external_put_plain(Buffer *b, const Value *v);

/* Reads a value that ends where the cursor's input ends. */
void external_get_value(Cursor *c, ExternalValue *out);

/* The record of an external table: references to it, references in it. */
void external_put_record(Buffer *b, uint64_t to, uint64_t from);
void external_get_record(Cursor *c, uint64_t *to, uint64_t *from);

#endif
