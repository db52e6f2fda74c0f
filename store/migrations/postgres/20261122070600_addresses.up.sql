-- The names of objects in exported code, each for the whole life of its object.
CREATE TABLE iac_addresses (
  cluster TEXT COLLATE "C" NOT NULL,
  target  TEXT COLLATE "C" NOT NULL,
  kind    TEXT COLLATE "C" NOT NULL,
  id      TEXT COLLATE "C" NOT NULL,
  life    BIGINT NOT NULL,
  address TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (cluster, target, kind, id, life)
);
--bun:split
CREATE UNIQUE INDEX iac_addresses_address ON iac_addresses (cluster, target, address);
