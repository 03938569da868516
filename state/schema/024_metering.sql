-- Prices, free lookups and AWS Marketplace. Times are Unix milliseconds.

-- The keys that replace each other are one account; it has the id of the first.
ALTER TABLE api_key ADD COLUMN account TEXT NOT NULL DEFAULT '';
UPDATE api_key SET account = id;
-- The buyer's AWS account, to which AWS Marketplace bills what the key uses; '' for none.
ALTER TABLE api_key ADD COLUMN aws_account TEXT NOT NULL DEFAULT '';

-- One line for each price of a day. Of days before this the price is the average.
CREATE TABLE usage_price (
    key_id        TEXT NOT NULL,
    day           TEXT NOT NULL,      -- 2006-01-02, UTC
    unit_microusd INTEGER NOT NULL,   -- price of a lookup
    requests      INTEGER NOT NULL,   -- all, free ones too
    free          INTEGER NOT NULL,
    cost_microusd INTEGER NOT NULL,
    PRIMARY KEY (key_id, day, unit_microusd)
) STRICT, WITHOUT ROWID;
INSERT INTO usage_price SELECT key_id, day, cost_microusd / max(requests, 1), requests, 0, cost_microusd FROM usage_day;
DROP TABLE usage_day;
ALTER TABLE usage_price RENAME TO usage_day;

-- What AWS Marketplace is told: a record for each buyer and hour.
CREATE TABLE aws_usage (
    account   TEXT NOT NULL,          -- the buyer's AWS account
    hour      INTEGER NOT NULL,       -- its beginning
    quantity  INTEGER NOT NULL,       -- priced lookups
    dimension TEXT NOT NULL,          -- '' while it is counted
    state     TEXT NOT NULL,          -- counting, due, sent, refused or lost
    record_id TEXT NOT NULL,          -- AWS' MeteringRecordId
    detail    TEXT NOT NULL,          -- why it is refused or lost
    PRIMARY KEY (account, hour)
) STRICT, WITHOUT ROWID;
CREATE INDEX aws_usage_state ON aws_usage (state, hour) WHERE state IN ('counting', 'due');
