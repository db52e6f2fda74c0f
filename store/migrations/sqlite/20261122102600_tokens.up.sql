-- Who may call over HTTP: the SHA-256 of each token's random secret, never the token. A revoked one stays, so that the audit's name means something.
CREATE TABLE tokens (
  name     TEXT NOT NULL PRIMARY KEY,
  hash     BLOB NOT NULL UNIQUE,
  tier     INTEGER NOT NULL,
  clusters TEXT NOT NULL,
  families TEXT NOT NULL,
  author   TEXT NOT NULL,
  created  INTEGER NOT NULL,
  expires  INTEGER NOT NULL,
  revoked  INTEGER NOT NULL,
  used     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
