-- Who may call over HTTP: the SHA-256 of each token's random secret, never the token. A revoked one stays, so that the audit's name means something.
CREATE TABLE tokens (
  name     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  hash     BYTEA NOT NULL UNIQUE,
  tier     BIGINT NOT NULL,
  clusters TEXT COLLATE "C" NOT NULL,
  families TEXT COLLATE "C" NOT NULL,
  author   TEXT COLLATE "C" NOT NULL,
  created  BIGINT NOT NULL,
  expires  BIGINT NOT NULL,
  revoked  BIGINT NOT NULL,
  used     BIGINT NOT NULL
);
