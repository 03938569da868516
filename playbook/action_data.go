package playbook

import (
	"context"
	"strings"
)

// step is an action about to be done, with what it needs.
type step struct {
	action    *action
	env       *env
	runner    *Runner
	runID     string
	playbook  string // its name
	requestID string // the same whenever this step of this run is repeated
}

// value evaluates t; the outcome is not nil when that fails.
func (x *step) value(t template) (any, *outcome) {
	v, err := x.env.value(t)
	if err != nil {
		return nil, fail("InvalidTemplate", x.env.mask.hide(err.Error()))
	}
	return v, nil
}

// array evaluates t to an array.
func (x *step) array(t template, input string) ([]any, *outcome) {
	v, bad := x.value(t)
	if bad != nil {
		return nil, bad
	}
	l, ok := v.([]any)
	if !ok {
		return nil, fail("BadRequest", "'"+input+"' must be an array, but its value is "+kindOf(v).String())
	}
	return l, nil
}

// compose is the Compose action: its output is its input.
type compose struct{ value template }

func (s *compose) run(_ context.Context, x *step) *outcome {
	v, bad := x.value(s.value)
	if bad != nil {
		return bad
	}
	return done(v)
}

// selectItems is the Select action: each item mapped.
type selectItems struct{ from, each template }

func (l *loader) selectItems(a *action, in *node) *selectItems {
	s := &selectItems{from: l.required(a, in, "from")}
	if n := in.get("select"); n != nil {
		s.each = l.template(a, n, true)
	} else {
		l.missing(a, a.line, "select")
	}
	return s
}

func (s *selectItems) run(_ context.Context, x *step) *outcome {
	from, bad := x.array(s.from, "from")
	if bad != nil {
		return bad
	}
	out := make([]any, len(from))
	for i, it := range from {
		x.env.item = append(x.env.item, it)
		v, bad := x.value(s.each)
		x.env.item = x.env.item[:len(x.env.item)-1]
		if bad != nil {
			return bad
		}
		out[i] = v
	}
	return done(map[string]any{"body": out})
}

// query is the Filter array action: the items for which where is true.
type query struct{ from, where template }

func (l *loader) query(a *action, in *node) *query {
	s := &query{from: l.required(a, in, "from")}
	if n := in.get("where"); n != nil {
		s.where = l.predicate(a, n, true)
	} else {
		l.missing(a, a.line, "where")
	}
	return s
}

func (s *query) run(_ context.Context, x *step) *outcome {
	from, bad := x.array(s.from, "from")
	if bad != nil {
		return bad
	}
	out := []any{}
	for _, it := range from {
		x.env.item = append(x.env.item, it)
		v, bad := x.value(s.where)
		x.env.item = x.env.item[:len(x.env.item)-1]
		if bad != nil {
			return bad
		}
		keep, ok := v.(bool)
		if !ok {
			return fail("BadRequest", "'where' must give true or false, not "+kindOf(v).String())
		}
		if keep {
			out = append(out, it)
		}
	}
	return done(map[string]any{"body": out})
}

// joinItems is the Join action.
type joinItems struct{ from, sep template }

func (s *joinItems) run(_ context.Context, x *step) *outcome {
	from, bad := x.array(s.from, "from")
	if bad != nil {
		return bad
	}
	sep, bad := x.value(s.sep)
	if bad != nil {
		return bad
	}
	v, err := joinText(from, text(sep))
	if err != nil {
		return fail("BadRequest", err.Error())
	}
	return done(map[string]any{"body": v})
}

// terminate is the Terminate action: it ends the run.
type terminate struct {
	status        Status
	code, message template
}

func (l *loader) terminate(a *action, in *node) *terminate {
	t := &terminate{}
	switch strings.ToLower(in.get("runStatus").str()) {
	case "succeeded":
		t.status = Succeeded
	case "failed":
		t.status = Failed
	case "cancelled":
		t.status = Cancelled
	default:
		l.bad(a.line, "action '%s': runStatus must be Succeeded, Failed or Cancelled, not '%s'", a.name, in.get("runStatus").str())
	}
	t.code = l.optional(a, in.get("runError"), "code")
	t.message = l.optional(a, in.get("runError"), "message")
	return t
}

func (s *terminate) run(_ context.Context, x *step) *outcome {
	code, bad := x.value(s.code)
	if bad != nil {
		return bad
	}
	msg, bad := x.value(s.message)
	if bad != nil {
		return bad
	}
	// The outputs carry what the run ends with to whoever replays the step.
	return done(map[string]any{"runStatus": string(s.status), "code": text(code), "message": x.env.mask.hide(text(msg))})
}
