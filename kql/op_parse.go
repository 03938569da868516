package kql

import (
	"regexp"
	"slices"
	"strings"

	"picket/kql/syntax"
)

// checkRegex reports a regular expression that cannot be compiled. DuckDB's
// engine is RE2, whose syntax Go's shares.
func (b *binder) checkRegex(n syntax.Node, pattern string) {
	if _, err := regexp.Compile(pattern); err != nil {
		b.report(n.Span(), "SEM0068", "the syntax is RE2: no look-around, no back-references", err.Error())
	}
}

// parsePart is one column of a parse pattern.
type parsePart struct {
	name string
	typ  Type
}

// parse binds parse and parse-where. The pattern becomes searches for its texts
// where these say all that it means, and otherwise one regular expression, which
// yields all columns at once and takes three times as long.
func (b *binder) parse(op *syntax.ParseOp, r *relation, c *ctx) *relation {
	if len(op.Pattern) == 0 {
		b.errorf(op, "SEM0014", "parse needs a pattern after with, such as * \"user=\" User:string")
		return r
	}
	kind, _ := hint(op.Hints, "kind")
	kind = strings.ToLower(kind)
	flags, _ := hint(op.Hints, "flags")
	text := asText(b.scalar(op.X, c))
	pattern, parts := b.parsePattern(op, kind, flags)
	if len(parts) == 0 {
		if op.WhereOnly {
			return b.step(r, "SELECT * FROM "+r.from+" WHERE regexp_matches("+text.sql+", "+quoteString(pattern)+")", r.cols)
		}
		return r
	}
	m := b.parseTexts(op.Pattern, parts, kind, text, r)
	if m == nil {
		m = b.parseRegex(pattern, len(parts), text, r)
	}
	// A column that exists is not replaced: the new one gets a number, as in
	// Microsoft's binder.
	taken := func(s string) bool { _, ok := find(r.cols, s); return ok }
	for i := range parts {
		parts[i].name = uniqueName(parts[i].name, taken)
	}
	set, ok := b.parseColumns(parts, m, kind == "relaxed")
	out := b.assignExcept(m.staged, set, m.drop)
	for i := range out.cols {
		if slices.ContainsFunc(parts, func(p parsePart) bool { return p.name == out.cols[i].name }) {
			out.cols[i].weight += m.weight
		}
	}
	if op.WhereOnly {
		last := &b.ctes[len(b.ctes)-1]
		last.sql += " WHERE " + ok
	}
	return out
}

// parsed is a pattern matched with a text: a step with hidden columns to be
// dropped, in which groups are the texts of the pattern's columns where ok is true.
type parsed struct {
	staged *relation
	drop   []string
	groups []string
	ok     string
	weight int // of each group beside what its SQL shows, see weigh
}

// parseRegex matches a regular expression, whose first group is the whole match.
func (b *binder) parseRegex(pattern string, columns int, text expr, r *relation) *parsed {
	id := quoteIdent(idsOf(r.cols).add("$parsed"))
	m := &parsed{drop: []string{id}, ok: id + ".m <> ''"}
	names := []string{"'m'"}
	for i := range columns {
		name := "c" + formatInt(int64(i))
		names = append(names, "'"+name+"'")
		m.groups = append(m.groups, id+"."+name)
	}
	found := "regexp_extract(" + text.sql + ", " + quoteString(pattern) + ", [" + strings.Join(names, ", ") + "])"
	m.staged = b.step(r, "SELECT *, "+found+" AS "+id+" FROM "+r.from, r.cols)
	return m
}

// parseColumns makes the columns of a match's groups. Unless relaxed, a value that
// is not of its column's type makes the whole row not match.
func (b *binder) parseColumns(parts []parsePart, m *parsed, relaxed bool) ([]assignment, string) {
	ok := m.ok
	vals := make([]expr, len(parts))
	for i, p := range parts {
		group := expr{sql: m.groups[i], typ: String}
		vals[i] = group
		if p.typ == String || p.typ == Unknown {
			continue
		}
		group.sql = "trim(" + group.sql + ")"
		v, good := b.explicit(group, p.typ)
		if !good {
			v = nullLit(p.typ)
		}
		vals[i] = v
		if !relaxed {
			ok += " AND " + v.sql + " IS NOT NULL"
		}
	}
	set := make([]assignment, len(parts))
	for i, p := range parts {
		e := expr{typ: vals[i].typ}
		if e.typ == String {
			e.sql = "CASE WHEN " + ok + " THEN " + vals[i].sql + " ELSE '' END"
		} else {
			e.sql = "CASE WHEN " + ok + " THEN " + vals[i].sql + " END"
		}
		set[i] = assignment{p.name, e}
	}
	return set, ok
}

// parsePattern turns the pattern into a regular expression whose first group
// is the whole match.
func (b *binder) parsePattern(op *syntax.ParseOp, kind, flags string) (string, []parsePart) {
	var w strings.Builder
	var parts []parsePart
	isRegex := kind == "regex"
	mode := "(?s)"
	if isRegex {
		mode = regexFlags(flags)
	} else {
		w.WriteString("^")
	}
	last := len(op.Pattern) - 1
	anchored := false
	for i, x := range op.Pattern {
		switch x := x.(type) {
		case *syntax.Literal:
			if isRegex {
				w.WriteString("(?:" + noGroups(x.Text) + ")")
			} else {
				w.WriteString(regexp.QuoteMeta(x.Text))
			}
		case *syntax.Wildcard:
			if isRegex {
				w.WriteString(".*") // greedy, as the page of parse shows
			} else {
				w.WriteString(".*?")
			}
		case *syntax.Name, *syntax.TypedName:
			p := parsePart{typ: String}
			if n, ok := x.(*syntax.Name); ok {
				p.name = n.Text
			} else if t := x.(*syntax.TypedName); t.Name != nil {
				p.name, p.typ = t.Name.Text, b.typeName(t.Type)
			}
			parts = append(parts, p)
			anchored = anchored || i == last
			w.WriteString(groupPattern(p.typ, op.Pattern[i+1:], kind))
		case *syntax.Bad:
		default:
			b.errorf(x, "SEM0056", "a parse pattern is made of string constants, * and columns")
		}
	}
	if anchored && !isRegex {
		w.WriteString("$")
	}
	pattern := mode + "(" + w.String() + ")"
	if isRegex {
		b.checkRegex(op, pattern)
	}
	return pattern, parts
}

// groupPattern is the group of a column, of which rest is what follows. A number
// takes digits only; where relaxed lets it be none, any text up to the constant
// that follows. The last column, and any in a regex pattern, takes all it can.
func groupPattern(t Type, rest []syntax.Expr, kind string) string {
	bounded := false
	if len(rest) > 0 {
		_, bounded = rest[0].(*syntax.Literal)
	}
	switch {
	case kind == "relaxed" && bounded:
	case t == Int || t == Long:
		return `\s*([+-]?[0-9]+)` + optional(kind)
	case t == Real || t == Decimal:
		return `\s*([+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?)` + optional(kind)
	}
	if len(rest) == 0 || kind == "regex" {
		return "(.*)"
	}
	return "(.*?)"
}

// optional lets a group be absent in a relaxed pattern.
func optional(kind string) string {
	if kind == "relaxed" {
		return "?"
	}
	return ""
}

// regexFlags turns the letters of flags= into an inline group: U ungreedy, m, s, i.
func regexFlags(flags string) string {
	keep := ""
	for _, f := range flags {
		if strings.ContainsRune("Umsi", f) && !strings.ContainsRune(keep, f) {
			keep += string(f)
		}
	}
	if keep == "" {
		return ""
	}
	return "(?" + keep + ")"
}

// noGroups makes the capturing groups of a regular expression plain ones, so
// that the columns' groups keep their numbers.
func noGroups(re string) string {
	var w strings.Builder
	class := false
	for i := 0; i < len(re); i++ {
		c := re[i]
		w.WriteByte(c)
		switch {
		case c == '\\' && i+1 < len(re):
			i++
			w.WriteByte(re[i])
		case c == '[':
			class = true
		case c == ']':
			class = false
		case c == '(' && !class && !(i+1 < len(re) && re[i+1] == '?'):
			w.WriteString("?:")
		}
	}
	return w.String()
}
