package server

import (
	"fmt"

	"picket/kql"
)

// kustoV2 writes a result as the frames of Kusto's v2 (Microsoft page "Query v2
// HTTP response"), each on a line of its own: primary tables as one frame, or in
// fragments. The order of keys is fixed: the Go client reads it so.
type kustoV2 struct {
	ids        kustoIDs
	fragmented bool
	render     *kql.Render
	cols       []kql.Column
	id         int // of the table under way; 0 is that of the properties
	rows       int // of the table, or of its fragment, under way
}

func (a *kustoV2) setRender(r *kql.Render) { a.render = r }

func (a *kustoV2) table(b []byte, n int, cols []kql.Column) []byte {
	if n == 0 {
		b = a.head(b)
	}
	a.cols, a.rows, a.id = cols, 0, n+1
	name := "PrimaryResult"
	if n > 0 {
		name = fmt.Sprintf("Table_%d", n)
	}
	frame := "DataTable"
	if a.fragmented {
		frame = "TableHeader"
	}
	b = fmt.Appendf(b, "\n,"+`{"FrameType":"%s","TableId":%d,"TableKind":"PrimaryResult","TableName":"%s","Columns":`, frame, a.id, name)
	b = appendColumns(b, cols, false)
	if a.fragmented {
		return append(b, '}')
	}
	return append(b, `,"Rows":[`...)
}

func (a *kustoV2) head(b []byte) []byte {
	b = append(b, `[{"FrameType":"DataSetHeader","IsProgressive":false,"Version":"v2.0"`...)
	if a.fragmented {
		b = append(b, `,"IsFragmented":true,"ErrorReportingPlacement":"EndOfTable"`...)
	}
	b = append(b, '}')
	return a.dataTable(b, 0, "QueryProperties", "@ExtendedProperties", fixed{
		columnsOf("TableId:int", "Key:string", "Value:dynamic"),
		[][]any{{int64(1), "Visualization", string(appendText(nil, string(appendValue(nil, visualizationOf(a.render)))))}},
	})
}

func (a *kustoV2) dataTable(b []byte, id int, kind, name string, f fixed) []byte {
	b = fmt.Appendf(b, "\n,"+`{"FrameType":"DataTable","TableId":%d,"TableKind":"%s","TableName":"%s","Columns":`, id, kind, name)
	b = append(appendColumns(b, f.cols, false), `,"Rows":`...)
	return append(f.append(b), '}')
}

func (a *kustoV2) row(b []byte, row []any) []byte {
	switch {
	case a.rows > 0:
		b = append(b, ',')
	case a.fragmented:
		b = fmt.Appendf(b, "\n,"+`{"FrameType":"TableFragment","TableFragmentType":"DataAppend","TableId":%d,"Rows":[`, a.id)
	}
	a.rows++
	b = appendCells(b, row, a.cols)
	if a.fragmented && len(b) >= pieceSize { // a piece is sent now: let it be whole frames
		b = append(b, "]}"...)
		a.rows = 0
	}
	return b
}

func (a *kustoV2) endTable(b []byte, t tally, c *cut) []byte {
	if !a.fragmented {
		return append(b, "]}"...)
	}
	if a.rows > 0 {
		b = append(b, "]}"...)
		a.rows = 0
	}
	b = fmt.Appendf(b, "\n,"+`{"FrameType":"TableCompletion","TableId":%d,"RowCount":%d`, a.id, t.rows)
	if c != nil && !a.ids.deferred {
		b = appendValue(append(b, `,"OneApiErrors":`...), a.errors(c))
	}
	return append(b, '}')
}

func (a *kustoV2) errors(c *cut) []any {
	return []any{map[string]any{"error": cutError(c).body(a.ids.request, a.ids.activity)}}
}

func (a *kustoV2) end(b []byte, o outcome) []byte {
	info := fixed{cols: columnsOf("Timestamp:datetime", "ClientRequestId:string", "ActivityId:guid", "SubActivityId:guid", "ParentActivityId:guid",
		"Level:int", "LevelName:string", "StatusCode:int", "StatusCodeName:string", "EventType:int", "EventTypeName:string", "Payload:string")}
	for _, e := range events(o) {
		payload := e.description
		if e.plain {
			payload = string(appendValue(nil, map[string]any{"Count": 1, "Text": e.description}))
		}
		id := a.ids.activity
		info.rows = append(info.rows, []any{kql.TicksOf(a.ids.at), a.ids.request, id, id, id, int64(e.level), e.levelName, e.code, e.codeName, int64(e.kind), e.kindName, payload})
	}
	b = a.dataTable(b, a.id+1, "QueryCompletionInformation", "QueryCompletionInformation", info)
	if o.cut == nil || a.ids.deferred {
		return append(b, "\n,"+`{"FrameType":"DataSetCompletion","HasErrors":false,"Cancelled":false}`+"\n]\n"...)
	}
	b = append(b, "\n,"+`{"FrameType":"DataSetCompletion","HasErrors":true,"Cancelled":false,"OneApiErrors":`...)
	return append(appendValue(b, a.errors(o.cut)), "}\n]\n"...)
}
