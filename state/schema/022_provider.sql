-- What reputation providers answered, what that cost, and what people decided.
-- Times are Unix milliseconds, 0 is never.

CREATE TABLE provider_answer (
    provider TEXT NOT NULL,
    ip       TEXT NOT NULL,
    finding  TEXT NOT NULL,           -- JSON; empty while the request is under way
    asked    INTEGER NOT NULL,        -- when the request was sent
    expires  INTEGER NOT NULL,        -- of the finding; of a request under way, when it may be sent again
    PRIMARY KEY (provider, ip)
) STRICT, WITHOUT ROWID;
CREATE INDEX provider_answer_expires ON provider_answer (expires);

-- The ledger: what was asked, and what was not, by day (UTC) and by cause.
CREATE TABLE provider_usage (
    day           TEXT NOT NULL,      -- 2006-01-02
    provider      TEXT NOT NULL,
    key           TEXT NOT NULL,      -- names the provider's key, not the key itself
    playbook      TEXT NOT NULL,      -- who asked; '' for others
    incident      TEXT NOT NULL,      -- what for; '' for nothing
    requests      INTEGER NOT NULL,   -- sent
    cached        INTEGER NOT NULL,   -- answered from what is kept
    skipped       INTEGER NOT NULL,   -- not to be asked
    cost_microusd INTEGER NOT NULL,
    saved_microusd INTEGER NOT NULL,  -- what the cached and skipped ones would have cost
    PRIMARY KEY (day, provider, key, playbook, incident)
) STRICT, WITHOUT ROWID;

CREATE TABLE verdict_history (
    ip         TEXT NOT NULL,
    at         INTEGER NOT NULL,
    verdict    TEXT NOT NULL,
    confidence INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    PRIMARY KEY (ip, at)
) STRICT, WITHOUT ROWID;

-- Verdicts that people set, by network; the most specific one counts.
CREATE TABLE verdict_override (
    network TEXT PRIMARY KEY,         -- CIDR, masked
    verdict TEXT NOT NULL,
    author  TEXT NOT NULL,
    note    TEXT NOT NULL,
    at      INTEGER NOT NULL,
    expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
