package analytics

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"picket"
	"picket/kql"
	"picket/kql/syntax"
)

// checkQuery compiles the query and looks for the columns the rule names in its result.
func (o *object) checkQuery(r *Rule, check Check) {
	node, ok := o.values["query"]
	if check == nil || !ok || strings.TrimSpace(r.Query) == "" {
		return
	}
	columns, err := check(r.Query)
	if err != nil {
		o.queryProblem(node, r, err)
		return
	}
	o.eachColumn(func(n ast.Node, field, column string) {
		names := make([]string, len(columns))
		for i, c := range columns {
			if c.Name == column {
				return
			}
			names[i] = c.Name
		}
		if like, ok := oneOf(column, names); ok {
			o.r.problem(n, "%s: the query's result has no column %s; did you mean %s?", field, quote(column), like)
			return
		}
		o.r.problem(n, "%s: the query's result has no column %s; it has %s", field, quote(column), columnList(columns))
	})
}

// queryProblem tells what is wrong with a query: where its text stands in the
// file line by line, each problem at its own place.
func (o *object) queryProblem(node ast.Node, r *Rule, err error) {
	var diags syntax.Diagnostics
	if !errors.As(err, &diags) {
		o.r.problem(node, "query: %v", err)
		return
	}
	lines := strings.Split(r.Query, "\n")
	for _, d := range diags {
		line, column := syntax.LineCol(r.Query, d.Span.Start)
		_, shown, _ := strings.Cut(d.Render(r.Query), "\n") // the line and the caret
		p := picket.Problem{File: o.r.file, Line: r.QueryLine, Column: 1, Msg: "query: " + d.Msg + "\n" + strings.TrimRight(shown, "\n")}
		if line > len(lines) {
			line = len(lines)
		}
		text := strings.TrimRight(lines[line-1], "\r")
		if i := r.QueryLine + line - 2; i < len(o.r.lines) && strings.HasSuffix(o.r.lines[i], text) {
			p.Line = i + 1
			p.Column = utf8.RuneCountInString(strings.TrimSuffix(o.r.lines[i], text)) + column
		}
		o.r.problems = append(o.r.problems, p)
	}
}

// Compiles returns a [Check] that compiles a rule's query as the rules' runs will.
func Compiles(compile func(query string, o kql.Options) (*kql.Query, error)) Check {
	return func(query string) ([]kql.Column, error) {
		// Any time will do for a query that is not run.
		q, err := compile(query, kql.Options{Now: kql.TicksOf(time.Unix(0, 0))})
		if err != nil {
			return nil, err
		}
		return q.Columns, nil
	}
}

// eachColumn calls f for every place of the file that names a column of the result.
func (o *object) eachColumn(f func(n ast.Node, field, column string)) {
	quiet := &reader{file: o.r.file, anchors: o.r.anchors} // what is wrong was noted before
	at := func(m *object, key string) {
		if m == nil {
			return
		}
		if s, ok := scalar(m.values[key]); ok && s != "" {
			f(m.values[key], m.path+key, s)
		}
	}
	for _, n := range o.items("entityMappings", quiet) {
		if m := quiet.object(n, "entityMappings.fieldMappings."); m != nil {
			for _, n := range m.list("fieldMappings") {
				at(quiet.object(n, "entityMappings.fieldMappings."), "columnName")
			}
		}
	}
	if n := o.values["customDetails"]; n != nil {
		if d := quiet.object(n, "customDetails."); d != nil {
			for _, k := range d.keys {
				at(d, k)
			}
		}
	}
	n := o.values["alertDetailsOverride"]
	if n == nil {
		return
	}
	d := quiet.object(n, "alertDetailsOverride.")
	if d == nil {
		return
	}
	at(d, "alertTacticsColumnName")
	at(d, "alertSeverityColumnName")
	for _, n := range d.list("alertDynamicProperties") {
		at(quiet.object(n, "alertDetailsOverride.alertDynamicProperties."), "value")
	}
	for _, key := range []string{"alertDisplayNameFormat", "alertDescriptionFormat"} {
		if s, ok := scalar(d.values[key]); ok {
			for _, m := range place.FindAllStringSubmatch(s, -1) {
				f(d.values[key], d.path+key, m[1])
			}
		}
	}
}

// items is list with another reader.
func (o *object) items(key string, r *reader) []ast.Node {
	return (&object{r: r, path: o.path, values: o.values}).list(key)
}

func columnList(columns []kql.Column) string {
	if len(columns) == 0 {
		return "none"
	}
	names := make([]string, 0, 12)
	for i, c := range columns {
		if i == 12 {
			names = append(names, "…")
			break
		}
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}
