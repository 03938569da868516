package kql

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Shape is the hidden column of a table whose [Table.Shaped] names a column of
// text: the text's shape, or "" where none is kept.
//
// A shape is what lines of one kind have in common. It is the text in lower case,
// in which each term without a digit stands between bytes 1, each term with one
// is 0, and what joins two terms is left out where it goes without saying: a
// single space between two without digits, which share a byte 1, and a single
// . : - or / between two with, which are one 0. There are few shapes, so DuckDB
// stores them as a dictionary and looks for a term in its entries instead of in
// every row; and the borders of terms are in the text, so that a plain search
// finds them.
const Shape = "$shape"

// maxShape is how many bytes of text have a shape: longer ones do not recur.
const maxShape = 1024

const termBorder = 1

// AppendShape appends the shape of text to dst. It reports false, and appends
// what is of no use, for a text that has none: one with characters outside of
// ASCII, with a byte 1, or too long.
func AppendShape(dst []byte, text string) ([]byte, bool) {
	if len(text) > maxShape {
		return dst, false
	}
	before := ofDelimiter // the kind of the last term
	for i := 0; i < len(text); {
		begin := i
		for i < len(text) && shapeKinds[text[i]] == ofDelimiter {
			i++
		}
		gap := text[begin:i]
		start := len(dst)
		if dst = append(dst, gap...); i == len(text) {
			break
		}
		dst = append(dst, termBorder)
		term := len(dst)
		kind := ofLetter
		for ; i < len(text); i++ {
			k := shapeKinds[text[i]]
			if k < ofLetter {
				if k == unshapely {
					return dst, false
				}
				break
			}
			kind = max(kind, k)
			dst = append(dst, text[i]|0x20) // upper case to lower; what it does to digits is dropped
		}
		switch joined := kind == before && len(gap) == 1 && joins(gap[0], kind); {
		case kind == ofDigit && joined:
			dst = dst[:start]
		case kind == ofDigit:
			dst = append(dst[:start+len(gap)], '0')
		case joined:
			dst = append(append(dst[:start], dst[term:]...), termBorder)
		default:
			dst = append(dst, termBorder)
		}
		before = kind
	}
	return dst, true
}

// joins reports whether c between two terms of one kind is left out.
func joins(c byte, kind shapeKind) bool {
	switch c {
	case ' ':
		return kind == ofLetter
	case '.', ':', '-', '/':
		return kind == ofDigit
	}
	return false
}

type shapeKind byte

const (
	unshapely shapeKind = iota
	ofDelimiter
	ofLetter
	ofDigit
)

// shapeKinds says what each byte is in a shaped text.
var shapeKinds = func() (kinds [256]shapeKind) {
	for c := range 128 {
		switch {
		case c == termBorder:
		case c >= '0' && c <= '9':
			kinds[c] = ofDigit
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z':
			kinds[c] = ofLetter
		default:
			kinds[c] = ofDelimiter
		}
	}
	return kinds
}()

// shapeTest is what a search for a constant means for the shape of a text.
type shapeTest struct {
	fn   string // SQL function of (shape, part)
	part string
	// exact says that a text fits if and only if its shape does; otherwise a text
	// that fits has such a shape, but not the other way round.
	exact bool
}

// shapeOf returns the test that o makes of a shape, if it says anything.
func (o strOp) shapeOf(operand string) (shapeTest, bool) {
	t := shapeTest{fn: o.fn, exact: !o.cs}
	before, after := o.before, o.after // whether a term of the text begins, or ends, with the operand
	switch o.fn {
	case "contains":
	case "starts_with":
		before = true
	case "ends_with":
		after = true
	case "=":
		before, after = true, true
	case "":
		t.fn = "contains"
	default:
		return t, false
	}
	inner := operand
	if o.fn != "starts_with" && o.fn != "=" {
		inner = sureEnd(inner, before, firstRun)
	}
	if o.fn != "ends_with" && o.fn != "=" {
		inner = sureEnd(inner, after, lastRun)
	}
	shape, ok := AppendShape(nil, inner)
	if !ok || inner == "" {
		return t, false
	}
	t.part = string(shape)
	t.exact = t.exact && inner == operand && !strings.Contains(t.part, "0")
	return t, t.exact || strings.ContainsFunc(t.part, unicode.IsLetter)
}

// sureEnd cuts off s, at the end that run looks at, what a shape may have
// otherwise. A term that is cut off by the end of the operand, where border is
// false, may be any that has it as a part, with digits or without; and what joins
// two terms may be left out.
func sureEnd(s string, border bool, run func(string) (int, int, shapeKind)) string {
	from, to, kind := run(s)
	if kind >= ofLetter {
		if border {
			return s
		}
		s = s[:from] + s[to:]
		if from, to, kind = run(s); kind == ofDelimiter && to-from == 1 && (joins(s[from], ofLetter) || joins(s[from], ofDigit)) {
			return s[:from] + s[to:]
		}
		return s
	}
	if to-from != 1 {
		return s
	}
	rest := s[:from] + s[to:]
	_, _, next := run(rest)
	if rest == "" && (joins(s[from], ofLetter) || joins(s[from], ofDigit)) || joins(s[from], next) {
		return rest
	}
	return s
}

// firstRun returns where the term or the delimiters that s begins with are, and
// their kind.
func firstRun(s string) (from, to int, kind shapeKind) {
	for to < len(s) {
		k := shapeKinds[s[to]]
		if to > 0 && (k >= ofLetter) != (kind >= ofLetter) {
			break
		}
		kind = max(kind, k)
		to++
	}
	return 0, to, kind
}

// lastRun is [firstRun] of the end.
func lastRun(s string) (from, to int, kind shapeKind) {
	for from = len(s); from > 0; from-- {
		k := shapeKinds[s[from-1]]
		if from < len(s) && (k >= ofLetter) != (kind >= ofLetter) {
			break
		}
		kind = max(kind, k)
	}
	return from, len(s), kind
}

// sql is the test of the shape.
func (t shapeTest) sql() string {
	if t.fn == "=" {
		return "(" + quoteIdent(Shape) + " = " + quoteString(t.part) + ")"
	}
	return t.fn + "(" + quoteIdent(Shape) + ", " + quoteString(t.part) + ")"
}

// shapesOf is the test that has_any or has_all over terms makes of a shape.
func shapesOf(terms []string, all bool) (sql string, exact, ok bool) {
	has := strOp{before: true, after: true}
	exact = true
	var parts []string
	for _, s := range terms {
		t, ok := has.shapeOf(s)
		exact = exact && ok && t.exact
		switch {
		case ok:
			parts = append(parts, t.part)
		case !all:
			return "", false, false
		}
	}
	if len(parts) == 0 {
		return "", false, false
	}
	slices.Sort(parts)
	parts = slices.Compact(parts)
	tests := make([]string, len(parts))
	for i, p := range parts {
		tests[i] = shapeTest{fn: "contains", part: p}.sql()
		parts[i] = regexp.QuoteMeta(p)
	}
	switch {
	case all:
		return "(" + strings.Join(tests, " AND ") + ")", exact, true
	case len(tests) <= 4:
		return "(" + strings.Join(tests, " OR ") + ")", exact, true
	}
	return "regexp_matches(" + quoteIdent(Shape) + ", " + quoteString(strings.Join(parts, "|")) + ")", exact, true
}

// search is a search in a text that has shapes.
type search struct {
	sql string // for any row
	// with and without are the same for rows that have a shape, and for the others.
	with, without string
}

// maxSearches is how many searches of a query are asked of shapes.
const maxSearches = 1000

// byShape makes text, the SQL of a search in a column that has shapes, a search in
// the shape of those rows that have one: test, which is exact as [shapeTest] says.
func (b *binder) byShape(test string, exact bool, text string) string {
	if !exact {
		test = "(" + test + " AND " + text + ")"
	}
	s := search{"(CASE WHEN " + quoteIdent(Shape) + " <> '' THEN " + test + " ELSE " + text + " END)", test, text}
	b.searches = append(b.searches, s)
	return s.sql
}

// hasShape reports whether e is a column of text whose shape is at hand.
func (b *binder) hasShape(e expr) bool { return e.keepsShape() && len(b.searches) < maxSearches }

// keepsShape reports whether e is nothing but a column of text that has shapes.
func (e expr) keepsShape() bool { return e.shaped != "" && e.shaped == e.sql }

// filtered emits the rows of r for which p is true, with the columns cols, which
// list names.
//
// Where p searches in a text that has shapes, the rows with and those without are
// filtered each by themselves: DuckDB then reads the texts of the latter alone.
func (b *binder) filtered(r *relation, list string, p expr, cols []column) *relation {
	from := func(source string, p expr) string { return "SELECT " + list + " FROM " + source + filter(p) }
	with, without := p, p
	if r.arms != nil || r.splits {
		var pairs, other []string
		for _, s := range b.searches {
			pairs, other = append(pairs, s.sql, s.with), append(other, s.sql, s.without)
		}
		with.sql, without.sql = strings.NewReplacer(pairs...).Replace(p.sql), strings.NewReplacer(other...).Replace(p.sql)
	}
	arms := r.arms
	switch {
	case p.window, arms == nil && with.sql == p.sql:
		out := b.step(r, from(r.from, p), cols)
		out.splits = r.splits && !p.window
		return out
	case arms == nil:
		arms = &[2]string{r.from, r.from}
		with.sql = "(" + quoteIdent(Shape) + " <> '' AND " + with.sql + ")"
		without.sql = "(" + quoteIdent(Shape) + " = '' AND " + without.sql + ")"
	}
	next := &[2]string{b.emit(from(arms[0], with), r.cheap), b.emit(from(arms[1], without), r.cheap)}
	out := b.step(r, "SELECT * FROM "+next[0]+" UNION ALL SELECT * FROM "+next[1], cols)
	out.arms = next
	return out
}
