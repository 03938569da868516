package kql

import (
	"encoding/json"
	"strings"

	"picket/kql/syntax"
)

// patternPlugin is a call of autocluster, basket or diffpatterns while it is bound.
type patternPlugin struct {
	b    *binder
	op   *syntax.EvaluateOp
	r    *relation
	c    *ctx
	pos  []syntax.Expr
	wild map[Type]expr   // what stands for any value
	skip map[string]bool // columns that are no part of patterns: the weight, and what splits the rows
}

// patterns runs a plugin that finds values which often occur together. The search
// is a native function over the distinct rows (native_patterns.go).
func (b *binder) patterns(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	p := &patternPlugin{b: b, op: op, r: r, c: c, wild: map[Type]expr{String: strLit("")}, skip: map[string]bool{}}
	p.pos, _ = pluginArgs(op.Call)
	switch name := op.Call.Func.Text; name {
	case "basket":
		q := patternQuery{Kind: "basket", Threshold: p.number(0, 0.05, 0, 1), Depth: int(p.number(2, 5, 1, 100))}
		p.wildcards(3)
		return p.emit(q, p.weight(1), "0", []string{"Count", "Percent"})
	case "autocluster":
		q := patternQuery{Kind: "autocluster", Weight: p.number(0, 0.5, 0, 1), Seeds: int(p.number(2, 25, 1, 200))}
		p.wildcards(3)
		return p.emit(q, p.weight(1), "0", []string{"Count", "Percent"})
	}
	if len(p.pos) < 3 {
		b.errorf(op.Call, "SEM0003", "diffpatterns() takes (SplitColumn, ValueA, ValueB)")
		return nil
	}
	p.skip[resultName(p.pos[0])] = true
	split := asText(b.scalar(p.pos[0], c)).sql
	w := p.weight(3)
	q := patternQuery{Kind: "diff", Threshold: p.number(4, 0.05, 0.015, 1), Depth: int(p.number(5, 0, 1, 100))}
	p.wildcards(6)
	set := func(i int) string {
		return "CASE WHEN " + split + " = " + asText(b.scalar(p.pos[i], &ctx{env: c.env})).sql + " THEN " + w + " ELSE 0 END"
	}
	return p.emit(q, set(1), set(2), []string{"CountA", "CountB", "PercentA", "PercentB", "PercentDiffAB"})
}

// given is the i-th argument, or nil when it is left out or "~".
func (p *patternPlugin) given(i int) syntax.Expr {
	if i >= len(p.pos) {
		return nil
	}
	if s, ok := p.b.scalar(p.pos[i], p.c).lit.(string); ok && s == "~" {
		return nil
	}
	return p.pos[i]
}

// number is the i-th argument, a constant from lo to hi.
func (p *patternPlugin) number(i int, def, lo, hi float64) float64 {
	x := p.given(i)
	if x == nil {
		return def
	}
	var v float64
	switch n := p.b.scalar(x, &ctx{env: p.c.env}).lit.(type) {
	case int64:
		v = float64(n)
	case float64:
		v = n
	default:
		v = lo - 1
	}
	if v < lo || v > hi {
		p.b.errorf(x, "SEM0141", "%s() takes a number from %v to %v here, or '~' for %v", p.op.Call.Func.Text, lo, hi, def)
		return def
	}
	return v
}

// weight is the SQL of a row's weight.
func (p *patternPlugin) weight(i int) string {
	x := p.given(i)
	if x == nil {
		return "1"
	}
	p.skip[resultName(x)] = true
	e := p.b.scalar(x, p.c)
	if !numeric(e.typ) {
		p.b.errorf(x, "SEM0141", "the weight of %s() is a numeric column", p.op.Call.Func.Text)
		return "1"
	}
	return "coalesce(" + e.sql + ", 0)"
}

// wildcards reads what stands for any value, of each type one.
func (p *patternPlugin) wildcards(from int) {
	for i := from; i < len(p.pos); i++ {
		if x := p.given(i); x != nil {
			e := p.b.scalar(x, &ctx{env: p.c.env})
			p.wild[e.typ] = e
		}
	}
}

// emit writes the search. a and b are the weights of a row in the two sets.
func (p *patternPlugin) emit(q patternQuery, a, b string, measures []string) *relation {
	query, err := json.Marshal(q)
	if err != nil {
		p.b.errorf(p.op.Call, "SEM0141", "%v", err)
		return nil
	}
	cols := []Column{{"SegmentId", Long}}
	for _, m := range measures {
		t := Long
		if strings.HasPrefix(m, "Percent") {
			t = Real
		}
		cols = append(cols, Column{m, t})
	}
	for _, col := range p.r.cols {
		cols = append(cols, Column{col.name, col.typ})
	}
	out := newColumns(cols...)
	base, in := p.b.rename(p.r, "c", ", "+a+` AS "$a", `+b+` AS "$b"`)
	var texts []string
	at := make([]int, len(in)) // of a column in the search, from 1
	for i, col := range in {
		if !p.skip[col.name] {
			texts = append(texts, asText(expr{sql: col.ref(), typ: col.typ}).sql)
			at[i] = len(texts)
		}
	}
	if len(texts) == 0 {
		return p.b.empty(out)
	}
	distinct := p.b.emit(`SELECT *, row_number() OVER (ORDER BY "$a" + "$b" DESC, "$at") AS "$r" FROM (SELECT `+refs(in)+`, sum("$a")::DOUBLE AS "$a", sum("$b")::DOUBLE AS "$b", min("$at") AS "$at" FROM (SELECT *, row_number() OVER () AS "$at" FROM `+
		base+") GROUP BY "+refs(in)+`) WHERE "$a" + "$b" > 0`, false)
	list := func(sql string) string { return "coalesce(to_json(list(" + sql + ` ORDER BY "$r"))::VARCHAR, '[]')` }
	found := p.b.emit(`SELECT unnest(from_json(coalesce(`+nativeCall("kql_patterns", quoteString(string(query)), list("["+strings.Join(texts, ", ")+"]"), list(`"$a"`), list(`"$b"`))+
		", error("+quoteString(p.op.Call.Func.Text+": there are too many patterns; raise the threshold or project fewer columns")+`)), '[{"a":"DOUBLE","b":"DOUBLE","v":["BIGINT"]}]')) AS "$p", sum("$a") AS "$ta", sum("$b") AS "$tb" FROM `+distinct, false)
	percent := func(x string) string { return `coalesce(100.0 * "$p".` + x + ` / nullif("$t` + x + `", 0), 0)` }
	sql := map[string]string{"Count": `round("$p".a)::BIGINT`, "CountA": `round("$p".a)::BIGINT`, "CountB": `round("$p".b)::BIGINT`, "Percent": percent("a"),
		"PercentA": percent("a"), "PercentB": percent("b"), "PercentDiffAB": "abs(" + percent("a") + " - " + percent("b") + ")"}
	parts := []string{`row_number() OVER () - 1 AS ` + out[0].ref()}
	for i, m := range measures {
		parts = append(parts, sql[m]+" AS "+out[1+i].ref())
	}
	for i, col := range in {
		wild, ok := p.wild[col.typ]
		if !ok {
			wild = nullLit(col.typ)
		}
		if at[i] == 0 {
			parts = append(parts, wild.sql+" AS "+out[1+len(measures)+i].ref())
			continue
		}
		v := `"$p".v[` + formatInt(int64(at[i])) + "]"
		parts = append(parts, "CASE WHEN "+v+" = 0 THEN "+wild.sql+" ELSE (SELECT d."+col.ref()+" FROM "+distinct+` d WHERE d."$r" = `+v+") END AS "+out[1+len(measures)+i].ref())
	}
	return p.b.heavy("SELECT "+strings.Join(parts, ", ")+" FROM "+found, out)
}
