-- What queries may use beside the tables: saved searches, of which those with a
-- function_alias are functions, and watchlists, whose items are in the workspace.

CREATE TABLE saved_search (
    id             TEXT PRIMARY KEY,  -- the resource's name
    function_alias TEXT NOT NULL,     -- '' is no function
    properties     TEXT NOT NULL,     -- JSON
    changed        INTEGER NOT NULL   -- Unix milliseconds
) STRICT;
CREATE UNIQUE INDEX saved_search_alias ON saved_search (function_alias) WHERE function_alias <> '';

CREATE TABLE watchlist (
    alias      TEXT PRIMARY KEY,
    properties TEXT NOT NULL,         -- JSON
    side       TEXT NOT NULL          -- the workspace's table that holds the items
) STRICT;
