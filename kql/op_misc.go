package kql

import (
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// as names the table for the rest of the query.
func (b *binder) as(op *syntax.AsOp, r *relation, env *env) *relation {
	if op.Name == nil {
		return r
	}
	t := *r
	t.table = op.Name.Text
	env.vars[op.Name.Text] = &value{rel: &t, name: op.Name.Text}
	return &t
}

// render notes what the result is to look like.
func (b *binder) render(op *syntax.RenderOp, c *ctx) {
	out := &Render{}
	if op.Kind != nil {
		out.Kind = op.Kind.Text
	}
	for _, p := range op.Props {
		if len(p.Names) == 0 {
			continue
		}
		out.Props = append(out.Props, Prop{p.Names[0].Text, wordOf(p.X)})
	}
	b.rend = out
}

// wordOf is the value of a property as text: a word or a literal, or several
// divided by commas; else "".
func wordOf(x syntax.Expr) string {
	switch x := x.(type) {
	case *syntax.Name:
		return x.Text
	case *syntax.Literal:
		return x.Text
	case *syntax.Unary:
		if x.Op == syntax.SUB {
			return "-" + wordOf(x.X)
		}
		return wordOf(x.X)
	case *syntax.List:
		words := make([]string, len(x.Items))
		for i, it := range x.Items {
			words[i] = wordOf(it)
		}
		return strings.Join(words, ",")
	}
	return ""
}

var dotNetTypes = [...]string{"System.Object", "System.SByte", "System.Int32", "System.Int64", "System.Double", "System.Data.SqlTypes.SqlDecimal", "System.String", "System.DateTime", "System.TimeSpan", "System.Object", "System.Guid"}

// getSchema lists the columns of the input instead of its rows.
func (b *binder) getSchema(r *relation) *relation {
	cols := newColumns(Column{"ColumnName", String}, Column{"ColumnOrdinal", Long}, Column{"DataType", String}, Column{"ColumnType", String})
	if len(r.cols) == 0 {
		return b.empty(cols)
	}
	rows := make([]string, len(r.cols))
	for i, c := range r.cols {
		rows[i] = "(" + quoteString(c.name) + ", " + strconv.Itoa(i) + "::BIGINT, " + quoteString(dotNetTypes[c.typ]) + ", " + quoteString(c.typ.String()) + ")"
	}
	return b.heavy("SELECT * FROM (VALUES "+strings.Join(rows, ", ")+") t("+refs(cols)+")", cols)
}

// invokeOp binds invoke f(args): the input is f's first argument.
func (b *binder) invokeOp(op *syntax.InvokeOp, r *relation, c *ctx) *relation {
	call, ok := op.Call.(*syntax.Call)
	if !ok || call.Func == nil {
		b.errorf(op, "SEM0057", "invoke needs a call of a function")
		return nil
	}
	v, ok := c.env.lookup(call.Func.Text)
	if !ok && b.opt.Functions != nil && c.env.sees(call.Func.Text) {
		// The service's own functions take columns of the input: FileProfile(SHA1).
		out, ok := b.defined(call.Func.Text, make([]string, len(call.Args)), op, func(fn *value) value {
			return b.invokeWith(fn, op, r, call.Args, &ctx{env: c.env, cols: r.cols, loose: r.loose})
		})
		if ok {
			return out.rel
		}
	}
	if !ok && b.opt.Open {
		b.undeclaredCall(call, &ctx{env: c.env, cols: orEmpty(r.cols), src: r, loose: r.loose})
		return b.anything()
	}
	if !ok || v.fn == nil {
		b.report(call.Func.Span(), codeFunction, didYouMean(call.Func.Text, functionNames(c.env)), "there is no function named "+strconv.Quote(call.Func.Text))
		return nil
	}
	out := b.invokeWith(v, op, r, call.Args, &ctx{env: c.env})
	if out.rel == nil && out.scalar != nil && out.scalar.typ != Unknown {
		b.errorf(op, "SEM0058", "the function %s does not return a table", call.Func.Text)
	}
	return out.rel
}
