package main

import (
	"cmp"
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

const kqlUsage = `Usage: picket kql [flags] ['QUERY'] [FILE]...

Run KQL over files, without a server. Each file is a table, named after it: access.csv.gz is access.
A single file is also T. Without a query it is read from standard input, or, on a terminal, asked for.

  picket kql 'access | summarize n = count() by status | sort by n' access.csv.gz
  picket kql 'T | where RawData has "denied" | take 20' /var/log/app.log
  picket kql 'Syslog | where ProcessName == "sshd"' --table 'Syslog=/var/log/auth.log*'
  kubectl get events -o json | picket kql 'stdin | mv-expand items | count' -

Files: CSV and TSV with a line of column names, JSON, NDJSON, Parquet, and logs: of syslog, as columns of
the Syslog table, or of any other text, as RawData. All but Parquet may be compressed (.gz, .zst).
The name tells the format, else the contents, or --format-in. - is standard input, the table stdin.
A query reaches these files and nothing else.

picket kql fmt lays out queries: picket kql fmt --help tells more.

Flags of picket kql:
`

// kqlOptions are the flags and operands of picket kql.
type kqlOptions struct {
	outputFlags
	tables      []fileTable
	formatIn    string
	skipBad     bool
	schema      string
	functions   string
	batch       bool
	file        string
	query       string
	ask         bool // for queries, on the terminal
	explain     bool
	timing      bool
	now         kql.Ticks
	params      map[string]any
	interactive bool
}

// kqlCommand is "picket kql": KQL over files, without a server.
func kqlCommand(ctx context.Context, args []string, stdio stdio) error {
	if len(args) > 0 && args[0] == "fmt" {
		return kqlFmt(args[1:], stdio)
	}
	o, err := kqlFlags(args, stdio)
	if err != nil {
		return err
	}
	var src string
	switch {
	case o.batch, o.ask:
	case o.file != "":
		b, err := os.ReadFile(o.file)
		if err != nil {
			return err
		}
		src = strings.TrimPrefix(string(b), "\ufeff")
	case o.query != "":
		src = o.query
	default:
		b, err := io.ReadAll(stdio.in)
		if err != nil {
			return err
		}
		src = string(b)
	}
	s, err := openSession(ctx, o, stdio)
	if err != nil {
		return err
	}
	defer s.close()
	switch {
	case o.batch:
		return s.batch(ctx)
	case o.ask:
		return s.shell(ctx)
	}
	return s.answer(ctx, src)
}

// kqlFlags reads the command line.
func kqlFlags(args []string, stdio stdio) (*kqlOptions, error) {
	o := &kqlOptions{}
	fs := flag.NewFlagSet("kql", flag.ContinueOnError)
	named := map[string]*fileTable{}
	fs.Func("table", "a table by `NAME=FILE`; FILE may be a pattern such as 'log-*.csv', and the flag repeated, for one table of several files", func(s string) error {
		name, pattern, ok := strings.Cut(s, "=")
		if !ok || name == "" || pattern == "" {
			return errors.New("want NAME=FILE")
		}
		paths, err := expand(pattern)
		if err != nil {
			return err
		}
		if t := named[name]; t != nil {
			t.paths = append(t.paths, paths...)
			return nil
		}
		o.tables = append(o.tables, fileTable{name: name, paths: paths})
		named[name] = &o.tables[len(o.tables)-1]
		return nil
	})
	fs.StringVar(&o.formatIn, "format-in", "", "`format` of the files: csv, tsv, json, ndjson, parquet, syslog or text")
	fs.BoolVar(&o.skipBad, "skip-bad", false, "leave records of CSV and NDJSON out that are none, and say how many")
	fs.StringVar(&o.functions, "functions", "", "`folder` of functions that queries can call: .yaml, .kql, .json")
	fs.StringVar(&o.schema, "schema", "", "make empty tables of the `file` {\"Table\":[[\"Column\",\"type\"],…]}")
	fs.BoolVar(&o.batch, "batch", false, `answer one {"id","query"} a line of standard input; with "compile_only":true nothing is run`)
	fs.StringVar(&o.file, "file", "", "read the query from a `file`")
	fs.BoolVar(&o.interactive, "i", false, "ask for queries on the terminal (as without a query)")
	fs.BoolVar(&o.explain, "explain", false, "print the SQL of the query and DuckDB's plan instead of running it")
	fs.BoolVar(&o.timing, "time", false, "tell on standard error how long each stage took")
	fs.Func("now", "what now() is, as a `datetime` of KQL, such as 2026-11-23T05:00:00Z", func(s string) (err error) {
		o.now, err = kql.ParseDateTime(s)
		return err
	})
	fs.Func("param", "a value for declare query_parameters: `name=value`; may be repeated", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return errors.New("want name=value")
		}
		if o.params == nil {
			o.params = map[string]any{}
		}
		o.params[name] = value
		return nil
	})
	o.register(fs, "table on a terminal, else compact")
	operands, err := parseWith(fs, kqlUsage, args, stdio)
	if err != nil {
		return nil, err
	}
	if err := o.check(); err != nil {
		return nil, err
	}
	return o, o.operands(operands, stdio)
}

// operands tells the query from the files: the first operand is the query,
// unless another flag has it or it is the name of a file.
func (o *kqlOptions) operands(operands []string, stdio stdio) error {
	if len(operands) > 0 && o.file == "" && !o.batch && !isFile(operands[0]) {
		o.query, operands = operands[0], operands[1:]
		if strings.TrimSpace(o.query) == "" {
			return misuse("kql: the query is empty")
		}
	}
	for _, path := range operands {
		paths, err := expand(path)
		if err != nil {
			return err
		}
		for _, p := range paths {
			o.tables = append(o.tables, fileTable{name: tableName(p), paths: []string{p}})
		}
	}
	o.ask = o.interactive || o.query == "" && o.file == "" && !o.batch && isTerminal(stdio.in)
	stdin := 0
	for _, t := range o.tables {
		for _, p := range t.paths {
			if p == "-" {
				stdin++
			}
		}
	}
	switch {
	case o.interactive && !isTerminal(stdio.in):
		return misuse("kql -i asks on a terminal, and standard input is none")
	case o.interactive && (o.query != "" || o.file != "" || o.batch), o.batch && o.file != "":
		return misuse("kql: want one of a query, --file, --batch and -i")
	case stdin > 1, stdin > 0 && (o.batch || o.ask || o.query == "" && o.file == ""):
		return misuse("kql: standard input cannot be read twice: with - as a file, give the query as the first operand or with --file")
	}
	return nil
}

// session is a workspace of files, and how its answers are printed.
type session struct {
	*kqlOptions
	stdio stdio
	ws    *workspace.DB
	temp  []string // files to remove at the end
}

func (s *session) close() {
	if s.ws != nil {
		s.ws.Close()
	}
	for _, f := range s.temp {
		os.Remove(f)
	}
}

// options are those of one query.
func (s *session) options() kql.Options {
	return kql.Options{Now: cmp.Or(s.now, kql.TicksOf(time.Now())), Parameters: s.params}
}

// answer runs a query and prints its result as the flags say.
func (s *session) answer(ctx context.Context, src string) error {
	if s.explain {
		return s.explainQuery(ctx, src)
	}
	format := s.format
	if format == "" {
		format = "compact"
		if isTerminal(s.stdio.out) {
			format = "table"
		}
	}
	return s.print(ctx, src, func() printer { return newPrinter(s.stdio.out, format, s.limit) })
}

// print runs a query and prints the tables that it yields, each by a printer of
// its own.
func (s *session) print(ctx context.Context, src string, newPrinter func() printer) error {
	watch := newStopwatch(s.timing)
	watch.parse(src)
	q, err := s.ws.Compile(ctx, workspace.Caller{}, src, s.options())
	if err != nil {
		return pointed(s.runError(ctx, err), src)
	}
	watch.lap("bind")
	if s.timing {
		if _, err := s.ws.Plan(ctx, q); err != nil {
			return s.runError(ctx, err)
		}
		watch.lap("plan")
	}
	res, err := s.ws.Run(ctx, workspace.Caller{}, q)
	if err != nil {
		return s.runError(ctx, err)
	}
	defer res.Close()
	watch.lap("run")
	n, err := printRows(res, newPrinter())
	if err != nil {
		return s.runError(ctx, err)
	}
	for {
		res.Close()
		if res, err = res.Next(ctx); res == nil || err != nil {
			break
		}
		more, err := printRows(res, newPrinter())
		if err != nil {
			res.Close()
			return s.runError(ctx, err)
		}
		n += more
	}
	if err != nil {
		return s.runError(ctx, err)
	}
	watch.lap("rows")
	watch.tell(s.stdio.err, n)
	return nil
}

// runError tells an interruption as one.
func (s *session) runError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return err
}

// printRows prints a result and returns how many rows were read of it.
func printRows(res *workspace.Result, p printer) (n int, err error) {
	cols := make([]column, len(res.Columns))
	for i, c := range res.Columns {
		cols[i] = column{c.Name, c.Type.String()}
	}
	if err := p.head(cols); err != nil {
		return 0, err
	}
	for row, err := range res.Rows() {
		if err != nil {
			return n, err
		}
		n++
		values := make([]json.RawMessage, len(row))
		for i, v := range row {
			values[i] = kql.AppendJSON(nil, v, res.Columns[i].Type)
		}
		if err := p.row(values); errors.Is(err, errEnough) {
			break
		} else if err != nil {
			return n, err
		}
	}
	if res.Truncated != "" {
		return n, errors.New(res.Truncated)
	}
	return n, p.end()
}

// pointed makes the problems of a query point at their places in it.
func pointed(err error, src string) error {
	var d syntax.Diagnostics
	if errors.As(err, &d) {
		return errors.New(strings.TrimRight(d.Render(src), "\n"))
	}
	return err
}

// explainQuery prints the SQL of a query, and DuckDB's plan for it.
func (s *session) explainQuery(ctx context.Context, src string) error {
	q, err := s.ws.Compile(ctx, workspace.Caller{}, src, s.options())
	if err != nil {
		return pointed(err, src)
	}
	plan, err := s.ws.Plan(ctx, q)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.stdio.out, "%s;\n\n%s\n", q.SQL, strings.TrimRight(plan, "\n"))
	return err
}
