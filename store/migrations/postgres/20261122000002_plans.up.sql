-- As SQLite's migration of this version. Texts are in byte order, whatever the database's own collation is.
-- Times are Unix milliseconds UTC, 0 = never; bodies are JSON as package change made it.
CREATE TABLE plans (
  id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  hash      TEXT COLLATE "C" NOT NULL,
  cluster   TEXT COLLATE "C" NOT NULL,
  requester TEXT COLLATE "C" NOT NULL,
  tool      TEXT COLLATE "C" NOT NULL,
  title     TEXT COLLATE "C" NOT NULL,
  tier      BIGINT NOT NULL,
  state     TEXT COLLATE "C" NOT NULL,
  body      TEXT COLLATE "C" NOT NULL,
  outcome   TEXT COLLATE "C" NOT NULL,
  note      TEXT COLLATE "C" NOT NULL,
  approver  TEXT COLLATE "C" NOT NULL,
  undo_of   TEXT COLLATE "C" NOT NULL,
  created   BIGINT NOT NULL,
  expires   BIGINT NOT NULL,
  approved  BIGINT NOT NULL,
  began     BIGINT NOT NULL,
  ended     BIGINT NOT NULL,
  owner     TEXT COLLATE "C" NOT NULL
);

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
  plan    TEXT COLLATE "C" NOT NULL REFERENCES plans (id),
  n       BIGINT NOT NULL,
  state   TEXT COLLATE "C" NOT NULL,
  cluster TEXT COLLATE "C" NOT NULL,
  node    TEXT COLLATE "C" NOT NULL,
  object  TEXT COLLATE "C" NOT NULL,
  action  TEXT COLLATE "C" NOT NULL,
  tier    BIGINT NOT NULL,
  upid    TEXT COLLATE "C" NOT NULL,
  sent    BIGINT NOT NULL,
  ended   BIGINT NOT NULL,
  before  TEXT COLLATE "C" NOT NULL,
  result  TEXT COLLATE "C" NOT NULL,
  error   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (plan, n)
);

--bun:split

CREATE INDEX plan_steps_sent ON plan_steps (sent);

--bun:split

CREATE INDEX plan_steps_object ON plan_steps (cluster, object, sent);

--bun:split

CREATE INDEX plan_steps_state ON plan_steps (state);

--bun:split

-- hash is the SHA-256 of prev and the row's canonical JSON (AuditRow.Sum).
CREATE TABLE audit (
  seq       BIGINT NOT NULL PRIMARY KEY,
  at        BIGINT NOT NULL,
  principal TEXT COLLATE "C" NOT NULL,
  door      TEXT COLLATE "C" NOT NULL,
  event     TEXT COLLATE "C" NOT NULL,
  plan      TEXT COLLATE "C" NOT NULL,
  step      BIGINT NOT NULL,
  cluster   TEXT COLLATE "C" NOT NULL,
  object    TEXT COLLATE "C" NOT NULL,
  tool      TEXT COLLATE "C" NOT NULL,
  tier      BIGINT NOT NULL,
  outcome   TEXT COLLATE "C" NOT NULL,
  detail    TEXT COLLATE "C" NOT NULL,
  prev      TEXT COLLATE "C" NOT NULL,
  hash      TEXT COLLATE "C" NOT NULL
);

--bun:split

CREATE INDEX audit_at ON audit (at);

--bun:split

CREATE INDEX audit_plan ON audit (plan, seq) WHERE plan <> '';

--bun:split

CREATE INDEX audit_object ON audit (cluster, object, seq) WHERE object <> '';

--bun:split

-- The end of the chain, which the next row is appended to, whatever has become of the rows.
CREATE TABLE audit_head (
  id   BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  seq  BIGINT NOT NULL,
  hash TEXT COLLATE "C" NOT NULL
);

--bun:split

INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');

--bun:split

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$;

--bun:split

CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE OR TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

--bun:split

CREATE TRIGGER audit_head_back BEFORE UPDATE ON audit_head FOR EACH ROW WHEN (NEW.seq <= OLD.seq) EXECUTE FUNCTION audit_refuse();

--bun:split

CREATE TRIGGER audit_head_keep BEFORE DELETE OR TRUNCATE ON audit_head FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();

--bun:split

CREATE TABLE emergency_stop (
  id     BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
  active BOOLEAN NOT NULL,
  since  BIGINT NOT NULL,
  until  BIGINT NOT NULL,
  author TEXT COLLATE "C" NOT NULL,
  reason TEXT COLLATE "C" NOT NULL
);

--bun:split

INSERT INTO emergency_stop (id, active, since, until, author, reason) VALUES (1, false, 0, 0, '', '');

--bun:split

CREATE TABLE settings (
  key   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  value TEXT COLLATE "C" NOT NULL
);

--bun:split

-- value is sealed before it comes here (nonce and AES-GCM ciphertext), NULL where the system's keyring holds it.
CREATE TABLE secrets (
  name    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  value   BYTEA,
  place   TEXT COLLATE "C" NOT NULL,
  author  TEXT COLLATE "C" NOT NULL,
  created BIGINT NOT NULL,
  used    BIGINT NOT NULL
);
