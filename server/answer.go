package server

import (
	"context"
	"errors"
	"time"

	"picket"
	"picket/kql"
	"picket/workspace"
)

// An answer is how a protocol writes the tables of a result.
type answer interface {
	// table begins table n, counted from 0.
	table(b []byte, n int, cols []kql.Column) []byte
	row(b []byte, row []any) []byte
	// endTable ends the table that was begun last. cut is what kept it from
	// being whole, or nil.
	endTable(b []byte, t tally, cut *cut) []byte
	// end writes what follows the tables.
	end(b []byte, o outcome) []byte
}

// tally is how large a table became.
type tally struct {
	rows  int
	bytes int64 // as written
}

// outcome is how a result ended.
type outcome struct {
	tables []tally
	took   time.Duration
	cut    *cut // nil when it is whole
}

// cut is what ended a result early.
type cut struct {
	limit bool // of rows or bytes; else it failed
	msg   string
}

// send writes a result as its rows come. As long as nothing has left, a failure
// is returned, to be told by the status; after that the answer tells it.
func (s *server) send(ctx context.Context, out *wire, res *workspace.Result, a answer, began time.Time) error {
	mark, start := out.sent, len(out.buf)
	var o outcome
	for n := 0; res != nil && o.cut == nil; n++ {
		t, err := sendTable(out, res, a, n)
		if out.gone != nil {
			return nil
		}
		var next *workspace.Result
		if err == nil && res.Truncated == "" {
			next, err = res.Next(ctx)
		}
		switch {
		case err != nil && out.sent == mark:
			out.buf = out.buf[:start]
			return err
		case err != nil:
			o.cut = &cut{false, s.explain(ctx, err)}
		case res.Truncated != "":
			o.cut = &cut{true, res.Truncated}
		}
		out.buf = a.endTable(out.buf, t, o.cut)
		o.tables = append(o.tables, t)
		res = next
	}
	o.took = time.Since(began)
	out.buf = a.end(out.buf, o)
	return nil
}

func sendTable(out *wire, res *workspace.Result, a answer, n int) (tally, error) {
	var t tally
	out.buf = a.table(out.buf, n, res.Columns)
	for row, err := range res.Rows() {
		if err != nil {
			return t, err
		}
		before := len(out.buf)
		out.buf = a.row(out.buf, row)
		t.rows++
		t.bytes += int64(len(out.buf) - before)
		if !out.full() {
			break
		}
	}
	return t, nil
}

// explain is what a caller is told of a failure under way. What is our fault is
// logged and not shown.
func (s *server) explain(ctx context.Context, err error) string {
	var known *picket.Error
	if errors.As(err, &known) {
		return known.Msg
	}
	if ctx.Err() == nil {
		s.Logger.Error("query failed while its rows were sent", "err", err)
	}
	return "the query failed while its rows were sent"
}
