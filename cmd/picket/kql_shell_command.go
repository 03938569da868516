package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/reeflective/readline"

	"picket/kql"
)

const shellHelp = `A query ends with ; or an empty line; it may have several lines. Tab completes, Ctrl-R searches in
past queries, Ctrl-C ends the running query, Ctrl-D the shell.

  .tables                 the tables (also .show tables)
  .schema TABLE           a table's columns (also .show table TABLE)
  .load FILE [as NAME]    read a file as a table
  .format FORMAT          print results as ` + formats + `
  .limit ROWS             print so many rows of a table; 0 is all
  .explain                show the SQL and the plan instead of the result, or again the result
  .time                   tell how long each stage takes, or no longer
  .help, .quit
`

// shellCommands are what a line with a dot can begin with.
func shellCommands() []string {
	return []string{".explain", ".format", ".help", ".limit", ".load", ".quit", ".schema", ".show", ".tables", ".time"}
}

// command does what a line with a dot says.
func (sh *shell) command(ctx context.Context, text string) (again bool, err error) {
	out := sh.s.stdio.out
	name, rest, _ := strings.Cut(strings.TrimRight(text, "; \t\n"), " ")
	rest = strings.TrimSpace(rest)
	switch name {
	case ".help":
		fmt.Fprint(out, shellHelp)
	case ".quit", ".exit":
		return false, nil
	case ".tables":
		sh.tables()
	case ".schema":
		return true, sh.schema(rest)
	case ".show":
		return true, sh.show(rest)
	case ".load":
		return true, sh.load(ctx, rest)
	case ".format":
		if err := knownFormat(rest); err != nil {
			return true, err
		}
		sh.format = rest
	case ".limit":
		if _, err := fmt.Sscan(rest, &sh.s.limit); err != nil || sh.s.limit < 0 {
			sh.s.limit = -1
			return true, fmt.Errorf(".limit %s: want 0 for all rows, or a number of rows", rest)
		}
	case ".explain":
		sh.s.explain = !sh.s.explain
		fmt.Fprintln(out, "explain is", onOff(sh.s.explain))
	case ".time":
		sh.s.timing = !sh.s.timing
		fmt.Fprintln(out, "time is", onOff(sh.s.timing))
	default:
		return true, fmt.Errorf("unknown command %s: .help lists them", name)
	}
	return true, nil
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// show answers the KQL commands .show tables and .show table T [schema].
func (sh *shell) show(rest string) error {
	words := strings.Fields(rest)
	switch {
	case len(words) == 1 && words[0] == "tables":
		sh.tables()
		return nil
	case len(words) >= 2 && words[0] == "table":
		return sh.schema(words[1])
	}
	return fmt.Errorf(".show %s: want .show tables or .show table NAME", rest)
}

// tables lists the tables with their columns.
func (sh *shell) tables() {
	r := result{Columns: []column{{"Table", "string"}, {"Columns", "string"}}}
	for _, name := range sh.s.ws.Tables() {
		t, ok := sh.s.ws.Table(name)
		if !ok {
			continue
		}
		names := make([]string, len(t.Columns))
		for i, c := range t.Columns {
			names[i] = c.Name
		}
		sh.list(&r, name, strings.Join(names, ", "))
	}
	sh.printList(r)
}

// schema lists a table's columns.
func (sh *shell) schema(name string) error {
	t, ok := sh.s.ws.Table(name)
	if !ok {
		return fmt.Errorf("there is no table %q: .tables lists them", name)
	}
	r := result{Columns: []column{{"Column", "string"}, {"Type", "string"}}}
	for _, c := range t.Columns {
		sh.list(&r, c.Name, c.Type.String())
	}
	sh.printList(r)
	return nil
}

func (sh *shell) list(r *result, values ...string) {
	row := make([]json.RawMessage, len(values))
	for i, v := range values {
		row[i] = kql.AppendJSON(nil, v, kql.String)
	}
	r.Rows = append(r.Rows, row)
}

func (sh *shell) printList(r result) {
	if err := r.printTo(newPrinter(sh.s.stdio.out, "table", 0)); err != nil {
		fmt.Fprintln(sh.s.stdio.err, err)
	}
}

// load opens the workspace anew with one file more: in an open one SQL cannot
// reach a file any longer.
func (sh *shell) load(ctx context.Context, rest string) error {
	pattern, name, named := strings.Cut(rest, " as ")
	pattern, name = strings.Trim(strings.TrimSpace(pattern), `"'`), strings.TrimSpace(name)
	if pattern == "" || named && name == "" || pattern == "-" {
		return fmt.Errorf("want .load FILE [as NAME]")
	}
	paths, err := expand(pattern)
	if err != nil {
		return err
	}
	o := *sh.s.kqlOptions
	o.tables = slices.Clone(o.tables)
	if named {
		o.tables = append(o.tables, fileTable{name: name, paths: paths})
	} else {
		for _, p := range paths {
			o.tables = append(o.tables, fileTable{name: tableName(p), paths: []string{p}})
		}
	}
	next, err := openSession(ctx, &o, sh.s.stdio)
	if err != nil {
		return err
	}
	sh.s.ws.Close()
	*sh.s.kqlOptions, sh.s.ws = o, next.ws
	for _, t := range o.tables[len(o.tables)-1:] {
		return sh.schema(t.name)
	}
	return nil
}

// completions are what Tab offers at a place of a line.
func (sh *shell) completions(text []rune, cursor int) readline.Completions {
	src := string(text)
	offset := len(string(text[:cursor]))
	blank := strings.LastIndexFunc(src[:offset], unicode.IsSpace) + 1
	var list []readline.Completion
	word := blank // where the word that is completed begins
	if strings.HasPrefix(src, ".") {
		for _, v := range sh.commandWords(src[:offset], src[blank:offset]) {
			list = append(list, readline.Completion{Value: v})
		}
	} else {
		for _, c := range kql.Complete(src, offset, sh.s.ws, sh.s.options()) {
			word = max(blank, c.Span.Start)
			list = append(list, readline.Completion{Value: c.Text, Description: c.Detail, Tag: c.Kind.String()})
		}
	}
	// The editor takes what stands before the cursor, back to a blank, for the
	// word, unless it is told another; and it cannot be told that there is none.
	before, prefix := src[blank:word], src[word:offset]
	if prefix == "" && before != "" {
		prefix = before
		for i := range list {
			list[i].Display, list[i].Value = list[i].Value, before+list[i].Value
		}
	}
	for _, r := range prefix {
		if r > unicode.MaxASCII { // which the editor counts in bytes
			return readline.Completions{}
		}
	}
	done := readline.CompleteRaw(list).NoSort()
	done.PREFIX = prefix
	return done
}

// commandWords completes a line with a dot. line is what stands before the
// cursor, word its last word.
func (sh *shell) commandWords(line, word string) []string {
	var words []string
	switch command, _, more := strings.Cut(line, " "); {
	case !more:
		words = shellCommands()
	case command == ".schema", command == ".show" && strings.HasPrefix(line, ".show table "):
		words = sh.s.ws.Tables()
	case command == ".show":
		words = []string{"table", "tables"}
	case command == ".format":
		words = []string{"table", "csv", "tsv", "json", "ndjson", "markdown", "compact"}
	case command == ".load":
		words, _ = filepath.Glob(word + "*") // a bad pattern completes to nothing
	}
	return slices.DeleteFunc(words, func(w string) bool { return !strings.HasPrefix(w, word) })
}
