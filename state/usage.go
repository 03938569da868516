package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A UsageDay is what one key was used for on one day.
type UsageDay struct {
	KeyID        string
	Day          string // 2006-01-02, UTC
	Requests     int64
	CostMicroUSD int64 // millionths of a US dollar, at the price when each was counted
}

// A CountedRequest names a lookup that was counted and must not be again.
type CountedRequest struct {
	KeyID, RequestID, IP string
	At                   time.Time
}

// AddUsage adds to the days' counters and remembers the requests, in one
// transaction. Requests that are remembered already are left as they are; the
// caller has not counted them.
func (db *DB) AddUsage(ctx context.Context, days []UsageDay, requests []CountedRequest) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		for _, d := range days {
			_, err := tx.ExecContext(ctx, `INSERT INTO usage_day (key_id, day, requests, cost_microusd) VALUES (?, ?, ?, ?)
				ON CONFLICT (key_id, day) DO UPDATE SET requests = requests + excluded.requests, cost_microusd = cost_microusd + excluded.cost_microusd`,
				d.KeyID, d.Day, d.Requests, d.CostMicroUSD)
			if err != nil {
				return err
			}
		}
		for _, r := range requests {
			_, err := tx.ExecContext(ctx, `INSERT INTO usage_request (key_id, request_id, ip, at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
				r.KeyID, r.RequestID, r.IP, millis(r.At))
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("count lookups: %w", err)
	}
	return nil
}

// Counted reports whether a request has been counted.
func (db *DB) Counted(ctx context.Context, r CountedRequest) (bool, error) {
	var one int
	err := db.sql.QueryRowContext(ctx, `SELECT 1 FROM usage_request WHERE key_id = ? AND request_id = ? AND ip = ?`, r.KeyID, r.RequestID, r.IP).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for a counted request: %w", err)
	}
	return true, nil
}

// ForgetCounted drops remembered requests from before a time, at most max of
// them, and returns how many it dropped.
func (db *DB) ForgetCounted(ctx context.Context, before time.Time, max int) (n int64, err error) {
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM usage_request WHERE (key_id, request_id, ip) IN
			(SELECT key_id, request_id, ip FROM usage_request WHERE at < ? ORDER BY at LIMIT ?)`, millis(before), max)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("forget counted requests: %w", err)
	}
	return n, nil
}

// UsageOn returns how many lookups of a key were counted on a day.
func (db *DB) UsageOn(ctx context.Context, keyID, day string) (n int64, err error) {
	err = db.sql.QueryRowContext(ctx, `SELECT coalesce(sum(requests), 0) FROM usage_day WHERE key_id = ? AND day = ?`, keyID, day).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read usage of key %s: %w", keyID, err)
	}
	return n, nil
}

// Usage lists what was counted, by day, then key.
func (db *DB) Usage(ctx context.Context) ([]UsageDay, error) {
	rows, err := db.sql.QueryContext(ctx, `SELECT key_id, day, requests, cost_microusd FROM usage_day ORDER BY day, key_id`)
	if err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	defer rows.Close()
	var days []UsageDay
	for rows.Next() {
		var d UsageDay
		if err := rows.Scan(&d.KeyID, &d.Day, &d.Requests, &d.CostMicroUSD); err != nil {
			return nil, fmt.Errorf("read usage: %w", err)
		}
		days = append(days, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	return days, nil
}
