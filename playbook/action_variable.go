package playbook

import (
	"context"
	"strings"
)

var variableKinds = map[string]kind{"string": kString, "integer": kInt, "float": kNumber, "boolean": kBool, "array": kArray, "object": kObject}

// initialize is the InitializeVariable action.
type initialize struct {
	name, typ string
	value     template
}

func (l *loader) initialize(a *action, in *node) *initialize {
	vars := in.get("variables").items()
	if len(vars) != 1 {
		l.bad(a.line, "action '%s': expected one variable in 'variables', found %d", a.name, len(vars))
		return &initialize{}
	}
	v := vars[0]
	s := &initialize{name: strings.ToLower(v.get("name").str()), typ: strings.ToLower(v.get("type").str()), value: l.optional(a, v, "value")}
	if s.name == "" {
		l.missing(a, v.line, "name")
	}
	if variableKinds[s.typ] == 0 {
		l.bad(v.line, "action '%s': the type of a variable must be String, Integer, Float, Boolean, Array or Object, not '%s'", a.name, v.get("type").str())
	}
	if _, ok := l.vars[s.name]; ok {
		l.bad(v.line, "action '%s': variable '%s' is initialized twice", a.name, v.get("name").str())
	}
	l.vars[s.name] = s.typ
	return s
}

func (s *initialize) run(_ context.Context, x *step) *outcome {
	v, bad := x.value(s.value)
	if bad != nil {
		return bad
	}
	if v == nil {
		v = map[string]any{"string": "", "integer": int64(0), "float": 0.0, "boolean": false, "array": []any{}, "object": map[string]any{}}[s.typ]
	}
	if kindOf(v)&variableKinds[s.typ] == 0 {
		return fail("BadRequest", "variable '"+s.name+"' is "+s.typ+" and cannot hold "+kindOf(v).String())
	}
	o := done(nil)
	o.Inputs = map[string]any{"name": s.name, "type": s.typ, "value": v}
	o.Change = &change{s.name, "set", v}
	return o
}

// variableChange is SetVariable, AppendToArrayVariable, AppendToStringVariable or IncrementVariable.
type variableChange struct {
	name, op, typ string // typ is of the variable
	value         template
}

func (l *loader) changeVariable(a *action, in *node) *variableChange {
	s := &variableChange{name: strings.ToLower(in.get("name").str())}
	if s.name == "" {
		l.missing(a, a.line, "name")
	}
	switch strings.ToLower(a.typ) {
	case "setvariable":
		s.op = "set"
	case "incrementvariable":
		s.op = "add"
		if s.value = l.optional(a, in, "value"); s.value == nil {
			s.value = &constant{int64(1)}
		}
		return s
	default:
		s.op = "append"
	}
	s.value = l.required(a, in, "value")
	return s
}

func (s *variableChange) run(_ context.Context, x *step) *outcome {
	v, bad := x.value(s.value)
	if bad != nil {
		return bad
	}
	old, ok := x.env.variable(s.name)
	if !ok {
		return fail("BadRequest", "variable '"+s.name+"' is not initialized yet")
	}
	fits := true
	switch s.op {
	case "set":
		if fits = kindOf(v)&variableKinds[s.typ] != 0; v == nil && s.typ != "integer" && s.typ != "boolean" && s.typ != "float" {
			fits = true
		}
	case "add":
		if fits = kindOf(v)&kNumber != 0; fits {
			_, err := numberFunctions[0].call(nil, []any{old, v})
			fits = err == nil && (s.typ == "float" || kindOf(v) == kInt)
		}
	case "append":
		if list, ok := old.([]any); ok && len(list) >= maxItems {
			return fail("BadRequest", "variable '"+s.name+"' holds 100000 elements; it takes no more")
		}
		fits = old != nil
	}
	if !fits {
		return fail("BadRequest", "variable '"+s.name+"' is "+s.typ+" and cannot take "+kindOf(v).String())
	}
	o := done(nil)
	o.Inputs = map[string]any{"name": s.name, "value": v}
	o.Change = &change{s.name, s.op, v}
	return o
}
