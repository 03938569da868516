package kql

import (
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// call binds a function call. The order in which a name is looked for: the
// query's own functions, the forms below that are more than functions,
// aggregates where they may stand, the function table, the workspace's functions.
func (b *binder) call(x *syntax.Call, c *ctx) value {
	if x.Func == nil {
		return value{}
	}
	name := x.Func.Text
	if v, ok := c.env.lookup(name); ok {
		if v.fn != nil {
			return b.invoke(v, x, x.Args, c)
		}
		if v.pattern != nil {
			return b.patternCall(v, x, "")
		}
		if len(x.Args) == 0 {
			return *v // f() of a let that is no lambda
		}
	}
	if v, ok := b.special(x, c); ok {
		return v
	}
	if f, ok := lookupAggregate(name); ok && c.aggs && !c.inAgg {
		e := b.aggregateScalar(f, x, c)
		return value{scalar: &e}
	}
	if f, ok := lookupScalar(name); ok {
		e := b.apply(f, x, c)
		return value{scalar: &e}
	}
	if c.env.sees(name) {
		if v, ok := b.external(name, x, x.Args, c); ok {
			return v
		}
	}
	if b.refuseFunction(x) {
		return value{}
	}
	if _, ok := lookupAggregate(name); !ok && b.opt.Open {
		return b.undeclaredCall(x, c)
	} else if ok {
		b.errorf(x.Func, "SEM0028", "%s() is an aggregate and can only stand in summarize, make-series and their like", name)
		return value{}
	}
	b.report(x.Func.Span(), codeFunction, didYouMean(name, functionNames(c.env)), "there is no function named "+strconv.Quote(name))
	return value{}
}

// functionNames lists what can be called, for hints.
func functionNames(e *env) []string {
	var out []string
	scalars, aggs := functionTable()
	for n := range scalars {
		out = append(out, n)
	}
	for n := range aggs {
		out = append(out, n)
	}
	e.names(func(n string) { out = append(out, n) })
	return out
}

// apply binds a call of a function of the table.
func (b *binder) apply(f *function, x *syntax.Call, c *ctx) expr {
	args, ok := b.args(x, c)
	if !ok {
		return unknown()
	}
	if anyUnknown(args) {
		t, err := f.resultType(args)
		if err != nil {
			b.report(x.Span(), "SEM0003", "", err.Error())
		}
		return expr{sql: "NULL", typ: t}
	}
	var hoist func(string) string
	if c.src != nil && c.left == nil && !c.aggs {
		hoist = func(sql string) string { return b.hoist(c.src, sql) }
	}
	if f.window && hoist != nil { // SQL has no window over a window
		for i, a := range args {
			if a.window {
				args[i].sql, args[i].window = hoist(a.sql), false
			}
		}
	}
	scaled := scaleArgs(f.name, args)
	e, err := f.applyIn(args, argNames(x), b.opt.Now, hoist)
	e.scaled = scaled && e.typ == Decimal
	if smallResults[f.name] && e.typ == Long {
		e.bound = smallBound
	}
	if err != nil {
		b.report(x.Span(), "SEM0003", "", err.Error())
		return unknown()
	}
	return e
}

// hoist computes sql in a step before the operator over r that is being bound,
// and returns the column that holds it.
func (b *binder) hoist(r *relation, sql string) string {
	b.hoists++
	id := quoteIdent("$h" + formatInt(int64(b.hoists)))
	if r.part != nil {
		sql = strings.ReplaceAll(strings.ReplaceAll(sql, "OVER ()", r.over("")), "OVER (ROWS", "OVER (PARTITION BY "+r.part.ref()+" ROWS")
	}
	r.from = b.emit("SELECT *, "+sql+" AS "+id+" FROM "+r.from, r.cheap)
	return id
}

// args binds the arguments of a call; it reports false when one is in error.
func (b *binder) args(x *syntax.Call, c *ctx) ([]expr, bool) {
	out := make([]expr, 0, len(x.Args))
	good := true
	for _, a := range x.Args {
		if t, ok := b.typeOf(a); ok {
			out = append(out, t)
			continue
		}
		if w, ok := a.(*syntax.Wildcard); ok && w.Pattern == "*" && c.cols != nil {
			for _, col := range c.cols {
				out = append(out, expr{sql: c.qual + col.ref(), typ: col.typ})
			}
			continue
		}
		e := b.scalar(a, c)
		good = good && (e.typ != Unknown || b.opt.Open)
		out = append(out, e)
	}
	return out, good
}

// typeOf binds typeof(T) as an argument.
func (b *binder) typeOf(x syntax.Expr) (expr, bool) {
	call, ok := x.(*syntax.Call)
	if !ok || call.Func == nil || call.Func.Text != "typeof" || len(call.Args) != 1 {
		return expr{}, false
	}
	n, ok := call.Args[0].(*syntax.Name)
	if !ok {
		return expr{}, false
	}
	t := b.typeName(n)
	return expr{sql: quoteString(t.String()), typ: String, lit: t}, true
}

func scalarValue(e expr) value { return value{scalar: &e} }

// special binds the calls that are no functions of values: their arguments are
// tables or names, or they look at the row as a whole.
func (b *binder) special(x *syntax.Call, c *ctx) (value, bool) {
	if v, ok := b.graphCall(x, c); ok {
		return v, true
	}
	if v, ok := b.ofRequest(x, c); ok {
		return v, true
	}
	switch x.Func.Text {
	case "toscalar":
		return b.toScalar(x, c), true
	case "materialize", "view":
		return b.materialize(x, c), true
	case "table", "external_table", "materialized_view":
		return b.tableCall(x, c), true
	case "column_ifexists", "columnifexists":
		return b.columnIfExists(x, c), true
	case "ingestion_time":
		return b.ingestionTime(x, c), true
	case "ip_addresses":
		if len(x.Args) == 0 {
			return b.rowAddresses(x, c), true
		}
	case "pack_all":
		return b.packAll(x, c), true
	case "column_names_of":
		return b.columnNamesOf(x, c), true
	case "__noop", "assert":
		return value{}, false
	case "database", "workspace", "cluster", "app", "resource", "adx", "arg":
		b.errorf(x, "SEM0030", "%s(…) must be followed by .TableName", x.Func.Text)
		return value{}, true
	}
	return value{}, false
}

// toScalar binds toscalar(T): the first column of the first row. Over a
// constant it is the constant.
func (b *binder) toScalar(x *syntax.Call, c *ctx) value {
	if len(x.Args) != 1 {
		b.errorf(x, "SEM0003", "toscalar() takes 1 argument, not %d", len(x.Args))
		return value{}
	}
	before := b.rowRefs
	v := b.any(x.Args[0], &ctx{env: c.env})
	switch {
	case v.rel == nil && b.rowRefs > before: // of the row that the function is called for
		return v
	case v.rel == nil:
		return b.onceFor(x, v)
	}
	if len(v.rel.cols) == 0 && v.rel.loose != nil {
		return scalarValue(unknown())
	}
	if len(v.rel.cols) == 0 {
		b.errorf(x, "SEM0031", "toscalar() needs a table with a column")
		return value{}
	}
	col := v.rel.cols[0]
	sql := "(SELECT " + col.ref() + " FROM " + v.rel.from + " LIMIT 1)"
	if col.typ == String {
		sql = "coalesce(" + sql + ", '')"
	}
	return scalarValue(expr{sql: sql, typ: col.typ, scaled: col.scaled})
}

// onceKey tells one toscalar() of a text, with what became of its parameters.
type onceKey struct {
	at  *syntax.Call
	sql string
}

// onceFor has the value of toscalar(v) computed a single time for the query,
// also where it is random.
func (b *binder) onceFor(x *syntax.Call, v value) value {
	if v.scalar == nil || v.scalar.lit != nil || v.scalar.typ == Unknown || !isRandom(v.scalar.sql) {
		return v
	}
	key := onceKey{x, v.scalar.sql}
	from, ok := b.once[key]
	if !ok {
		from = b.emit("SELECT "+v.scalar.sql+" AS v", false)
		if b.once == nil {
			b.once = map[onceKey]string{}
		}
		b.once[key] = from
	}
	return scalarValue(expr{sql: "(SELECT v FROM " + from + ")", typ: v.scalar.typ})
}

// isRandom reports whether SQL calls what differs from call to call.
func isRandom(sql string) bool {
	return strings.Contains(sql, "random()") || strings.Contains(sql, "uuid()")
}

// materialize binds materialize(T): rows computed once, however often the name
// is used.
func (b *binder) materialize(x *syntax.Call, c *ctx) value {
	if len(x.Args) != 1 {
		b.errorf(x, "SEM0003", "%s() takes 1 argument, not %d", x.Func.Text, len(x.Args))
		return value{}
	}
	v := b.any(x.Args[0], &ctx{env: c.env})
	if v.rel != nil && v.rel.cheap {
		r := *v.rel
		r.from, r.cheap = b.emit("SELECT * FROM "+r.from, false), false
		return value{rel: &r}
	}
	return v
}

// tableCall binds table("Name").
func (b *binder) tableCall(x *syntax.Call, c *ctx) value {
	if len(x.Args) == 0 {
		b.errorf(x, "SEM0003", "%s() takes the name of a table", x.Func.Text)
		return value{}
	}
	e := b.scalar(x.Args[0], c)
	s, ok := e.lit.(string)
	if !ok {
		if e.typ != Unknown {
			b.errorf(x.Args[0], "SEM0032", "%s() needs the table's name as a constant", x.Func.Text)
		}
		return value{}
	}
	n := &syntax.Name{Text: s}
	n.S = x.Args[0].Span()
	return b.nameAny(n, &ctx{env: c.env})
}

// columnIfExists binds column_ifexists("name", default).
func (b *binder) columnIfExists(x *syntax.Call, c *ctx) value {
	if len(x.Args) != 2 {
		b.errorf(x, "SEM0003", "column_ifexists() takes 2 arguments, not %d", len(x.Args))
		return value{}
	}
	e := b.scalar(x.Args[0], c)
	s, ok := e.lit.(string)
	if !ok {
		if e.typ != Unknown {
			b.errorf(x.Args[0], "SEM0032", "column_ifexists() needs the column's name as a string constant")
		}
		return value{}
	}
	if col, ok := find(c.cols, s); ok {
		return scalarValue(expr{sql: c.qual + col.ref(), typ: col.typ})
	}
	otherwise := b.scalar(x.Args[1], c)
	otherwise.unnamed = true
	return scalarValue(otherwise)
}

// ingestionTime binds ingestion_time(): the hidden column where the rows still
// carry it, else null, as in Log Analytics.
func (b *binder) ingestionTime(x *syntax.Call, c *ctx) value {
	if len(x.Args) != 0 {
		b.errorf(x, "SEM0003", "ingestion_time() takes no arguments")
	}
	if c.src == nil || !c.src.hidden {
		return scalarValue(nullLit(DateTime))
	}
	return scalarValue(expr{sql: c.qual + quoteIdent(IngestionTime), typ: DateTime})
}

// columnNamesOf binds column_names_of(T): a constant array of names.
func (b *binder) columnNamesOf(x *syntax.Call, c *ctx) value {
	if len(x.Args) != 1 {
		b.errorf(x, "SEM0003", "column_names_of() takes 1 argument, not %d", len(x.Args))
		return value{}
	}
	r := b.tabular(x.Args[0], c.env)
	if r == nil {
		return value{}
	}
	names := make([]any, len(r.cols))
	for i, col := range r.cols {
		names[i] = col.name
	}
	e := dynLit(string(appendJSONValue(nil, names)))
	e.lit = names
	return scalarValue(e)
}

// packAll binds pack_all([ignore_nulls]).
func (b *binder) packAll(x *syntax.Call, c *ctx) value {
	skip := false
	if len(x.Args) > 0 {
		skip, _ = b.scalar(x.Args[0], c).lit.(bool)
	}
	return scalarValue(packColumns(c.cols, c.qual, skip))
}

// packColumns makes a bag of columns. With skip, nulls and empty strings are left out.
func packColumns(cols []column, qual string, skip bool) expr {
	if len(cols) == 0 {
		return dynLit("{}")
	}
	var parts []string
	for _, col := range cols {
		e := expr{sql: qual + col.ref(), typ: col.typ}
		parts = append(parts, quoteString(col.name)+", "+toDynamic(e).sql)
	}
	sql := "json_object(" + strings.Join(parts, ", ") + ")"
	if skip {
		sql = "coalesce((SELECT json_group_object(k, v) FROM (VALUES "
		for i, p := range parts {
			if i > 0 {
				sql += ", "
			}
			sql += "(" + p + ")"
		}
		sql += ") t(k, v) WHERE v IS NOT NULL AND v::VARCHAR NOT IN ('\"\"', 'null')), '{}'::JSON)"
	}
	return expr{sql: sql, typ: Dynamic}
}
