package server

import (
	"net/http"
	"strings"

	"picket/kql"
	"picket/library"
	"picket/workspace"
)

// savedFunctions lists the functions that every query may call.
func (s *server) savedFunctions() []library.Function {
	if s.Library == nil {
		return nil
	}
	return s.Library.Functions()
}

// metadata answers GET and POST /v1/workspaces/{workspace}/metadata: what an
// editor has to know of the workspace.
func (s *server) metadata(w http.ResponseWriter, r *http.Request) error {
	if err := s.known(r.PathValue("workspace")); err != nil {
		return err
	}
	type column struct {
		Name        string `json:"name"`
		Type        string `json:"type"`
		Description string `json:"description,omitempty"`
	}
	type table struct {
		ID             string         `json:"id"`
		Name           string         `json:"name"`
		Description    string         `json:"description,omitempty"`
		TimespanColumn string         `json:"timespanColumn,omitempty"`
		Labels         []string       `json:"labels"`
		Columns        []column       `json:"columns"`
		Related        map[string]any `json:"related"`
	}
	type function struct {
		ID          string `json:"id"`
		Name        string `json:"name"`
		Parameters  string `json:"parameters,omitempty"`
		DisplayName string `json:"displayName"`
		Description string `json:"description,omitempty"`
		Body        string `json:"body"`
	}
	tables, functions := []table{}, []function{}
	var ids []string
	for _, name := range s.Workspace.Tables() {
		t, ok := s.Workspace.Table(name)
		if !ok {
			continue
		}
		about := workspace.Describe(name)
		out := table{ID: "t/" + name, Name: name, Description: about.Text, Labels: []string{}, Related: map[string]any{"workspaces": []string{s.Workspace.ID()}}}
		for _, c := range t.Columns {
			out.Columns = append(out.Columns, column{c.Name, c.Type.String(), about.Columns[c.Name]})
			if c.Name == "TimeGenerated" && c.Type == kql.DateTime {
				out.TimespanColumn = c.Name
			}
		}
		tables, ids = append(tables, out), append(ids, out.ID)
	}
	for _, f := range s.savedFunctions() {
		functions = append(functions, function{"f/" + f.Name, f.Name, f.Parameters, f.Name, f.Title, f.Query})
	}
	none := []any{}
	writeJSON(w, http.StatusOK, map[string]any{
		"tables": tables, "functions": functions, "categories": none, "resourceTypes": none, "solutions": none, "queries": none, "applications": none, "resources": none,
		"permissions": none, "workspaces": []any{map[string]any{
			"id": s.Workspace.ID(), "name": "default", "region": "local", "related": map[string]any{"tables": ids},
			"resourceId": "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/picket/providers/Microsoft.OperationalInsights/workspaces/default",
		}},
	})
	return nil
}

var netTypes = map[kql.Type]string{
	kql.Bool: "System.SByte", kql.DateTime: "System.DateTime", kql.Dynamic: "System.Object", kql.Guid: "System.Guid", kql.Int: "System.Int32",
	kql.Long: "System.Int64", kql.Real: "System.Double", kql.String: "System.String", kql.TimeSpan: "System.TimeSpan", kql.Decimal: "System.Data.SqlTypes.SqlDecimal",
}

// netType is the .NET type of a KQL type.
func netType(t kql.Type) string {
	if n, ok := netTypes[t]; ok {
		return n
	}
	return "System.Object"
}

// tableSchema is a table in the schema JSON of editors (monaco-kusto).
func tableSchema(t *kql.Table) map[string]any {
	about := workspace.Describe(t.Name)
	cols := []any{}
	for _, c := range t.Columns {
		col := map[string]any{"Name": c.Name, "Type": netType(c.Type), "CslType": c.Type.String()}
		if text := about.Columns[c.Name]; text != "" {
			col["DocString"] = text
		}
		cols = append(cols, col)
	}
	out := map[string]any{"Name": t.Name, "Folder": nil, "DocString": nil, "DefaultColumn": nil, "OrderedColumns": cols}
	if about.Text != "" {
		out["DocString"] = about.Text
	}
	return out
}

// showSchemaJSON is the schema of everything, as editors read it.
func (s *server) showSchemaJSON() fixed {
	tables, functions := map[string]any{}, map[string]any{}
	for _, name := range s.Workspace.Tables() {
		if t, ok := s.Workspace.Table(name); ok {
			tables[name] = tableSchema(t)
		}
	}
	for _, f := range s.savedFunctions() {
		functions[f.Name] = map[string]any{"Name": f.Name, "InputParameters": inputParameters(f.Parameters), "Body": "{" + f.Query + "}", "Folder": f.Category, "DocString": f.Title,
			"FunctionKind": "Unknown", "OutputColumns": []any{}}
	}
	schema := map[string]any{"Plugins": []any{}, "Databases": map[string]any{kustoDatabase: map[string]any{
		"Name": kustoDatabase, "Tables": tables, "ExternalTables": map[string]any{}, "MaterializedViews": map[string]any{}, "EntityGroups": map[string]any{},
		"MajorVersion": 1, "MinorVersion": 1, "Functions": functions, "DatabaseAccessMode": "ReadWrite", "PrettyName": nil,
	}}}
	return fixed{columnsOf("DatabaseSchema:string"), [][]any{{string(appendValue(nil, schema))}}}
}

// inputParameters divides "(a:string, b:long)". Tabular parameters and defaults
// stay as text: an editor looks at the names.
func inputParameters(text string) []any {
	out := []any{}
	for part := range strings.SplitSeq(strings.Trim(strings.TrimSpace(text), "()"), ",") {
		name, typ, ok := strings.Cut(part, ":")
		typ, _, _ = strings.Cut(typ, "=")
		t, known := kql.ParseType(strings.TrimSpace(typ))
		if ok && known {
			out = append(out, map[string]any{"Name": strings.TrimSpace(name), "Type": netType(t), "CslType": t.String()})
		}
	}
	return out
}

// showSchema lists every column of every table.
func (s *server) showSchema() fixed {
	f := fixed{cols: columnsOf("DatabaseName:string", "TableName:string", "ColumnName:string", "ColumnType:string", "IsDefaultTable:bool", "IsDefaultColumn:bool",
		"PrettyName:string", "Version:string", "Folder:string", "DocString:string")}
	for _, name := range s.Workspace.Tables() {
		t, ok := s.Workspace.Table(name)
		if !ok {
			continue
		}
		about := workspace.Describe(name)
		for _, c := range t.Columns {
			f.rows = append(f.rows, []any{kustoDatabase, name, c.Name, netType(c.Type), false, false, "", "v1.1", "", about.Columns[c.Name]})
		}
	}
	return f
}

// showEntities lists what a database holds.
func (s *server) showEntities() fixed {
	f := fixed{cols: columnsOf("DatabaseName:string", "EntityType:string", "EntityName:string", "DocString:string", "Folder:string", "CslInputSchema:string", "Content:string",
		"CslOutputSchema:string", "Properties:dynamic")}
	for _, name := range s.Workspace.Tables() {
		t, ok := s.Workspace.Table(name)
		if !ok {
			continue
		}
		schema := s.showTableSchema(t).rows[0][1]
		f.rows = append(f.rows, []any{kustoDatabase, "Table", name, workspace.Describe(name).Text, "", schema, "", schema, nil})
	}
	for _, fn := range s.savedFunctions() {
		f.rows = append(f.rows, []any{kustoDatabase, "Function", fn.Name, fn.Title, fn.Category, "(" + fn.Parameters + ")", "{" + fn.Query + "}", "", nil})
	}
	return f
}
