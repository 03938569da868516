package kql

import (
	"picket/kql/syntax"
)

// schemaMerge makes one schema of several, each as getschema gives it.
func (b *binder) schemaMerge(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	pos, named := pluginArgs(op.Call)
	if x, ok := named["PreserveOrder"]; ok {
		pos = append(pos, x)
	}
	preserve := true
	if len(pos) > 0 {
		v, ok := b.scalar(literalWord(pos[0]), &ctx{env: c.env}).lit.(bool)
		if !ok {
			b.errorf(pos[0], "SEM0003", "schema_merge() takes PreserveOrder, true or false")
			return nil
		}
		preserve = v
	}
	in := map[string]string{}
	for _, want := range []Column{{"ColumnName", String}, {"ColumnOrdinal", Long}, {"DataType", String}, {"ColumnType", String}} {
		col, ok := find(r.cols, want.Name)
		if !ok || col.typ != want.Type && !(numeric(col.typ) && numeric(want.Type)) {
			b.errorf(op.Call, "SEM0144", "schema_merge() takes what getschema gives, and there is no column %s of type %s", want.Name, want.Type)
			return nil
		}
		in[want.Name] = col.ref()
	}
	cols := newColumns(Column{"ColumnName", String}, Column{"ColumnOrdinal", Long}, Column{"DataType", String}, Column{"ColumnType", String})
	// Numbers give way to the wider type; other types must agree.
	types := b.emit("SELECT "+in["ColumnName"]+` AS "$n", min("$at") AS "$at", min(`+in["ColumnOrdinal"]+`) AS "$lo", max(`+in["ColumnOrdinal"]+`) AS "$hi", `+
		`CASE WHEN count(DISTINCT `+in["ColumnType"]+") = 1 THEN min("+in["ColumnType"]+") WHEN bool_and("+in["ColumnType"]+" IN ('int', 'long')) THEN 'long' WHEN bool_and("+
		in["ColumnType"]+` IN ('int', 'long', 'real')) THEN 'real' ELSE 'ERROR(columns have different types)' END AS "$type", `+
		`min(`+in["DataType"]+`) AS "$data" FROM (SELECT *, row_number() OVER () AS "$at" FROM `+r.from+`) GROUP BY 1`, false)
	data := `CASE "$t" WHEN 'long' THEN 'System.Int64' WHEN 'real' THEN 'System.Double' ELSE CASE WHEN starts_with("$t", 'ERROR') THEN 'ERROR(unknown CSL type:' || "$t" || ')' ELSE "$data" END END`
	ordinal, typ := `row_number() OVER (ORDER BY "$hi", "$at") - 1`, `"$type"`
	if preserve {
		ordinal = `CASE WHEN "$lo" = "$hi" THEN "$lo" ELSE -1 END`
		typ = `CASE WHEN "$lo" = "$hi" THEN "$type" ELSE 'ERROR(columns are out of order)' END`
	}
	typed := b.emit(`SELECT "$n", "$at", "$data", `+ordinal+` AS "$o", `+typ+` AS "$t" FROM `+types, false)
	return b.heavy(`SELECT "$n" AS `+cols[0].ref()+`, "$o" AS `+cols[1].ref()+", "+data+" AS "+cols[2].ref()+`, "$t" AS `+cols[3].ref()+" FROM "+typed+
		` ORDER BY "$o" < 0, "$o", "$at"`, cols)
}
