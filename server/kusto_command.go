package server

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"picket/kql"
	"picket/kql/syntax"
	"picket/workspace"
)

// kustoMgmt is POST /v1/rest/mgmt: the control commands that tools ask to know
// what there is (Microsoft page "Management commands overview").
func (s *server) kustoMgmt(w http.ResponseWriter, r *http.Request) error {
	req, err := readKusto(w, r)
	if err != nil {
		return err
	}
	return s.runCommand(w, r, req, false)
}

func (s *server) runCommand(w http.ResponseWriter, r *http.Request, req kustoRequest, v2 bool) error {
	text, rest, piped := cutPipe(req.CSL)
	table, err := s.command(text)
	if err != nil {
		return err
	}
	out := newWire(w, r)
	a := s.kustoAnswer(w, r, req, v2)
	if v1, ok := a.(*kustoV1); ok {
		v1.bare = true
	}
	if piped {
		req.CSL = table.source() + " |" + rest
		if err := s.runKusto(r.Context(), out, req, a); err != nil {
			return err
		}
		out.end()
		return nil
	}
	out.buf = a.table(out.buf, 0, table.cols)
	for _, row := range table.rows {
		out.buf = a.row(out.buf, row)
	}
	t := tally{rows: len(table.rows)}
	out.buf = a.endTable(out.buf, t, nil)
	out.buf = a.end(out.buf, outcome{tables: []tally{t}})
	out.end()
	return nil
}

// words divides a command into words and brackets. A name in quotes or brackets
// is one word, whose text is without them.
func words(text string) ([]string, error) {
	var list []string
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		switch c := text[0]; {
		case strings.IndexByte("'\"@`", c) >= 0:
			n := literalLen(text)
			name, err := syntax.Unquote(text[:n])
			if err != nil {
				return nil, badCommand("the command has a name that does not end: %.40s", text)
			}
			list, text = append(list, name), text[n:]
		case c == '(' || c == ')' || c == '[' || c == ']' || c == ',':
			list, text = append(list, text[:1]), text[1:]
		default:
			n := strings.IndexAny(text, " \t\r\n()[],'\"")
			if n < 0 {
				n = len(text)
			}
			list, text = append(list, text[:n]), text[n:]
		}
	}
	return list, nil
}

// literalLen is how long the string literal is that text begins with, or all of
// text when it does not end.
func literalLen(text string) int {
	for n := 2; n <= len(text); n++ {
		if _, err := syntax.Unquote(text[:n]); err == nil {
			return n
		}
	}
	return len(text)
}

// cutPipe divides a command from the query behind it, which goes over its table.
func cutPipe(text string) (command, rest string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\'', '"':
			i += literalLen(text[i:]) - 1
		case '|':
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// source is the table as a datatable expression.
func (f fixed) source() string {
	var b strings.Builder
	b.WriteString("datatable(")
	for i, c := range f.cols {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(syntax.QuoteName(c.Name) + ":" + c.Type.String())
	}
	b.WriteString(")[")
	for _, row := range f.rows {
		for i, v := range row {
			switch text, ok := v.(string); {
			case ok && f.cols[i].Type == kql.Guid:
				b.WriteString("guid(" + text + ")")
			case ok:
				b.WriteString(syntax.Quote(text))
			default:
				b.Write(kql.AppendJSON(nil, v, f.cols[i].Type))
			}
			b.WriteByte(',')
		}
	}
	b.WriteByte(']')
	return b.String()
}

// commands are the control commands there are: words, with NAME for a name and
// NAMES for a list of them.
func (s *server) commands() map[string]func(names []string) (fixed, error) {
	plain := func(f func() fixed) func([]string) (fixed, error) {
		return func([]string) (fixed, error) { return f(), nil }
	}
	inDatabase := func(f func() fixed) func([]string) (fixed, error) {
		return func(names []string) (fixed, error) {
			for _, n := range names {
				if err := s.database(n); err != nil {
					return fixed{}, err
				}
			}
			return f(), nil
		}
	}
	ofTable := func(f func(*kql.Table) fixed) func([]string) (fixed, error) {
		return func(names []string) (fixed, error) {
			t, ok := s.Workspace.Table(names[0])
			if !ok {
				return fixed{}, &kustoError{status: http.StatusBadRequest, code: "BadRequest_EntityNotFound", kind: "Kusto.Data.Exceptions.EntityNotFoundException",
					message: "Entity ID '" + names[0] + "' of kind 'Table' was not found.", permanent: true}
			}
			return f(t), nil
		}
	}
	return map[string]func([]string) (fixed, error){
		"show databases":                      plain(s.showDatabases),
		"show databases entities":             plain(s.showEntities),
		"show databases schema":               plain(s.showSchema),
		"show databases schema as json":       plain(s.showSchemaJSON),
		"show databases NAMES schema":         inDatabase(s.showSchema),
		"show databases NAMES schema as json": inDatabase(s.showSchemaJSON),
		"show database schema":                plain(s.showSchema),
		"show database schema as json":        plain(s.showSchemaJSON),
		"show database NAME schema":           inDatabase(s.showSchema),
		"show database NAME schema as json":   inDatabase(s.showSchemaJSON),
		"show database":                       plain(s.showDatabases),
		"show database identity":              plain(s.showDatabases),
		"show schema":                         plain(s.showSchema),
		"show schema as json":                 plain(s.showSchemaJSON),
		"show tables":                         plain(s.showTables),
		"show tables details":                 plain(s.showTables),
		"show table NAME":                     ofTable(s.showTable),
		"show table NAME details":             ofTable(s.showTableDetails),
		"show table NAME cslschema":           ofTable(s.showTableSchema),
		"show table NAME schema":              ofTable(s.showTableSchema),
		"show table NAME schema as json":      ofTable(s.showTableJSON),
		"show functions":                      plain(func() fixed { return s.showFunctions("") }),
		"show function NAME":                  s.showFunction,
		"show version":                        plain(s.showVersion),
		"show cluster":                        plain(s.showCluster),
		"show principal access": plain(func() fixed {
			return fixed{cols: columnsOf("Scope:string", "DatabaseName:string", "RestrictedView:bool")}
		}),
	}
}

// command runs a control command.
func (s *server) command(text string) (fixed, error) {
	list, err := words(strings.TrimPrefix(strings.TrimSpace(text), "."))
	if err != nil {
		return fixed{}, err
	}
	all := s.commands()
	for pattern, run := range all {
		if names, ok := match(strings.Fields(pattern), list); ok {
			return run(names)
		}
	}
	known := make([]string, 0, len(all))
	for pattern := range all {
		known = append(known, "."+pattern)
	}
	slices.Sort(known)
	return fixed{}, badCommand("The control command %.100q is not supported: a workspace is changed by its own APIs. There are: %s", strings.TrimSpace(text), strings.Join(known, ", "))
}

// match compares a command's words with a pattern's and returns the names.
func match(pattern, list []string) (names []string, ok bool) {
	for _, want := range pattern {
		switch {
		case len(list) == 0:
			return nil, false
		case want == "NAME" && list[0] == "[": // ['name']
			if len(list) < 3 || list[2] != "]" {
				return nil, false
			}
			names, list = append(names, list[1]), list[3:]
		case want == "NAME":
			names, list = append(names, list[0]), list[1:]
		case want == "NAMES":
			end := slices.Index(list, ")")
			if list[0] != "(" || end < 0 {
				return nil, false
			}
			for _, w := range list[1:end] {
				if w != "[" && w != "]" && w != "," {
					names = append(names, w)
				}
			}
			list = list[end+1:]
		case !strings.EqualFold(want, list[0]):
			return nil, false
		default:
			list = list[1:]
		}
	}
	return names, len(list) == 0
}

func (s *server) showVersion() fixed {
	return fixed{columnsOf("BuildVersion:string", "BuildTime:datetime", "ServiceType:string", "ProductVersion:string"),
		[][]any{{s.Version, kql.TicksOf(time.Unix(0, 0)), "Engine", "Picket " + s.Version}}}
}

func (s *server) showCluster() fixed {
	return fixed{columnsOf("NodeId:string", "Address:string", "Name:string", "StartTime:datetime", "IsAdmin:bool", "MachineTotalMemory:long", "MachineAvailableMemory:long", "ProcessorCount:int", "EnvironmentDescription:string"),
		[][]any{{"picket", "", "picket", nil, true, nil, nil, nil, "Picket " + s.Version}}}
}

func (s *server) showDatabases() fixed {
	return fixed{columnsOf("DatabaseName:string", "PersistentStorage:string", "Version:string", "IsCurrent:bool", "DatabaseAccessMode:string", "PrettyName:string",
		"DatabaseId:guid", "InTransitionTo:string", "SuspensionState:string"),
		[][]any{{kustoDatabase, "", "v1.0", true, "ReadWrite", "", s.Workspace.ID(), "", ""}}}
}

// showTables lists tables; show tables details has the same columns first.
func (s *server) showTables() fixed {
	f := fixed{cols: columnsOf("TableName:string", "DatabaseName:string", "Folder:string", "DocString:string")}
	for _, name := range s.Workspace.Tables() {
		f.rows = append(f.rows, []any{name, kustoDatabase, "", workspace.Describe(name).Text})
	}
	return f
}

func (s *server) showTableDetails(t *kql.Table) fixed {
	return fixed{columnsOf("TableName:string", "DatabaseName:string", "Folder:string", "DocString:string"), [][]any{{t.Name, kustoDatabase, "", workspace.Describe(t.Name).Text}}}
}

func (s *server) showTable(t *kql.Table) fixed {
	f := fixed{cols: columnsOf("AttributeName:string", "AttributeType:string", "ExtentSize:long", "CompressionRatio:real", "IndexSize:long", "IndexSizePercent:real", "OriginalSize:long", "AttributeId:guid", "SharedIndexSize:long", "StorageEngineVersion:string")}
	for _, c := range t.Columns {
		f.rows = append(f.rows, []any{c.Name, netType(c.Type), nil, nil, nil, nil, nil, guid(t.Name + "." + c.Name), nil, ""})
	}
	return f
}

func (s *server) showTableSchema(t *kql.Table) fixed {
	var cols []string
	for _, c := range t.Columns {
		cols = append(cols, syntax.QuoteName(c.Name)+":"+c.Type.String())
	}
	return s.oneSchema(t, strings.Join(cols, ","))
}

func (s *server) showTableJSON(t *kql.Table) fixed {
	return s.oneSchema(t, string(appendValue(nil, tableSchema(t))))
}

func (s *server) oneSchema(t *kql.Table, schema string) fixed {
	return fixed{columnsOf("TableName:string", "Schema:string", "DatabaseName:string", "Folder:string", "DocString:string"),
		[][]any{{t.Name, schema, kustoDatabase, "", workspace.Describe(t.Name).Text}}}
}

// showFunctions lists saved functions, or one.
func (s *server) showFunctions(name string) fixed {
	f := fixed{cols: columnsOf("Name:string", "Parameters:string", "Body:string", "Folder:string", "DocString:string")}
	for _, fn := range s.savedFunctions() {
		if name == "" || fn.Name == name {
			f.rows = append(f.rows, []any{fn.Name, "(" + fn.Parameters + ")", "{" + fn.Query + "}", fn.Category, fn.Title})
		}
	}
	return f
}

func (s *server) showFunction(names []string) (fixed, error) {
	f := s.showFunctions(names[0])
	if len(f.rows) == 0 {
		return f, &kustoError{status: http.StatusBadRequest, code: "BadRequest_EntityNotFound", kind: "Kusto.Data.Exceptions.EntityNotFoundException",
			message: fmt.Sprintf("Entity ID '%s' of kind 'Function' was not found.", names[0]), permanent: true}
	}
	return f, nil
}
