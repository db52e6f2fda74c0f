-- What became known in a span of time, and what happened to one object, without reading the rest. Versions of one object are found by
-- their primary key.
CREATE INDEX object_versions_seen ON object_versions (cluster, seen_at);

--bun:split

CREATE INDEX changes_object ON changes (cluster, kind, object, at);
