-- What a person means an object to be; written by the command line alone.
CREATE TABLE intents (
  cluster TEXT NOT NULL,
  kind    TEXT NOT NULL,
  id      TEXT NOT NULL,
  life    INTEGER NOT NULL,
  want    TEXT NOT NULL,
  until   INTEGER NOT NULL,
  note    TEXT NOT NULL,
  who     TEXT NOT NULL,
  set_at  INTEGER NOT NULL,
  PRIMARY KEY (cluster, kind, id)
) STRICT, WITHOUT ROWID;
