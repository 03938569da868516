package library

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"picket"
)

// LoadDir reads the functions of a folder's files, sorted by name. A file that
// is no good stops only itself: its problems are in the error, joined with those
// of the others. Three kinds are read:
//
//   - .yaml: a parser of the Azure-Sentinel repository, of ASIM (ParserName,
//     ParserParams, ParserQuery) or of a solution (FunctionName or FunctionAlias,
//     FunctionQuery); with EquivalentBuiltInParser it has that name, too
//   - .json: a saved search, or an ARM template with some
//   - .kql: a query, named as the file; or Kusto's command .create-or-alter
//     function Name(params) { query }
//
// A folder that is not there has none.
func LoadDir(fsys fs.FS, dir string) ([]Function, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the functions: %w", err)
	}
	var list []Function
	var errs []error
	for _, e := range entries {
		read := readerOf(e.Name())
		if e.IsDir() || read == nil {
			continue
		}
		name := path.Join(dir, e.Name())
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the functions: %w", err))
			continue
		}
		found, err := read(name, data)
		if err != nil {
			errs = append(errs, picket.Problems{{File: name, Msg: err.Error()}})
			continue
		}
		for _, f := range found {
			f.File = name
			if i := slices.IndexFunc(list, func(g Function) bool { return g.Name == f.Name }); i >= 0 {
				errs = append(errs, picket.Problems{{File: name, Msg: fmt.Sprintf("function %s is also in %s", f.Name, list[i].File)}})
				continue
			}
			list = append(list, f)
		}
	}
	return list, errors.Join(errs...)
}

// readerOf returns what reads a file of that name, or nil.
func readerOf(name string) func(name string, data []byte) ([]Function, error) {
	switch path.Ext(name) {
	case ".yaml", ".yml":
		return readYAML
	case ".json":
		return readJSON
	case ".kql", ".csl":
		return readKQL
	}
	return nil
}

// SetFiles takes the functions of files in place of those it had, and returns
// what is wrong with some, which are left out, and warnings of others.
func (l *Library) SetFiles(ctx context.Context, list []Function) (warnings picket.Problems, err error) {
	l.change.Lock()
	defer l.change.Unlock()
	files := map[string]Function{}
	for _, f := range list {
		files[f.Name] = f
	}
	l.setFiles(files)
	// They call each other: all have to be there before one is checked.
	var errs []error
	for _, f := range list {
		warn, err := l.Check(ctx, f)
		if err != nil {
			errs = append(errs, picket.Problems{{File: f.File, Msg: err.Error()}})
			delete(files, f.Name)
			continue
		}
		for _, w := range warn {
			warnings = append(warnings, picket.Problem{File: f.File, Msg: w})
		}
	}
	l.setFiles(files)
	return warnings, errors.Join(errs...)
}

func (l *Library) setFiles(files map[string]Function) {
	clone := make(map[string]Function, len(files))
	for k, v := range files {
		clone[k] = v
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = clone
}

func readYAML(_ string, data []byte) ([]Function, error) {
	var doc map[string]any
	if err := yaml.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("not YAML: %w", err)
	}
	text := func(m map[string]any, keys ...string) string {
		for _, k := range keys {
			if s, ok := m[k].(string); ok && s != "" {
				return s
			}
		}
		return ""
	}
	params, err := yamlParams(doc)
	if err != nil {
		return nil, err
	}
	f := Function{Name: text(doc, "ParserName", "FunctionAlias", "FunctionName"), Parameters: params, Query: text(doc, "ParserQuery", "FunctionQuery"), Category: text(doc, "Category")}
	for _, k := range []string{"Parser", "Function"} {
		if m, ok := doc[k].(map[string]any); ok {
			f.Title = text(m, "Title")
		}
	}
	if f.Name == "" || f.Query == "" {
		return nil, errors.New("want ParserName and ParserQuery, or FunctionName and FunctionQuery, as parsers of the Azure-Sentinel repository have them")
	}
	list := []Function{f}
	if also := text(doc, "EquivalentBuiltInParser"); also != "" && also != f.Name {
		f.Name = also
		list = append(list, f)
	}
	return list, nil
}

// yamlParams writes a parser's list of parameters as KQL.
func yamlParams(doc map[string]any) (string, error) {
	items, _ := doc["ParserParams"].([]any)
	if items == nil {
		items, _ = doc["FunctionParams"].([]any)
	}
	var out []string
	for i, it := range items {
		m, _ := it.(map[string]any)
		name, _ := m["Name"].(string)
		typ, _ := m["Type"].(string)
		if name == "" || typ == "" {
			return "", fmt.Errorf("ParserParams[%d]: want Name and Type", i)
		}
		switch {
		case strings.EqualFold(typ, "table"):
			typ = "(*)"
			if cols, ok := m["Schema"].(string); ok {
				typ = "(" + cols + ")"
			}
		case strings.HasPrefix(strings.ToLower(typ), "table:"):
			typ = typ[len("table:"):]
		}
		s := name + ":" + typ
		if d, ok := m["Default"]; ok && d != nil {
			s += "=" + defaultText(d, typ)
		}
		out = append(out, s)
	}
	return strings.Join(out, ", "), nil
}

// defaultText writes a default as KQL: the files have KQL already (datetime(null)),
// but for texts, which they write with and without quotes.
func defaultText(v any, typ string) string {
	s := fmt.Sprint(v)
	if typ == "string" && !strings.HasPrefix(s, `"`) && !strings.HasPrefix(s, `'`) {
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
	}
	return s
}

// savedSearch is a saved search in the JSON of Azure's APIs and templates.
type savedSearch struct {
	Type       string
	Name       string
	Resources  []savedSearch
	Properties *struct {
		Category, DisplayName, Query, FunctionAlias, FunctionParameters string
	}
}

func readJSON(_ string, data []byte) ([]Function, error) {
	var doc savedSearch
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, fmt.Errorf("not JSON of a saved search: %w", err)
	}
	var list []Function
	var walk func(s savedSearch)
	walk = func(s savedSearch) {
		if p := s.Properties; p != nil && p.FunctionAlias != "" && p.Query != "" {
			list = append(list, Function{Name: p.FunctionAlias, Parameters: p.FunctionParameters, Query: p.Query, Category: p.Category, Title: p.DisplayName})
		}
		for _, r := range s.Resources {
			walk(r)
		}
	}
	walk(doc)
	if len(list) == 0 {
		return nil, errors.New("want a saved search (properties with functionAlias and query), or a template with some")
	}
	return list, nil
}

var createFunction = regexp.MustCompile(`(?s)^\s*\.create(?:-or-alter)?\s+function\s+(?:ifnotexists\s+)?(?:with\s*\([^)]*\)\s*)?([A-Za-z_][A-Za-z0-9_]*)\s*\((.*?)\)\s*\{(.*)\}\s*$`)

func readKQL(name string, data []byte) ([]Function, error) {
	text := string(data)
	if m := createFunction.FindStringSubmatch(text); m != nil {
		return []Function{{Name: m[1], Parameters: strings.TrimSpace(m[2]), Query: strings.Trim(m[3], "\r\n")}}, nil
	}
	if strings.HasPrefix(strings.TrimSpace(text), ".") {
		return nil, errors.New("want a query, or .create-or-alter function Name(parameters) { query }")
	}
	return []Function{{Name: strings.TrimSuffix(path.Base(name), path.Ext(name)), Query: text}}, nil
}
