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
	find := kvFinder(props)
	var set []assignment
	for _, t := range op.Schema {
		if t == nil || t.Name == nil {
			continue
		}
		sql := find(text.sql, t.Name.Text)
		e, ok := b.explicit(expr{sql: "trim(" + sql + ")", typ: String}, b.typeName(t.Type))
		if !ok {
			e = nullLit(b.typeName(t.Type))
		}
		set = append(set, assignment{t.Name.Text, e})
	}
	return b.assign(r, set)
}

// kvFinder returns how the value of a key is found in a text.
func kvFinder(props map[string]string) func(text, key string) string {
	if re := props["regex"]; re != "" {
		re = quoteString(re)
		return func(text, key string) string {
			return "coalesce(regexp_extract_all(" + text + ", " + re + ", 2)[list_position(regexp_extract_all(" + text + ", " + re + ", 1), " + quoteString(key) + ")], '')"
		}
	}
	pair, kv, quote, esc := props["pair_delimiter"], quoteMeta(props["kv_delimiter"]), props["quote"], props["escape"]
	value, before := `([^\s]*)`, `(?:^|\s)`
	switch {
	case pair != "":
		value, before = `(.*?)(?:$|`+quoteMeta(pair)+`)`, `(?:^|`+quoteMeta(pair)+`)\s*`
	case props["greedy"] == "true":
		value = `(.*?)(?:$|\s+[^\s` + kv + `]+` + kv + `)`
	case kv == "": // neither is told: a value is what holds no white space, , or ;
		kv, value, before = "[=:]", `([^\s,;]*)`, `(?:^|[\s,;])`
	}
	if kv == "" {
		kv = "="
	}
	open, end := "", ""
	if quote != "" {
		open, end = quoteMeta(quote[:1]), quoteMeta(quote[len(quote)-1:])
		inside := `[^` + end + `]*`
		if esc != "" {
			inside = `(?:[^` + end + quoteMeta(esc) + `]|` + quoteMeta(esc) + `.)*`
		}
		value = `(?:` + open + `(` + inside + `)` + end + `|` + value + `)`
	}
	return func(text, key string) string {
		k := quoteMeta(key)
		if quote != "" {
			k = "(?:" + k + "|" + open + k + end + ")"
		}
		p := quoteString("(?s)" + before + k + `\s*` + kv + `\s*` + value)
		if quote == "" {
			return "regexp_extract(" + text + ", " + p + ", 1)"
		}
		quoted := "regexp_extract(" + text + ", " + p + ", 1)"
		if esc != "" {
			quoted = "regexp_replace(" + quoted + ", " + quoteString(quoteMeta(esc)+"(.)") + `, '\1', 'g')`
		}
		return "(" + quoted + " || regexp_extract(" + text + ", " + p + ", 2))"
	}
}

// literalWord turns the bare words true and false into literals.
func literalWord(x syntax.Expr) syntax.Expr {
	if n, ok := x.(*syntax.Name); ok && (n.Text == "true" || n.Text == "false") {
		return boolNode(n, n.Text == "true")
	}
	return x
}
