-- Small values by key: read offsets of followed files and the like.
CREATE TABLE value (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
