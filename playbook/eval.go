package playbook

import (
	"fmt"
	"strings"
	"time"
)

// env is what an expression can see.
type env struct {
	params   map[string]any // by lower-case name; secrets in clear
	trigger  map[string]any // the trigger: name, status, outputs, …
	workflow map[string]any
	now      time.Time
	guid     func() string
	mask     *mask

	action   func(name string) (*outcome, bool) // nil outcome: it has not run
	results  func(name string) any              // results of a scope's or loop's actions
	variable func(name string) (any, bool)
	loop     func(name string) (any, bool) // current item of a loop; "" is the innermost
	item     []any                         // of Select and Query, innermost last
}

// evalError is a failed evaluation; its text is safe to show after masking.
type evalError struct{ msg string }

func (e *evalError) Error() string { return e.msg }

func evalFail(format string, args ...any) error { return &evalError{fmt.Sprintf(format, args...)} }

// value evaluates a template.
func (e *env) value(t template) (any, error) {
	switch t := t.(type) {
	case nil:
		return nil, nil
	case *constant:
		return t.v, nil
	case *formula:
		v, err := e.eval(t.e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", cut(t.src, 200), err)
		}
		return v, nil
	case *mixed:
		var b strings.Builder
		for _, p := range t.parts {
			v, err := e.value(p)
			if err != nil {
				return nil, err
			}
			b.WriteString(text(v))
		}
		return b.String(), nil
	case *list:
		out := make([]any, len(t.items))
		for i, it := range t.items {
			v, err := e.value(it)
			if err != nil {
				return nil, err
			}
			out[i] = v
		}
		return out, nil
	case *record:
		out := make(map[string]any, len(t.fields))
		for _, f := range t.fields {
			k, err := e.value(f.key)
			if err != nil {
				return nil, err
			}
			v, err := e.value(f.value)
			if err != nil {
				return nil, err
			}
			out[text(k)] = v
		}
		return out, nil
	}
	return nil, evalFail("a template of type %T cannot be evaluated", t)
}

func (e *env) eval(x expr) (any, error) {
	switch x := x.(type) {
	case *literal:
		return x.v, nil
	case *call:
		return e.call(x)
	case *quoted:
		return e.value(x.t)
	case *access:
		base, err := e.eval(x.base)
		if err != nil {
			return nil, err
		}
		key, err := e.eval(x.key)
		if err != nil {
			return nil, err
		}
		return selectFrom(base, key, x.optional)
	}
	return nil, evalFail("an expression of type %T cannot be evaluated", x)
}

func (e *env) call(c *call) (any, error) {
	if c.fn.lazy != nil {
		return c.fn.lazy(e, c.args)
	}
	args := make([]any, len(c.args))
	for i, a := range c.args {
		v, err := e.eval(a)
		if err != nil {
			return nil, err
		}
		if want := c.fn.param(i); kindOf(v)&want == 0 {
			return nil, evalFail("%s: argument %d must be %s, not %s", c.fn.name, i+1, want, kindOf(v))
		}
		args[i] = v
	}
	v, err := c.fn.call(e, args)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.fn.name, err)
	}
	if c.fn.disguises {
		e.mask.derived(args, v)
	}
	return v, nil
}

// selectFrom is base[key]. With optional, a null base or a missing property
// gives null; selecting from the wrong type fails all the same.
func selectFrom(base, key any, optional bool) (any, error) {
	switch b := base.(type) {
	case nil:
		if optional {
			return nil, nil
		}
		return nil, evalFail("property '%s' cannot be selected from null; write ?['%s'] where it may be missing", text(key), text(key))
	case map[string]any:
		name, ok := key.(string)
		if !ok {
			return nil, evalFail("a property of an object is selected by its name, not by %s", kindOf(key))
		}
		v, ok := property(b, name)
		if !ok && !optional {
			return nil, evalFail("property '%s' does not exist; there are: %s", name, cut(strings.Join(sortedKeys(b), ", "), 200))
		}
		return v, nil
	case []any:
		i, ok := key.(int64)
		if !ok {
			return nil, evalFail("an element of an array is selected by an integer, not by %s '%s'", kindOf(key), text(key))
		}
		if i < 0 || i >= int64(len(b)) {
			if optional {
				return nil, nil
			}
			return nil, evalFail("index %d is outside the array of %d elements", i, len(b))
		}
		return b[i], nil
	}
	return nil, evalFail("property '%s' cannot be selected from %s", text(key), kindOf(base))
}
