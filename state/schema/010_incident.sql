-- Incidents, and what is still to be told of them. Times are Unix milliseconds,
-- 0 is never.

CREATE TABLE incident (
    id                     TEXT PRIMARY KEY,
    number                 INTEGER NOT NULL UNIQUE,  -- from 1, without gaps
    revision               INTEGER NOT NULL,
    title                  TEXT NOT NULL,
    description            TEXT NOT NULL,
    severity               TEXT NOT NULL,
    status                 TEXT NOT NULL,            -- New, Active, Closed
    classification         TEXT NOT NULL,
    classification_reason  TEXT NOT NULL,
    classification_comment TEXT NOT NULL,
    owner                  TEXT NOT NULL,
    labels                 TEXT NOT NULL,            -- JSON array
    created                INTEGER NOT NULL,
    first_modified         INTEGER NOT NULL,
    modified               INTEGER NOT NULL,
    closed                 INTEGER NOT NULL,
    modified_by            TEXT NOT NULL,
    rule_id                TEXT NOT NULL,            -- of the first alert
    group_key              TEXT NOT NULL,            -- what its alerts have in common; empty: none joins
    alerts                 INTEGER NOT NULL,         -- how many
    last_alert             INTEGER NOT NULL          -- time of the latest
) STRICT;
CREATE INDEX incident_group ON incident (rule_id, group_key, last_alert) WHERE group_key <> '';
CREATE INDEX incident_status ON incident (status, number);

CREATE TABLE incident_alert (
    alert_id    TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    position    INTEGER NOT NULL,
    alert       TEXT NOT NULL                        -- JSON
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_alert_incident ON incident_alert (incident_id, position);

CREATE TABLE incident_comment (
    incident_id TEXT NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    id          TEXT NOT NULL,
    position    INTEGER NOT NULL,
    author      TEXT NOT NULL,
    message     TEXT NOT NULL,
    created     INTEGER NOT NULL,
    PRIMARY KEY (incident_id, id)
) STRICT, WITHOUT ROWID;

-- Rows for the workspace that were decided together with a change. They are
-- appended in the order of seq and then forgotten.
CREATE TABLE outbox (
    seq      INTEGER PRIMARY KEY AUTOINCREMENT,
    batch_id TEXT NOT NULL UNIQUE,
    kind     TEXT NOT NULL,
    row      TEXT NOT NULL                           -- JSON
) STRICT;

-- Playbook runs that automation rules started, with the rules that led to
-- them: none of these is started by what the run does to the incident.
CREATE TABLE automation_run (
    run_id      TEXT PRIMARY KEY,
    incident_id TEXT NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    rules       TEXT NOT NULL                        -- JSON array of rule ids
) STRICT, WITHOUT ROWID;
