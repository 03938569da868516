package kql

import "picket/kql/syntax"

// tuple binds x when it calls a function that yields several columns, such as
// series_stats(). It returns nil for all else. One name, a = f(…), is that of
// the first column; with several, (a, b) = f(…), the other columns are dropped.
func (b *binder) tuple(x syntax.Expr, c *ctx) []aggColumn {
	var names []*syntax.Name
	if n, ok := x.(*syntax.NamedExpr); ok {
		names, x = n.Names, n.X
	}
	fc, ok := x.(*syntax.Call)
	if !ok || fc.Func == nil {
		return nil
	}
	if _, ok := c.env.lookup(fc.Func.Text); ok {
		return nil
	}
	f, ok := lookupScalar(fc.Func.Text)
	if !ok || f.columns == nil {
		return nil
	}
	args, ok := b.args(fc, c)
	if !ok {
		return nil
	}
	_, conv, err := f.match(args)
	if err != nil {
		return nil // the scalar call reports it
	}
	cols, err := f.columns(&call{name: f.name, args: conv, now: b.opt.Now, names: argNames(fc)})
	if err != nil || len(cols) == 0 {
		return nil
	}
	if len(names) > len(cols) {
		b.errorf(x, "SEM0070", "%s() yields %d columns, but %d names are given", f.name, len(cols), len(names))
		names = names[:len(cols)]
	}
	if len(names) > 1 {
		cols = cols[:len(names)]
	}
	if len(names) > 0 {
		for i, n := range names {
			cols[i].name = n.Text
		}
	}
	return cols
}

// argNames are the column names that the arguments of a call imply.
func argNames(x *syntax.Call) []string {
	names := make([]string, len(x.Args))
	for i, a := range x.Args {
		names[i] = resultName(a)
	}
	return names
}
