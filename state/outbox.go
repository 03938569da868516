package state

import (
	"context"
	"database/sql"
	"fmt"
)

// An OutboxRow is a row for the workspace that was decided in a transaction of
// the state and is appended after it. Kind tells its author how to read Row.
type OutboxRow struct {
	Seq     int64  // the order of appending
	BatchID string // makes the append idempotent
	Kind    string
	Row     []byte // JSON
}

// AddOutbox writes a row to be appended. A batch ID that is there already stays
// as it is.
func AddOutbox(ctx context.Context, tx *sql.Tx, r OutboxRow) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO outbox (batch_id, kind, row) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, r.BatchID, r.Kind, string(r.Row))
	if err != nil {
		return fmt.Errorf("write to the outbox: %w", err)
	}
	return nil
}

// Outbox returns the oldest rows that are still to be appended.
func (db *DB) Outbox(ctx context.Context, limit int) ([]OutboxRow, error) {
	var list []OutboxRow
	err := db.each(ctx, func(rows *sql.Rows) error {
		var r OutboxRow
		err := rows.Scan(&r.Seq, &r.BatchID, &r.Kind, &r.Row)
		list = append(list, r)
		return err
	}, `SELECT seq, batch_id, kind, row FROM outbox ORDER BY seq LIMIT ?`, limit)
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return list, nil
}

// ClearOutbox forgets the rows up to seq, which have been appended.
func (db *DB) ClearOutbox(ctx context.Context, seq int64) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM outbox WHERE seq <= ?`, seq)
		return err
	})
	if err != nil {
		return fmt.Errorf("clear the outbox: %w", err)
	}
	return nil
}
