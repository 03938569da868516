// Package playbook runs Logic Apps workflow definitions: it loads and checks
// them, evaluates the workflow expression language, and interprets the actions
// durably: a run that is killed goes on where it was, and no finished action
// is done twice. The formats are those of the Microsoft pages "Schema
// reference for Workflow Definition Language", "Schema reference for trigger
// and action types" and "Reference guide to workflow expression functions".
package playbook

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"picket"
)

// Playbook is a workflow definition that was found good. It does not change.
type Playbook struct {
	// Name is the file's name without folder and extension. Automation rules
	// and parameters refer to it.
	Name string

	file    string
	source  []byte
	hash    string
	trigger string // name of the trigger

	parameters map[string]*parameter // by lower-case name
	root       *block
	actions    map[string]*action // all, by lower-case name
}

// parameter is a declared parameter of a definition.
type parameter struct {
	name   string
	typ    string // lower case: string, securestring, int, …
	line   int
	value  any
	filled bool // value is set
}

func (p *parameter) secure() bool { return strings.HasPrefix(p.typ, "secure") }

// A ParameterInfo describes a parameter that a playbook declares.
type ParameterInfo struct {
	Name   string
	Type   string // String, SecureString, Int, Float, Bool, Array, Object or SecureObject
	Secret bool
	Filled bool // the definition gives a value
}

// Parameters returns the parameters the playbook declares, by name, without $connections.
func (p *Playbook) Parameters() []ParameterInfo {
	var out []ParameterInfo
	for _, k := range sortedKeys(p.parameters) {
		d := p.parameters[k]
		if d.name == "$connections" {
			continue
		}
		out = append(out, ParameterInfo{d.name, parameterTypes[d.typ].name, d.secure(), d.filled})
	}
	return out
}

var parameterTypes = map[string]struct {
	name string
	kind kind
}{
	"string": {"String", kString}, "securestring": {"SecureString", kString}, "int": {"Int", kInt}, "float": {"Float", kNumber},
	"bool": {"Bool", kBool}, "array": {"Array", kArray}, "object": {"Object", kObject}, "secureobject": {"SecureObject", kObject},
}

// loader collects what is wrong with one file.
type loader struct {
	p        *Playbook
	arm      bool
	problems []problem
	apis     map[string]string // connection → API, from the values of $connections
	given    *node             // values of parameters beside the definition
	vars     map[string]string // initialized variables: lower-case name → type
	partial  bool              // an action was not understood: what refers to it is not checked
}

func (l *loader) bad(line int, format string, args ...any) {
	l.problems = append(l.problems, problem{line, fmt.Sprintf(format, args...)})
}

// maxDefinition bounds the size of a definition file, in bytes.
const maxDefinition = 8 << 20

// Load reads a playbook from a file's content, JSON or the same as YAML: a
// workflow definition, bare or under "definition" or "properties.definition",
// or an ARM template with one Microsoft.Logic/workflows resource. The error is
// a [picket.Error] that names every problem as file:line: what was expected;
// its cause is [picket.Problems].
func Load(name string, data []byte) (*Playbook, error) {
	base := filepath.Base(name)
	p := &Playbook{Name: strings.TrimSuffix(base, filepath.Ext(base)), file: name, source: data,
		parameters: map[string]*parameter{}, actions: map[string]*action{}}
	sum := sha256.Sum256(data)
	p.hash = hex.EncodeToString(sum[:])
	l := &loader{p: p, apis: map[string]string{}, vars: map[string]string{}}
	if len(data) > maxDefinition {
		l.bad(0, "the file has %d bytes; at most %d are read", len(data), maxDefinition)
	} else if tree, prob := parseTree(data); prob != nil {
		l.problems = append(l.problems, *prob)
	} else if def := l.unwrap(tree); def != nil {
		l.definition(def)
	}
	if len(l.problems) > 0 {
		return nil, l.error()
	}
	return p, nil
}

// error puts the problems in the file's order into one error.
func (l *loader) error() error {
	slices.SortStableFunc(l.problems, func(a, b problem) int { return a.line - b.line })
	const most = 20
	var b strings.Builder
	var all picket.Problems
	for _, p := range l.problems {
		all = append(all, picket.Problem{File: l.p.file, Line: p.line, Column: min(p.line, 1), Msg: p.msg})
	}
	for i, p := range l.problems {
		if i == most {
			fmt.Fprintf(&b, "\n%s: … and %d more problems", l.p.file, len(l.problems)-most)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(l.p.file)
		if p.line > 0 {
			fmt.Fprintf(&b, ":%d", p.line)
		}
		b.WriteString(": " + p.msg)
	}
	return &picket.Error{Code: picket.Invalid, Msg: b.String(), Err: all}
}

// unwrap finds the definition in the file.
func (l *loader) unwrap(n *node) *node {
	if n.kind != kObject {
		l.bad(n.line, "expected a workflow definition (an object), found %s", n.kind)
		return nil
	}
	if res := n.get("resources"); res != nil {
		return l.unwrapARM(n, res)
	}
	if n.get("definition") == nil && n.get("actions") == nil && n.get("properties") != nil {
		n = n.get("properties")
	}
	if d := n.get("definition"); d != nil {
		l.connections(n.get("parameters"))
		n = d
	}
	if n.get("actions") == nil || n.get("triggers") == nil {
		l.bad(n.line, "expected a workflow definition with 'triggers' and 'actions', or an ARM template with a Microsoft.Logic/workflows resource")
		return nil
	}
	return n
}

func (l *loader) unwrapARM(n, res *node) *node {
	l.arm = true
	var found []*node
	for _, r := range res.values {
		if strings.EqualFold(r.get("type").str(), "Microsoft.Logic/workflows") {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		l.bad(res.line, "expected one Microsoft.Logic/workflows resource in the ARM template, found %d", len(found))
		return nil
	}
	props := found[0].get("properties")
	l.connections(props.get("parameters"))
	d := props.get("definition")
	if d.get("actions") == nil || d.get("triggers") == nil {
		l.bad(found[0].line, "expected 'properties.definition' with 'triggers' and 'actions' in the Microsoft.Logic/workflows resource")
		return nil
	}
	return d
}

// connections reads the parameter values given beside the definition: which
// API each connection is of, and plain values.
func (l *loader) connections(params *node) {
	l.given = params
	conns := params.get("$connections").get("value")
	if conns == nil || conns.kind != kObject {
		return
	}
	for i, key := range conns.keys {
		id := conns.values[i].get("id").str()
		if at := strings.LastIndex(id, "/managedApis/"); at >= 0 {
			id = id[at+len("/managedApis/"):]
			if end := strings.IndexAny(id, "')/ "); end >= 0 {
				id = id[:end]
			}
			if id != "" {
				l.apis[strings.ToLower(key)] = strings.ToLower(id)
			}
		}
	}
}

// armExpression reports whether s is evaluated by ARM when it is deployed.
func armExpression(s string) bool {
	return strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") && !strings.HasPrefix(s, "[[")
}

func (l *loader) definition(n *node) {
	for i, key := range n.keys {
		switch strings.ToLower(key) {
		case "$schema", "contentversion", "parameters", "triggers", "actions", "outputs", "description", "metadata", "kind":
		default:
			l.bad(n.values[i].line, "'%s' is not supported in a workflow definition; expected parameters, triggers, actions or outputs", key)
		}
	}
	if o := n.get("outputs"); o != nil && len(o.keys) > 0 {
		l.bad(o.line, "workflow 'outputs' are not supported; leave them empty")
	}
	l.declare(n.get("parameters"))
	l.triggers(n.get("triggers"))
	l.p.root = l.block(n.get("actions"), nil, "")
	if !l.partial {
		l.check()
	}
}

// declare reads the parameters.
func (l *loader) declare(n *node) {
	if n == nil {
		return
	}
	for i, name := range n.keys {
		v := n.values[i]
		p := &parameter{name: name, typ: strings.ToLower(v.get("type").str()), line: v.line}
		t, ok := parameterTypes[p.typ]
		if !ok {
			l.bad(v.line, "parameter '%s': the type must be String, SecureString, Int, Float, Bool, Array, Object or SecureObject, not '%s'", name, v.get("type").str())
			continue
		}
		for _, val := range []*node{v.get("defaultValue"), l.given.get(name).get("value")} {
			if val == nil || armExpression(val.str()) || val.str() != "" && strings.HasPrefix(val.str(), "@") {
				continue
			}
			if val.kind&t.kind == 0 {
				l.bad(val.line, "parameter '%s': the value must be %s, not %s", name, t.kind, val.kind)
				continue
			}
			p.value, p.filled = val.value(), true
		}
		l.p.parameters[strings.ToLower(name)] = p
	}
}

// triggers reads the one trigger: incident creation.
func (l *loader) triggers(n *node) {
	if n.kind != kObject || len(n.keys) != 1 {
		l.bad(n.line, "expected exactly one trigger, found %d", len(n.values))
		return
	}
	name, t := n.keys[0], n.values[0]
	l.p.trigger = name
	if typ := t.get("type").str(); !strings.EqualFold(typ, "ApiConnectionWebhook") {
		l.bad(t.line, "trigger '%s': type '%s' is not supported; expected ApiConnectionWebhook on azuresentinel with path /incident-creation", name, typ)
		return
	}
	in := t.get("inputs")
	if in == nil {
		l.bad(t.line, "trigger '%s': required input 'host' is missing", name)
		return
	}
	api := l.connection("trigger '"+name+"'", in)
	if path := in.get("path"); api != "" && (api != "azuresentinel" || !strings.EqualFold(path.str(), "/incident-creation")) {
		l.bad(t.line, "trigger '%s': %s on connection %s is not supported; expected azuresentinel with path /incident-creation", name, quoteOr(path.str(), "no path"), api)
	}
}

func quoteOr(s, or string) string {
	if s == "" {
		return or
	}
	return s
}

// connection returns the API that inputs.host names, lower case, or "".
func (l *loader) connection(where string, inputs *node) string {
	host := inputs.get("host")
	c := host.get("connection")
	if ref := c.get("referenceName").str(); ref != "" {
		return l.api(ref)
	}
	n := c.get("name")
	if n == nil {
		l.bad(inputs.line, "%s: required input 'host.connection.name' is missing", where)
		return ""
	}
	// @parameters('$connections')['KEY']['connectionId']
	if f, ok := l.quiet(n.str()).(*formula); ok {
		if id, ok := f.e.(*access); ok && keyOf(id) == "connectionid" {
			if conn, ok := id.base.(*access); ok {
				if c, ok := conn.base.(*call); ok && c.fn.ref == refParameter && isLiteral(c, "$connections") && keyOf(conn) != "" {
					return l.api(keyOf(conn))
				}
			}
		}
	}
	l.bad(n.line, "%s: expected host.connection.name as @parameters('$connections')['azuresentinel']['connectionId'], found %q", where, cut(n.str(), 100))
	return ""
}

// api names the API of a connection: as $connections says, else its own name
// without the number the designer adds.
func (l *loader) api(key string) string {
	key = strings.ToLower(key)
	if a := l.apis[key]; a != "" {
		return a
	}
	return strings.TrimRight(strings.TrimRight(key, "0123456789"), "_-")
}

func (l *loader) quiet(s string) template {
	t, err := parseText(s)
	if err != nil {
		return nil
	}
	return t
}

// keyOf returns the literal property name of an access, lower case.
func keyOf(a *access) string {
	if k, ok := a.key.(*literal); ok {
		return strings.ToLower(text(k.v))
	}
	return ""
}

func isLiteral(c *call, s string) bool {
	l, ok := c.args[0].(*literal)
	return ok && strings.EqualFold(text(l.v), s)
}
