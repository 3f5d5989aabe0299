/* What a store's database looks like: docs/SQLITE.md. */
#ifndef HEARTH_SQLITE_FORMAT_H
#define HEARTH_SQLITE_FORMAT_H

#define FORMAT_APPLICATION_ID 0x48727468 /* "Hrth" */
#define FORMAT_VERSION 1                 /* PRAGMA user_version */

/*
** One row. `durable`: the last batch that was known to be on the device when the last one was written. `digest`,
** `checksum`: check.h.
*/
#define FORMAT_HEARTH                                                                                            \
  "CREATE TABLE hearth (sequence INTEGER NOT NULL, durable INTEGER NOT NULL, written_by TEXT NOT NULL, "         \
  "digest INTEGER NOT NULL, checksum INTEGER NOT NULL)"

/* A row for each table that has entries. */
#define FORMAT_TOTAL                                                                                             \
  "CREATE TABLE total (table_number INTEGER PRIMARY KEY, entries INTEGER NOT NULL, bytes INTEGER NOT NULL, "     \
  "digest INTEGER NOT NULL)"

/*
** With rowids: in a table without them a value is a part of its key's record, which SQLite reads whole to compare the
** key. Measured, values of 100,000 bytes: 670 microseconds to get one without rowids, 130 with them. The checksum
** stands before the value, so that it can be had without it.
*/
#define FORMAT_ENTRY                                                                                             \
  "CREATE TABLE entry (table_number INTEGER NOT NULL, key BLOB NOT NULL, checksum INTEGER NOT NULL, "            \
  "value BLOB NOT NULL, PRIMARY KEY (table_number, key))"

#endif
