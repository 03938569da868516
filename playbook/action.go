package playbook

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// action is one action of a definition.
type action struct {
	name   string
	typ    string
	line   int
	path   string // names of the actions around it and its own, joined with /
	parent *action
	level  *block // that it stands in

	runAfter []dependency
	spec     any // of its type: *httpCall, *loop, …

	secureInputs, secureOutputs bool
	resultUsed                  bool // result() asks for it
	uses                        []use
}

// dependency is an entry of runAfter.
type dependency struct {
	on       *action
	name     string
	line     int
	statuses []Status
}

// use is a call in an action's templates that refers to something by name.
type use struct {
	call *call
	line int
	item bool // item() has a meaning here
}

// block is one level of actions, in the order in which they run.
type block struct {
	actions []*action
}

// executor is the spec of an action that is done in one step.
type executor interface {
	run(ctx context.Context, x *step) *outcome
}

// actionTypes are the types there are.
var actionTypes = []string{"ApiConnection", "AppendToArrayVariable", "AppendToStringVariable", "Compose", "Foreach", "Http", "If", "IncrementVariable",
	"InitializeVariable", "Join", "ParseJson", "Query", "Scope", "Select", "SetVariable", "Terminate"}

// block reads the actions of one level.
func (l *loader) block(n *node, parent *action, prefix string) *block {
	b := &block{}
	if n == nil || n.kind == kNull {
		return b
	}
	if n.kind != kObject {
		l.bad(n.line, "expected 'actions' as an object, found %s", n.kind)
		return b
	}
	for i, name := range n.keys {
		v := n.values[i]
		if v.kind != kObject {
			l.bad(v.line, "action '%s': expected an object, found %s", name, v.kind)
			continue
		}
		a := &action{name: name, typ: v.get("type").str(), line: v.line, parent: parent, path: prefix + name, level: b}
		key := strings.ToLower(name)
		if other := l.p.actions[key]; other != nil {
			l.bad(v.line, "action '%s': the name is taken by the action at line %d; names are unique in a playbook", name, other.line)
			continue
		}
		l.p.actions[key] = a
		b.actions = append(b.actions, a)
		l.action(a, v)
	}
	l.order(b)
	return b
}

// action reads what all types share and then the type's own inputs.
func (l *loader) action(a *action, n *node) {
	if ra := n.get("runAfter"); ra != nil {
		for i, name := range ra.keys {
			l.dependency(a, name, ra.values[i])
		}
	}
	if !slices.ContainsFunc(actionTypes, func(t string) bool { return strings.EqualFold(t, a.typ) }) {
		l.bad(a.line, "action '%s': type '%s' is not supported; there are %s", a.name, a.typ, strings.Join(actionTypes, ", "))
		l.partial = true
		return
	}
	for i, key := range n.keys {
		switch strings.ToLower(key) {
		case "type", "inputs", "runafter", "description", "metadata", "kind", "trackedproperties", "actions", "else", "expression", "foreach",
			"limit", "runtimeconfiguration", "operationoptions":
		default:
			l.bad(n.values[i].line, "action '%s': '%s' is not supported", a.name, key)
		}
	}
	l.runtime(a, n)
	in := n.get("inputs")
	switch strings.ToLower(a.typ) {
	case "http":
		a.spec = l.httpCall(a, n, in)
	case "apiconnection":
		a.spec = l.apiConnection(a, n, in)
	case "parsejson":
		a.spec = l.parseJSON(a, in)
	case "compose":
		if in == nil {
			l.missing(a, a.line, "inputs")
		}
		a.spec = &compose{l.template(a, in, false)}
	case "select":
		a.spec = l.selectItems(a, in)
	case "query":
		a.spec = l.query(a, in)
	case "join":
		a.spec = &joinItems{from: l.required(a, in, "from"), sep: l.required(a, in, "joinWith")}
	case "terminate":
		a.spec = l.terminate(a, in)
	case "initializevariable":
		a.spec = l.initialize(a, in)
	case "setvariable", "appendtoarrayvariable", "appendtostringvariable", "incrementvariable":
		a.spec = l.changeVariable(a, in)
	case "foreach":
		a.spec = l.loop(a, n)
	case "if":
		a.spec = l.condition(a, n)
	case "scope":
		a.spec = &scope{l.block(n.get("actions"), a, a.path+"/")}
	}
}

func (l *loader) dependency(a *action, name string, n *node) {
	d := dependency{name: name, line: n.line}
	for _, s := range n.values {
		switch strings.ToLower(s.str()) {
		case "succeeded":
			d.statuses = append(d.statuses, Succeeded)
		case "failed":
			d.statuses = append(d.statuses, Failed)
		case "skipped":
			d.statuses = append(d.statuses, Skipped)
		case "timedout":
			d.statuses = append(d.statuses, TimedOut)
		default:
			l.bad(s.line, "action '%s': runAfter takes Succeeded, Failed, Skipped or TimedOut, not '%s'", a.name, s.str())
		}
	}
	if len(n.values) == 0 {
		l.bad(n.line, "action '%s': runAfter of '%s' needs a list of statuses such as [\"Succeeded\"]", a.name, name)
	}
	a.runAfter = append(a.runAfter, d)
}

// runtime reads runtimeConfiguration and operationOptions, but for a loop's concurrency.
func (l *loader) runtime(a *action, n *node) {
	if rc := n.get("runtimeConfiguration"); rc != nil {
		for i, key := range rc.keys {
			switch strings.ToLower(key) {
			case "concurrency", "contenttransfer":
			case "securedata":
				for _, p := range rc.values[i].get("properties").items() {
					switch strings.ToLower(p.str()) {
					case "inputs":
						a.secureInputs = true
					case "outputs":
						a.secureOutputs = true
					}
				}
			default:
				l.bad(rc.values[i].line, "action '%s': runtimeConfiguration '%s' is not supported", a.name, key)
			}
		}
	}
	for o := range strings.SplitSeq(n.get("operationOptions").str(), ",") {
		switch strings.ToLower(strings.TrimSpace(o)) {
		case "", "sequential", "disableasyncpattern", "suppressworkflowheaders", "suppressworkflowheadersonresponse":
		default:
			l.bad(n.line, "action '%s': operationOptions '%s' is not supported", a.name, o)
		}
	}
}

func (n *node) items() []*node {
	if n == nil || n.kind != kArray {
		return nil
	}
	return n.values
}

func (l *loader) missing(a *action, line int, name string) {
	l.bad(line, "action '%s': required input '%s' is missing", a.name, name)
}

// required compiles an input that must be there.
func (l *loader) required(a *action, in *node, name string) template {
	n := in.get(name)
	if n == nil {
		line := a.line
		if in != nil {
			line = in.line
		}
		l.missing(a, line, name)
		return nil
	}
	return l.template(a, n, false)
}

// optional compiles an input that may be absent; the template is nil then.
func (l *loader) optional(a *action, in *node, name string) template {
	n := in.get(name)
	if n == nil {
		return nil
	}
	return l.template(a, n, false)
}

// template compiles a value and notes what it refers to. item says that
// item() means the element at hand.
func (l *loader) template(a *action, n *node, item bool) template {
	if n == nil {
		return nil
	}
	switch n.kind {
	case kString:
		return l.text(a, n.str(), n.line, item)
	case kArray:
		t := &list{}
		for _, v := range n.values {
			t.items = append(t.items, l.template(a, v, item))
		}
		return t
	case kObject:
		t := &record{}
		for i, v := range n.values {
			t.fields = append(t.fields, field{l.text(a, n.keys[i], v.line, item), l.template(a, v, item)})
		}
		return t
	}
	return &constant{n.scalar}
}

func (l *loader) text(a *action, s string, line int, item bool) template {
	if l.arm && armExpression(s) {
		l.bad(line, "action '%s': the ARM expression %q is evaluated only when the template is deployed; write the value here", a.name, cut(s, 100))
		return &constant{s}
	}
	if l.arm && strings.HasPrefix(s, "[[") {
		s = s[1:]
	}
	t, err := parseText(s)
	if err != nil {
		msg := err.Error()
		var syn *syntaxError
		if errors.As(err, &syn) {
			msg = syn.msg
		}
		l.bad(line, "action '%s': %s, in the expression %s", a.name, msg, cut(s, 200))
		return &constant{s}
	}
	l.note(a, t, line, item)
	return t
}

// note keeps the calls of t that refer to something, for check.
func (l *loader) note(a *action, t template, line int, item bool) {
	calls(t, func(c *call) {
		if c.fn.ref != refNone {
			a.uses = append(a.uses, use{c, line, item})
		}
	})
}

// order resolves runAfter and puts the actions of a level in running order:
// of those that may run next, the one that stands first in the file.
func (l *loader) order(b *block) {
	for _, a := range b.actions {
		for i := range a.runAfter {
			d := &a.runAfter[i]
			at := slices.IndexFunc(b.actions, func(o *action) bool { return strings.EqualFold(o.name, d.name) })
			switch {
			case at >= 0:
				d.on = b.actions[at]
			case l.p.actions[strings.ToLower(d.name)] != nil:
				l.bad(d.line, "action '%s': runAfter names '%s', which stands on another level; only actions of the same level can be waited for", a.name, d.name)
			default:
				l.bad(d.line, "action '%s': runAfter names '%s', which does not exist on this level", a.name, d.name)
			}
		}
	}
	rest, done := slices.Clone(b.actions), []*action{}
	for len(rest) > 0 {
		at := slices.IndexFunc(rest, func(a *action) bool {
			return !slices.ContainsFunc(a.runAfter, func(d dependency) bool { return d.on != nil && slices.Contains(rest, d.on) })
		})
		if at < 0 {
			var names []string
			for _, a := range rest {
				names = append(names, a.name)
			}
			l.bad(rest[0].line, "runAfter goes in a circle among %s", strings.Join(names, ", "))
			return
		}
		done, rest = append(done, rest[at]), slices.Delete(rest, at, at+1)
	}
	b.actions = done
}
