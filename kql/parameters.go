package kql

import (
	"encoding/json"
	"strconv"

	"picket/kql/syntax"
)

// declare binds declare query_parameters: a parameter is the value that came
// with the request, or its default.
func (b *binder) declare(s *syntax.DeclareStmt, env *env) {
	for _, p := range s.Params {
		if p.Name == nil || p.Tabular() {
			continue
		}
		t := b.typeName(p.Type)
		e := nullLit(t)
		given, ok := b.opt.Parameters[p.Name.Text]
		switch {
		case ok:
			if e, ok = parameter(given, t); !ok {
				b.errorf(p.Name, "SEM0117", "the value given for the query parameter %q is no %s", p.Name.Text, t)
				e = unknown()
			}
		case p.Default != nil:
			e = b.castTo(b.scalar(p.Default, &ctx{env: env}), t, p.Default)
		case b.opt.Parameters != nil:
			b.errorf(p.Name, "SEM0118", "the query parameter %q has no default, and no value was given for it", p.Name.Text)
			e = unknown()
		}
		env.vars[p.Name.Text] = &value{scalar: &e, name: p.Name.Text}
	}
}

// parameter reads the value of a query parameter of type t (Microsoft page
// "Query parameters declaration statement"): JSON's, or text that holds a literal.
// Text that holds none stands for itself. It never becomes part of a query's text.
func parameter(given any, t Type) (expr, bool) {
	switch v := given.(type) {
	case nil:
		return nullLit(t), true
	case bool:
		return parameterText(strconv.FormatBool(v), t)
	case float64:
		return parameterText(strconv.FormatFloat(v, 'f', -1, 64), t)
	case json.Number:
		return parameterText(v.String(), t)
	case string:
		return parameterText(v, t)
	}
	text, err := json.Marshal(given)
	if err != nil || t != Dynamic {
		return unknown(), false
	}
	return dynLit(string(text)), true
}

func parameterText(text string, t Type) (expr, bool) {
	if e, ok := literalOf(text); ok {
		if e.typ == t {
			return e, true
		}
		if e.typ == String {
			text, _ = e.lit.(string)
		} else if c, ok := convert(e, t, false); ok && t != String {
			return c, true
		}
	}
	switch t {
	case String:
		return strLit(text), true
	case Dynamic:
		if json.Valid([]byte(text)) {
			return dynLit(text), true
		}
		return unknown(), false
	}
	return constant(text, t)
}

// literalOf is the literal that text is, if it is one.
func literalOf(text string) (expr, bool) {
	tree, diags := syntax.Parse(text)
	if len(diags) > 0 || len(tree.Stmts) != 1 {
		return expr{}, false
	}
	stmt, ok := tree.Stmts[0].(*syntax.ExprStmt)
	if !ok {
		return expr{}, false
	}
	b := &binder{}
	var e expr
	switch x := stmt.X.(type) {
	case *syntax.Literal:
		e = b.literal(x)
	case *syntax.Dynamic:
		e = b.dynamic(x)
	case *syntax.Unary:
		if _, ok := x.X.(*syntax.Literal); !ok {
			return expr{}, false
		}
		e = b.scalar(x, &ctx{env: newEnv(nil)})
	default:
		return expr{}, false
	}
	return e, len(b.diags) == 0
}
