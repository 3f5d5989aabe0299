#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "schema_text.h" /* made of schema.sql */
#include "store.h"

/* gen_random_uuid came with 13. */
#define OLDEST_SERVER 130000

static const char look_text[] =
    "SELECT pg_catalog.current_setting('server_version_num')::integer,"
    " pg_catalog.current_setting('synchronous_commit'),"
    " pg_catalog.current_setting('fsync', true), s.oid::bigint, pg_catalog.quote_ident(n.nspname),"
    " (SELECT pg_catalog.string_agg(pg_catalog.concat(attname, ' ', pg_catalog.format_type(atttypid, atttypmod)), ', '"
    " ORDER BY attname)"
    "  FROM pg_catalog.pg_attribute WHERE attrelid = s.oid AND attnum > 0 AND NOT attisdropped),"
    " (SELECT pg_catalog.string_agg(pg_catalog.concat(attname, ' ', pg_catalog.format_type(atttypid, atttypmod)), ', '"
    " ORDER BY attname)"
    "  FROM pg_catalog.pg_attribute WHERE attrelid = e.oid AND attnum > 0 AND NOT attisdropped)"
    " FROM (SELECT pg_catalog.to_regclass('hearth_store')::oid AS found) f LEFT JOIN pg_catalog.pg_class"
    " s ON s.oid = f.found"
    " LEFT JOIN pg_catalog.pg_namespace n ON n.oid = s.relnamespace"
    " LEFT JOIN pg_catalog.pg_class e ON e.relname = 'hearth_entry' AND e.relnamespace = s.relnamespace";

static const char store_columns[] = "format integer, id bigint, name text, owner uuid, seq bigint";
static const char entry_columns[] = "checksum bigint, key bytea, store bigint, tab bigint, value bytea";

/*
** A client that is gone without a word must not keep the store's lock for the two hours that systems wait by default.
*/
static const char pin_text[] =
    "SELECT pg_catalog.set_config('search_path', '', false);"
    "SELECT pg_catalog.set_config(name, CASE name WHEN 'tcp_keepalives_idle' THEN '30' WHEN 'tcp_keepalives_interval'"
    " THEN '10' WHEN 'tcp_keepalives_count' THEN '3' ELSE '60000' END, false) FROM pg_catalog.pg_settings"
    " WHERE source = 'default' AND name IN ('tcp_keepalives_idle', 'tcp_keepalives_interval', 'tcp_keepalives_count',"
    " 'tcp_user_timeout')";

hearth_status postgres_schema_pin(Connection *c, hearth_error *err) {
  return postgres_command(c, pin_text, NULL, err);
}

static hearth_status no_tables(hearth_backend_store *store, hearth_error *err) {
  return hearth_fail(err, HEARTH_NOTFOUND, "%s: the tables hearth_store and hearth_entry are not in this database",
                     store->location.label);
}

/* Columns that differ from ours: those of another program, or of another version of Hearth. */
static hearth_status check_columns(hearth_backend_store *store, const char *table, const char *are, const char *ours,
                                   hearth_error *err) {
  if (strcmp(are, ours) == 0) return HEARTH_OK;
  return hearth_fail(err, HEARTH_NOTSTORE, "%s: the table %s.%s has other columns (%.100s) than a store's (%s)",
                     store->location.label, store->schema, table, are, ours);
}

static hearth_status take_in(hearth_backend_store *store, const PGresult *r, hearth_error *err) {
  if (strtol(PQgetvalue(r, 0, 0), NULL, 10) < OLDEST_SERVER)
    return hearth_fail(err, HEARTH_UNSUPPORTED, "%s: the server is older than PostgreSQL 13", store->location.label);
  (void)snprintf(store->synchronous, sizeof store->synchronous, "%s", PQgetvalue(r, 0, 1));
  if (strcmp(PQgetvalue(r, 0, 2), "off") == 0)
    postgres_store_warn(store, "%s: the server runs with fsync=off, a power loss may destroy the database",
                        store->location.label);
  if (PQgetisnull(r, 0, 3)) return no_tables(store, err);
  store->tables = strtoull(PQgetvalue(r, 0, 3), NULL, 10);
  (void)snprintf(store->schema, sizeof store->schema, "%s", PQgetvalue(r, 0, 4));
  hearth_status status = check_columns(store, "hearth_store", PQgetvalue(r, 0, 5), store_columns, err);
  return status == HEARTH_OK ? check_columns(store, "hearth_entry", PQgetvalue(r, 0, 6), entry_columns, err) : status;
}

static hearth_status look(hearth_backend_store *store, hearth_error *err) {
  PGresult *r;
  hearth_status status = postgres_command(&store->main, look_text, &r, err);
  if (status != HEARTH_OK) return status;
  status = take_in(store, r, err);
  PQclear(r);
  return status;
}

/* The statements of schema.sql on one line, for an administrator. */
static void one_line(char *out, size_t size) {
  size_t n = 0;
  for (size_t i = 0; i < sizeof schema_text && n + 1 < size; i++) {
    char c = (char)schema_text[i];
    bool space = c == '\n' || c == ' ';
    if (space && (n == 0 || out[n - 1] == ' ' || out[n - 1] == '(')) continue;
    out[n++] = space ? ' ' : c;
  }
  while (n > 0 && out[n - 1] == ' ') n--;
  out[n] = '\0';
}

static hearth_status not_made(hearth_backend_store *store, hearth_status status, hearth_error *err) {
  char sql[sizeof schema_text + 1];
  hearth_error reason = *err, local;
  if (!postgres_is_connected(&store->main)) return status;
  const bool forbidden = strcmp(store->main.state, "42501") == 0;
  (void)postgres_command(&store->main, "ROLLBACK", NULL, &local);
  if (!forbidden) return hearth_fail(err, status, "%.150s; the tables of the stores cannot be made", reason.message);
  one_line(sql, sizeof sql);
  return hearth_fail(err, status, "the tables of the stores are missing, and this role may not make them"
                                  " (docs/POSTGRES.md):"
                     " %s", sql);
}

/* Two that make the tables at once would disturb each other, in spite of IF NOT EXISTS. */
static hearth_status make_tables(hearth_backend_store *store, hearth_error *err) {
  char text[sizeof schema_text + 200];
  const long long lock = (long long)hash64("hearth tables", 13, 0);
  (void)snprintf(text, sizeof text, "BEGIN; SELECT pg_advisory_xact_lock(%lld); %.*s; COMMIT", lock,
                 (int)sizeof schema_text, (const char *)schema_text);
  hearth_status status = postgres_command(&store->main, text, NULL, err);
  return status == HEARTH_OK ? status : not_made(store, status, err);
}

hearth_status postgres_schema_find(hearth_backend_store *store, bool create, hearth_error *err) {
  hearth_status status = look(store, err);
  if (status == HEARTH_NOTFOUND && create) {
    status = make_tables(store, err);
    if (status == HEARTH_OK) status = look(store, err);
  }
  return status == HEARTH_OK ? postgres_schema_pin(&store->main, err) : status;
}
