package kql

import (
	"strings"

	"picket/kql/syntax"
)

// nested is one level of top-nested while it is lowered.
type nested struct {
	lv     *syntax.TopNestedLevel
	key    expr
	agg    string
	aggTyp Type
	others *expr // what stands for the values that did not make it, or nil
	rows   string
}

func (l nested) order() string {
	if l.lv.Dir == syntax.Asc {
		return " ASC NULLS FIRST"
	}
	return " DESC NULLS LAST"
}

// topNested takes the top values of a column, then within each the top values
// of the next, and so on. Each level gives two columns: value and aggregate.
func (b *binder) topNested(op *syntax.TopNestedOp, r *relation, c *ctx) *relation {
	s := newSelection()
	var levels []nested
	for i, lv := range op.Levels {
		l, ok := b.nestedLevel(s, lv, i, r, c)
		if !ok {
			return r
		}
		levels = append(levels, l)
	}
	last := -1 // the last level with others: what falls out later is not shown
	for i, l := range levels {
		if l.others != nil {
			last = i
		}
	}
	from := b.emit(`SELECT *, NULL::INTEGER AS "$out" FROM `+r.from, false)
	var keys, list []string
	for i, l := range levels {
		key, val := quoteIdent("$k"+formatInt(int64(i))), quoteIdent("$v"+formatInt(int64(i)))
		from = b.nestedStep(l, i, from, keys, key, val, i <= last)
		keys = append(keys, key)
		list = append(list, key+" AS "+s.cols[2*i].ref(), val+" AS "+s.cols[2*i+1].ref())
	}
	return b.heavy("SELECT DISTINCT "+strings.Join(list, ", ")+" FROM "+from, s.cols)
}

// nestedLevel binds one level and adds its two columns to s.
func (b *binder) nestedLevel(s *selection, lv *syntax.TopNestedLevel, i int, r *relation, c *ctx) (nested, bool) {
	name, x := explicitName(lv.Of)
	l := nested{lv: lv, key: b.scalar(x, c)}
	if name == "" {
		name = resultName(x)
	}
	if name == "" {
		name = "Column" + formatInt(int64(i+1))
	}
	s.add(name, l.key)
	aggName, aggX := explicitName(lv.By)
	as := newSelection()
	b.aggregates(as, aggX, r, &ctx{env: c.env, cols: c.cols, src: c.src, loose: c.loose}, nil)
	if len(as.list) == 0 {
		return l, false
	}
	if aggName == "" {
		aggName = "aggregated_" + name
	}
	l.agg = strings.TrimSuffix(as.list[0], " AS "+as.cols[0].ref())
	l.aggTyp = as.cols[0].typ
	s.add(aggName, expr{sql: l.agg, typ: l.aggTyp})
	if lv.Others != nil {
		e := b.castTo(b.scalar(lv.Others, &ctx{env: c.env}), l.key.typ, lv.Others)
		l.others = &e
	}
	if lv.N != nil {
		l.rows = b.rowCount(lv.N, c)
	}
	return l, true
}

// nestedStep gives the rows of from the key and the value of one level. A row
// whose value is not among the top ones gets the number of this level in $out:
// with keepOut it stays, to be counted with the others of this or a later level.
func (b *binder) nestedStep(l nested, i int, from string, keys []string, key, val string, keepOut bool) string {
	src := b.emit("SELECT *, "+l.key.sql+` AS "$raw" FROM `+from, false)
	by := append(append([]string(nil), keys...), `"$raw"`)
	q := ""
	if l.rows != "" {
		part := ""
		if len(keys) > 0 {
			part = "PARTITION BY " + strings.Join(keys, ", ") + " "
		}
		q = " QUALIFY row_number() OVER (" + part + "ORDER BY " + val + l.order() + ") <= " + l.rows
	}
	group := strings.Join(by, ", ")
	top := b.emit("SELECT "+group+", "+l.agg+" AS "+val+` FROM `+src+` WHERE "$out" IS NULL GROUP BY `+group+q, false)
	on := same("t", "m", by)
	if !keepOut {
		return b.emit(`SELECT t.* EXCLUDE ("$raw"), t."$raw" AS `+key+", m."+val+" FROM "+src+" t JOIN "+top+" m ON "+on+` WHERE t."$out" IS NULL UNION ALL BY NAME SELECT * EXCLUDE ("$raw"), `+
			nullLit(l.key.typ).sql+" AS "+key+", "+nullLit(l.aggTyp).sql+" AS "+val+" FROM "+src+` WHERE "$out" IS NOT NULL`, false)
	}
	stands := nullLit(l.key.typ)
	if l.others != nil {
		stands = *l.others
	}
	hit := b.emit("SELECT t.*, m."+val+`, m."$hit" FROM `+src+" t LEFT JOIN (SELECT *, true AS \"$hit\" FROM "+top+`) m ON t."$out" IS NULL AND `+on, false)
	marked := b.emit(`SELECT * EXCLUDE ("$raw", "$hit", "$out"), CASE WHEN "$hit" THEN "$raw" ELSE `+stands.sql+" END AS "+key+
		`, CASE WHEN "$hit" THEN NULL ELSE coalesce("$out", `+formatInt(int64(i))+`) END AS "$out" FROM `+hit, false)
	if l.others == nil {
		return marked
	}
	by = append(append([]string(nil), keys...), key, `"$out"`)
	group = strings.Join(by, ", ")
	rest := b.emit("SELECT "+group+", "+l.agg+" AS "+val+" FROM "+marked+` WHERE "$out" IS NOT NULL GROUP BY `+group, false)
	return b.emit("SELECT t.* REPLACE (coalesce(m."+val+", t."+val+") AS "+val+") FROM "+marked+" t LEFT JOIN "+rest+" m ON "+same("t", "m", by), false)
}

// same is the condition that two rows agree in cols, nulls included.
func same(l, r string, cols []string) string {
	on := make([]string, len(cols))
	for i, k := range cols {
		on[i] = l + "." + k + " IS NOT DISTINCT FROM " + r + "." + k
	}
	return strings.Join(on, " AND ")
}
