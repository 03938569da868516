package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"picket/kql"
	"picket/kql/syntax"
	"picket/workspace"
)

// maxBatchLine bounds one line of picket kql --batch.
const maxBatchLine = 64 << 20

// kqlCommand is "picket kql": KQL over files, without a server.
func kqlCommand(ctx context.Context, args []string, stdio stdio) error {
	fs := flag.NewFlagSet("kql", flag.ContinueOnError)
	var files []workspace.File
	fs.Func("table", "load `NAME=FILE` (.csv, .tsv, .json, .ndjson, .parquet) as a table; may be repeated", func(s string) error {
		name, path, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want NAME=FILE")
		}
		files = append(files, workspace.File{Table: name, Paths: []string{path}})
		return nil
	})
	schema := fs.String("schema", "", "make empty tables of the `file` {\"Table\":[[\"Column\",\"type\"],…]}")
	batch := fs.Bool("batch", false, `answer one {"id","query"} a line; with "compile_only":true nothing is run`)
	operands, err := parse(fs, args, stdio)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return misuse("kql reads the query from standard input, not from %q", operands[0])
	}
	ws, err := workspace.Open("", workspace.Options{Files: files})
	if err != nil {
		return err
	}
	defer ws.Close()
	if *schema != "" {
		if err := emptyTables(ctx, ws, *schema); err != nil {
			return err
		}
	}
	if *batch {
		return kqlBatch(ctx, ws, stdio.in, bufio.NewWriter(stdio.out))
	}
	src, err := io.ReadAll(stdio.in)
	if err != nil {
		return err
	}
	answer, err := ask(ctx, ws, string(src))
	if err != nil {
		return err
	}
	_, err = stdio.out.Write(append(answer, '\n'))
	return err
}

// kqlBatch answers each line of in. A failing query is an answer, not the end.
func kqlBatch(ctx context.Context, ws *workspace.DB, in io.Reader, out *bufio.Writer) error {
	lines := bufio.NewScanner(in)
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
			answer, err = compile(ws, req.Query)
		} else {
			answer, err = ask(ctx, ws, req.Query)
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

// jsonError leaves Go's types out of an error of encoding/json.
func jsonError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("there is a JSON %s", wrong.Value)
	}
	return err
}

// ask runs a query and returns {"columns":[…],"rows":[[…]]}.
func ask(ctx context.Context, ws *workspace.DB, src string) ([]byte, error) {
	res, err := ws.Query(ctx, src, kql.Options{})
	if err != nil {
		return nil, pointed(err, src)
	}
	defer res.Close()
	b, err := header(res.Columns)
	if err != nil {
		return nil, err
	}
	b = append(b, `,"rows":[`...)
	first := true
	for row, err := range res.Rows() {
		if err != nil {
			return nil, err
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		b = append(b, '[')
		for i, v := range row {
			if i > 0 {
				b = append(b, ',')
			}
			b = kql.AppendJSON(b, v, res.Columns[i].Type)
		}
		b = append(b, ']')
	}
	if res.Truncated != "" {
		return nil, errors.New(res.Truncated)
	}
	return append(b, "]}"...), nil
}

// pointed makes the problems of a query point at their places in it.
func pointed(err error, src string) error {
	var d syntax.Diagnostics
	if errors.As(err, &d) {
		return errors.New(strings.TrimRight(d.Render(src), "\n"))
	}
	return err
}

// header begins an answer: {"columns":[…].
func header(columns []kql.Column) ([]byte, error) {
	cols := make([]column, len(columns))
	for i, c := range columns {
		cols[i] = column{c.Name, c.Type.String()}
	}
	head, err := json.Marshal(cols)
	return append([]byte(`{"columns":`), head...), err
}

// compile answers with the columns a query would have. Nothing is run, so what
// the service would add is taken for empty: its functions and external data.
func compile(ws *workspace.DB, src string) ([]byte, error) {
	q, err := kql.Compile(src, ws, kql.Options{
		Now: kql.TicksOf(time.Now()), Functions: kql.ServiceFunctions{},
		External: func(kql.ExternalData) (string, error) { return "", nil },
	})
	if err != nil {
		return nil, pointed(err, src)
	}
	b, err := header(q.Columns)
	return append(b, `,"rows":[]}`...), err
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
