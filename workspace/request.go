package workspace

import (
	"context"

	"picket"
	"picket/kql"
)

// request is one thing for the writer to do.
type request struct {
	create    *kql.Table
	side      *kql.Table // with rows
	drop      string     // a side table
	sql       []string   // statements to run in one transaction
	writes    []string   // the columns of table that they write, as SQL has them
	table     string
	id        string
	ephemeral bool
	rows      block
	bytes     int64 // of rows, for Usage
	done      chan error
}

// append reports whether r appends rows to a table.
func (r request) append() bool {
	return r.create == nil && r.side == nil && r.drop == "" && r.sql == nil
}

// errClosed is what requests get after Close.
var errClosed = picket.Errorf(picket.Unavailable, "the workspace is closed")

func (db *DB) send(ctx context.Context, r request) error {
	r.done = make(chan error, 1)
	select {
	case db.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.closing:
		return errClosed
	}
	// Once handed over it will be written: waiting for less would leave the
	// caller not knowing.
	select {
	case err := <-r.done:
		return err
	case <-db.stopped:
		select {
		case err := <-r.done:
			return err
		default:
			return errClosed
		}
	}
}
