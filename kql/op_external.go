package kql

import (
	"strings"

	"picket/kql/syntax"
)

// ExternalData is what an externaldata operator asks for.
type ExternalData struct {
	URIs    []string          // where the data lies, as the query says, without the secrets behind a semicolon
	Columns []Column          // what the query takes it for
	Props   map[string]string // format, ignoreFirstRecord, …; names in lower case
}

// externalData binds externaldata(schema)[locations]. It never reads anything by
// itself: Options.External knows the locations that may be read.
func (b *binder) externalData(x *syntax.ExternalData, env *env) *relation {
	cols := b.schema(x.Schema)
	ask := ExternalData{Props: map[string]string{}}
	for _, c := range cols {
		ask.Columns = append(ask.Columns, Column{c.name, c.typ})
	}
	for _, u := range x.URIs {
		e := b.scalar(u, &ctx{env: env})
		s, ok := e.lit.(string)
		if !ok {
			if e.typ != Unknown {
				b.errorf(u, "SEM0108", "externaldata needs its locations as string constants")
			}
			return b.empty(cols)
		}
		s, _, _ = strings.Cut(s, ";")
		ask.URIs = append(ask.URIs, s)
	}
	for _, p := range x.Props {
		if len(p.Names) > 0 {
			ask.Props[strings.ToLower(p.Names[0].Text)] = plainValue(p.X)
		}
	}
	if b.opt.External == nil {
		b.errorf(x, "SEM0107", "externaldata is refused: a query reads only the workspace's tables, nothing from the network; import the data as a table or watchlist")
		return b.empty(cols)
	}
	table, err := b.opt.External(ask)
	if err != nil {
		b.report(x.Span(), "SEM0107", "", "externaldata: "+err.Error())
		return b.empty(cols)
	}
	if table == "" || len(cols) == 0 {
		return b.empty(cols)
	}
	return b.heavy("SELECT * FROM "+quoteIdent(table)+" t("+refs(cols)+")", cols)
}

// plainValue is the text of a literal or a word.
func plainValue(x syntax.Expr) string {
	switch x := x.(type) {
	case *syntax.Literal:
		return x.Text
	case *syntax.Name:
		return x.Text
	}
	return ""
}
