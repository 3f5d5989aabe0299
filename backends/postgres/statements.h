/* Every statement that is sent more than once. Each is prepared on a connection when that connection first needs it. */
#ifndef HEARTH_POSTGRES_STATEMENTS_H
#define HEARTH_POSTGRES_STATEMENTS_H

typedef enum Statement {
  FIND,     /* name -> id, format */
  ADD,      /* id, name, format */
  TAKE,     /* id -> seq, owner: a new token, after whatever transaction holds the row has ended */
  LOOK,     /* id -> seq */
  HOLDS,    /* id, seq, owner or NULL -> a row if the store is still at that batch and has that owner */
  GET,      /* id, seq, owner or NULL, table, key -> value, checksum, NULL without them; no row: as for HOLDS */
  UP,       /* id, seq, owner or NULL, table, from, to, limit -> key, value, checksum */
  DOWN,     /* the same from the last one down */
  TABLES,   /* id, seq, owner or NULL -> table */
  COUNT,    /* id -> entries, bytes of keys and values, bytes that they occupy */
  ADVANCE,  /* id, new seq, old seq, owner: one row, or the store is another's */
  FLUSH,    /* id, seq, owner: writes the row as it is */
  TOUCH,    /* id: adds an entry that no store has */
  UNTOUCH,  /* id: and takes it away */
  CHECK,    /* id, tables, keys, values (NULL: absent) -> the number of the first that does not hold */
  PUTS,     /* id, tables, keys, values, checksums */
  DELS,     /* id, tables, keys */
  DROPS,    /* id, tables */
  STATEMENTS
} Statement;

/* A name for PREPARE; static. */
const char *postgres_statement_name(Statement s);

#define STATEMENT_MAX 1600

/* The text with the tables in `schema`, which is quoted already. */
void postgres_statement_text(Statement s, const char *schema, char out[STATEMENT_MAX]);

#endif
