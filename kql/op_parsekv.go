package kql

import (
	"regexp"

	"picket/kql/syntax"
)

func quoteMeta(s string) string { return regexp.QuoteMeta(s) }

// parseKv binds parse-kv: each declared key is looked up in text made of
// key=value pairs. With greedy, a value runs to the next key; with a regex
// property, group 1 is the key and group 2 the value.
func (b *binder) parseKv(op *syntax.ParseKvOp, r *relation, c *ctx) *relation {
	text := asText(b.scalar(op.X, c))
	props := map[string]string{}
	for _, p := range op.Props {
		if len(p.Names) == 0 {
			continue
		}
		e := b.scalar(literalWord(p.X), &ctx{env: c.env})
		switch v := e.lit.(type) {
		case string:
			props[p.Names[0].Text] = v
		case bool:
			props[p.Names[0].Text] = formatBool(v)
		}
	}
	if props["regex"] != "" {
		b.errorf(op, "SEM0062", "parse-kv with regex is not supported: use pair_delimiter and kv_delimiter, or extract()")
		return r
	}
	pair, kv, quote := props["pair_delimiter"], props["kv_delimiter"], props["quote"]
	if kv == "" {
		kv = "="
	}
	value := `([^\s]*)`
	before := `(?:^|\s)`
	switch {
	case pair != "":
		value = `(.*?)(?:$|` + quoteMeta(pair) + `)`
		before = `(?:^|` + quoteMeta(pair) + `)\s*`
	case props["greedy"] == "true":
		value = `(.*?)(?:$|\s+[^\s` + quoteMeta(kv) + `]+` + quoteMeta(kv) + `)`
	}
	if quote != "" {
		q := quoteMeta(quote[:1])
		end := quoteMeta(quote[len(quote)-1:])
		value = `(?:` + q + `([^` + end + `]*)` + end + `|` + value + `)`
	}
	var set []assignment
	for _, t := range op.Schema {
		if t == nil || t.Name == nil {
			continue
		}
		p := quoteString("(?s)" + before + quoteMeta(t.Name.Text) + `\s*` + quoteMeta(kv) + `\s*` + value)
		sql := "regexp_extract(" + text.sql + ", " + p + ", 1)"
		if quote != "" {
			sql = "(regexp_extract(" + text.sql + ", " + p + ", 1) || regexp_extract(" + text.sql + ", " + p + ", 2))"
		}
		e, ok := b.explicit(expr{sql: "trim(" + sql + ")", typ: String}, b.typeName(t.Type))
		if !ok {
			e = nullLit(b.typeName(t.Type))
		}
		set = append(set, assignment{t.Name.Text, e})
	}
	return b.assign(r, set)
}

// literalWord turns the bare words true and false into literals.
func literalWord(x syntax.Expr) syntax.Expr {
	if n, ok := x.(*syntax.Name); ok && (n.Text == "true" || n.Text == "false") {
		return boolNode(n, n.Text == "true")
	}
	return x
}
