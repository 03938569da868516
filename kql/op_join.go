package kql

import (
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// joinKind is what the kinds of join come down to.
type joinKind struct {
	sql         string // DuckDB's join
	dedupe      bool   // innerunique: the left side keeps one row a key
	left, right bool   // which sides' columns come out
	swap        bool   // right semi and anti joins are left ones the other way round
	fillL       bool   // left strings can be missing
	fillR       bool
}

var joinKinds = map[string]joinKind{
	"innerunique":   {sql: "INNER JOIN", dedupe: true, left: true, right: true},
	"inner":         {sql: "INNER JOIN", left: true, right: true},
	"leftouter":     {sql: "LEFT JOIN", left: true, right: true, fillR: true},
	"rightouter":    {sql: "RIGHT JOIN", left: true, right: true, fillL: true},
	"fullouter":     {sql: "FULL JOIN", left: true, right: true, fillL: true, fillR: true},
	"leftsemi":      {sql: "SEMI JOIN", left: true},
	"leftanti":      {sql: "ANTI JOIN", left: true},
	"anti":          {sql: "ANTI JOIN", left: true},
	"leftantisemi":  {sql: "ANTI JOIN", left: true},
	"rightsemi":     {sql: "SEMI JOIN", right: true, swap: true},
	"rightanti":     {sql: "ANTI JOIN", right: true, swap: true},
	"rightantisemi": {sql: "ANTI JOIN", right: true, swap: true},
}

// joinKey is one equality of a join's condition.
type joinKey struct {
	l, r  expr
	rname string // the right column, when it is plainly one
}

// join binds join and lookup.
func (b *binder) join(op *syntax.JoinOp, l *relation, env *env) *relation {
	kind := "innerunique"
	if op.Lookup {
		kind = "leftouter"
	}
	if k, ok := hint(op.Hints, "kind"); ok {
		kind = strings.ToLower(k)
	}
	k, ok := joinKinds[kind]
	if !ok || (op.Lookup && kind != "leftouter" && kind != "inner") {
		b.report(op.Span(), "SEM0049", "", "there is no join kind "+strconv.Quote(kind))
		k = joinKinds["inner"]
	}
	r := b.tabular(op.Right, env)
	if r == nil {
		return nil
	}
	if l.part != nil || r.part != nil {
		b.errorf(op, "SEM0050", "join cannot stand inside mv-apply or partition here")
		return nil
	}
	c := &ctx{env: env, left: orEmpty(l.cols), right: orEmpty(r.cols), looseL: l.loose, looseR: r.loose}
	var keys []joinKey
	for _, x := range op.On {
		keys = append(keys, b.joinKeys(x, c)...)
	}
	if len(keys) == 0 {
		if len(op.On) == 0 {
			b.errorf(op, "SEM0051", "join needs a condition: on Column, or on $left.A == $right.B")
		}
		return b.joinColumns(op, k, l, r, nil, "")
	}
	return b.joinColumns(op, k, l, r, keys, b.joinCond(keys))
}

// joinKeys binds one condition of on; conditions joined by and are several.
func (b *binder) joinKeys(x syntax.Expr, c *ctx) []joinKey {
	switch x := x.(type) {
	case *syntax.Paren:
		return b.joinKeys(x.X, c)
	case *syntax.Name:
		lc, ok1 := find(c.left, x.Text)
		rc, ok2 := find(c.right, x.Text)
		if !ok1 {
			lc, ok1 = b.looseColumn(x, c.looseL, c.left)
		}
		if !ok2 {
			rc, ok2 = b.looseColumn(x, c.looseR, c.right)
		}
		if !ok1 || !ok2 {
			side, cols := "left", c.left
			if ok1 {
				side, cols = "right", c.right
			}
			var names []string
			for _, k := range cols {
				names = append(names, k.name)
			}
			b.report(x.Span(), codeName, didYouMean(x.Text, names), "the "+side+" side of the join has no column named "+strconv.Quote(x.Text))
			return nil
		}
		return b.joinPair(x, expr{sql: "l." + lc.ref(), typ: lc.typ}, expr{sql: "r." + rc.ref(), typ: rc.typ}, rc.name)
	case *syntax.Binary:
		if x.Op == syntax.AND {
			return append(b.joinKeys(x.X, c), b.joinKeys(x.Y, c)...)
		}
		if x.Op == syntax.EQ {
			l, r, ly := b.scalar(x.X, c), b.scalar(x.Y, c), x.Y
			if mentions(x.X, "$right") || mentions(x.Y, "$left") {
				l, r, ly = r, l, x.X
			}
			name := ""
			if p, ok := ly.(*syntax.Path); ok {
				if n, ok := p.Name.(*syntax.Name); ok && mentions(p.X, "$right") {
					name = n.Text
				}
			}
			return b.joinPair(x, l, r, name)
		}
	}
	b.errorf(x, "SEM0052", "a join's condition is a column's name or $left.A == $right.B; several are joined by commas or and")
	return nil
}

// mentions reports whether name occurs in x as the root of a path.
func mentions(x syntax.Expr, name string) bool {
	switch x := x.(type) {
	case *syntax.Name:
		return x.Text == name
	case *syntax.Path:
		return mentions(x.X, name)
	case *syntax.Index:
		return mentions(x.X, name)
	case *syntax.Paren:
		return mentions(x.X, name)
	case *syntax.Call:
		for _, a := range x.Args {
			if mentions(a, name) {
				return true
			}
		}
	}
	return false
}

// joinPair checks that the two sides of a key can be compared.
func (b *binder) joinPair(n syntax.Node, l, r expr, name string) []joinKey {
	switch {
	case l.typ == Unknown || r.typ == Unknown:
		return nil
	case l.typ == r.typ, numeric(l.typ) && numeric(r.typ):
	case l.typ == Dynamic:
		l = dynamicAs(l, r)
	case r.typ == Dynamic:
		r = dynamicAs(r, l)
	default:
		b.errorf(n, "SEM0053", "the sides of the join's key have different types: %s and %s", l.typ, r.typ)
		return nil
	}
	return []joinKey{{l, r, name}}
}

func (b *binder) joinCond(keys []joinKey) string {
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = k.l.sql + " = " + k.r.sql
	}
	return strings.Join(parts, " AND ")
}

// joinColumns emits the join: all left columns, then all right ones, the
// names already taken with a number behind. lookup leaves out the right keys.
func (b *binder) joinColumns(op *syntax.JoinOp, k joinKind, l, r *relation, keys []joinKey, cond string) *relation {
	if cond == "" {
		cond = "true"
	}
	lfrom := l.from
	if k.dedupe && len(keys) > 0 {
		var on []string
		for _, key := range keys {
			on = append(on, key.l.sql)
		}
		lfrom = b.emit("SELECT DISTINCT ON ("+strings.Join(on, ", ")+") * FROM "+l.from+" l", false)
	}
	if !k.left || !k.right {
		if k.swap {
			return b.heavyLike(r, "SELECT r.* FROM "+r.from+" r "+k.sql+" "+lfrom+" l ON "+cond)
		}
		return b.heavyLike(l, "SELECT l.* FROM "+lfrom+" l "+k.sql+" "+r.from+" r ON "+cond)
	}
	isKey := map[string]bool{}
	for _, key := range keys {
		isKey[key.rname] = true
	}
	s := newSelection()
	// A renamed right column never takes a name that either side has already.
	for _, c := range r.cols {
		if !op.Lookup || !isKey[c.name] {
			s.m.taken[c.name] = true
		}
	}
	for _, c := range l.cols {
		s.m.taken[c.name] = false
		s.add(c.name, expr{sql: fill("l."+c.ref(), c.typ, k.fillL), typ: c.typ, scaled: c.scaled})
	}
	for _, c := range r.cols {
		if op.Lookup && isKey[c.name] {
			continue
		}
		if _, clash := find(l.cols, c.name); !clash {
			s.m.taken[c.name] = false
		}
		s.add(c.name, expr{sql: fill("r."+c.ref(), c.typ, k.fillR), typ: c.typ, scaled: c.scaled})
	}
	alsoJoined(s.cols, l.cols, r.cols)
	hidden := ""
	if l.hidden {
		hidden = ", l." + quoteIdent(IngestionTime)
	}
	out := b.heavy("SELECT "+s.sql()+hidden+" FROM "+lfrom+" l "+k.sql+" "+r.from+" r ON "+cond, s.cols)
	out.hidden, out.loose = l.hidden, looseOf(l, r)
	return out
}

// alsoJoined carries the other names of columns over a join; the right one gets
// a number where both sides have it.
func alsoJoined(out, l, r []column) {
	for i, c := range l {
		out[i].also = c.also
	}
	for i, j := len(out)-1, len(r)-1; i >= len(l) && j >= 0; j-- {
		if out[i].name == r[j].name || strings.HasPrefix(out[i].name, r[j].name) {
			if also := r[j].also; also != "" {
				out[i].also = uniqueName(also, func(s string) bool { _, ok := find(out, s); return ok })
			}
			i--
		}
	}
}

// heavyLike emits a step over r that keeps its columns but is worth keeping.
func (b *binder) heavyLike(r *relation, sql string) *relation {
	out := b.heavy(sql, r.cols)
	out.hidden, out.loose = r.hidden, r.loose
	return out
}

// fill keeps strings from being NULL on the side an outer join may miss.
func fill(ref string, t Type, outer bool) string {
	if outer && t == String {
		return "coalesce(" + ref + ", '')"
	}
	return ref
}
