package difftest

import (
	"fmt"
	"slices"
	"strings"

	"picket/kql"
	"picket/kql/syntax"
)

// literals are constants of each type, nasty ones among them.
var literals = map[kql.Type][]string{
	kql.Bool:     {"true", "false", "bool(null)"},
	kql.Int:      {"int(0)", "int(1)", "int(-3)", "int(2147483647)", "int(-2147483648)", "int(null)"},
	kql.Long:     {"0", "1", "2", "3", "7", "10", "(-1)", "(-7)", "long(9223372036854775807)", "long(-9223372036854775808)", "long(null)", "9007199254740993"},
	kql.Real:     {"0.0", "0.5", "1.25", "(-2.5)", "100.0", "real(nan)", "real(+inf)", "real(-inf)", "real(null)", "1e300"},
	kql.Decimal:  {"decimal(0)", "decimal(1.5)", "decimal(0.1)", "decimal(-2.25)", "decimal(100)", "decimal(null)"},
	kql.String:   {`""`, `"a"`, `"A"`, `"ab"`, `"a_b"`, `"b"`, `"1"`, `"-5"`, `"é"`, `"ab1"`, `"abc def"`, `"%"`, `"_"`, `","`, `"日本"`, `"x"`, `"true"`, `"2024-02-29"`},
	kql.DateTime: {"datetime(2024-02-29T23:59:59.9999999Z)", "datetime(2024-01-01)", "datetime(1970-01-01)", "datetime(0001-01-01)", "datetime(9999-12-31T23:59:59.9999999Z)", "datetime(2023-12-31 12:30:15)", "datetime(null)"},
	kql.TimeSpan: {"1d", "1h", "1tick", "10ms", "timespan(-1.00:00:00)", "timespan(01:02:03.4567891)", "0s", "timespan(null)", "36h"},
	kql.Dynamic:  {"dynamic(null)", "dynamic([])", "dynamic([1,2,3])", `dynamic(["a","b","a"])`, `dynamic({"a":1})`, `dynamic({"a":"x","b":[1,2]})`, "dynamic({})", `dynamic("a")`, "dynamic(5)", "dynamic([3,1,null])"},
	kql.Guid:     {"guid(74be27de-1e4e-49d9-b579-fe0b331d3642)", "guid(00000000-0000-0000-0000-000000000000)", "guid(null)"},
}

func (g *generator) literal(t kql.Type) string { return pick(g, literals[t]...) }

// leaf is a column, a let or a literal.
func (g *generator) leaf(t kql.Type) string {
	from := names(slices.Concat(g.scope, g.lets), t)
	if len(from) > 0 && !g.one(4) {
		return pick(g, from...)
	}
	return g.literal(t)
}

// expr writes an expression of type t.
func (g *generator) expr(t kql.Type, depth int) string {
	if depth <= 0 || g.one(4) {
		return g.leaf(t)
	}
	sub := func(t kql.Type) string { return g.expr(t, depth-1) }
	if len(g.fns) > 0 && g.one(3) {
		if c := g.ownCall(t, depth); c != "" {
			return c
		}
	}
	switch g.r.IntN(10) {
	case 0:
		return "iff(" + sub(kql.Bool) + ", " + sub(t) + ", " + sub(t) + ")"
	case 1:
		return "case(" + sub(kql.Bool) + ", " + sub(t) + ", " + sub(kql.Bool) + ", " + sub(t) + ", " + sub(t) + ")"
	case 2:
		if t != kql.Dynamic {
			return "coalesce(" + sub(t) + ", " + sub(t) + ")"
		}
	case 3, 4, 5:
		if f := g.function(t, depth); f != "" {
			return f
		}
	}
	switch t {
	case kql.Bool:
		return g.condition(depth)
	case kql.Long:
		return g.long(sub)
	case kql.Real:
		return pick[fillable](g, "(%s + %s)", "(%s - %s)", "(%s * %s)", "(%s / %s)", "min_of(%s, %s)", "max_of(%s, %s)").fill(sub(t), sub(pick(g, t, t, kql.Long)))
	case kql.Decimal:
		return pick[fillable](g, "(%s + %s)", "(%s - %s)", "(%s * %s)", "(-%s)", "max_of(%s, %s)").fill(sub(t), g.literal(pick(g, t, t, kql.Int)))
	case kql.String:
		return g.text(sub)
	case kql.DateTime:
		return pick[fillable](g, "(%s + %s)", "(%s - %s)").fill(sub(t), sub(kql.TimeSpan))
	case kql.TimeSpan:
		switch g.r.IntN(4) {
		case 0:
			return pick[fillable](g, "(%s - %s)").fill(sub(kql.DateTime), sub(kql.DateTime))
		case 1:
			return pick[fillable](g, "(%s * %s)").fill(sub(t), sub(kql.Long))
		}
		return pick[fillable](g, "(%s + %s)", "(%s - %s)", "(-%s)").fill(sub(t), sub(t))
	case kql.Dynamic:
		return g.dynamic(sub)
	}
	return g.leaf(t)
}

// fillable is a text with places for operands.
type fillable string

func (f fillable) fill(args ...string) string {
	s := string(f)
	for _, a := range args {
		s = strings.Replace(s, "%s", a, 1)
	}
	return s
}

// long writes arithmetic of whole numbers.
func (g *generator) long(sub func(kql.Type) string) string {
	t := kql.Long
	switch g.r.IntN(8) {
	case 0:
		return "(" + sub(t) + " / " + pick(g, "2", "3", "(-3)", "10") + ")"
	case 1:
		return "(" + sub(t) + " % " + pick(g, "2", "3", "(-3)", "10") + ")"
	case 2:
		return "tolong(" + sub(kql.Dynamic) + pick(g, ".a", "[0]", `["b"]`) + ")"
	}
	return pick[fillable](g, "(%s + %s)", "(%s - %s)", "(%s * %s)", "min_of(%s, %s)", "(-%s)").fill(sub(t), sub(pick(g, t, t, kql.Int)))
}

func (g *generator) text(sub func(kql.Type) string) string {
	switch g.r.IntN(5) {
	case 0:
		return "strcat(" + sub(kql.String) + ", " + sub(pick(g, kql.String, kql.Long, kql.DateTime, kql.TimeSpan, kql.Bool)) + ")"
	case 1:
		return "strcat_delim(" + pick(g, `"-"`, `""`) + ", " + sub(kql.String) + ", " + sub(kql.String) + ")"
	case 2:
		return "tostring(" + sub(kql.Dynamic) + pick(g, ".a", "[0]", "[-1]", `["b"]`, ".a.b") + ")"
	}
	return "tostring(" + sub(pick(g, kql.Long, kql.Bool, kql.DateTime, kql.TimeSpan, kql.Dynamic, kql.Guid)) + ")"
}

func (g *generator) dynamic(sub func(kql.Type) string) string {
	switch g.r.IntN(3) {
	case 0:
		return "pack_array(" + sub(pick(g, kql.Long, kql.String, kql.Bool)) + ", " + sub(pick(g, kql.Long, kql.String)) + ")"
	case 1:
		return `bag_pack("a", ` + sub(pick(g, kql.Long, kql.String, kql.Bool)) + `, "b", ` + sub(pick(g, kql.Long, kql.Dynamic)) + ")"
	}
	if c := names(g.scope, kql.Dynamic); len(c) > 0 {
		return pick(g, c...) + pick(g, ".a", "[0]", "[-1]", `["b"]`, ".a.b", ".b[1]")
	}
	return g.literal(kql.Dynamic)
}

// condition writes a comparison, a test of strings, or a connection of them.
func (g *generator) condition(depth int) string {
	sub := func(t kql.Type) string { return g.expr(t, depth-1) }
	any := pick(g, kql.Int, kql.Long, kql.Real, kql.Decimal, kql.String, kql.DateTime, kql.TimeSpan, kql.Bool)
	switch g.r.IntN(14) {
	case 12, 13:
		return g.rareCondition(sub)
	case 0, 1:
		return "(" + sub(kql.Bool) + pick(g, " and ", " or ") + sub(kql.Bool) + ")"
	case 2:
		return "not(" + sub(kql.Bool) + ")"
	case 3, 4:
		return "(" + sub(any) + pick(g, " == ", " != ", " < ", " <= ", " > ", " >= ") + sub(any) + ")"
	case 5, 6, 7:
		return "(" + sub(kql.String) + " " + pick(g, stringOps...) + " " + g.operand(sub) + ")"
	case 8:
		return "(" + sub(kql.String) + pick(g, " in ", " !in ", " in~ ", " !in~ ", " has_any ", " has_all ") + "(" + g.literal(kql.String) + ", " + g.literal(kql.String) + "))"
	case 9:
		t := pick(g, kql.Long, kql.Int, kql.DateTime)
		return "(" + sub(t) + pick(g, " in (", " !in (") + sub(t) + ", " + sub(t) + "))"
	case 10:
		t := pick(g, kql.Long, kql.Real, kql.DateTime, kql.TimeSpan)
		return "(" + sub(t) + pick(g, " between (", " !between (") + sub(t) + " .. " + sub(t) + "))"
	}
	t := g.scalarType()
	return pick(g, "isnull(", "isnotnull(") + sub(pick(g, t, kql.Long)) + ")"
}

var stringOps = []string{
	"has", "!has", "has_cs", "!has_cs", "hasprefix", "!hasprefix", "hasprefix_cs", "hassuffix", "!hassuffix", "hassuffix_cs", "contains", "!contains", "contains_cs",
	"!contains_cs", "startswith", "!startswith", "startswith_cs", "!startswith_cs", "endswith", "!endswith", "endswith_cs", "!endswith_cs", "=~", "!~", "==", "!=",
}

// operand is the right side of a string operator; mostly a constant.
func (g *generator) operand(sub func(kql.Type) string) string {
	if g.one(3) {
		return sub(kql.String)
	}
	return g.literal(kql.String)
}

// function writes a call of a function that gives a t.
func (g *generator) function(t kql.Type, depth int) string {
	var fit []scalar
	for _, s := range library {
		if s.ret == t {
			fit = append(fit, s)
		}
	}
	if len(fit) == 0 {
		return ""
	}
	s := pick(g, fit...)
	var args []string
	for i, p := range s.args {
		switch {
		case i < len(s.gen) && s.gen[i] != "":
			args = append(args, pick(g, choices(s.gen[i])...))
		case p == 'x':
			args = append(args, g.expr(pick(g, kql.Long, kql.String, kql.DateTime, kql.Bool), depth-1))
		default:
			args = append(args, g.expr(letters[p], depth-1))
		}
	}
	return s.name + "(" + strings.Join(args, ", ") + ")"
}

var library = allScalars()

// choices divides texts at blanks that stand in no string.
func choices(s string) []string {
	var out []string
	for len(s) > 0 {
		end, quoted := 0, false
		for ; end < len(s) && (quoted || s[end] != ' '); end++ {
			if s[end] == '"' {
				quoted = !quoted
			}
		}
		out = append(out, s[:end])
		s = strings.TrimLeft(s[end:], " ")
	}
	return out
}

// datatable writes a table as text, for the report of a failure.
func datatable(r *relation) string {
	var cols, vals []string
	for _, c := range r.cols {
		cols = append(cols, c.Name+":"+c.Type.String())
	}
	for _, row := range r.rows {
		for i, v := range row {
			vals = append(vals, written(v, r.cols[i].Type))
		}
	}
	return fmt.Sprintf("datatable(%s)[%s]", strings.Join(cols, ", "), strings.Join(vals, ", "))
}

func written(v any, t kql.Type) string {
	if v == nil {
		return t.String() + "(null)"
	}
	switch t {
	case kql.String:
		return syntax.Quote(v.(string))
	case kql.DateTime:
		return "datetime(" + textOf(v, t) + ")"
	case kql.TimeSpan:
		return "timespan(" + textOf(v, t) + ")"
	case kql.Dynamic:
		return "dynamic(" + encode(v) + ")"
	}
	return fmt.Sprintf("%s(%v)", t, v)
}
