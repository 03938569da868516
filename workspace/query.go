package workspace

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"picket"
	"picket/kql"
)

// Result is the answer to a query: its columns, and rows that are read as they
// are made. It must be read to the end or closed: until then it keeps its place
// among the queries that may run.
type Result struct {
	Columns []kql.Column
	Render  *kql.Render // nil when the query has no render operator

	// Truncated says, after the rows were read, which limit cut them off, or is "".
	Truncated string

	more   []*kql.Query // of the further tables
	caller Caller
	rows   *stream
	ctx    context.Context // of the running query: it tells why it ended
	end    func()
	db     *DB
	limits Limits
}

// Query compiles and runs KQL that Picket itself asks. An error in the query
// itself is a syntax.Diagnostics; one while it runs, or a reached time limit, a
// picket.Error.
func (db *DB) Query(ctx context.Context, src string, o kql.Options) (*Result, error) {
	return db.QueryAs(ctx, Caller{}, src, o)
}

// QueryAs is [DB.Query] for a caller, who may have to wait for a turn. The error
// is a [Throttled] when there are too many queries.
func (db *DB) QueryAs(ctx context.Context, c Caller, src string, o kql.Options) (*Result, error) {
	q, err := db.Compile(ctx, c, src, o)
	if err != nil {
		return nil, err
	}
	return db.Run(ctx, c, q)
}

// Compile compiles KQL for the tables of the workspace, when its turn has come.
// The error is that of [DB.QueryAs]: the compiler may have to ask the data.
func (db *DB) Compile(ctx context.Context, c Caller, src string, o kql.Options) (*kql.Query, error) {
	leave, err := db.compiles.take(ctx, c.Name)
	if err != nil {
		return nil, err
	}
	defer leave()
	if o.Now == 0 {
		o.Now = kql.TicksOf(db.now())
	}
	db.mu.RLock()
	x := db.extras
	db.mu.RUnlock()
	if o.Functions == nil {
		o.Functions = x.Functions
	}
	if o.External == nil {
		o.External = func(d kql.ExternalData) (string, error) {
			if x.External == nil {
				return "", errors.New("no location is configured")
			}
			return x.External(ctx, d)
		}
	}
	if o.Elsewhere == nil {
		o.Elsewhere = x.Elsewhere
	}
	if o.Probe == nil {
		o.Probe = func(sql string) ([]string, error) { return db.probe(ctx, c, sql) }
	}
	if o.Empty == nil {
		o.Empty = func() map[string]bool { return db.emptyTables(ctx) }
	}
	return kql.Compile(src, db, o)
}

// emptyTables names the tables that no row was ever committed to, as DuckDB's
// catalog knows without a scan. Not to know of one costs nothing but time.
func (db *DB) emptyTables(ctx context.Context) map[string]bool {
	rows, err := db.pool.QueryContext(ctx, "SELECT table_name FROM duckdb_tables() WHERE estimated_size = 0")
	if err != nil {
		db.log.Warn("looking for empty tables", "error", err)
		return nil
	}
	defer rows.Close()
	empty := map[string]bool{}
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			db.log.Warn("looking for empty tables", "error", err)
			return nil
		}
		empty[name] = true
	}
	if err := rows.Err(); err != nil {
		db.log.Warn("looking for empty tables", "error", err)
		return nil
	}
	return empty
}

// Extras are what queries may use beside the tables; see [kql.Options].
type Extras struct {
	Functions kql.Functions
	External  func(context.Context, kql.ExternalData) (table string, err error)
	Elsewhere func(kind, name string) error
}

// SetExtras gives all queries from now on the extras, where their options do not
// bring others.
func (db *DB) SetExtras(x Extras) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.extras = x
}

// Run runs a compiled query, when its turn has come.
func (db *DB) Run(ctx context.Context, c Caller, q *kql.Query) (_ *Result, err error) {
	limits := c.Limits.or(db.limits)
	leave, err := db.turns.take(ctx, c.Name)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancelCause(ctx)
	ctx, cancel := context.WithTimeout(ctx, limits.Time)
	untrack := db.guard.track(c.Name, stop)
	end := func() {
		cancel()
		stop(nil) // or the caller's context, which may last for ever, remembers it
		untrack()
		leave()
	}
	rows, err := startStream(ctx, db.pool, db.steps, q.SQL)
	if err != nil {
		defer end()
		return nil, db.runError(ctx, err)
	}
	return &Result{Columns: q.Columns, Render: q.Render, more: q.More, caller: c, rows: rows, ctx: ctx, end: end, db: db, limits: limits}, nil
}

// Next runs the query of the next table, where a query yields several (see
// [kql.Query.More]), as a query of the same caller. Without one it returns nil.
// The present result must have been read or closed.
func (r *Result) Next(ctx context.Context) (*Result, error) {
	if len(r.more) == 0 {
		return nil, nil
	}
	q := *r.more[0]
	q.More = r.more[1:]
	return r.db.Run(ctx, r.caller, &q)
}

// probe runs SQL that kql.Compile asks for and returns its first column.
func (db *DB) probe(ctx context.Context, c Caller, sql string) ([]string, error) {
	r, err := db.Run(ctx, c, &kql.Query{SQL: sql, Columns: []kql.Column{{Name: "probe", Type: kql.String}}})
	if err != nil {
		return nil, err
	}
	var out []string
	for row, err := range r.Rows() {
		if err != nil {
			return nil, err
		}
		s, ok := row[0].(string)
		if !ok {
			return nil, fmt.Errorf("read result: a %T where the compiler asked for text", row[0])
		}
		out = append(out, s)
	}
	if r.Truncated != "" {
		return nil, picket.Errorf(picket.Invalid, "what the columns depend on is too much: %s", r.Truncated)
	}
	return out, nil
}

// runError tells a reached limit, and what is no fault of the query, from other
// failures.
func (db *DB) runError(ctx context.Context, err error) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		// The cause tells it from other limits, which may be gone at the next try.
		return &picket.Error{Code: picket.Busy, Msg: "the query took longer than it may; narrow its time range or its rows", Err: context.DeadlineExceeded}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // the guard's, if it was the guard
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
	if e != nil {
		if msg, ok := strings.CutPrefix(e.Msg, goErrorPrefix); ok { // of a function that is written in Go
			if msg == errMemory.Msg {
				return errMemory
			}
			return picket.Errorf(picket.Invalid, "the query failed while it ran: %s", msg)
		}
	}
	return picket.Errorf(picket.Invalid, "the query failed while it ran: %w", err)
}

// goErrorPrefix is what DuckDB and its driver put before the error of a function
// that is written in Go.
const goErrorPrefix = "Invalid Input Error: database/sql/driver: API error: "

// Rows yields the rows once. Values are nil, bool, int64 (int, long; datetime
// and timespan in ticks), float64 (real) or string (string, guid, decimal, and
// dynamic as JSON text). A row is the caller's to keep. After an error the
// sequence ends. At a limit it ends without an error and sets Truncated.
func (r *Result) Rows() iter.Seq2[[]any, error] {
	return func(yield func([]any, error) bool) {
		defer r.Close()
		var n int
		left := r.limits.Bytes
		for {
			more, err := r.rows.fetch(r.ctx)
			if err != nil {
				yield(nil, r.db.runError(r.ctx, err))
				return
			}
			if !more {
				return
			}
			for r.rows.next < r.rows.size {
				if r.limits.Take > 0 && n == r.limits.Take {
					return
				}
				if n == r.limits.Rows {
					r.Truncated = fmt.Sprintf("the results of this query exceed the set limit of %d records", n)
					return
				}
				row, size, err := r.rows.row(r.Columns, left)
				if err != nil {
					yield(nil, err)
					return
				}
				n++
				if left -= size; left < 0 {
					r.Truncated = fmt.Sprintf("the results of this query exceed the set limit of %d bytes", r.limits.Bytes)
					return
				}
				if !yield(row, nil) {
					return
				}
			}
		}
	}
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
	defer r.end()
	return r.rows.close()
}

// Window returns options for a query over rows whose TimeGenerated is in
// [from, to), with now() at its end.
func Window(from, to time.Time) kql.Options {
	return kql.Options{Now: kql.TicksOf(to), From: kql.TicksOf(from), To: kql.TicksOf(to)}
}
