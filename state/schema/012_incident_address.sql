-- Which incidents an address is in: what was said of it before is looked up by
-- the address.
CREATE TABLE incident_address (
    address     TEXT NOT NULL,
    incident_id TEXT NOT NULL REFERENCES incident (id) ON DELETE CASCADE,
    PRIMARY KEY (address, incident_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX incident_address_incident ON incident_address (incident_id);

CREATE TRIGGER incident_alert_address AFTER INSERT ON incident_alert BEGIN
    INSERT OR IGNORE INTO incident_address
    SELECT json_extract(e.value, '$.properties.Address'), NEW.incident_id
    FROM json_each(NEW.alert, '$.Entities') e
    WHERE json_extract(e.value, '$.kind') = 'IP' AND json_extract(e.value, '$.properties.Address') IS NOT NULL;
END;

INSERT OR IGNORE INTO incident_address
SELECT json_extract(e.value, '$.properties.Address'), a.incident_id
FROM incident_alert a, json_each(a.alert, '$.Entities') e
WHERE json_extract(e.value, '$.kind') = 'IP' AND json_extract(e.value, '$.properties.Address') IS NOT NULL;
