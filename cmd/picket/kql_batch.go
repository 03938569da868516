package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"picket/kql"
	"picket/workspace"
)

// maxBatchLine bounds one line of picket kql --batch.
const maxBatchLine = 64 << 20

// batch answers each line of standard input. A failing query is an answer, not the end.
func (s *session) batch(ctx context.Context) error {
	out := bufio.NewWriter(s.stdio.out)
	lines := bufio.NewScanner(s.stdio.in)
	lines.Buffer(make([]byte, 64<<10), maxBatchLine)
	n := 1
	for ; lines.Scan(); n++ {
		if len(strings.TrimSpace(lines.Text())) == 0 {
			continue
		}
		var req struct {
			ID          json.RawMessage `json:"id"`
			Query       string          `json:"query"`
			CompileOnly bool            `json:"compile_only"`
		}
		answer := []byte(nil)
		err := json.Unmarshal(lines.Bytes(), &req)
		if err != nil {
			err = fmt.Errorf("line %d: want {\"id\":…,\"query\":\"…\"}: %w", n, jsonError(err))
		} else if req.CompileOnly {
			answer, err = compile(s.ws, req.Query)
		} else {
			answer, err = s.batchAnswer(ctx, req.Query)
		}
		if len(req.ID) == 0 {
			req.ID = json.RawMessage("null")
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			msg, merr := json.Marshal(err.Error())
			if merr != nil {
				return merr
			}
			fmt.Fprintf(out, `{"id":%s,"error":%s}`+"\n", req.ID, msg)
		} else {
			fmt.Fprintf(out, `{"id":%s,%s`+"\n", req.ID, answer[1:])
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d, of at most %d MiB: %w", n, maxBatchLine>>20, err)
	}
	return nil
}

// batchAnswer is the JSON of a query's table; where it yields several, the
// others are in the member "more".
func (s *session) batchAnswer(ctx context.Context, src string) ([]byte, error) {
	var tables []*bytes.Buffer
	err := s.print(ctx, src, func() printer {
		b := &bytes.Buffer{}
		tables = append(tables, b)
		return newPrinter(b, "compact", 0)
	})
	if err != nil {
		return nil, err
	}
	answer := bytes.TrimRight(tables[0].Bytes(), "\n")
	for i, t := range tables[1:] {
		answer = bytes.TrimSuffix(bytes.TrimSuffix(answer, []byte("}")), []byte("]"))
		if i == 0 {
			answer = append(answer, `],"more":[`...)
		} else {
			answer = append(answer, ',')
		}
		answer = append(append(answer, bytes.TrimRight(t.Bytes(), "\n")...), "]}"...)
	}
	return answer, nil
}

// jsonError leaves Go's types out of an error of encoding/json.
func jsonError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("there is a JSON %s", wrong.Value)
	}
	return err
}

// compile answers with the columns a query would have, which checks content
// against a schema. Nothing is run, so what the service would add is taken for
// empty: its functions and external data. What the schema does not declare is in
// "warnings".
func compile(ws *workspace.DB, src string) ([]byte, error) {
	q, err := kql.Compile(src, ws, kql.Options{
		Now: kql.TicksOf(time.Now()), Functions: kql.ServiceFunctions{},
		External: func(kql.ExternalData) (string, error) { return "", nil },
		Open:     true,
	})
	if err != nil {
		return nil, pointed(err, src)
	}
	cols := make([]column, len(q.Columns))
	for i, c := range q.Columns {
		cols[i] = column{c.Name, c.Type.String()}
	}
	head, err := json.Marshal(cols)
	if err != nil {
		return nil, err
	}
	answer := append(append([]byte(`{"columns":`), head...), `,"rows":[]`...)
	if len(q.Warnings) > 0 {
		warnings := make([]string, len(q.Warnings))
		for i, w := range q.Warnings {
			warnings[i] = w.Line(src)
		}
		list, err := json.Marshal(warnings)
		if err != nil {
			return nil, err
		}
		answer = append(append(answer, `,"warnings":`...), list...)
	}
	return append(answer, '}'), nil
}

// emptyTables makes the tables that a schema file describes.
func emptyTables(ctx context.Context, ws *workspace.DB, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var tables map[string][][2]string
	if err := json.Unmarshal(text, &tables); err != nil {
		return fmt.Errorf(`%s: want {"Table":[["Column","type"],…]}: %w`, path, err)
	}
	for name, cols := range tables {
		t := kql.Table{Name: name}
		for _, c := range cols {
			typ, ok := kql.ParseType(c[1])
			if !ok {
				return fmt.Errorf("%s: table %s: column %s: unknown type %q", path, name, c[0], c[1])
			}
			t.Columns = append(t.Columns, kql.Column{Name: c[0], Type: typ})
		}
		if err := ws.CreateTable(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}
