package kql

import (
	"picket/kql/syntax"
)

// reduce groups texts by their likeness. What is alike is found by a native
// function over the distinct texts (native_reduce.go).
func (b *binder) reduce(op *syntax.ReduceOp, r *relation, c *ctx) *relation {
	threshold, characters := 0.1, ""
	for _, p := range op.Props {
		name := ""
		if len(p.Names) > 0 {
			name = p.Names[0].Text
		}
		e := b.scalar(p.X, &ctx{env: c.env})
		switch v := e.lit.(type) {
		case float64:
			if name == "threshold" && v > 0 && v <= 1 {
				threshold = v
				continue
			}
		case int64:
			if name == "threshold" && v == 1 {
				threshold = 1
				continue
			}
		case string:
			if name == "characters" {
				characters = v
				continue
			}
		}
		if e.typ != Unknown {
			b.errorf(p, "SEM0140", "reduce takes threshold= a number above 0 and at most 1, and characters= a text")
		}
	}
	kind, source := hint(op.Hints, "kind")
	if source && kind != "source" {
		b.errorf(op, "SEM0140", "the only kind of reduce is source")
	}
	_, by := explicitName(op.By)
	text := asText(b.scalar(by, c))
	texts := b.emit("SELECT *, "+text.sql+` AS "$text", row_number() OVER () AS "$at" FROM `+r.from, false)
	distinct := b.emit(`SELECT "$text", count(*) AS "$n", row_number() OVER (ORDER BY min("$at")) AS "$i" FROM `+texts+` GROUP BY "$text" ORDER BY "$i"`, false)
	groups := b.emit("SELECT "+nativeCall("kql_reduce", `to_json(list("$text" ORDER BY "$i"))::VARCHAR`, `to_json(list("$n" ORDER BY "$i"))::VARCHAR`,
		realLit(threshold).sql+"::VARCHAR", quoteString(characters))+` AS "$g" FROM `+distinct, false)
	cols := newColumns(Column{"Pattern", String}, Column{"Count", Long}, Column{"Representative", String})
	rows := b.emit(`SELECT unnest(from_json("$g"->'groups', '[{"p":"VARCHAR","c":"BIGINT","r":"VARCHAR"}]'), recursive := true) FROM `+groups, false)
	if !source {
		return b.heavy("SELECT p AS "+cols[0].ref()+", c AS "+cols[1].ref()+", r AS "+cols[2].ref()+" FROM "+rows, cols)
	}
	s := newSelection()
	for _, col := range r.cols {
		s.add(col.name, expr{sql: "t." + col.ref(), typ: col.typ})
	}
	for i, id := range [...]string{"p", "c", "r"} {
		s.add(cols[i].name, expr{sql: "g." + id, typ: cols[i].typ})
	}
	numbered := b.emit(`SELECT *, row_number() OVER () AS "$k" FROM `+rows, false)
	of := `(SELECT from_json("$g"->'of', '["BIGINT"]') FROM ` + groups + ")"
	out := b.heavy("SELECT "+s.sql()+" FROM "+texts+" t JOIN "+distinct+` d ON d."$text" = t."$text" JOIN `+numbered+` g ON g."$k" = `+of+`[d."$i"] ORDER BY t."$at"`, s.cols)
	return out
}
