package library

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"picket"
	"picket/kql"
	"picket/kql/syntax"
	"picket/state"
	"picket/workspace"
)

// Function is a function that queries can call by its name.
type Function struct {
	Name       string
	Parameters string // "a:string, b:long=5", "" for none
	Query      string
	Category   string
	Title      string
	File       string // where it was read from, or "" when it is in the state
	Line       int    // of File, where Query begins
}

func functionOf(s state.SavedSearch) Function {
	return Function{Name: s.FunctionAlias, Parameters: s.FunctionParameters, Query: s.Query, Category: s.Category, Title: s.DisplayName}
}

// definition is the function as a lambda. The body begins on a line of its own,
// so that its lines count as its owner wrote them.
func (f Function) definition() string {
	return "(" + f.Parameters + ") {\n" + strings.TrimRight(f.Query, "; \t\r\n") + "\n}"
}

// Set is functions without a workspace. It implements kql.Functions.
type Set map[string]Function

// SetOf returns the functions by their names.
func SetOf(list []Function) Set {
	s := Set{}
	for _, f := range list {
		s[f.Name] = f
	}
	return s
}

// Function implements kql.Functions.
func (s Set) Function(name string, _ []string) (string, bool, error) {
	f, ok := s[name]
	return f.definition(), ok, nil
}

var functionName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// maxFunction bounds a function's text, in bytes.
const maxFunction = 1 << 20

// Check reports what is wrong with a function. What it names that is not there,
// as tables may come later, is a warning.
func (l *Library) Check(ctx context.Context, f Function) (warnings []string, err error) {
	if !functionName.MatchString(f.Name) {
		return nil, picket.Errorf(picket.Invalid, "function %q: want a name of letters, digits and _, that begins with no digit", f.Name)
	}
	if kql.IsFunction(f.Name) {
		return nil, picket.Errorf(picket.Invalid, "function %s: KQL itself has a function of that name; want another", f.Name)
	}
	if _, ok := l.ws.Table(f.Name); ok {
		return nil, picket.Errorf(picket.Conflict, "function %s: there is a table of that name; want another", f.Name)
	}
	if strings.TrimSpace(f.Query) == "" || len(f.Query)+len(f.Parameters) > maxFunction {
		return nil, picket.Errorf(picket.Invalid, "function %s: want a query of 1 to %d bytes, not %d", f.Name, maxFunction, len(f.Query))
	}
	call, err := sampleCall(f)
	if err != nil || call == "" {
		return nil, err
	}
	_, err = l.ws.Compile(ctx, workspace.Caller{}, call, kql.Options{Functions: overlay{f, l}})
	var d syntax.Diagnostics
	if err == nil || !errors.As(err, &d) {
		return nil, err
	}
	var wrong []string
	for _, x := range d {
		if strings.Contains(x.Msg, "there is no table named") || strings.Contains(x.Msg, "there is no function named") {
			warnings = append(warnings, x.Msg)
		} else {
			wrong = append(wrong, x.Msg)
		}
	}
	if len(wrong) > 0 {
		return nil, picket.Errorf(picket.Invalid, "%s", strings.Join(wrong, "\n"))
	}
	return warnings, nil
}

// overlay is the library with one function more.
type overlay struct {
	f    Function
	over *Library
}

func (o overlay) Function(name string, consts []string) (string, bool, error) {
	if name == o.f.Name {
		return o.f.definition(), true, nil
	}
	return o.over.Function(name, consts)
}

// sampleCall returns a query that calls f with empty arguments, or "" when one
// of them is a table of any columns, of which nothing can be known. What does
// not parse is told by the lines of the function.
func sampleCall(f Function) (string, error) {
	head := "let " + f.Name + " = ("
	src := head + f.Parameters + ") {\n"
	begin := len(src)
	src += strings.TrimRight(f.Query, "; \t\r\n") + "\n}"
	tree, diags := syntax.Parse(src + ";")
	var lambda *syntax.Lambda
	if len(tree.Stmts) == 1 {
		if let, ok := tree.Stmts[0].(*syntax.LetStmt); ok {
			lambda, _ = let.Value.(*syntax.Lambda)
		}
	}
	var wrong []string
	for _, d := range diags {
		place := "in its parameters"
		if d.Span.Start >= begin {
			line, col := syntax.LineCol(src[begin:], d.Span.Start-begin)
			place = fmt.Sprintf("line %d, column %d", line, col)
		}
		wrong = append(wrong, fmt.Sprintf("function %s, %s: %s", f.Name, place, d.Msg))
	}
	if len(wrong) == 0 && lambda == nil {
		wrong = []string{fmt.Sprintf("function %s: want parameters such as a:string, b:long=5, and one query", f.Name)}
	}
	if len(wrong) > 0 {
		return "", picket.Errorf(picket.Invalid, "%s", strings.Join(wrong, "\n"))
	}
	var args []string
	for _, p := range lambda.Params {
		switch {
		case p.Tabular() && p.AnyCols:
			return "", nil
		case p.Tabular():
			cols := make([]string, len(p.Schema))
			for i, c := range p.Schema {
				cols[i] = "['" + strings.ReplaceAll(c.Name.Text, "'", `\'`) + "']:" + c.Type.Text
			}
			args = append(args, "datatable("+strings.Join(cols, ", ")+")[]")
		case p.Default != nil:
		case p.Type.Text == "string":
			args = append(args, `""`)
		default:
			args = append(args, p.Type.Text+"(null)")
		}
	}
	return f.Name + "(" + strings.Join(args, ", ") + ")", nil
}

// PutSearch stores a saved search in place of the one with its ID. One with a
// FunctionAlias is a function, and is checked first.
func (l *Library) PutSearch(ctx context.Context, s state.SavedSearch) (warnings []string, err error) {
	if s.ID == "" || len(s.ID) > 256 || strings.ContainsAny(s.ID, "/?#%\\") {
		return nil, picket.Errorf(picket.Invalid, "saved search %q: want an id of 1 to 256 characters without / ? # %% and \\", s.ID)
	}
	l.change.Lock()
	defer l.change.Unlock()
	if s.FunctionAlias != "" {
		f := functionOf(s)
		if warnings, err = l.Check(ctx, f); err != nil {
			return nil, err
		}
		if other, ok := l.taken(s); ok {
			return nil, picket.Errorf(picket.Conflict, "function %s: there is one already, %s", s.FunctionAlias, other)
		}
	} else if strings.TrimSpace(s.Query) == "" {
		return nil, picket.Errorf(picket.Invalid, "saved search %s: it has no query", s.ID)
	}
	s.Changed = l.now()
	if err := l.st.PutSavedSearch(ctx, s); err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.saved[s.ID] = s
	return warnings, nil
}

// taken tells who else has the function's name.
func (l *Library) taken(s state.SavedSearch) (other string, ok bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if f, ok := l.files[s.FunctionAlias]; ok {
		return "in " + f.File, true
	}
	for _, o := range l.saved {
		if o.FunctionAlias == s.FunctionAlias && o.ID != s.ID {
			return "the saved search " + o.ID, true
		}
	}
	return "", false
}

// Search returns a saved search.
func (l *Library) Search(id string) (state.SavedSearch, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	s, ok := l.saved[id]
	if !ok {
		return s, notFound("saved search", id)
	}
	return s, nil
}

// Searches lists the saved searches by ID.
func (l *Library) Searches() []state.SavedSearch {
	l.mu.RLock()
	defer l.mu.RUnlock()
	list := make([]state.SavedSearch, 0, len(l.saved))
	for _, s := range l.saved {
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b state.SavedSearch) int { return strings.Compare(a.ID, b.ID) })
	return list
}

// DeleteSearch removes a saved search.
func (l *Library) DeleteSearch(ctx context.Context, id string) error {
	l.change.Lock()
	defer l.change.Unlock()
	found, err := l.st.DeleteSavedSearch(ctx, id)
	if err != nil {
		return err
	}
	if !found {
		return notFound("saved search", id)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.saved, id)
	return nil
}

// Functions lists the functions by name, those of files and those of the state.
func (l *Library) Functions() []Function {
	l.mu.RLock()
	defer l.mu.RUnlock()
	var list []Function
	for _, f := range l.files {
		list = append(list, f)
	}
	for _, s := range l.saved {
		if _, hidden := l.files[s.FunctionAlias]; s.FunctionAlias != "" && !hidden {
			list = append(list, functionOf(s))
		}
	}
	slices.SortFunc(list, func(a, b Function) int { return strings.Compare(a.Name, b.Name) })
	return list
}
