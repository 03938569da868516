package kql

import (
	"fmt"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// patternCall binds a call of a declared pattern: the body of the rule whose
// constants are the call's.
func (b *binder) patternCall(v *value, x *syntax.Call, path string) value {
	c := &ctx{env: v.env}
	args := make([]any, len(x.Args))
	for i, a := range x.Args {
		e := b.scalar(a, c)
		if e.lit == nil && e.typ != Unknown {
			b.errorf(a, "SEM0115", "the pattern %s needs constants", v.name)
			return value{}
		}
		args[i] = e.lit
	}
	for _, r := range v.pattern.Rules {
		if !b.ruleFits(r, args, path, c) {
			continue
		}
		if b.calls >= maxCalls {
			b.full = true
			b.errorf(x, "SEM0101", "functions call each other more than %d deep", maxCalls)
			return value{}
		}
		b.calls++
		defer func() { b.calls-- }()
		return b.stmts(r.Body, newEnv(v.env))
	}
	// A middle tier reads from this which rules it has to add ("Work with middle-tier applications").
	b.errorf(x, "SEM0036", "One or more pattern references were not declared. Detected pattern references: [%s]", strconv.Quote(patternRef(v.name, args, path)))
	return value{}
}

// patternRef writes a reference to a pattern: name('arg').['path'].
func patternRef(name string, args []any, path string) string {
	texts := make([]string, len(args))
	for i, a := range args {
		texts[i] = fmt.Sprintf("'%v'", a)
	}
	ref := name + "(" + strings.Join(texts, ", ") + ")"
	if path != "" {
		ref += ".['" + path + "']"
	}
	return ref
}

// ruleFits compares a rule's constants with those of a call.
func (b *binder) ruleFits(r *syntax.PatternRule, args []any, path string, c *ctx) bool {
	want := ""
	if r.Path != nil {
		want, _ = b.scalar(r.Path, c).lit.(string)
	}
	if want != path || len(r.Args) != len(args) {
		return false
	}
	for i, a := range r.Args {
		// Arrays and bags do not compare; no rule holds one.
		switch lit := b.scalar(a, c).lit.(type) {
		case string, int64, float64, bool:
			if lit != args[i] {
				return false
			}
		default:
			return false
		}
	}
	return true
}
