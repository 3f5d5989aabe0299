#include "statements.h"

#include <assert.h>
#include <string.h>

/* '@' stands for the schema. The store's row is read together with its entries: what comes back is of the batch that
** the caller knows, or nothing comes back. */
#define HELD "SELECT 1 FROM @.hearth_store WHERE id = $1 AND seq = $2 AND ($3::uuid IS NULL OR owner = $3::uuid)"
#define RANGE "SELECT key, value, checksum FROM @.hearth_entry WHERE store = $1::bigint AND tab = $4::bigint" \
  " AND key >= $5::bytea AND key < $6::bytea AND EXISTS (" HELD ") ORDER BY key"

static const struct {
  const char *name, *text;
} statements[STATEMENTS] = {
    [FIND] = {"hearth_find", "SELECT id, format FROM @.hearth_store WHERE name = $1::text"},
    [ADD] = {"hearth_add", "INSERT INTO @.hearth_store (id, name, format, seq, owner)"
             " VALUES ($1::bigint, $2::text, $3::integer, 0, gen_random_uuid()) ON CONFLICT DO NOTHING"},
    [TAKE] = {"hearth_take", "UPDATE @.hearth_store SET owner = gen_random_uuid() WHERE id = $1::bigint"
              " AND ($2::uuid IS NULL OR owner = $2::uuid) RETURNING seq, owner"},
    [LOOK] = {"hearth_look", "SELECT seq FROM @.hearth_store WHERE id = $1::bigint"},
    [HOLDS] = {"hearth_holds", HELD},
    [GET] = {"hearth_get", "SELECT e.value, e.checksum FROM @.hearth_store s LEFT JOIN @.hearth_entry e"
             " ON e.store = s.id AND e.tab = $4::bigint AND e.key = $5::bytea"
             " WHERE s.id = $1::bigint AND s.seq = $2::bigint AND ($3::uuid IS NULL OR s.owner = $3::uuid)"},
    [UP] = {"hearth_up", RANGE " LIMIT $7::bigint"},
    [DOWN] = {"hearth_down", RANGE " DESC LIMIT $7::bigint"},
    /* from each table to the next one by the index, however many entries are between */
    [TABLES] = {"hearth_tables", "WITH RECURSIVE t(tab) AS ((SELECT tab FROM @.hearth_entry WHERE store = $1::bigint"
                " AND EXISTS (" HELD ") ORDER BY tab LIMIT 1) UNION ALL SELECT (SELECT e.tab FROM @.hearth_entry e"
                " WHERE e.store = $1::bigint AND e.tab > t.tab ORDER BY e.tab LIMIT 1) FROM t WHERE t.tab IS NOT NULL)"
                " SELECT tab FROM t WHERE tab IS NOT NULL ORDER BY tab"},
    [COUNT] = {"hearth_count", "SELECT count(*), coalesce(sum(octet_length(key) + octet_length(value)), 0)::bigint,"
               " coalesce(sum(pg_column_size(key) + pg_column_size(value) + 44), 0)::bigint"
               " FROM @.hearth_entry WHERE store = $1::bigint"},
    [ADVANCE] = {"hearth_advance", "UPDATE @.hearth_store SET seq = $2::bigint"
                 " WHERE id = $1::bigint AND seq = $3::bigint AND owner = $4::uuid"},
    [FLUSH] = {"hearth_flush", "UPDATE @.hearth_store SET seq = seq"
               " WHERE id = $1::bigint AND seq = $2::bigint AND owner = $3::uuid"},
    [TOUCH] = {"hearth_touch", "INSERT INTO @.hearth_entry (store, tab, key, value, checksum)"
               " VALUES ($1::bigint, -1, '', '', 0)"},
    [UNTOUCH] = {"hearth_untouch", "DELETE FROM @.hearth_entry WHERE store = $1::bigint AND tab = -1"},
    [CHECK] = {"hearth_check", "SELECT u.n FROM unnest($2::bigint[], $3::bytea[], $4::bytea[]) WITH ORDINALITY"
               " AS u(t, k, v, n) LEFT JOIN @.hearth_entry e ON e.store = $1::bigint AND e.tab = u.t AND e.key = u.k"
               " WHERE e.value IS DISTINCT FROM u.v ORDER BY u.n LIMIT 1"},
    [PUTS] = {"hearth_puts", "INSERT INTO @.hearth_entry (store, tab, key, value, checksum) "
                             "SELECT $1::bigint, u.t, u.k, u.v, u.c"
              " FROM unnest($2::bigint[], $3::bytea[], $4::bytea[], $5::bigint[]) AS u(t, k, v, c)"
              " ON CONFLICT (store, tab, key) DO UPDATE SET value = EXCLUDED.value, checksum = EXCLUDED.checksum"},
    [DELS] = {"hearth_dels", "DELETE FROM @.hearth_entry e USING unnest($2::bigint[], $3::bytea[]) AS u(t, k)"
              " WHERE e.store = $1::bigint AND e.tab = u.t AND e.key = u.k"},
    [DROPS] = {"hearth_drops", "DELETE FROM @.hearth_entry WHERE store = $1::bigint AND tab = ANY ($2::bigint[])"},
};

const char *postgres_statement_name(Statement s) {
  return statements[s].name;
}

void postgres_statement_text(Statement s, const char *schema, char out[STATEMENT_MAX]) {
  size_t n = 0, length = strlen(schema);
  for (const char *p = statements[s].text; *p != '\0'; p++) {
    size_t more = *p == '@' ? length : 1;
    assert(n + more < STATEMENT_MAX);
    memcpy(out + n, *p == '@' ? schema : p, more);
    n += more;
  }
  out[n] = '\0';
}
