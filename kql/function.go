package kql

import (
	"fmt"
	"strings"
)

// expr is a bound and lowered scalar expression.
type expr struct {
	sql string // a complete SQL expression, in parentheses where it needs them
	typ Type
	lit any  // the Go value when it is a constant: bool, int64, float64, string, Ticks (int64), or a Type for typeof(T); nil otherwise
	dyn Type // for Dynamic, the element type when known from the value's making, else Unknown

	base, path string          // for Dynamic member access: the SQL of the value it began with, and the JSON path below it
	bound      int64           // for a long, what its absolute value cannot exceed; 0 when that is not known
	unnamed    bool            // the name that the expression implies is that of a column that is not there
	bytes      int64           // for a text or a dynamic value, how long it may be, see size
	shaped     string          // for a text whose shape is at hand, the column's SQL: what is computed from it has none
	addresses  *addressColumns // for the addresses of a row, where they stand
	window     bool            // it holds a window function, so it cannot stand in WHERE or inside another
	scaled     bool            // for a decimal, it is divided by 10^16, see keepsScale
}

// A function is a scalar function or an aggregate of KQL. Only what stands in
// the tables can be called: nothing a query names reaches SQL unless an entry
// here writes it.
//
// The tables are made by scalarFunctions and aggregateFunctions.
type function struct {
	name string
	sigs []sig // tried in order; the first that the arguments fit is taken
	// nullIn, when set, says that a NULL argument is handled by the template; otherwise too SQL's own rule holds.
	doc string // the title of Microsoft's page where it differs from "name()"

	// auto is the stem of an aggregate's automatic column name, where it is not
	// the name itself: "set" for make_set (set_x).
	auto string
	// keep says that an aggregate's result is called like its first argument
	// itself (arg_max, take_any); auto is then for arguments that imply no name.
	keep bool
	// star says that * may stand as an aggregate's last argument: all columns of
	// the input that are neither grouped on nor arguments already.
	star bool
	// columns lowers an aggregate that yields several columns, or names them in
	// its own way (percentiles); it replaces the template.
	columns func(c *call) ([]aggColumn, error)
	// window says that the lowering writes a window function (OVER), as prev() and row_number() do.
	window bool
}

// sig is one signature of a function or aggregate.
type sig struct {
	args     []Type // Unknown accepts any type; numeric literals and dynamic convert as KQL does
	min      int    // how many arguments must be given; 0 means all of args
	variadic bool   // the last of args repeats
	text     bool   // a String among args takes any scalar, as its text
	result   Type   // Unknown means resultOf tells
	resultOf func(args []expr) Type
	sql      string                        // template with $1 … $9, each an argument's SQL
	lower    func(c *call) (string, error) // used where a template is not enough
}

// call is one use of a function while it is lowered.
type call struct {
	name string
	args []expr // converted to the signature's types
	now  Ticks  // the query's now()
	// order is the ORDER BY of the input, "" when it has none: aggregates that
	// depend on the order of rows need nothing else, DuckDB keeps the input's order.

	names []string // the column name each argument implies, "" for none
	// hoist evaluates SQL, which may hold window functions, in a step before this
	// one and returns the name of the column that holds it; nil where no rows are.
	hoist func(sql string) string
}

// constString returns the string constant that argument i must be.
func (c *call) constString(i int) (string, error) {
	if i < len(c.args) {
		if s, ok := c.args[i].lit.(string); ok {
			return s, nil
		}
	}
	return "", fmt.Errorf("%s(): argument %d must be a string constant", c.name, i+1)
}

// apply binds args to the first signature of f that they fit and lowers the call.
func (f *function) apply(args []expr, now Ticks) (expr, error) {
	return f.applyIn(args, nil, now, nil)
}

// applyIn is apply where rows are: hoist is the call's.
func (f *function) applyIn(args []expr, names []string, now Ticks, hoist func(string) string) (expr, error) {
	s, conv, err := f.match(args)
	if err != nil {
		return expr{}, err
	}
	c := &call{name: f.name, args: conv, names: names, now: now, hoist: hoist}
	out := expr{typ: s.result, window: f.window}
	if s.result == Unknown && s.resultOf != nil {
		out.typ = s.resultOf(conv)
	}
	for _, a := range conv {
		out.window = out.window || a.window
	}
	if out.typ == String || out.typ == Dynamic {
		bytes, need := growth(f.name, conv)
		if bytes > cellBytes {
			out.bytes = bytes
		}
		if bytes > plainBytes && !out.window {
			out.sql, err = bindArgs(conv, func(args []expr) (string, error) {
				d := *c
				d.args = args
				sql, err := d.lower(s)
				return "CASE WHEN " + GuardFits + "(" + need(args) + ") THEN " + sql + " END", err
			})
			return out, err
		}
	}
	out.sql, err = c.lower(s)
	return out, err
}

// lower is the SQL of the call by signature s.
func (c *call) lower(s *sig) (string, error) {
	if s.lower == nil {
		return expand(s.sql, c.args), nil
	}
	sql, err := s.lower(c)
	if around := c.bindQueries(sql); around != nil && err == nil {
		sql, err = s.lower(c)
		sql = around(sql)
	}
	return sql, err
}

// bindQueries gives the arguments that hold a subquery names if the lowered sql
// has a lambda, in which DuckDB takes none, and returns what binds those names
// around the lowering; else nil.
func (c *call) bindQueries(sql string) (around func(sql string) string) {
	if !strings.Contains(sql, "lambda ") {
		return nil
	}
	var fields []string
	for i, a := range c.args {
		if !strings.Contains(a.sql, "(SELECT ") {
			continue
		}
		around = func(sql string) string { return sql }
		if c.hoist != nil {
			c.args[i].sql = c.hoist(a.sql)
			continue
		}
		fields = append(fields, fmt.Sprintf("a%d: %s", i+1, a.sql))
		c.args[i].sql = fmt.Sprintf(`"$b".a%d`, i+1)
	}
	if fields != nil {
		around = func(sql string) string {
			return fmt.Sprintf(`(list_transform([{%s}], lambda "$b": %s)[1])`, strings.Join(fields, ", "), sql)
		}
	}
	return around
}

// match finds the first signature that args fit, exactly or after conversion,
// and returns the converted arguments.
func (f *function) match(args []expr) (*sig, []expr, error) {
	for _, exact := range []bool{true, false} {
		for i := range f.sigs {
			if conv, ok := f.sigs[i].fit(args, exact); ok {
				return &f.sigs[i], conv, nil
			}
		}
	}
	return nil, nil, f.mismatch(args)
}

// fit converts args to the signature's types. With exact, only equal types,
// number widening and Unknown fit.
func (s *sig) fit(args []expr, exact bool) ([]expr, bool) {
	if len(args) < s.least() || (len(args) > len(s.args) && !s.variadic) {
		return nil, false
	}
	conv := make([]expr, len(args))
	for i, a := range args {
		want := s.args[min(i, len(s.args)-1)]
		c, ok := convert(a, want, exact)
		if !ok && s.text && want == String && !exact {
			c, ok = textOf(a), true
		}
		if !ok {
			return nil, false
		}
		conv[i] = c
	}
	return conv, true
}

func (s *sig) least() int {
	if s.min > 0 {
		return s.min
	}
	if s.variadic {
		return max(len(s.args)-1, 1)
	}
	return len(s.args)
}

// mismatch explains why args fit no signature of f.
func (f *function) mismatch(args []expr) error {
	lo, hi := 1<<30, 0
	for i := range f.sigs {
		s := &f.sigs[i]
		lo = min(lo, s.least())
		if s.variadic {
			hi = 1 << 30
		} else {
			hi = max(hi, len(s.args))
		}
	}
	if len(args) < lo || len(args) > hi {
		return fmt.Errorf("%s() takes %s, not %d", f.name, countText(lo, hi), len(args))
	}
	for i, a := range args {
		var want []string
		fits := false
		for j := range f.sigs {
			t := Unknown
			if s := &f.sigs[j]; len(s.args) > 0 {
				t = s.args[min(i, len(s.args)-1)]
			}
			if _, ok := convert(a, t, false); ok {
				fits = true
				break
			}
			if n := t.String(); len(want) == 0 || want[len(want)-1] != n {
				want = append(want, n)
			}
		}
		if !fits {
			return fmt.Errorf("%s(): argument %d is %s, but must be %s", f.name, i+1, a.typ, strings.Join(want, " or "))
		}
	}
	have := make([]string, len(args))
	for i, a := range args {
		have[i] = a.typ.String()
	}
	return fmt.Errorf("%s() cannot take (%s)", f.name, strings.Join(have, ", "))
}

func countText(lo, hi int) string {
	switch {
	case lo == hi && lo == 1:
		return "1 argument"
	case lo == hi:
		return fmt.Sprintf("%d arguments", lo)
	case hi == 1<<30:
		return fmt.Sprintf("at least %d arguments", lo)
	}
	return fmt.Sprintf("%d to %d arguments", lo, hi)
}
