package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Value returns the small value kept under key, and whether there is one.
func (db *DB) Value(ctx context.Context, key string) (string, bool, error) {
	var v string
	err := db.sql.QueryRowContext(ctx, `SELECT value FROM value WHERE key = ?`, key).Scan(&v)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read value %s: %w", key, err)
	}
	return v, true, nil
}

// SetValue keeps a small value under key. It is on disk when SetValue returns.
func (db *DB) SetValue(ctx context.Context, key, value string) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO value (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key, value)
		return err
	})
	if err != nil {
		return fmt.Errorf("write value %s: %w", key, err)
	}
	return nil
}
