-- API keys, what they were used for, what is known of addresses, and the
-- answers of other reputation services. Times are Unix milliseconds, 0 is never.

CREATE TABLE api_key (
    id         TEXT PRIMARY KEY,      -- the part of the key that is not secret
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL,         -- SHA-256 of the whole key
    scopes     TEXT NOT NULL,         -- JSON array
    per_day    INTEGER NOT NULL,      -- lookups a day (UTC); 0 is no limit
    per_second REAL NOT NULL,         -- lookups a second; 0 is no limit
    created    INTEGER NOT NULL,
    last_used  INTEGER NOT NULL,
    revoked    INTEGER NOT NULL
) STRICT;

CREATE TABLE usage_day (
    key_id        TEXT NOT NULL,
    day           TEXT NOT NULL,      -- 2006-01-02, UTC
    requests      INTEGER NOT NULL,
    cost_microusd INTEGER NOT NULL,
    PRIMARY KEY (key_id, day)
) STRICT, WITHOUT ROWID;

-- Counted lookups that came with a request id, so that a repeat is not counted.
CREATE TABLE usage_request (
    key_id     TEXT NOT NULL,
    request_id TEXT NOT NULL,
    ip         TEXT NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (key_id, request_id, ip)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_request_at ON usage_request (at);

CREATE TABLE reputation (
    ip              TEXT PRIMARY KEY,
    ttps            TEXT NOT NULL,    -- JSON arrays, or null
    techniques      TEXT NOT NULL,
    sources         TEXT NOT NULL,
    verdict         TEXT NOT NULL,
    confidence      INTEGER NOT NULL,
    indicator       TEXT NOT NULL,
    country_code    TEXT NOT NULL,
    asn             INTEGER NOT NULL,
    as_organization TEXT NOT NULL,
    first_seen      INTEGER NOT NULL,
    last_seen       INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE reputation_cache (
    base       TEXT NOT NULL,         -- URL without its query
    ip         TEXT NOT NULL,
    body       BLOB NOT NULL,
    request_id TEXT NOT NULL,         -- of the call that fetched it
    stored     INTEGER NOT NULL,
    expires    INTEGER NOT NULL,
    PRIMARY KEY (base, ip)
) STRICT, WITHOUT ROWID;
CREATE INDEX reputation_cache_expires ON reputation_cache (expires);
