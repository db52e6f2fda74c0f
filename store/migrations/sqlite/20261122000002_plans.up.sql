-- What is planned, done and allowed. Times are Unix milliseconds UTC, 0 = never; bodies are JSON as package change made it.
CREATE TABLE plans (
  id        TEXT NOT NULL PRIMARY KEY,
  hash      TEXT NOT NULL,
  cluster   TEXT NOT NULL,
  requester TEXT NOT NULL,
  tool      TEXT NOT NULL,
  title     TEXT NOT NULL,
  tier      INTEGER NOT NULL,
  state     TEXT NOT NULL,
  body      TEXT NOT NULL,
  outcome   TEXT NOT NULL,
  note      TEXT NOT NULL,
  approver  TEXT NOT NULL,
  undo_of   TEXT NOT NULL,
  created   INTEGER NOT NULL,
  expires   INTEGER NOT NULL,
  approved  INTEGER NOT NULL,
  began     INTEGER NOT NULL,
  ended     INTEGER NOT NULL,
  owner     TEXT NOT NULL
) STRICT;

--bun:split

CREATE INDEX plans_created ON plans (created);

--bun:split

CREATE INDEX plans_state ON plans (state, created);

--bun:split

CREATE INDEX plans_undo ON plans (undo_of) WHERE undo_of <> '';

--bun:split

-- The bodies that retention may still take away.
CREATE INDEX plans_body ON plans (ended) WHERE ended > 0 AND body <> '';

--bun:split

CREATE TABLE plan_steps (
  plan    TEXT NOT NULL REFERENCES plans (id),
  n       INTEGER NOT NULL,
  state   TEXT NOT NULL,
  cluster TEXT NOT NULL,
  node    TEXT NOT NULL,
  object  TEXT NOT NULL,
  action  TEXT NOT NULL,
  tier    INTEGER NOT NULL,
  upid    TEXT NOT NULL,
  sent    INTEGER NOT NULL,
  ended   INTEGER NOT NULL,
  before  TEXT NOT NULL,
  result  TEXT NOT NULL,
  error   TEXT NOT NULL,
  PRIMARY KEY (plan, n)
) STRICT;

--bun:split

CREATE INDEX plan_steps_sent ON plan_steps (sent);

--bun:split

CREATE INDEX plan_steps_object ON plan_steps (cluster, object, sent);

--bun:split

CREATE INDEX plan_steps_state ON plan_steps (state);

--bun:split

-- hash is the SHA-256 of prev and the row's canonical JSON (AuditRow.Sum).
CREATE TABLE audit (
  seq       INTEGER NOT NULL PRIMARY KEY,
  at        INTEGER NOT NULL,
  principal TEXT NOT NULL,
  door      TEXT NOT NULL,
  event     TEXT NOT NULL,
  plan      TEXT NOT NULL,
  step      INTEGER NOT NULL,
  cluster   TEXT NOT NULL,
  object    TEXT NOT NULL,
  tool      TEXT NOT NULL,
  tier      INTEGER NOT NULL,
  outcome   TEXT NOT NULL,
  detail    TEXT NOT NULL,
  prev      TEXT NOT NULL,
  hash      TEXT NOT NULL
) STRICT;

--bun:split

CREATE INDEX audit_at ON audit (at);

--bun:split

CREATE INDEX audit_plan ON audit (plan, seq) WHERE plan <> '';

--bun:split

CREATE INDEX audit_object ON audit (cluster, object, seq) WHERE object <> '';

--bun:split

-- The end of the chain, which the next row is appended to, whatever has become of the rows.
CREATE TABLE audit_head (
  id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  seq  INTEGER NOT NULL,
  hash TEXT NOT NULL
) STRICT;

--bun:split

INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');

--bun:split

CREATE TRIGGER audit_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

--bun:split

CREATE TRIGGER audit_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

--bun:split

-- INSERT OR REPLACE deletes without a word to the trigger above.
CREATE TRIGGER audit_replace BEFORE INSERT ON audit WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq)
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

--bun:split

CREATE TRIGGER audit_head_back BEFORE UPDATE ON audit_head WHEN NEW.seq <= OLD.seq
BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

--bun:split

CREATE TRIGGER audit_head_delete BEFORE DELETE ON audit_head BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END;

--bun:split

CREATE TABLE emergency_stop (
  id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  active INTEGER NOT NULL,
  since  INTEGER NOT NULL,
  until  INTEGER NOT NULL,
  author TEXT NOT NULL,
  reason TEXT NOT NULL
) STRICT;

--bun:split

INSERT INTO emergency_stop (id, active, since, until, author, reason) VALUES (1, 0, 0, 0, '', '');

--bun:split

CREATE TABLE settings (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

--bun:split

-- value is sealed before it comes here (nonce and AES-GCM ciphertext), NULL where the system's keyring holds it.
CREATE TABLE secrets (
  name    TEXT NOT NULL PRIMARY KEY,
  value   BLOB,
  place   TEXT NOT NULL,
  author  TEXT NOT NULL,
  created INTEGER NOT NULL,
  used    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
