/* The parameters of a statement, in PostgreSQL's binary formats. What they point to is borrowed until it was sent. */
#ifndef HEARTH_POSTGRES_PARAMS_H
#define HEARTH_POSTGRES_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

#define PARAMS_MAX 7
#define TOKEN_SIZE 16 /* bytes of a uuid */

typedef struct Params {
  int count;
  const char *values[PARAMS_MAX];
  int lengths[PARAMS_MAX];
  int formats[PARAMS_MAX]; /* 1: binary */
  unsigned char numbers[PARAMS_MAX][8];
} Params;

void postgres_params_number(Params *p, uint64_t n);           /* bigint */
void postgres_params_small(Params *p, uint32_t n);            /* integer */
void postgres_params_bytes(Params *p, const void *bytes, size_t size); /* bytea, uuid, text; NULL bytes: SQL's NULL */

/* Numbers as PostgreSQL sends them. */
uint64_t postgres_number(const char *bytes, int size);

/* An array that is written element by element: its head first, whose count is known only at the end. */
void postgres_array_begin(Buffer *b, uint32_t element_type);
void postgres_array_number(Buffer *b, uint64_t n);
void postgres_array_bytes(Buffer *b, const void *bytes, size_t size);
void postgres_array_null(Buffer *b);
void postgres_array_end(Buffer *b, size_t count);
void postgres_params_array(Params *p, const Buffer *b);

#define TYPE_NUMBER 20u /* the types' numbers are the same in every database */
#define TYPE_BYTES 17u

#endif
