package collection

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"picket"
	"picket/kql"
	"picket/kql/syntax"
)

// A Schema compiles what a rule says against the workspace.
type Schema interface {
	ID() string
	Table(name string) (*kql.Table, bool)
	TransformColumns(src string, columns []kql.Column) ([]kql.Column, error)
}

// ruleFile is a rule as Azure has it: the resource, or its properties alone. What
// is of no meaning here is read and passed over.
type ruleFile struct {
	Properties *ruleProperties `yaml:"properties"`
	Alone      ruleProperties  `yaml:",inline"`

	Kind       any `yaml:"kind"`
	Location   any `yaml:"location"`
	ID         any `yaml:"id"`
	Name       any `yaml:"name"`
	Type       any `yaml:"type"`
	APIVersion any `yaml:"apiVersion"`
	Etag       any `yaml:"etag"`
	Tags       any `yaml:"tags"`
	SystemData any `yaml:"systemData"`
	Identity   any `yaml:"identity"`
	SKU        any `yaml:"sku"`
}

type ruleProperties struct {
	ImmutableID        string                 `yaml:"immutableId"`
	StreamDeclarations map[string]declaration `yaml:"streamDeclarations"`
	DataSources        dataSources            `yaml:"dataSources"`
	DataFlows          []dataFlow             `yaml:"dataFlows"`

	Description              any `yaml:"description"`
	Destinations             any `yaml:"destinations"`
	Endpoints                any `yaml:"endpoints"`
	DataCollectionEndpointID any `yaml:"dataCollectionEndpointId"`
	AgentSettings            any `yaml:"agentSettings"`
	References               any `yaml:"references"`
	Metadata                 any `yaml:"metadata"`
	ProvisioningState        any `yaml:"provisioningState"`
	IngestionQuotas          any `yaml:"ingestionQuotas"`
}

type declaration struct {
	Columns []struct {
		Name string `yaml:"name"`
		Type string `yaml:"type"`
	} `yaml:"columns"`
}

type dataSources struct {
	Syslog   []SyslogSource `yaml:"syslog"`
	LogFiles []FileSource   `yaml:"logFiles"`

	PerformanceCounters  any `yaml:"performanceCounters"`
	WindowsEventLogs     any `yaml:"windowsEventLogs"`
	WindowsFirewallLogs  any `yaml:"windowsFirewallLogs"`
	IISLogs              any `yaml:"iisLogs"`
	Extensions           any `yaml:"extensions"`
	PlatformTelemetry    any `yaml:"platformTelemetry"`
	PrometheusForwarder  any `yaml:"prometheusForwarder"`
	DataImports          any `yaml:"dataImports"`
	PerformanceCountersO any `yaml:"performanceCountersOTel"`
}

type dataFlow struct {
	Streams      []string `yaml:"streams"`
	TransformKQL string   `yaml:"transformKql"`
	OutputStream string   `yaml:"outputStream"`

	Destinations     any `yaml:"destinations"`
	BuiltInTransform any `yaml:"builtInTransform"`
	CaptureOverflow  any `yaml:"captureOverflow"`
}

// loader reads one rule.
type loader struct {
	file     string
	text     []byte
	schema   Schema
	tables   map[string]*kql.Table // that rules make
	problems picket.Problems
}

// bad adds a problem; its place is where the text at is in the file, if it is.
func (l *loader) bad(at, format string, args ...any) {
	p := picket.Problem{File: l.file, Msg: fmt.Sprintf(format, args...)}
	for n, line := range slices.Collect(strings.Lines(string(l.text))) {
		if i := strings.Index(line, at); at != "" && i >= 0 {
			p.Line, p.Column = n+1, len([]rune(line[:i]))+1
			break
		}
	}
	l.problems = append(l.problems, p)
}

// Load reads the rules of a folder: every .json, .yaml and .yml file is one. It
// returns them with the tables they need that the workspace lacks. A file that is
// no good stops only itself; its problems are in the error, joined with those of
// the others.
func Load(fsys fs.FS, dir string, schema Schema) ([]*Rule, []kql.Table, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read the data collection rules: %w", err)
	}
	var rules []*Rule
	var errs []error
	tables := map[string]*kql.Table{}
	for _, e := range entries {
		if ext := path.Ext(e.Name()); e.IsDir() || ext != ".json" && ext != ".yaml" && ext != ".yml" {
			continue
		}
		file := path.Join(dir, e.Name())
		text, err := fs.ReadFile(fsys, file)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the data collection rules: %w", err))
			continue
		}
		l := &loader{file: file, text: text, schema: schema, tables: map[string]*kql.Table{}}
		for name, t := range tables {
			l.tables[name] = t
		}
		r := l.rule()
		if i := slices.IndexFunc(rules, func(o *Rule) bool { return r != nil && o.ID == r.ID }); i >= 0 {
			l.bad("immutableId", "immutableId: %s is also that of %s", r.ID, rules[i].File)
		}
		if len(l.problems) > 0 {
			errs = append(errs, l.problems)
			continue
		}
		rules, tables = append(rules, r), l.tables
	}
	var made []kql.Table
	for _, t := range tables {
		made = append(made, *t)
	}
	slices.SortFunc(made, func(a, b kql.Table) int { return strings.Compare(a.Name, b.Name) })
	return rules, made, errors.Join(errs...)
}

var immutableID = regexp.MustCompile(`^dcr-[0-9a-f]{32}$`)

func (l *loader) rule() *Rule {
	var f ruleFile
	if err := picket.ReadYAML(l.file, l.text, &f); err != nil {
		if !errors.As(err, &l.problems) {
			l.bad("", "%v", err)
		}
		return nil
	}
	p := f.Alone
	if f.Properties != nil {
		p = *f.Properties
	}
	base := path.Base(l.file)
	r := &Rule{Name: strings.TrimSuffix(base, path.Ext(base)), File: l.file, ID: p.ImmutableID, Streams: map[string]*Stream{},
		Sources: Sources{p.DataSources.Syslog, p.DataSources.LogFiles}}
	if r.ID == "" {
		r.ID = derivedID(l.schema.ID(), r.Name)
	}
	if !immutableID.MatchString(r.ID) || r.ID == BuiltinID(l.schema.ID()) {
		l.bad(p.ImmutableID, "immutableId: found %q; want dcr- and 32 digits or letters a to f, not those of the built-in rule; or leave it out", r.ID)
	}
	for name, d := range p.StreamDeclarations {
		r.Streams[name] = &Stream{Name: name, Columns: l.columns(name, d)}
	}
	if len(p.DataFlows) == 0 {
		l.bad("dataFlows", "dataFlows: there is none; want at least one, which says where the records of a stream go")
	}
	for _, flow := range p.DataFlows {
		l.flow(r, flow)
	}
	for name, s := range r.Streams {
		if len(s.Flows) == 0 && len(l.problems) == 0 {
			l.bad(name, "streamDeclarations: no flow takes the records of %s", name)
		}
	}
	return r
}

var validColumn = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// columns reads the declaration of a stream.
func (l *loader) columns(stream string, d declaration) []kql.Column {
	if !strings.HasPrefix(stream, "Custom-") {
		l.bad(stream, "streamDeclarations: found %q; want a name that begins with Custom-", stream)
	}
	var cols []kql.Column
	seen := map[string]bool{}
	for _, c := range d.Columns {
		t, ok := kql.ParseType(c.Type)
		switch {
		case !validColumn.MatchString(c.Name):
			l.bad(c.Name, "%s: found the column name %q; want letters, digits and _, no digit first", stream, c.Name)
		case seen[c.Name]:
			l.bad(c.Name, "%s: column %s is there twice", stream, c.Name)
		case !ok || !storable(t):
			l.bad(c.Type, "%s: column %s: found the type %q; want string, int, long, real, boolean, datetime, dynamic or guid", stream, c.Name, c.Type)
		}
		seen[c.Name] = true
		cols = append(cols, kql.Column{Name: c.Name, Type: t})
	}
	if len(cols) == 0 {
		l.bad(stream, "%s: no columns are declared; want columns: with name and type", stream)
	}
	return cols
}

// storable tells the types that columns of a table have (Microsoft page "Add or
// delete tables and columns in Azure Monitor Logs").
func storable(t kql.Type) bool {
	switch t {
	case kql.String, kql.Int, kql.Long, kql.Real, kql.Bool, kql.DateTime, kql.Dynamic, kql.Guid:
		return true
	}
	return false
}

// flow adds a data flow to its streams.
func (l *loader) flow(r *Rule, f dataFlow) {
	if len(f.Streams) == 0 {
		l.bad("dataFlows", "dataFlows: a flow names no streams")
	}
	for _, name := range f.Streams {
		s := r.Streams[name]
		if s == nil {
			table, ok := Table(name)
			t, exists := l.schema.Table(table)
			if strings.HasPrefix(name, "Custom-") || !ok || !exists {
				l.bad(name, "dataFlows: the stream %s is not declared; want a stream of streamDeclarations, Microsoft-Syslog or Microsoft-CommonSecurityLog", name)
				continue
			}
			s = &Stream{Name: name, Columns: ownColumns(t.Columns)}
			r.Streams[name] = s
		}
		out := f.OutputStream
		if out == "" {
			out = name
		}
		table, ok := Table(out)
		if !ok {
			l.bad(out, "dataFlows: found the output %q; want Custom- and a table whose name ends in _CL, or Microsoft- and a table of Azure's that Picket does not write itself, as outputStream", out)
			continue
		}
		flow := Flow{Transform: identity(f.TransformKQL), Table: table}
		if cols := l.transformed(s, flow.Transform); cols != nil {
			l.target(table, cols)
		}
		s.Flows = append(s.Flows, flow)
	}
}

// identity returns "" for the transformation that changes nothing.
func identity(src string) string {
	if strings.TrimSpace(src) == "source" {
		return ""
	}
	return src
}

// transformed returns the columns of a stream's records after a transformation,
// or nil when it is no good.
func (l *loader) transformed(s *Stream, src string) []kql.Column {
	if src == "" || len(l.problems) > 0 {
		return s.Columns
	}
	tree, _ := syntax.Parse(src)
	if op := acrossRows(tree); op != "" {
		l.bad("transformKql", "transformKql: %s looks at several records at once; a transformation sees the records of one call only, so each must be transformed by itself", op)
		return nil
	}
	cols, err := l.schema.TransformColumns(src, s.Columns)
	var diags syntax.Diagnostics
	if errors.As(err, &diags) {
		for _, d := range diags {
			l.bad("transformKql", "transformKql of %s: %s", s.Name, d.Render(src))
		}
		return nil
	}
	if err != nil {
		l.bad("transformKql", "transformKql of %s: %v", s.Name, err)
		return nil
	}
	for _, c := range cols {
		if !storable(c.Type) {
			l.bad("transformKql", "transformKql: the column %s is a %s, which no table holds; make it another type, for example with tostring() or toreal()", c.Name, c.Type)
		}
	}
	return cols
}

// acrossRows names an operator of a query that makes one record depend on
// others, or "".
func acrossRows(tree *syntax.Query) (op string) {
	syntax.Walk(tree, func(n syntax.Node) bool {
		switch n.(type) {
		case *syntax.SummarizeOp:
			op = "summarize"
		case *syntax.SortOp, *syntax.TopOp, *syntax.TopHittersOp, *syntax.TopNestedOp, *syntax.SerializeOp, *syntax.ScanOp:
			op = "an operator that sorts"
		case *syntax.TakeOp, *syntax.SampleOp:
			op = "take or sample"
		case *syntax.CountOp, *syntax.DistinctOp:
			op = "count or distinct"
		case *syntax.JoinOp, *syntax.UnionOp, *syntax.FindOp, *syntax.SearchOp:
			op = "an operator over several tables"
		case *syntax.MakeSeriesOp, *syntax.PartitionOp, *syntax.ReduceOp, *syntax.EvaluateOp, *syntax.MakeGraphOp, *syntax.FacetOp, *syntax.ForkOp:
			op = "an operator over all rows"
		}
		return op == ""
	})
	return op
}

// target checks that a table holds what flows to it, and notes what it lacks.
func (l *loader) target(name string, cols []kql.Column) {
	if len(l.problems) > 0 {
		return
	}
	t := l.tables[name]
	if t == nil {
		t = newTable(name)
		if have, ok := l.schema.Table(name); ok {
			t = &kql.Table{Name: name, Columns: slices.Clone(have.Columns)}
		}
	}
	for _, c := range cols {
		i := slices.IndexFunc(t.Columns, func(h kql.Column) bool { return h.Name == c.Name })
		switch {
		case i >= 0 && (t.Columns[i].Type == c.Type || reserved(c.Name)):
		case i >= 0:
			l.bad(c.Name, "the column %s of table %s is a %s, and what flows there a %s; transform it, for example with %s", c.Name, name, t.Columns[i].Type, c.Type, converter(t.Columns[i].Type))
		case !fixedTable(name) || strings.HasSuffix(c.Name, "_CF"):
			t.Columns = append(t.Columns, c)
		default:
			l.bad(c.Name, "table %s has no column %s; leave it out with project-away, or end its name in _CF", name, c.Name)
		}
	}
	l.tables[name] = t
}

func converter(t kql.Type) string {
	if t == kql.Dynamic {
		return "todynamic()"
	}
	return "to" + t.String() + "()"
}

// newTable is a table that records make, before its own columns.
func newTable(name string) *kql.Table {
	return &kql.Table{Name: name, Columns: []kql.Column{{Name: "TenantId", Type: kql.String}, {Name: "TimeGenerated", Type: kql.DateTime}, {Name: "Type", Type: kql.String}}}
}

// reserved tells the columns that the workspace fills itself.
func reserved(name string) bool { return name == "TenantId" || name == "Type" }

// ownColumns are the columns that records may fill.
func ownColumns(columns []kql.Column) []kql.Column {
	return slices.DeleteFunc(slices.Clone(columns), func(c kql.Column) bool { return reserved(c.Name) })
}
