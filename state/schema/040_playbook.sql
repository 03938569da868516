-- The definitions that runs were started with: a run keeps the one it began
-- with, even when the file changes while it is under way.
CREATE TABLE playbook_definition (
    hash   TEXT PRIMARY KEY,
    file   TEXT NOT NULL,
    source BLOB NOT NULL
) STRICT;

-- Runs of playbooks. Times are UTC, RFC 3339 with microseconds.
CREATE TABLE playbook_run (
    id         TEXT PRIMARY KEY,
    playbook   TEXT NOT NULL,
    definition TEXT NOT NULL REFERENCES playbook_definition (hash),
    incident   TEXT NOT NULL, -- name (GUID) of the incident, or ''
    body       TEXT NOT NULL, -- of the trigger, JSON
    nonce      TEXT NOT NULL, -- of the placeholders that stand for secrets in stored results
    status     TEXT NOT NULL,
    code       TEXT NOT NULL DEFAULT '',
    message    TEXT NOT NULL DEFAULT '',
    created    TEXT NOT NULL,
    started    TEXT NOT NULL DEFAULT '',
    ended      TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX playbook_run_created ON playbook_run (created);
CREATE INDEX playbook_run_incident ON playbook_run (incident);

-- What each action of a run came to. Inputs and outputs are cut and hold no secret.
CREATE TABLE playbook_action (
    run       TEXT NOT NULL REFERENCES playbook_run (id) ON DELETE CASCADE,
    path      TEXT NOT NULL, -- names of the actions around it and its own, joined with /
    iteration TEXT NOT NULL, -- of the loops around it, from the outermost: '', '3', '3.0'
    type      TEXT NOT NULL,
    status    TEXT NOT NULL,
    code      TEXT NOT NULL,
    message   TEXT NOT NULL,
    inputs    TEXT NOT NULL,
    outputs   TEXT NOT NULL,
    started   TEXT NOT NULL,
    ended     TEXT NOT NULL,
    PRIMARY KEY (run, path, iteration)
) STRICT, WITHOUT ROWID;
