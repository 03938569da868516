package difftest

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"picket/kql"
	"picket/kql/syntax"
)

// stringTest is one of the operators of the page "String operators". Those
// without _cs ignore case; terms are runs of letters and digits.
func stringTest(op syntax.Kind) func(s, t string) bool {
	not := func(f func(s, t string) bool) func(s, t string) bool {
		return func(s, t string) bool { return !f(s, t) }
	}
	fold := func(f func(s, t string) bool) func(s, t string) bool {
		return func(s, t string) bool { return f(lower(s), lower(t)) }
	}
	switch op {
	case syntax.EQCI:
		return fold(func(s, t string) bool { return s == t })
	case syntax.NECI:
		return not(fold(func(s, t string) bool { return s == t }))
	case syntax.MATCHES:
		return func(s, t string) bool { return regexp.MustCompile(t).MatchString(s) }
	}
	for _, d := range []struct {
		ops  [4]syntax.Kind // plain, not, _cs, not _cs
		test func(s, t string) bool
	}{
		{[4]syntax.Kind{syntax.HAS, syntax.NOTHAS, syntax.HASCS, syntax.NOTHASCS}, has},
		{[4]syntax.Kind{syntax.HASPREFIX, syntax.NOTHASPREFIX, syntax.HASPREFIXCS, syntax.NOTHASPREFIXCS}, hasPrefix},
		{[4]syntax.Kind{syntax.HASSUFFIX, syntax.NOTHASSUFFIX, syntax.HASSUFFIXCS, syntax.NOTHASSUFFIXCS}, hasSuffix},
		{[4]syntax.Kind{syntax.CONTAINS, syntax.NOTCONTAINS, syntax.CONTAINSCS, syntax.NOTCONTAINSCS}, strings.Contains},
		{[4]syntax.Kind{syntax.STARTSWITH, syntax.NOTSTARTSWITH, syntax.STARTSWITHCS, syntax.NOTSTARTSWITHCS}, strings.HasPrefix},
		{[4]syntax.Kind{syntax.ENDSWITH, syntax.NOTENDSWITH, syntax.ENDSWITHCS, syntax.NOTENDSWITHCS}, strings.HasSuffix},
	} {
		switch slices.Index(d.ops[:], op) {
		case 0:
			return fold(d.test)
		case 1:
			return not(fold(d.test))
		case 2:
			return d.test
		case 3:
			return not(d.test)
		}
	}
	panic("no string operator " + op.String())
}

// lower is the lower case that "ignores case" means. How letters beyond ASCII
// fold that change their length or have no single partner is not described.
func lower(s string) string {
	for _, r := range s {
		if strings.ContainsRune("İıſK", r) {
			silent("case of %q", r)
		}
	}
	return strings.ToLower(s)
}

// inTerm reports whether r is part of a term: "a term is a sequence of
// alphanumeric characters".
func inTerm(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// hits calls f with the runes before and after every place of t in s, 0 at the ends.
func hits(s, t string, f func(before, after rune) bool) bool {
	rs, rt := []rune(s), []rune(t)
	if len(rt) == 0 || !inTerm(rt[0]) || !inTerm(rt[len(rt)-1]) {
		silent("a search term that does not begin and end in a term")
	}
	for i := 0; i+len(rt) <= len(rs); i++ {
		if !slices.Equal(rs[i:i+len(rt)], rt) {
			continue
		}
		var before, after rune
		if i > 0 {
			before = rs[i-1]
		}
		if j := i + len(rt); j < len(rs) {
			after = rs[j]
		}
		if f(before, after) {
			return true
		}
	}
	return false
}

func has(s, t string) bool {
	return hits(s, t, func(b, a rune) bool { return !inTerm(b) && !inTerm(a) })
}

func hasPrefix(s, t string) bool {
	return hits(s, t, func(b, _ rune) bool { return !inTerm(b) })
}

func hasSuffix(s, t string) bool {
	return hits(s, t, func(_, a rune) bool { return !inTerm(a) })
}

// in is X in (…), in~, has_any, has_all: their pages. A list may be one dynamic
// array or one table, of which the first column counts.
func (e *evaluator) in(x *syntax.In, sc *scope) expr {
	v := e.bind(x.X, sc)
	list := e.list(x.List, sc)
	out := expr{typ: kql.Bool}
	switch x.Op {
	case syntax.HASANY, syntax.HASALL:
		out.eval = func(a *at) any {
			s, all := lower(textArg(v, a)), x.Op == syntax.HASALL
			for _, t := range list(a) {
				term, ok := t.v.(string)
				if !ok {
					silent("has_any of what is no string")
				}
				if has(s, lower(term)) != all {
					return !all
				}
			}
			return all
		}
		return out
	}
	out.eval = func(a *at) any {
		val := fixed(v.eval(a))
		found := false
		for _, t := range list(a) {
			if val == nil || t.v == nil {
				silent("null in a list")
			}
			found = found || member(x.Op, val, v.typ, t)
		}
		if val == nil {
			silent("null in a list")
		}
		return found != (x.Op == syntax.NOTIN || x.Op == syntax.NOTINCI)
	}
	return out
}

type typed struct {
	v any
	t kql.Type
}

// list is the right side of in.
func (e *evaluator) list(items []syntax.Expr, sc *scope) func(*at) []typed {
	if len(items) == 1 {
		if r := e.tabular(items[0], sc.lets); r != nil {
			var l []typed
			for _, row := range r.settled().rows {
				l = append(l, typed{row[0], r.cols[0].Type})
			}
			return func(*at) []typed { return l }
		}
	}
	var bound []expr
	for _, x := range items {
		bound = append(bound, e.bind(x, sc))
	}
	return func(a *at) []typed {
		var l []typed
		for _, b := range bound {
			v := b.eval(a)
			if u, ok := v.(unordered); ok {
				v = []any(u)
			}
			if arr, ok := fixed(v).([]any); ok {
				for _, x := range arr {
					l = append(l, typed{x, kql.Dynamic})
				}
			} else if b.typ == kql.Dynamic {
				silent("in over a dynamic that is no array")
			} else {
				l = append(l, typed{v, b.typ})
			}
		}
		return l
	}
}

func member(op syntax.Kind, val any, t kql.Type, item typed) bool {
	x, y := val, item.v
	switch {
	case item.t == kql.Dynamic || t == kql.Dynamic:
		x, y = dynamicPair(x, y, t, item.t)
	case t != item.t:
		x, y = numberPair(x, y, t, item.t)
	}
	if s, ok := x.(string); ok && (op == syntax.INCI || op == syntax.NOTINCI) {
		return lower(s) == lower(y.(string))
	}
	return order(x, y) == 0
}
