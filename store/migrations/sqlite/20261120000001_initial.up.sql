-- Times are Unix milliseconds UTC, 0 = never. gen is the store generation that last changed a row.
CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

--bun:split

INSERT INTO meta (key, value) VALUES ('generation', 0);

--bun:split

CREATE TABLE clusters (
  name       TEXT NOT NULL PRIMARY KEY,
  first_seen INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

--bun:split

CREATE TABLE guests (
  cluster        TEXT NOT NULL,
  vmid           INTEGER NOT NULL,
  life           INTEGER NOT NULL,
  type           TEXT NOT NULL,
  node           TEXT NOT NULL,
  name           TEXT NOT NULL,
  status         TEXT NOT NULL,
  lock           TEXT NOT NULL,
  tags           TEXT NOT NULL,
  pool           TEXT NOT NULL,
  ha_state       TEXT NOT NULL,
  template       INTEGER NOT NULL,
  cpu            REAL,
  max_cpu        REAL,
  mem            INTEGER,
  max_mem        INTEGER,
  disk           INTEGER,
  max_disk       INTEGER,
  uptime         INTEGER,
  net_in         INTEGER,
  net_out        INTEGER,
  config_hash    TEXT NOT NULL,
  digest         TEXT NOT NULL,
  config_at      INTEGER NOT NULL,
  facets         TEXT NOT NULL,
  addresses      TEXT NOT NULL,
  addresses_at   INTEGER NOT NULL,
  snapshots      TEXT NOT NULL,
  snapshots_at   INTEGER NOT NULL,
  first_seen     INTEGER NOT NULL,
  last_seen      INTEGER NOT NULL,
  unknown_since  INTEGER NOT NULL,
  unknown_reason TEXT NOT NULL,
  gone_at        INTEGER NOT NULL,
  gen            INTEGER NOT NULL,
  PRIMARY KEY (cluster, vmid, life)
) STRICT;

--bun:split

CREATE INDEX guests_gen ON guests (cluster, gen);

--bun:split

CREATE TABLE objects (
  cluster       TEXT NOT NULL,
  kind          TEXT NOT NULL,
  id            TEXT NOT NULL,
  life          INTEGER NOT NULL,
  hash          TEXT NOT NULL,
  state         TEXT NOT NULL,
  first_seen    INTEGER NOT NULL,
  last_seen     INTEGER NOT NULL,
  unknown_since INTEGER NOT NULL,
  gone_at       INTEGER NOT NULL,
  gen           INTEGER NOT NULL,
  PRIMARY KEY (cluster, kind, id)
) STRICT;

--bun:split

CREATE INDEX objects_gen ON objects (cluster, gen);

--bun:split

-- The body is canonical redacted JSON; hash is the SHA-256 of exactly these bytes.
CREATE TABLE contents (
  hash TEXT NOT NULL PRIMARY KEY,
  body TEXT NOT NULL
) STRICT;

--bun:split

-- current marks the newest version of each life: what a new content is compared with.
CREATE TABLE object_versions (
  cluster    TEXT NOT NULL,
  kind       TEXT NOT NULL,
  id         TEXT NOT NULL,
  life       INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  hash       TEXT NOT NULL REFERENCES contents (hash),
  seen_at    INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  sync_id    INTEGER NOT NULL,
  current    INTEGER NOT NULL,
  PRIMARY KEY (cluster, kind, id, life, seq)
) STRICT, WITHOUT ROWID;

--bun:split

CREATE TABLE changes (
  id         INTEGER PRIMARY KEY AUTOINCREMENT,
  cluster    TEXT NOT NULL,
  kind       TEXT NOT NULL,
  object     TEXT NOT NULL,
  life       INTEGER NOT NULL,
  what       TEXT NOT NULL,
  field      TEXT NOT NULL,
  old        TEXT NOT NULL,
  new        TEXT NOT NULL,
  at         INTEGER NOT NULL,
  not_before INTEGER NOT NULL,
  sync_id    INTEGER NOT NULL
) STRICT;

--bun:split

CREATE INDEX changes_at ON changes (cluster, at);

--bun:split

CREATE TABLE tasks (
  cluster  TEXT NOT NULL,
  upid     TEXT NOT NULL,
  handle   TEXT NOT NULL,
  node     TEXT NOT NULL,
  type     TEXT NOT NULL,
  object   TEXT NOT NULL,
  username TEXT NOT NULL,
  started  INTEGER NOT NULL,
  ended    INTEGER NOT NULL,
  exit     TEXT NOT NULL,
  gen      INTEGER NOT NULL,
  PRIMARY KEY (cluster, upid)
) STRICT, WITHOUT ROWID;

--bun:split

CREATE INDEX tasks_handle ON tasks (handle);

--bun:split

CREATE INDEX tasks_started ON tasks (cluster, started);

--bun:split

CREATE TABLE syncs (
  id        INTEGER PRIMARY KEY AUTOINCREMENT,
  cluster   TEXT NOT NULL,
  mode      TEXT NOT NULL,
  started   INTEGER NOT NULL,
  finished  INTEGER NOT NULL,
  complete  INTEGER NOT NULL,
  calls     INTEGER NOT NULL,
  created   INTEGER NOT NULL,
  updated   INTEGER NOT NULL,
  gone      INTEGER NOT NULL,
  unchanged INTEGER NOT NULL,
  unknown   INTEGER NOT NULL,
  warnings  TEXT NOT NULL
) STRICT;

--bun:split

CREATE INDEX syncs_cluster ON syncs (cluster, id);

--bun:split

CREATE TABLE leases (
  name    TEXT NOT NULL PRIMARY KEY,
  owner   TEXT NOT NULL,
  epoch   INTEGER NOT NULL,
  expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
