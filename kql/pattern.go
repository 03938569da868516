package kql

import (
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
	b.errorf(x, "SEM0116", "no rule of the pattern %s fits", v.name)
	return value{}
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
