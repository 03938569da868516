package server

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"picket/kql"
)

// kustoIDs is what the tables about a request say of it.
type kustoIDs struct {
	request, activity string
	at                time.Time
	deferred          bool // a cut is told in those tables alone
}

// dotNet are the short .NET names of KQL's types, the DataType of v1.
var dotNet = map[kql.Type]string{
	kql.Bool: "SByte", kql.Int: "Int32", kql.Long: "Int64", kql.Real: "Double", kql.Decimal: "SqlDecimal", kql.String: "String",
	kql.DateTime: "DateTime", kql.TimeSpan: "TimeSpan", kql.Guid: "Guid", kql.Dynamic: "Object", kql.Unknown: "Object",
}

// columns writes columns as Kusto has them.
func appendColumns(b []byte, cols []kql.Column, v1 bool) []byte {
	b = append(b, '[')
	for i, c := range cols {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(append(b, `{"ColumnName":`...), c.Name)
		if v1 {
			b = fmt.Appendf(b, `,"DataType":"%s"`, dotNet[c.Type])
		}
		b = fmt.Appendf(b, `,"ColumnType":"%s"}`, c.Type)
	}
	return append(b, ']')
}

// appendCells writes a row as Kusto has it: dynamic values are nested.
func appendCells(b []byte, row []any, cols []kql.Column) []byte {
	b = append(b, '[')
	for i, v := range row {
		if i > 0 {
			b = append(b, ',')
		}
		b = kql.AppendJSON(b, v, cols[i].Type)
	}
	return append(b, ']')
}

// fixed is a table whose rows are at hand.
type fixed struct {
	cols []kql.Column
	rows [][]any
}

func (f fixed) append(b []byte) []byte {
	b = append(b, '[')
	for i, row := range f.rows {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCells(b, row, f.cols)
	}
	return append(b, ']')
}

// columnsOf makes columns of names and types: "a:string", "b:long".
func columnsOf(list ...string) []kql.Column {
	cols := make([]kql.Column, len(list))
	for i, s := range list {
		for j := range s {
			if s[j] == ':' {
				t, _ := kql.ParseType(s[j+1:])
				cols[i] = kql.Column{Name: s[:j], Type: t}
			}
		}
	}
	return cols
}

// statistics is what Kusto's tables about a query say of its cost.
func statistics(o outcome) string {
	sets := []map[string]int64{}
	for _, t := range o.tables {
		sets = append(sets, map[string]int64{"table_row_count": int64(t.rows), "table_size": t.bytes})
	}
	text, err := json.Marshal(map[string]any{"ExecutionTime": o.took.Seconds(), "resource_usage": map[string]any{}, "dataset_statistics": sets})
	if err != nil { // of a map of numbers
		panic(err)
	}
	return string(text)
}

// event is one row of the tables about a query.
type event struct {
	level       int
	levelName   string
	code        int64
	codeName    string
	kind        int
	kindName    string
	description string // text, or JSON in v2
	plain       bool   // description is text
}

func events(o outcome) []event {
	list := []event{{4, "Info", 0, "S_OK (0)", 4, "QueryInfo", "Query completed successfully", true}}
	if o.cut != nil {
		list[0] = event{2, "Error", 0x80004005 - 1<<32, "E_FAIL", 5, "QueryError", cutError(o.cut).message, true}
		if o.cut.limit {
			list[0].code, list[0].codeName = tooLargeCode, "E_QUERY_RESULT_SET_TOO_LARGE"
		}
	}
	return append(list, event{6, "Stats", 0, "S_OK (0)", 0, "QueryResourceConsumption", statistics(o), false})
}

// guid is text as a GUID; what is none becomes one that stays the same.
func guid(text string) string {
	if id, err := uuid.Parse(text); err == nil {
		return id.String()
	}
	return uuid.NewSHA1(uuid.NameSpaceOID, []byte(text)).String()
}
