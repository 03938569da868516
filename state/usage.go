package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A UsageDay is what one key was used for on one day, at one price.
type UsageDay struct {
	KeyID        string
	Day          string // 2006-01-02, UTC
	UnitMicroUSD int64  // the price of a lookup, in millionths of a US dollar
	Requests     int64
	Free         int64 // of the requests
	CostMicroUSD int64 // of the others
}

// A CountedRequest names a lookup that was counted and must not be again.
type CountedRequest struct {
	KeyID, RequestID, IP string
	At                   time.Time
}

// AddUsage adds requests to the days' counters and remembers those that have an
// id, in one transaction, and returns the days with what of them is free and what
// the others cost: in a calendar month the first freePerMonth requests of a key and
// those it replaced are free. What of them costs is added to the record of the hour
// of at for AWS Marketplace, when the key has an AWS account. Requests that are
// remembered already are left as they are; the caller has not counted them.
func (db *DB) AddUsage(ctx context.Context, at time.Time, days []UsageDay, freePerMonth int64, requests []CountedRequest) (priced []UsageDay, err error) {
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		priced = slices.Clone(days) // anew for each try
		for i := range priced {
			if err := addUsage(ctx, tx, &priced[i], freePerMonth); err != nil {
				return err
			}
			if err := addAWSUsage(ctx, tx, at, priced[i].KeyID, priced[i].Requests-priced[i].Free); err != nil {
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
		return nil, fmt.Errorf("count lookups: %w", err)
	}
	return priced, nil
}

// addUsage prices a day's requests and adds them.
func addUsage(ctx context.Context, tx *sql.Tx, d *UsageDay, freePerMonth int64) error {
	d.Free = 0
	if freePerMonth > 0 {
		var used int64
		err := tx.QueryRowContext(ctx, `SELECT coalesce(sum(requests), 0) FROM usage_day WHERE day BETWEEN ? AND ?
			AND (key_id = ? OR key_id IN (SELECT id FROM api_key WHERE account = (SELECT account FROM api_key WHERE id = ?)))`,
			d.Day[:7]+"-01", d.Day[:7]+"-31", d.KeyID, d.KeyID).Scan(&used)
		if err != nil {
			return err
		}
		d.Free = min(max(freePerMonth-used, 0), d.Requests)
	}
	d.CostMicroUSD = (d.Requests - d.Free) * d.UnitMicroUSD
	_, err := tx.ExecContext(ctx, `INSERT INTO usage_day (key_id, day, unit_microusd, requests, free, cost_microusd) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, free = free + excluded.free, cost_microusd = cost_microusd + excluded.cost_microusd`,
		d.KeyID, d.Day, d.UnitMicroUSD, d.Requests, d.Free, d.CostMicroUSD)
	return err
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

// Usage lists what was counted from one day to another, both included, by key, day,
// then price. An empty day is no bound, an empty key every key.
func (db *DB) Usage(ctx context.Context, keyID, from, to string) ([]UsageDay, error) {
	var days []UsageDay
	err := db.each(ctx, func(rows *sql.Rows) error {
		var d UsageDay
		err := rows.Scan(&d.KeyID, &d.Day, &d.UnitMicroUSD, &d.Requests, &d.Free, &d.CostMicroUSD)
		days = append(days, d)
		return err
	}, `SELECT key_id, day, unit_microusd, requests, free, cost_microusd FROM usage_day
		WHERE day >= ? AND (? = '' OR day <= ?) AND (? = '' OR key_id = ?) ORDER BY key_id, day, unit_microusd`, from, to, to, keyID, keyID)
	if err != nil {
		return nil, fmt.Errorf("read usage: %w", err)
	}
	return days, nil
}
