-- The names of objects in exported code, each for the whole life of its object.
CREATE TABLE iac_addresses (
  cluster TEXT NOT NULL,
  target  TEXT NOT NULL,
  kind    TEXT NOT NULL,
  id      TEXT NOT NULL,
  life    INTEGER NOT NULL,
  address TEXT NOT NULL,
  PRIMARY KEY (cluster, target, kind, id, life)
) STRICT, WITHOUT ROWID;
--bun:split
CREATE UNIQUE INDEX iac_addresses_address ON iac_addresses (cluster, target, address);
