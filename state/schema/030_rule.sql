-- When analytics rules run, and how their runs went. Times are Unix
-- milliseconds, 0 is never.

CREATE TABLE rule_schedule (
    rule_id          TEXT PRIMARY KEY,
    frequency        INTEGER NOT NULL, -- milliseconds from one slot to the next
    first_slot       INTEGER NOT NULL, -- where the grid of slots begins
    last_slot        INTEGER NOT NULL, -- the last slot that was started
    suppressed_until INTEGER NOT NULL  -- slots before this are passed over
) STRICT, WITHOUT ROWID;

CREATE TABLE rule_run (
    rule_id     TEXT NOT NULL,
    slot        INTEGER NOT NULL,
    finished    INTEGER NOT NULL,
    status      TEXT NOT NULL,         -- Success, Failure, Suppressed
    rows        INTEGER NOT NULL,
    alerts      INTEGER NOT NULL,
    invalid     INTEGER NOT NULL,      -- mapped addresses that are none
    dropped     INTEGER NOT NULL,      -- entities beyond the limit
    duration_us INTEGER NOT NULL,      -- of the query
    error       TEXT NOT NULL,
    permanent   INTEGER NOT NULL,      -- 1 when the error is the rule's own and stays
    PRIMARY KEY (rule_id, slot)
) STRICT, WITHOUT ROWID;
