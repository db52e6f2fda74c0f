-- What a person means an object to be; written by the command line alone.
CREATE TABLE intents (
  cluster TEXT COLLATE "C" NOT NULL,
  kind    TEXT COLLATE "C" NOT NULL,
  id      TEXT COLLATE "C" NOT NULL,
  life    BIGINT NOT NULL,
  want    TEXT COLLATE "C" NOT NULL,
  until   BIGINT NOT NULL,
  note    TEXT COLLATE "C" NOT NULL,
  who     TEXT COLLATE "C" NOT NULL,
  set_at  BIGINT NOT NULL,
  PRIMARY KEY (cluster, kind, id)
);
