CREATE TABLE IF NOT EXISTS hearth_store (
  id bigint PRIMARY KEY,
  name text NOT NULL UNIQUE,
  format integer NOT NULL,
  seq bigint NOT NULL,
  owner uuid NOT NULL
);
CREATE TABLE IF NOT EXISTS hearth_entry (
  store bigint NOT NULL,
  tab bigint NOT NULL,
  key bytea NOT NULL,
  value bytea NOT NULL,
  checksum bigint NOT NULL,
  PRIMARY KEY (store, tab, key)
);
