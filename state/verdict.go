package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A VerdictChange is what an address was held for from a time on.
type VerdictChange struct {
	IP         netip.Addr
	At         time.Time
	Verdict    string
	Confidence int
	Reason     string
}

// AddVerdict writes a verdict into the history when it differs from the last one,
// and says whether it did. A change is later than the last one, whatever the clock says.
func (db *DB) AddVerdict(ctx context.Context, v VerdictChange) (changed bool, err error) {
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		var last string
		var at int64
		err := tx.QueryRowContext(ctx, `SELECT verdict, at FROM verdict_history WHERE ip = ? ORDER BY at DESC LIMIT 1`, v.IP.String()).Scan(&last, &at)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if err == nil && last == v.Verdict {
			return nil
		}
		changed = true
		_, err = tx.ExecContext(ctx, `INSERT OR REPLACE INTO verdict_history (ip, at, verdict, confidence, reason) VALUES (?, ?, ?, ?, ?)`,
			v.IP.String(), max(millis(v.At), at+1), v.Verdict, v.Confidence, v.Reason)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("write history of %s: %w", v.IP, err)
	}
	return changed, nil
}

// VerdictHistory returns the changes of an address's verdict, the newest first,
// n at the most.
func (db *DB) VerdictHistory(ctx context.Context, ip netip.Addr, n int) ([]VerdictChange, error) {
	var out []VerdictChange
	err := db.each(ctx, func(rows *sql.Rows) error {
		v := VerdictChange{IP: ip}
		var at int64
		err := rows.Scan(&at, &v.Verdict, &v.Confidence, &v.Reason)
		v.At = fromMillis(at)
		out = append(out, v)
		return err
	}, `SELECT at, verdict, confidence, reason FROM verdict_history WHERE ip = ? ORDER BY at DESC LIMIT ?`, ip.String(), n)
	if err != nil {
		return nil, fmt.Errorf("read history of %s: %w", ip, err)
	}
	return out, nil
}

// An Override is a verdict that a person has set for a network.
type Override struct {
	Network netip.Prefix
	Verdict string
	Author  string
	Note    string
	At      time.Time
	Expires time.Time // zero: never
}

// PutOverride sets a verdict for a network, in place of an earlier one.
func (db *DB) PutOverride(ctx context.Context, o Override) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT OR REPLACE INTO verdict_override (network, verdict, author, note, at, expires) VALUES (?, ?, ?, ?, ?, ?)`,
			o.Network.Masked().String(), o.Verdict, o.Author, o.Note, millis(o.At), millis(o.Expires))
		return err
	})
	if err != nil {
		return fmt.Errorf("set verdict of %s: %w", o.Network, err)
	}
	return nil
}

// DropOverride takes a verdict back, and says whether there was one.
func (db *DB) DropOverride(ctx context.Context, network netip.Prefix) (found bool, err error) {
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM verdict_override WHERE network = ?`, network.Masked().String())
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		found = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("take back verdict of %s: %w", network, err)
	}
	return found, nil
}

// Overrides returns every verdict that people have set, expired ones too.
func (db *DB) Overrides(ctx context.Context) ([]Override, error) {
	var out []Override
	err := db.each(ctx, func(rows *sql.Rows) (err error) {
		var o Override
		var network string
		var at, expires int64
		if err := rows.Scan(&network, &o.Verdict, &o.Author, &o.Note, &at, &expires); err != nil {
			return err
		}
		o.Network, err = netip.ParsePrefix(network)
		o.At, o.Expires = fromMillis(at), fromMillis(expires)
		out = append(out, o)
		return err
	}, `SELECT network, verdict, author, note, at, expires FROM verdict_override ORDER BY network`)
	if err != nil {
		return nil, fmt.Errorf("read verdicts that were set: %w", err)
	}
	return out, nil
}
