package server

import (
	"fmt"

	"picket/kql"
)

// kustoV1 writes a result as Kusto's v1 (Microsoft page "Query/management HTTP
// response"): the result's tables, QueryProperties, QueryStatus and a table of
// contents; a control command's table alone.
type kustoV1 struct {
	ids    kustoIDs
	bare   bool // a control command's
	render *kql.Render
	cols   []kql.Column
	tables int
	rows   int // of the table under way
}

func (a *kustoV1) setRender(r *kql.Render) { a.render = r }

func (a *kustoV1) table(b []byte, n int, cols []kql.Column) []byte {
	if n == 0 {
		b = append(b, `{"Tables":[`...)
	}
	return a.begin(b, n, cols)
}

func (a *kustoV1) begin(b []byte, n int, cols []kql.Column) []byte {
	if n > 0 {
		b = append(b, ',')
	}
	a.cols, a.rows, a.tables = cols, 0, n+1
	b = fmt.Appendf(b, `{"TableName":"Table_%d","Columns":`, n)
	return append(appendColumns(b, cols, true), `,"Rows":[`...)
}

func (a *kustoV1) row(b []byte, row []any) []byte {
	if a.rows++; a.rows > 1 {
		b = append(b, ',')
	}
	return appendCells(b, row, a.cols)
}

func (a *kustoV1) endTable(b []byte, _ tally, _ *cut) []byte { return append(b, "]}"...) }

func (a *kustoV1) end(b []byte, o outcome) []byte {
	if !a.bare {
		b = a.about(b, o)
	}
	b = append(b, ']')
	if o.cut != nil && !a.ids.deferred {
		b = appendValue(append(b, `,"Exceptions":`...), []string{cutError(o.cut).message})
	}
	return append(b, "}\n"...)
}

// about writes the tables about the result's.
func (a *kustoV1) about(b []byte, o outcome) []byte {
	results := a.tables
	whole := func(f fixed) {
		b = a.begin(b, a.tables, f.cols)
		for _, row := range f.rows {
			b = a.row(b, row)
		}
		b = a.endTable(b, tally{}, nil)
	}
	whole(fixed{columnsOf("Value:string"), [][]any{{string(appendValue(nil, visualizationOf(a.render)))}}})
	status := fixed{cols: columnsOf("Timestamp:datetime", "Severity:int", "SeverityName:string", "StatusCode:int", "StatusDescription:string", "Count:int",
		"RequestId:guid", "ActivityId:guid", "SubActivityId:guid", "ClientActivityId:string")}
	for _, e := range events(o) {
		id := a.ids.activity
		status.rows = append(status.rows, []any{kql.TicksOf(a.ids.at), int64(e.level), e.levelName, e.code, e.description, int64(1), id, id, id, a.ids.request})
	}
	whole(status)
	contents := fixed{cols: columnsOf("Ordinal:long", "Kind:string", "Name:string", "Id:string", "PrettyName:string")}
	for i := range results {
		name := "PrimaryResult"
		if i > 0 {
			name = fmt.Sprintf("Table_%d", i)
		}
		contents.rows = append(contents.rows, []any{int64(i), "QueryResult", name, guid(a.ids.activity + name), ""})
	}
	const none = "00000000-0000-0000-0000-000000000000"
	contents.rows = append(contents.rows,
		[]any{int64(results), "QueryProperties", "@ExtendedProperties", guid(a.ids.activity + "properties"), ""},
		[]any{int64(results + 1), "QueryStatus", "QueryStatus", none, ""})
	whole(contents)
	return b
}
