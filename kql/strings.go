package kql

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"picket/kql/syntax"
)

// strOp describes a string operator.
type strOp struct {
	fn      string // SQL function of (text, operand); "" for the term operators
	before  bool   // term operators: a term must begin where the operand begins
	after   bool   // … and end where it ends
	not, cs bool
}

var strOps = map[syntax.Kind]strOp{
	syntax.EQCI: {fn: "="}, syntax.NECI: {fn: "=", not: true},
	syntax.CONTAINS: {fn: "contains"}, syntax.NOTCONTAINS: {fn: "contains", not: true},
	syntax.CONTAINSCS: {fn: "contains", cs: true}, syntax.NOTCONTAINSCS: {fn: "contains", cs: true, not: true},
	syntax.STARTSWITH: {fn: "starts_with"}, syntax.NOTSTARTSWITH: {fn: "starts_with", not: true},
	syntax.STARTSWITHCS: {fn: "starts_with", cs: true}, syntax.NOTSTARTSWITHCS: {fn: "starts_with", cs: true, not: true},
	syntax.ENDSWITH: {fn: "ends_with"}, syntax.NOTENDSWITH: {fn: "ends_with", not: true},
	syntax.ENDSWITHCS: {fn: "ends_with", cs: true}, syntax.NOTENDSWITHCS: {fn: "ends_with", cs: true, not: true},
	syntax.HAS: {before: true, after: true}, syntax.NOTHAS: {before: true, after: true, not: true},
	syntax.HASCS: {before: true, after: true, cs: true}, syntax.NOTHASCS: {before: true, after: true, cs: true, not: true},
	syntax.HASPREFIX: {before: true}, syntax.NOTHASPREFIX: {before: true, not: true},
	syntax.HASPREFIXCS: {before: true, cs: true}, syntax.NOTHASPREFIXCS: {before: true, cs: true, not: true},
	syntax.HASSUFFIX: {after: true}, syntax.NOTHASSUFFIX: {after: true, not: true},
	syntax.HASSUFFIXCS: {after: true, cs: true}, syntax.NOTHASSUFFIXCS: {after: true, cs: true, not: true},
	syntax.MATCHES: {fn: "regexp_matches", cs: true},
}

// stringOp lowers =~, has, contains, startswith, endswith, matches regex and
// their variants.
func (b *binder) stringOp(x *syntax.Binary, l, r expr) expr {
	op, ok := strOps[x.Op]
	if !ok {
		b.report(x.OpPos, "SEM0026", "", "this operator is not supported")
		return unknown()
	}
	if l.typ == Unknown || r.typ == Unknown {
		return expr{sql: "NULL::BOOLEAN", typ: Bool}
	}
	if x.Op == syntax.MATCHES {
		r = asRE2(r)
		if s, ok := r.lit.(string); ok {
			b.checkRegex(x.Y, s)
		}
	}
	l, r = asText(l), asText(r)
	out := expr{typ: Bool, window: l.window || r.window}
	if op.fn != "" {
		l, r := l, r
		if !op.cs && !caseless(r) {
			l, r = lowered(l), lowered(r)
		}
		if x.Op == syntax.MATCHES && costly(r) {
			out.sql, _ = bindArgs([]expr{l, r}, func(args []expr) (string, error) { // this lowering has no error
				return guardRegex(args[0], args[1], false, func(text expr) (string, error) {
					return "regexp_matches(" + text.sql + ", " + args[1].sql + ")", nil
				})
			})
			out.sql = "(" + out.sql + ")"
		} else if op.fn == "=" {
			out.sql = "(" + l.sql + " = " + r.sql + ")"
		} else {
			out.sql = op.fn + "(" + l.sql + ", " + r.sql + ")"
		}
	} else {
		out.sql = op.has(l, r)
	}
	if s, ok := r.lit.(string); ok && b.hasShape(l) {
		if t, ok := op.shapeOf(s); ok {
			out.sql = b.byShape(t.sql(), t.exact, out.sql)
		}
	}
	if op.not {
		out.sql = "(NOT " + out.sql + ")"
	}
	return out
}

// A term is a maximal run of letters and digits; everything else, _ included,
// delimits.
const (
	termStart = `(?:^|[^\pL\pN])`
	termEnd   = `(?:$|[^\pL\pN])`
)

// has lowers a term operator. A substring search goes before the regular
// expression: it is many times cheaper and rules out almost every row.
func (o strOp) has(l, r expr) string {
	if !o.cs && !caseless(r) {
		l, r = lowered(l), lowered(r)
	}
	s, ok := r.lit.(string)
	if !ok {
		return o.hasValue(l.sql, r.sql)
	}
	if s == "" {
		return "true"
	}
	return "(contains(" + l.sql + ", " + r.sql + ") AND regexp_matches(" + l.sql + ", " + quoteString(o.pattern(s)) + "))"
}

// caseless reports whether e is a constant without letters, such as an IPv4
// address: then the text need not be brought to lower case, which is most of
// the cost of a search. Nothing outside of ASCII folds to such characters.
func caseless(e expr) bool {
	s, ok := e.lit.(string)
	return ok && e.typ == String && strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || unicode.IsLetter(r) }) < 0
}

// pattern is the regular expression for a constant operand.
func (o strOp) pattern(s string) string {
	p := regexp.QuoteMeta(s)
	if first, _ := utf8.DecodeRuneInString(s); o.before && inTerm(first) {
		p = termStart + p
	}
	if last, _ := utf8.DecodeLastRuneInString(s); o.after && inTerm(last) {
		p += termEnd
	}
	return p
}

func inTerm(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }

// hasValue lowers a term operator whose operand differs from row to row. CASE
// keeps the costly regular expression to the rows that contain the operand.
func (o strOp) hasValue(text, term string) string {
	p := "regexp_escape(" + term + ")"
	if o.before {
		p = "CASE WHEN regexp_matches(" + term + `, '^[\pL\pN]') THEN ` + quoteString(termStart) + " ELSE '' END || " + p
	}
	if o.after {
		p += " || CASE WHEN regexp_matches(" + term + `, '[\pL\pN]$') THEN ` + quoteString(termEnd) + " ELSE '' END"
	}
	return "(CASE WHEN contains(" + text + ", " + term + ") THEN regexp_matches(" + text + ", " + p + ") ELSE false END)"
}

// hasConst lowers has_any or has_all over constant terms.
func (b *binder) hasConst(l expr, terms []string, all bool) string {
	text := hasText(l, terms, all)
	if !b.hasShape(l) {
		return text
	}
	test, exact, ok := shapesOf(terms, all)
	if !ok {
		return text
	}
	return b.byShape(test, exact, text)
}

// hasText is has_any or has_all over the text itself.
func hasText(l expr, terms []string, all bool) string {
	parts := make([]string, 0, len(terms))
	op := strOp{before: true, after: true}
	op.cs = true // the text is brought to lower case here, if it must be, and the terms below
	if !caseless(strLit(strings.Join(terms, ""))) {
		l = lowered(l)
	}
	for _, t := range terms {
		if all || len(terms) <= 4 {
			parts = append(parts, op.has(l, strLit(strings.ToLower(t))))
		}
	}
	switch {
	case len(terms) == 0:
		return formatBool(all)
	case all:
		return "(" + strings.Join(parts, " AND ") + ")"
	case len(terms) <= 4:
		return "(" + strings.Join(parts, " OR ") + ")"
	}
	// Many terms are one automaton: a search for each would cost more. The borders
	// stand once around all terms: one for each term would be more states than
	// the engine keeps, and it would fall back to its slowest way.
	var groups []string
	for _, border := range [][2]string{{"", ""}, {termStart, ""}, {"", termEnd}, {termStart, termEnd}} {
		var words []string
		for _, t := range terms {
			first, _ := utf8.DecodeRuneInString(t)
			last, _ := utf8.DecodeLastRuneInString(t)
			if inTerm(first) == (border[0] != "") && inTerm(last) == (border[1] != "") {
				words = append(words, regexp.QuoteMeta(strings.ToLower(t)))
			}
		}
		if len(words) > 0 {
			groups = append(groups, border[0]+"(?:"+strings.Join(words, "|")+")"+border[1])
		}
	}
	return "regexp_matches(" + l.sql + ", " + quoteString(strings.Join(groups, "|")) + ")"
}
