package workspace

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"picket"
	"picket/kql"
)

// Result is the answer to a query: its columns, and rows that are read as they
// are made. It must be read to the end or closed.
type Result struct {
	Columns []kql.Column
	Render  *kql.Render // nil when the query has no render operator

	// Truncated says, after the rows were read, which limit cut them off, or is "".
	Truncated string

	rows   *sql.Rows
	ctx    context.Context // of the running query: its deadline tells why it ended
	cancel context.CancelFunc
	db     *DB
	limits Limits
}

// Query compiles and runs KQL within the workspace's limits. An error in the
// query itself is a syntax.Diagnostics; one while it runs, or a reached time
// limit, a picket.Error.
func (db *DB) Query(ctx context.Context, src string, o kql.Options) (*Result, error) {
	q, err := db.Compile(ctx, src, o)
	if err != nil {
		return nil, err
	}
	return db.Run(ctx, q, Limits{})
}

// Compile compiles KQL for the tables of the workspace. The error is a
// syntax.Diagnostics.
func (db *DB) Compile(ctx context.Context, src string, o kql.Options) (*kql.Query, error) {
	if o.Now == 0 {
		o.Now = kql.TicksOf(db.now())
	}
	if o.Probe == nil {
		o.Probe = func(sql string) ([]string, error) { return db.probe(ctx, sql) }
	}
	return kql.Compile(src, db, o)
}

// probe runs SQL that kql.Compile asks for and returns its first column.
func (db *DB) probe(ctx context.Context, sql string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, db.limits.Time)
	defer cancel()
	rows, err := db.pool.QueryContext(ctx, sql)
	if err != nil {
		return nil, db.runError(ctx, err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, fmt.Errorf("read result: %w", err)
		}
		out = append(out, s)
	}
	if err := rows.Err(); err != nil {
		return nil, db.runError(ctx, err)
	}
	return out, nil
}

// Run runs a compiled query. What is zero in limits is as the workspace has it.
func (db *DB) Run(ctx context.Context, q *kql.Query, limits Limits) (*Result, error) {
	limits.Time = cmp.Or(limits.Time, db.limits.Time)
	limits.Rows = cmp.Or(limits.Rows, db.limits.Rows)
	limits.Bytes = cmp.Or(limits.Bytes, db.limits.Bytes)
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	// The driver holds the whole result before its first row is read: it must
	// not hold what the limit cuts off. One row more tells that there are more.
	most := limits.Rows + 1
	if limits.Take > 0 {
		most = min(most, limits.Take)
	}
	limited := fmt.Sprintf("SELECT * FROM (%s) LIMIT %d", q.SQL, most)
	rows, err := db.pool.QueryContext(ctx, limited) //nolint:rowserrcheck // Result.Rows checks it
	if err != nil {
		defer cancel()
		return nil, db.runError(ctx, err)
	}
	return &Result{Columns: q.Columns, Render: q.Render, rows: rows, ctx: ctx, cancel: cancel, db: db, limits: limits}, nil
}

// runError tells a reached limit, and what is no fault of the query, from other
// failures.
func (db *DB) runError(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		// The cause tells it from other limits, which may be gone at the next try.
		return &picket.Error{Code: picket.Busy, Msg: "the query took longer than it may; narrow its time range or its rows", Err: context.DeadlineExceeded}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var e *duckdb.Error
	switch {
	case db.lost(err), db.isClosed():
		return picket.Errorf(picket.Unavailable, "the workspace is not available: %w", err)
	case errors.As(err, &e) && e.Type == duckdb.ErrorTypeOutOfMemory:
		return picket.Errorf(picket.Unavailable, "there is not enough memory for this query; narrow its time range or its rows: %w", err)
	case errors.As(err, &e) && (e.Type == duckdb.ErrorTypeIO || e.Type == duckdb.ErrorTypeInternal):
		return fmt.Errorf("run query: %w", err)
	}
	return picket.Errorf(picket.Invalid, "the query failed while it ran: %w", err)
}

// Rows yields the rows once. Values are nil, bool, int64 (int, long; datetime
// and timespan in ticks), float64 (real) or string (string, guid, decimal, and
// dynamic as JSON text). A row is the caller's to keep. After an error the
// sequence ends. At a limit it ends without an error and sets Truncated.
func (r *Result) Rows() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		defer r.Close()
		var n int
		var size int64
		for r.rows.Next() {
			if n == r.limits.Rows {
				r.Truncated = fmt.Sprintf("the results of this query exceed the set limit of %d records", n)
				return
			}
			row, err := r.scan()
			if err != nil {
				yield(nil, err)
				return
			}
			n++
			if size += rowSize(row); size > r.limits.Bytes {
				r.Truncated = fmt.Sprintf("the results of this query exceed the set limit of %d bytes", r.limits.Bytes)
				return
			}
			if !yield(row, nil) {
				return
			}
		}
		if err := r.rows.Err(); err != nil {
			yield(nil, r.db.runError(r.ctx, err))
		}
	}
}

func (r *Result) scan() ([]any, error) {
	row := make([]any, len(r.Columns))
	ptr := make([]any, len(row))
	for i := range row {
		ptr[i] = &row[i]
	}
	if err := r.rows.Scan(ptr...); err != nil {
		return nil, fmt.Errorf("read result: %w", err)
	}
	for i, v := range row {
		if n, ok := v.(int32); ok {
			row[i] = int64(n)
		}
	}
	return row, nil
}

func rowSize(row []any) int64 {
	n := int64(len(row)) * 8
	for _, v := range row {
		if s, ok := v.(string); ok {
			n += int64(len(s))
		}
	}
	return n
}

// Collect reads all rows.
func (r *Result) Collect() ([][]any, error) {
	all := [][]any{}
	for row, err := range r.Rows() {
		if err != nil {
			return nil, err
		}
		all = append(all, row)
	}
	return all, nil
}

// Close lets go of a result that was not read to its end. It stops the query.
func (r *Result) Close() error {
	r.cancel()
	return r.rows.Close()
}

// Window returns options for a query over rows whose TimeGenerated is in
// [from, to), with now() at its end.
func Window(from, to time.Time) kql.Options {
	return kql.Options{Now: kql.TicksOf(to), From: kql.TicksOf(from), To: kql.TicksOf(to)}
}
