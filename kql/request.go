package kql

import (
	"fmt"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// Database is what current_database() answers: the name by which Kusto's
// clients know the one database of a server.
const Database = "NetDefaultDB"

// request is what set statements have laid down, by name in lower case
// (page "Request properties").
type request map[string]expr

// set binds a set statement. Of the properties that change what a query means
// it knows query_now, query_datetimescope_… and query_bin_auto_…; all are kept
// for who runs the query.
func (b *binder) set(s *syntax.SetStmt, env *env) {
	if s.Name == nil {
		return
	}
	b.settings = append(b.settings, Prop{s.Name.Text, wordOf(s.Value)})
	name := strings.ToLower(s.Name.Text)
	var want []Type
	switch name {
	case "query_now", "query_datetimescope_from", "query_datetimescope_to":
		want = []Type{DateTime}
	case "query_datetimescope_column":
		want = []Type{String}
	case "query_bin_auto_size":
		want = []Type{Long, Int, Real, TimeSpan}
	case "query_bin_auto_at":
		want = []Type{Long, Int, Real, TimeSpan, DateTime}
	default:
		return
	}
	if s.Value == nil {
		b.errorf(s, "SEM0109", "set %s needs a value", name)
		return
	}
	var e expr
	if n, ok := s.Value.(*syntax.Name); ok && want[0] == String {
		e = strLit(n.Text)
	} else {
		e = b.scalar(s.Value, &ctx{env: env})
	}
	if text, ok := e.lit.(string); ok && want[0] == DateTime { // as the property of a request has it
		if t, err := ParseDateTime(text); err == nil {
			e = ticksLit(t, DateTime)
		}
	}
	if e.typ == Unknown {
		return
	}
	for _, t := range want {
		if e.typ == t && e.lit != nil {
			if b.request == nil {
				b.request = request{}
			}
			b.request[name] = e
			if name == "query_now" {
				b.opt.Now = e.lit.(int64)
			}
			return
		}
	}
	b.errorf(s.Value, "SEM0109", "set %s needs a constant of type %s", name, typeList(want))
}

func typeList(ts []Type) string {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.String()
	}
	return strings.Join(names, " or ")
}

// scope is the condition that query_datetimescope_… asks of a stored table:
// from <= column < to. A table without the column is left as it is.
func (r request) scope(cols []column) []string {
	name, _ := r["query_datetimescope_column"].lit.(string)
	if name == "" {
		name = "TimeGenerated"
	}
	col, ok := find(cols, name)
	if !ok || col.typ != DateTime {
		return nil
	}
	var conds []string
	if from, ok := r["query_datetimescope_from"]; ok {
		conds = append(conds, col.ref()+" >= "+from.sql)
	}
	if to, ok := r["query_datetimescope_to"]; ok {
		conds = append(conds, col.ref()+" < "+to.sql)
	}
	return conds
}

// ofRequest binds the calls whose value lies in the request or in where a row
// came from, not in arguments alone.
func (b *binder) ofRequest(x *syntax.Call, c *ctx) (value, bool) {
	switch x.Func.Text {
	case "bin_auto":
		return b.binAuto(x, c), true
	case "cursor_after", "cursor_before_or_at":
		return b.cursor(x, c), true
	}
	return value{}, false
}

// binAuto binds bin_auto(x): bin_at() with the size and the fixed point that
// set statements give.
func (b *binder) binAuto(x *syntax.Call, c *ctx) value {
	if len(x.Args) != 1 {
		b.errorf(x, "SEM0003", "bin_auto() takes 1 argument, not %d", len(x.Args))
		return value{}
	}
	e := b.scalar(x.Args[0], c)
	if e.typ == Unknown {
		return scalarValue(e)
	}
	size, ok := b.request["query_bin_auto_size"]
	if !ok {
		b.errorf(x, "SEM0109", "bin_auto() needs the size of its bins: begin the query with set query_bin_auto_size=1h; or the like")
		return value{}
	}
	f, _ := lookupScalar("bin")
	args := []expr{e, size}
	if at, ok := b.request["query_bin_auto_at"]; ok {
		f, _ = lookupScalar("bin_at")
		args = append(args, at)
	}
	out, err := f.apply(args, b.opt.Now)
	if err != nil {
		b.report(x.Span(), "SEM0003", "", "bin_auto() over the set query_bin_auto_size and query_bin_auto_at: "+err.Error())
		return value{}
	}
	return scalarValue(out)
}

// cursor binds cursor_after(c) and cursor_before_or_at(c): whether a row came
// after the moment that cursor_current() once told. A cursor is a number of
// ticks, or a datetime, as text; the empty one lies before all rows.
func (b *binder) cursor(x *syntax.Call, c *ctx) value {
	name := x.Func.Text
	if len(x.Args) != 1 {
		b.errorf(x, "SEM0003", "%s() takes 1 argument, not %d", name, len(x.Args))
		return value{}
	}
	e := b.scalar(x.Args[0], c)
	s, ok := e.lit.(string)
	if !ok {
		if e.typ != Unknown {
			b.errorf(x.Args[0], "SEM0032", "%s() needs the cursor as a string constant, as cursor_current() told it", name)
		}
		return value{}
	}
	at := int64(0)
	if s != "" {
		var err error
		if at, err = strconv.ParseInt(s, 10, 64); err != nil {
			at, err = ParseDateTime(s)
		}
		if err != nil || at < 0 {
			b.errorf(x.Args[0], "SEM0032", "%q is no cursor: give what cursor_current() told, a datetime, or \"\"", s)
			return value{}
		}
	}
	if c.src == nil || !c.src.hidden {
		b.errorf(x, "SEM0033", "%s() can only be asked of the rows of a table: it stands behind an operator that made rows of its own", name)
		return value{}
	}
	op := ">"
	if name == "cursor_before_or_at" {
		op = "<="
	}
	return scalarValue(expr{sql: fmt.Sprintf("coalesce(%s%s %s %d, false)", c.qual, quoteIdent(IngestionTime), op, at), typ: Bool})
}

// requestFunctions are the functions over the request that are values of their own.
func requestFunctions() []function {
	return []function{
		fn("current_database", tpl(String, quoteString(Database))),
		fn("cursor_current", low(String, func(c *call) (string, error) { return quoteString(formatInt(c.now)), nil })),
		// No row here lies in an extent: the page's answer for such is an empty value.
		fn("extent_id", tpl(Guid, "'00000000-0000-0000-0000-000000000000'")),
		fn("extent_tags", tpl(Dynamic, "'[]'::JSON")),
	}
}
