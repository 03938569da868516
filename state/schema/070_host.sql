-- Hosts that have enrolled. A host is known by its API key, which is what is
-- revoked; times are Unix milliseconds.
CREATE TABLE host (
    key_id    TEXT PRIMARY KEY REFERENCES api_key (id),
    computer  TEXT NOT NULL,
    vm_uuid   TEXT NOT NULL,
    rule      TEXT NOT NULL, -- name of its data collection rule; '' is the built-in one
    version   TEXT NOT NULL,
    enrolled  INTEGER NOT NULL,
    last_seen INTEGER NOT NULL DEFAULT 0,
    address   TEXT NOT NULL DEFAULT '',  -- that it was last seen from
    private   TEXT NOT NULL DEFAULT '[]' -- its own addresses, as JSON
) STRICT;
