package kql

import (
	"fmt"
	"slices"
	"strings"

	"picket/kql/syntax"
)

// external asks the workspace for a function the query does not define.
func (b *binder) external(name string, n syntax.Node, args []syntax.Expr, c *ctx) (value, bool) {
	if b.opt.Functions == nil {
		return value{}, false
	}
	consts := make([]string, len(args))
	for i, a := range args {
		if n, ok := a.(*syntax.NamedExpr); ok {
			a = n.X
		}
		if l, ok := a.(*syntax.Literal); ok && l.Kind == syntax.LitString {
			consts[i] = l.Text
		} else if n, ok := a.(*syntax.Name); ok {
			if v, ok := c.env.lookup(n.Text); ok && v.scalar != nil && v.scalar.typ == String {
				consts[i], _ = v.scalar.lit.(string)
			}
		}
	}
	return b.defined(name, consts, n, func(fn *value) value { return b.invoke(fn, n, args, c) })
}

// defined binds the workspace's definition of name; a lambda goes to call.
func (b *binder) defined(name string, consts []string, n syntax.Node, call func(fn *value) value) (value, bool) {
	def, ok, err := b.opt.Functions.Function(name, consts)
	if err != nil {
		b.errorf(n, "SEM0033", "%s: %s", name, err)
		return value{}, true
	}
	if !ok {
		return value{}, false
	}
	const head = "let f = "
	src := head + def + ";"
	tree, diags := syntax.Parse(src)
	if len(diags) > 0 || len(tree.Stmts) != 1 {
		mark := len(b.diags)
		b.diags = append(b.diags, diags...)
		if len(diags) == 0 {
			b.errorf(tree, "SEM0033", "it must be one function or one tabular expression")
		}
		b.inFunction(name, src, len(head), n, mark)
		return value{}, true
	}
	let, ok := tree.Stmts[0].(*syntax.LetStmt)
	if !ok {
		return value{}, false
	}
	text := &functionText{name, src, len(head)}
	fn, ok := let.Value.(*syntax.Lambda)
	if !ok {
		return b.body(text, n, func() value { return b.any(let.Value, &ctx{env: newEnv(nil)}) }), true
	}
	if len(fn.Body) > 0 {
		// Places are told from where the body begins: its parameters are kept elsewhere.
		text.head = strings.LastIndexByte(src[:fn.Body[0].Span().Start], '{') + 1
		if strings.HasPrefix(src[text.head:], "\n") {
			text.head++
		}
	}
	return call(&value{fn: fn, env: newEnv(nil), name: name, text: text}), true
}

// functionText is where the body of a workspace's function was read from.
type functionText struct {
	name, src string
	head      int // bytes of src before what its owner wrote
}

// body binds what is in a workspace's function, by bind, for the call n.
func (b *binder) body(t *functionText, n syntax.Node, bind func() value) value {
	if b.expanding[t.name] {
		b.errorf(n, "SEM0034", "function %s calls itself", t.name)
		return value{}
	}
	if b.expanding == nil {
		b.expanding = map[string]bool{}
	}
	b.expanding[t.name] = true
	defer delete(b.expanding, t.name)
	mark := len(b.diags)
	defer func() { b.inFunction(t.name, t.src, t.head, n, mark) }()
	return bind()
}

// inFunction moves the problems found since mark, whose places are in the text
// of a workspace's function, to the call n, and has them say where they were.
func (b *binder) inFunction(name, src string, head int, n syntax.Node, mark int) {
	found := slices.Clone(b.diags[mark:])
	b.diags = b.diags[:mark]
	for _, d := range found {
		line, col := syntax.LineCol(src[head:], max(d.Span.Start-head, 0))
		d.Msg = fmt.Sprintf("in function %s, line %d, column %d: %s", name, line, col, d.Msg)
		d.Span = n.Span()
		b.diags = append(b.diags, d)
	}
}
