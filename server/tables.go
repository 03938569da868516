package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"picket/kql"
	"picket/workspace"
)

// appendHead begins a table of an answer.
func appendHead(b []byte, name string, columns []kql.Column) ([]byte, error) {
	type column struct {
		Name string `json:"name"`
		Type string `json:"type"`
	}
	cols := make([]column, len(columns))
	for i, c := range columns {
		cols[i] = column{c.Name, c.Type.String()}
	}
	head, err := json.Marshal(cols)
	if err != nil {
		return nil, err
	}
	b = append(b, fmt.Sprintf(`{"name":%q,"columns":`, name)...)
	return append(append(b, head...), `,"rows":[`...), nil
}

// appendTables appends the further tables of a query that yields several (fork,
// facet, several statements), each with a comma before it. The error is that of
// the table that could not be written whole; what there is of it is kept.
func appendTables(ctx context.Context, b []byte, res *workspace.Result) ([]byte, error) {
	for n := 1; ; n++ {
		next, err := res.Next(ctx)
		if next == nil || err != nil {
			return b, err
		}
		res = next
		if b, err = appendTable(append(b, ','), fmt.Sprintf("Table_%d", n), res); err != nil {
			return b, err
		}
	}
}

func appendTable(b []byte, name string, res *workspace.Result) ([]byte, error) {
	defer res.Close()
	b, err := appendHead(b, name, res.Columns)
	if err != nil {
		return nil, err
	}
	first := true
	for row, rowErr := range res.Rows() {
		if err = rowErr; err != nil {
			break
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = appendRow(b, row, res.Columns)
	}
	if err == nil && res.Truncated != "" {
		err = errors.New(res.Truncated)
	}
	return append(b, "]}"...), err
}
