package playbook

import (
	"context"
	"strings"
)

const (
	defaultRepetitions = 20
	maxRepetitions     = 50
	maxItems           = 100_000 // of a Foreach, as in Logic Apps
)

// scope is the Scope action.
type scope struct{ body *block }

// loop is the Foreach action.
type loop struct {
	items       template
	body        *block
	repetitions int // iterations at the same time
}

func (l *loader) loop(a *action, n *node) *loop {
	s := &loop{items: l.required(a, n, "foreach"), repetitions: defaultRepetitions}
	if strings.EqualFold(n.get("operationOptions").str(), "Sequential") {
		s.repetitions = 1
	}
	if r := n.get("runtimeConfiguration").get("concurrency").get("repetitions"); r != nil {
		v, ok := r.scalar.(int64)
		if !ok || v < 1 || v > maxRepetitions {
			l.bad(r.line, "action '%s': 'repetitions' must be an integer from 1 to %d", a.name, maxRepetitions)
			v = 1
		}
		s.repetitions = int(v)
	}
	// The spec is known before the body is read: the loop's items() refer to it.
	a.spec = s
	s.body = l.block(n.get("actions"), a, a.path+"/")
	return s
}

// run evaluates the items of the loop: its first step.
func (s *loop) run(_ context.Context, x *step) *outcome {
	v, bad := x.value(s.items)
	if bad != nil {
		return bad
	}
	l, ok := v.([]any)
	if !ok {
		return fail("InvalidTemplate", "the value of 'foreach' must be an array, but it is "+kindOf(v).String())
	}
	if len(l) > maxItems {
		return fail("InvalidTemplate", "'foreach' has more than 100000 items")
	}
	return done(l)
}

// condition is the If action.
type condition struct {
	test      template
	yes, othr *block
}

func (l *loader) condition(a *action, n *node) *condition {
	s := &condition{}
	if e := n.get("expression"); e != nil {
		s.test = l.predicate(a, e, false)
	} else {
		l.missing(a, a.line, "expression")
	}
	s.yes = l.block(n.get("actions"), a, a.path+"/")
	s.othr = l.block(n.get("else").get("actions"), a, a.path+"/")
	return s
}

// run evaluates the condition.
func (s *condition) run(_ context.Context, x *step) *outcome {
	v, bad := x.value(s.test)
	if bad != nil {
		return bad
	}
	b, ok := v.(bool)
	if !ok {
		return fail("InvalidTemplate", "the condition must give true or false, not "+kindOf(v).String())
	}
	return done(map[string]any{"expressionResult": b})
}

// predicate reads a condition: text with an expression, or an object such as
// {"and": [{"equals": ["@a", 1]}, …]}.
func (l *loader) predicate(a *action, n *node, item bool) template {
	if n.kind != kObject {
		return l.template(a, n, item)
	}
	e := l.operator(a, n, item, 0)
	if e == nil {
		return &constant{}
	}
	t := &formula{e, "the condition"}
	return t
}

func (l *loader) operator(a *action, n *node, item bool, depth int) expr {
	if n.kind == kString {
		return &quoted{l.template(a, n, item)}
	}
	if n.kind != kObject || len(n.keys) != 1 || depth > maxDepth {
		l.bad(n.line, "action '%s': expected one operator such as {\"equals\": [a, b]}", a.name)
		return nil
	}
	name, v := n.keys[0], n.values[0]
	fn := lookup(name)
	if fn == nil || fn.ret != kBool || fn.ref != refNone {
		l.bad(n.line, "action '%s': unknown operator '%s' in the condition; there are and, or, not, equals, greater, greaterOrEquals, less, lessOrEquals, contains, startsWith, endsWith and empty", a.name, name)
		return nil
	}
	c := &call{fn: fn}
	operands := []*node{v}
	if v.kind == kArray {
		operands = v.values
	}
	for _, o := range operands {
		var arg expr
		if fn.param(0) == kBool && o.kind == kObject {
			arg = l.operator(a, o, item, depth+1)
		} else {
			arg = &quoted{l.template(a, o, item)}
		}
		if arg == nil {
			return nil
		}
		c.args = append(c.args, arg)
	}
	if fn.variadic && len(c.args) == 0 {
		return &literal{true} // an empty group, as the designer leaves it
	}
	if len(c.args) < fn.min || len(c.args) > len(fn.params) && !fn.variadic {
		l.bad(n.line, "action '%s': %s takes %s, not %d", a.name, fn.name, fn.arity(), len(c.args))
		return nil
	}
	return c
}
