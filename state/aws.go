package state

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// The states of an [AWSUsage].
const (
	AWSCounting = "counting" // its hour is not over
	AWSDue      = "due"      // to be told; it does not change any more
	AWSSent     = "sent"
	AWSRefused  = "refused"
	AWSLost     = "lost" // too old to be told
)

// AWSUsage is what AWS Marketplace is told of one buyer and hour.
type AWSUsage struct {
	Account   string    // the buyer's AWS account
	Hour      time.Time // its beginning
	Quantity  int64     // lookups that are not free
	Dimension string
	State     string
	RecordID  string // AWS' MeteringRecordId
	Detail    string // why it is refused or lost
}

// addAWSUsage adds a key's lookups to the record of the hour, if the key has an
// AWS account. A record that may have been told is never changed: after a clock
// was set back, lookups go into the hour that follows it.
func addAWSUsage(ctx context.Context, tx *sql.Tx, at time.Time, keyID string, quantity int64) error {
	if quantity == 0 {
		return nil
	}
	hour := millis(at.Truncate(time.Hour))
	_, err := tx.ExecContext(ctx, `INSERT INTO aws_usage (account, hour, quantity, dimension, state, record_id, detail)
		SELECT aws_account, max(?, coalesce((SELECT max(hour) + 3600000 FROM aws_usage u WHERE u.account = k.aws_account AND u.state <> 'counting'), 0)),
			?, '', 'counting', '', '' FROM api_key k WHERE id = ? AND aws_account <> ''
		ON CONFLICT DO UPDATE SET quantity = quantity + excluded.quantity`, hour, quantity, keyID)
	return err
}

// CloseAWSUsage ends the records of hours before that of now, which are to be told
// with this dimension. A buyer with a valid key who used nothing in the last of
// them gets one that says so.
func (db *DB) CloseAWSUsage(ctx context.Context, now time.Time, dimension string) error {
	hour := now.Truncate(time.Hour)
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO aws_usage (account, hour, quantity, dimension, state, record_id, detail)
			SELECT DISTINCT aws_account, ?, 0, '', 'counting', '', '' FROM api_key
			WHERE aws_account <> '' AND revoked = 0 AND (expires = 0 OR expires > ?) AND created < ?
			ON CONFLICT DO NOTHING`, millis(hour.Add(-time.Hour)), millis(now), millis(hour))
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE aws_usage SET state = 'due', dimension = ? WHERE state = 'counting' AND hour < ?`, dimension, millis(hour))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("close usage for AWS: %w", err)
	}
	return nil
}

// AWSUsageIn returns the records in a state, the oldest first.
func (db *DB) AWSUsageIn(ctx context.Context, state string) ([]AWSUsage, error) {
	var out []AWSUsage
	err := db.each(ctx, func(rows *sql.Rows) error {
		var u AWSUsage
		var hour int64
		err := rows.Scan(&u.Account, &hour, &u.Quantity, &u.Dimension, &u.State, &u.RecordID, &u.Detail)
		u.Hour = fromMillis(hour)
		out = append(out, u)
		return err
	}, `SELECT account, hour, quantity, dimension, state, record_id, detail FROM aws_usage WHERE state = ? ORDER BY hour, account`, state)
	if err != nil {
		return nil, fmt.Errorf("read usage for AWS: %w", err)
	}
	return out, nil
}

// SettleAWSUsage writes what became of records that were due.
func (db *DB) SettleAWSUsage(ctx context.Context, records []AWSUsage) error {
	if len(records) == 0 {
		return nil
	}
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		for _, u := range records {
			_, err := tx.ExecContext(ctx, `UPDATE aws_usage SET state = ?, record_id = ?, detail = ? WHERE account = ? AND hour = ? AND state = 'due'`,
				u.State, u.RecordID, u.Detail, u.Account, millis(u.Hour))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("settle usage for AWS: %w", err)
	}
	return nil
}
