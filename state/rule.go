package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// A RuleSchedule is the grid of an analytics rule's slots, and how far it has come.
type RuleSchedule struct {
	RuleID          string
	Frequency       time.Duration
	First           time.Time // the grid begins here
	Last            time.Time // the last slot that was started; zero before the first
	SuppressedUntil time.Time // slots before this are passed over
}

// A RuleRun is how one slot of an analytics rule went.
type RuleRun struct {
	RuleID           string
	Slot             time.Time
	Finished         time.Time
	Status           string // Success, Failure, Suppressed
	Rows             int
	Alerts           int
	InvalidAddresses int // mapped values that are no addresses, left out
	DroppedEntities  int // entities beyond the limit, left out
	Duration         time.Duration
	Error            string
	Permanent        bool // the error is the rule's own: it comes again until the rule is mended
}

// RuleSchedule returns the schedule of a rule, and whether there is one.
func (db *DB) RuleSchedule(ctx context.Context, ruleID string) (RuleSchedule, bool, error) {
	var frequency, first, last, suppressed int64
	err := db.sql.QueryRowContext(ctx, `SELECT frequency, first_slot, last_slot, suppressed_until FROM rule_schedule WHERE rule_id = ?`, ruleID).
		Scan(&frequency, &first, &last, &suppressed)
	if errors.Is(err, sql.ErrNoRows) {
		return RuleSchedule{}, false, nil
	}
	if err != nil {
		return RuleSchedule{}, false, fmt.Errorf("read the schedule of rule %s: %w", ruleID, err)
	}
	return RuleSchedule{RuleID: ruleID, Frequency: time.Duration(frequency) * time.Millisecond, First: fromMillis(first), Last: fromMillis(last), SuppressedUntil: fromMillis(suppressed)}, true, nil
}

// SaveRuleSchedule writes a rule's grid and its last slot. Suppression is left
// as it is: [SuppressRule] alone sets it.
func (db *DB) SaveRuleSchedule(ctx context.Context, s RuleSchedule) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO rule_schedule (rule_id, frequency, first_slot, last_slot, suppressed_until) VALUES (?, ?, ?, ?, 0)
			ON CONFLICT (rule_id) DO UPDATE SET frequency = excluded.frequency, first_slot = excluded.first_slot, last_slot = excluded.last_slot`,
			s.RuleID, s.Frequency.Milliseconds(), millis(s.First), millis(s.Last))
		return err
	})
	if err != nil {
		return fmt.Errorf("write the schedule of rule %s: %w", s.RuleID, err)
	}
	return nil
}

// SuppressRule has the rule's slots before until passed over.
func SuppressRule(ctx context.Context, tx *sql.Tx, ruleID string, until time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE rule_schedule SET suppressed_until = max(suppressed_until, ?) WHERE rule_id = ?`, millis(until), ruleID)
	if err != nil {
		return fmt.Errorf("suppress rule %s: %w", ruleID, err)
	}
	return nil
}

// RecordRuleRun writes how a slot went, once: a slot that is recorded stays as it is.
func RecordRuleRun(ctx context.Context, tx *sql.Tx, r RuleRun) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO rule_run (rule_id, slot, finished, status, rows, alerts, invalid, dropped, duration_us, error, permanent)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.RuleID, millis(r.Slot), millis(r.Finished), r.Status, r.Rows, r.Alerts, r.InvalidAddresses, r.DroppedEntities,
		r.Duration.Microseconds(), r.Error, r.Permanent)
	if err != nil {
		return fmt.Errorf("record a run of rule %s: %w", r.RuleID, err)
	}
	return nil
}

// RuleRan reports whether a slot's run is recorded.
func (db *DB) RuleRan(ctx context.Context, ruleID string, slot time.Time) (bool, error) {
	var n int
	err := db.sql.QueryRowContext(ctx, `SELECT count(*) FROM rule_run WHERE rule_id = ? AND slot = ?`, ruleID, millis(slot)).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("read the runs of rule %s: %w", ruleID, err)
	}
	return n > 0, nil
}

// RuleRuns returns the latest runs of a rule, at most limit, newest slot first.
func (db *DB) RuleRuns(ctx context.Context, ruleID string, limit int) ([]RuleRun, error) {
	var runs []RuleRun
	err := db.each(ctx, func(rows *sql.Rows) error {
		r := RuleRun{RuleID: ruleID}
		var slot, finished, duration int64
		err := rows.Scan(&slot, &finished, &r.Status, &r.Rows, &r.Alerts, &r.InvalidAddresses, &r.DroppedEntities, &duration, &r.Error, &r.Permanent)
		r.Slot, r.Finished, r.Duration = fromMillis(slot), fromMillis(finished), time.Duration(duration)*time.Microsecond
		runs = append(runs, r)
		return err
	}, `SELECT slot, finished, status, rows, alerts, invalid, dropped, duration_us, error, permanent
		FROM rule_run WHERE rule_id = ? ORDER BY slot DESC LIMIT ?`, ruleID, limit)
	if err != nil {
		return nil, fmt.Errorf("read the runs of rule %s: %w", ruleID, err)
	}
	return runs, nil
}

// TrimRuleRuns forgets all but the newest runs of a rule and returns the slots
// it forgot.
func (db *DB) TrimRuleRuns(ctx context.Context, ruleID string, keep int) ([]time.Time, error) {
	var slots []time.Time
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		slots = nil
		rows, err := tx.QueryContext(ctx, `DELETE FROM rule_run WHERE rule_id = ?1 AND slot < (
			SELECT slot FROM rule_run WHERE rule_id = ?1 ORDER BY slot DESC LIMIT 1 OFFSET ?2) RETURNING slot`, ruleID, keep-1)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var slot int64
			if err := rows.Scan(&slot); err != nil {
				return err
			}
			slots = append(slots, fromMillis(slot))
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("trim the runs of rule %s: %w", ruleID, err)
	}
	return slots, nil
}
