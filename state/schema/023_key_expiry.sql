-- When a key ends, in Unix milliseconds; 0 is never.
ALTER TABLE api_key ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;
