package workspace

import (
	"embed"
	"fmt"
	"io/fs"
	"regexp"
	"strings"

	"picket/kql"
)

// The tables every workspace has, written as KQL's own ".create table" command.
// Names, order and types are those of Microsoft's page "Azure Monitor Logs
// table reference".
//
//go:embed schema/*.kql
var builtin embed.FS

// builtinTables returns the tables of the embedded schema folder.
func builtinTables() ([]kql.Table, error) {
	names, err := fs.Glob(builtin, "schema/*.kql")
	if err != nil {
		return nil, err
	}
	var tables []kql.Table
	for _, name := range names {
		text, err := builtin.ReadFile(name)
		if err != nil {
			return nil, err
		}
		t, err := parseCreateTable(string(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// Builtin reports whether every workspace has the table.
func Builtin(table string) bool {
	_, err := fs.Stat(builtin, "schema/"+table+".kql")
	return err == nil
}

// A Description says what a table and its columns are for.
type Description struct {
	Text    string
	Columns map[string]string // by name
}

// Describe returns the description of a built-in table, which is in the comments of
// its schema: those before the command are the table's, the one behind a column is
// the column's. Of other tables nothing is known.
func Describe(table string) Description {
	d := Description{Columns: map[string]string{}}
	text, err := builtin.ReadFile("schema/" + table + ".kql")
	if err != nil {
		return d
	}
	for line := range strings.Lines(string(text)) {
		code, comment, ok := strings.Cut(line, "//")
		comment = strings.TrimSpace(comment)
		name, _, column := strings.Cut(code, ":")
		switch {
		case !ok:
		case column:
			d.Columns[strings.TrimSpace(name)] = comment
		default:
			d.Text = strings.TrimSpace(d.Text + " " + comment)
		}
	}
	return d
}

var lineComment = regexp.MustCompile(`//.*`)

// parseCreateTable reads ".create table Name (a: type, b: type)" with comments.
func parseCreateTable(text string) (kql.Table, error) {
	text = lineComment.ReplaceAllString(text, "")
	rest, ok := strings.CutPrefix(strings.TrimSpace(text), ".create table ")
	name, cols, ok2 := strings.Cut(rest, "(")
	cols, ok3 := strings.CutSuffix(strings.TrimSpace(cols), ")")
	if !ok || !ok2 || !ok3 {
		return kql.Table{}, fmt.Errorf("want .create table Name (column: type, …)")
	}
	t := kql.Table{Name: strings.TrimSpace(name), Hidden: true}
	for c := range strings.SplitSeq(cols, ",") {
		n, typ, _ := strings.Cut(c, ":")
		ct, ok := kql.ParseType(strings.TrimSpace(typ))
		if !ok {
			return kql.Table{}, fmt.Errorf("column %s: unknown type %q", strings.TrimSpace(n), strings.TrimSpace(typ))
		}
		t.Columns = append(t.Columns, kql.Column{Name: strings.TrimSpace(n), Type: ct})
	}
	return t, nil
}

var (
	tableName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)
	columnName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
)

// checkTable reports what is wrong with a table's definition.
func checkTable(t kql.Table) error {
	if !tableName.MatchString(t.Name) {
		return fmt.Errorf("table name %q: want a letter, then letters, digits and _, at most 63", t.Name)
	}
	if len(t.Columns) == 0 {
		return fmt.Errorf("table %s has no columns", t.Name)
	}
	seen := map[string]bool{}
	for _, c := range t.Columns {
		if !columnName.MatchString(c.Name) {
			return fmt.Errorf("table %s: column name %q: want a letter, then letters, digits and _", t.Name, c.Name)
		}
		if seen[c.Name] {
			return fmt.Errorf("table %s: column %s is there twice", t.Name, c.Name)
		}
		if c.Type == kql.Unknown {
			return fmt.Errorf("table %s: column %s has no type", t.Name, c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

// quote writes an identifier for SQL.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
