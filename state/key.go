package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Key describes an API key. The key itself is not kept, only its SHA-256.
type Key struct {
	ID     string   `json:"id"` // the start of the key, enough to recognise it by
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`

	PerDay    int     `json:"per_day,omitempty"`    // lookups a day (UTC); 0 is no limit
	PerSecond float64 `json:"per_second,omitempty"` // lookups a second; 0 is no limit

	// AWSAccount is the buyer whom AWS Marketplace bills for the key; "" for nobody.
	AWSAccount string `json:"aws_account,omitempty"`

	Created  time.Time `json:"created"`
	LastUsed time.Time `json:"last_used,omitzero"` // within a minute; zero: never
	Revoked  time.Time `json:"revoked,omitzero"`   // zero: it is valid
	Expires  time.Time `json:"expires,omitzero"`   // zero: never
}

const keyColumns = `id, name, scopes, per_day, per_second, created, last_used, revoked, expires, aws_account`

// AddKey stores a new key. An id that is taken is an error.
func (db *DB) AddKey(ctx context.Context, k Key, hash [32]byte) error {
	if err := db.Tx(ctx, func(tx *sql.Tx) error { return addKey(ctx, tx, k, hash) }); err != nil {
		return fmt.Errorf("store key %s: %w", k.ID, err)
	}
	return nil
}

func addKey(ctx context.Context, tx *sql.Tx, k Key, hash [32]byte) error {
	scopes, err := json.Marshal(k.Scopes)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO api_key (`+keyColumns+`, hash, account) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		k.ID, k.Name, string(scopes), k.PerDay, k.PerSecond, millis(k.Created), millis(k.LastUsed), millis(k.Revoked), millis(k.Expires), k.AWSAccount, hash[:], k.ID)
	return err
}

// ReplaceKey stores a new key for the account of an old one, which it ends at a
// time, unless that ends earlier: both or neither.
func (db *DB) ReplaceKey(ctx context.Context, old string, end time.Time, k Key, hash [32]byte) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		if err := addKey(ctx, tx, k, hash); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE api_key SET account = (SELECT account FROM api_key WHERE id = ?) WHERE id = ?`, old, k.ID)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE api_key SET expires = ? WHERE id = ? AND (expires = 0 OR expires > ?)`, millis(end), old, millis(end))
		return err
	})
	if err != nil {
		return fmt.Errorf("replace key %s: %w", old, err)
	}
	return nil
}

// Key returns the key with this id and its hash, and whether there is one.
func (db *DB) Key(ctx context.Context, id string) (Key, [32]byte, bool, error) {
	var hash []byte
	k, err := scanKey(db.sql.QueryRowContext(ctx, `SELECT `+keyColumns+`, hash FROM api_key WHERE id = ?`, id), &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return Key{}, [32]byte{}, false, nil
	}
	if err == nil && len(hash) != 32 {
		err = fmt.Errorf("its hash has %d bytes, not 32", len(hash))
	}
	if err != nil {
		return Key{}, [32]byte{}, false, fmt.Errorf("read key %q: %w", id, err)
	}
	return k, [32]byte(hash), true, nil
}

// Keys lists every key, revoked ones too, oldest first.
func (db *DB) Keys(ctx context.Context) ([]Key, error) {
	var keys []Key
	err := db.each(ctx, func(rows *sql.Rows) error {
		k, err := scanKey(rows)
		keys = append(keys, k)
		return err
	}, `SELECT `+keyColumns+` FROM api_key ORDER BY created, id`)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	return keys, nil
}

// RevokeKey makes a key invalid from at on and reports whether there is such a
// key. One that is revoked already keeps its time.
func (db *DB) RevokeKey(ctx context.Context, id string, at time.Time) (found bool, err error) {
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `UPDATE api_key SET revoked = CASE revoked WHEN 0 THEN ? ELSE revoked END WHERE id = ?`, millis(at), id)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		found = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("revoke key %q: %w", id, err)
	}
	return found, nil
}

// KeyUsed notes when a key was last used.
func (db *DB) KeyUsed(ctx context.Context, id string, at time.Time) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE api_key SET last_used = max(last_used, ?) WHERE id = ?`, millis(at), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("note use of key %s: %w", id, err)
	}
	return nil
}

// scanKey reads keyColumns and what follows them.
func scanKey(row interface{ Scan(...any) error }, more ...any) (Key, error) {
	var k Key
	var scopes string
	var created, used, revoked, expires int64
	dest := append([]any{&k.ID, &k.Name, &scopes, &k.PerDay, &k.PerSecond, &created, &used, &revoked, &expires, &k.AWSAccount}, more...)
	if err := row.Scan(dest...); err != nil {
		return Key{}, err
	}
	k.Created, k.LastUsed, k.Revoked, k.Expires = fromMillis(created), fromMillis(used), fromMillis(revoked), fromMillis(expires)
	return k, json.Unmarshal([]byte(scopes), &k.Scopes)
}

// millis and fromMillis convert times of this schema: Unix milliseconds, with 0
// for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
