package kql

import (
	"fmt"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// path binds X.Name.
func (b *binder) path(p *syntax.Path, c *ctx) value {
	if call, ok := p.X.(*syntax.Call); ok && call.Func != nil {
		if v, ok := c.env.lookup(call.Func.Text); ok && v.pattern != nil {
			if n, ok := p.Name.(*syntax.Name); ok {
				return b.patternCall(v, call, n.Text)
			}
		}
	}
	if r, ok := b.qualified(p, c); ok {
		return r
	}
	if x, ok := p.X.(*syntax.Name); ok && (x.Text == "$left" || x.Text == "$right") {
		e := b.side(x, p, c)
		return value{scalar: &e}
	}
	n, ok := p.Name.(*syntax.Name)
	if !ok {
		b.errorf(p, "SEM0017", "a member's name must follow the dot")
		return value{}
	}
	if x, ok := p.X.(*syntax.Name); ok && c.steps != nil {
		if e, ok := c.steps(x, n); ok {
			return value{scalar: &e}
		}
	}
	e := b.member(b.scalar(p.X, c), n.Text, p)
	return value{scalar: &e}
}

// side binds $left.Name and $right.Name.
func (b *binder) side(x *syntax.Name, p *syntax.Path, c *ctx) expr {
	cols, loose, alias := c.left, c.looseL, "l."
	if x.Text == "$right" {
		cols, loose, alias = c.right, c.looseR, "r."
	}
	n, ok := p.Name.(*syntax.Name)
	if !ok || c.left == nil {
		b.errorf(p, "SEM0018", "%s can only be used in a join's on clause, as %s.Column", x.Text, x.Text)
		return unknown()
	}
	col, ok := find(cols, n.Text)
	if !ok {
		col, ok = b.looseColumn(n, loose, cols)
	}
	if !ok {
		var names []string
		for _, k := range cols {
			names = append(names, k.name)
		}
		b.report(n.Span(), codeName, didYouMean(n.Text, names), "the "+x.Text[1:]+" side of the join has no column named "+strconv.Quote(n.Text))
		return unknown()
	}
	return expr{sql: alias + col.ref(), typ: col.typ}
}

// qualified binds database("x").Table, workspace("x").Table and
// cluster("c").database("d").Table. Whether this workspace answers for them
// Options.Elsewhere says.
func (b *binder) qualified(p *syntax.Path, c *ctx) (value, bool) {
	switch x := p.X.(type) {
	case *syntax.Call:
		switch x.Func.Text {
		case "database", "workspace", "app", "resource", "cluster", "adx", "arg":
		default:
			return value{}, false
		}
		if !b.here(x, c) {
			return value{}, true
		}
	case *syntax.Path:
		outer, inner, ok := qualified2(x)
		if !ok {
			return value{}, false
		}
		if !b.here(outer, c) || !b.here(inner, c) {
			return value{}, true
		}
	default:
		return value{}, false
	}
	switch n := p.Name.(type) {
	case *syntax.Name:
		return b.nameAny(n, &ctx{env: c.env.workspace()}), true
	case *syntax.Call:
		return b.call(n, &ctx{env: c.env.workspace()}), true
	case *syntax.Wildcard:
		b.errorf(p, "SEM0019", "a wildcard can only stand in union")
	}
	return value{}, true
}

// qualified2 takes cluster("c").database("d") apart.
func qualified2(p *syntax.Path) (cluster, database *syntax.Call, ok bool) {
	x, ok := p.X.(*syntax.Call)
	if !ok || x.Func.Text != "cluster" {
		return nil, nil, false
	}
	d, ok := p.Name.(*syntax.Call)
	return x, d, ok && d.Func.Text == "database"
}

// here reports whether this workspace answers for workspace("x") and its like,
// and says why not.
func (b *binder) here(x *syntax.Call, c *ctx) bool {
	if b.opt.Elsewhere == nil {
		return true
	}
	name := ""
	if len(x.Args) > 0 {
		name, _ = b.scalar(x.Args[0], c).lit.(string)
	}
	if x.Func.Text == "database" && b.aliases[name] {
		return true
	}
	if err := b.opt.Elsewhere(x.Func.Text, name); err != nil {
		b.errorf(x, "SEM0030", "%s", err)
		return false
	}
	return true
}

// alias binds alias database Name = cluster("c").database("d"): another name
// for a database that this workspace answers for.
func (b *binder) alias(s *syntax.AliasStmt, env *env) {
	if s.Name == nil || s.Value == nil {
		return
	}
	before := len(b.diags)
	if !b.isQualifier(s.Value, &ctx{env: env}) {
		if len(b.diags) == before {
			b.errorf(s.Value, "SEM0104", "alias database takes cluster(\"name\").database(\"name\")")
		}
		return
	}
	if b.aliases == nil {
		b.aliases = map[string]bool{}
	}
	b.aliases[s.Name.Text] = true
}

// index binds X[Index].
func (b *binder) index(x *syntax.Index, c *ctx) expr {
	e := b.scalar(x.X, c)
	i := b.scalar(x.Index, c)
	if i.typ == Dynamic {
		i = fromDynamic(i, String)
	}
	switch v := i.lit.(type) {
	case string:
		if i.typ == String {
			return b.member(e, v, x)
		}
	case int64:
		if i.typ == Int || i.typ == Long {
			return b.element(e, v, x)
		}
	}
	if !b.isDynamic(e, x) {
		return unknown()
	}
	switch i.typ {
	case Unknown:
		return unknown()
	case String:
		return dynAt(e, "('/' || replace(replace("+i.sql+", '~', '~0'), '/', '~1'))", i)
	case Int, Long:
		return dynAt(e, "(CASE WHEN "+i.sql+" < 0 THEN '$[#' ELSE '$[' END || "+i.sql+" || ']')", i)
	}
	b.errorf(x.Index, "SEM0020", "a dynamic value is indexed by a string or an integer, not by %s", i.typ)
	return unknown()
}

func (b *binder) isDynamic(e expr, n syntax.Node) bool {
	switch e.typ {
	case Dynamic:
		return true
	case Unknown:
		return false
	}
	b.errorf(n, "SEM0021", "only a dynamic value has members, and this is %s: wrap it in parse_json(…) if it holds JSON", e.typ)
	return false
}

// member is e.name.
func (b *binder) member(e expr, name string, n syntax.Node) expr {
	if !b.isDynamic(e, n) {
		return unknown()
	}
	if strings.ContainsAny(name, "\"\\*\x00") || name == "" {
		return dynAt(e, quoteString("/"+strings.NewReplacer("~", "~0", "/", "~1").Replace(name)), expr{})
	}
	return below(e, `."`+name+`"`)
}

// element is e[i]; negative indexes count from the end.
func (b *binder) element(e expr, i int64, n syntax.Node) expr {
	if !b.isDynamic(e, n) {
		return unknown()
	}
	if i < 0 {
		return below(e, fmt.Sprintf("[#%d]", i))
	}
	return below(e, fmt.Sprintf("[%d]", i))
}

// below extends e's JSON path by step, so that a.b.c is one look into the text.
// JSON's null is SQL's.
func below(e expr, step string) expr {
	out := expr{typ: Dynamic, base: e.sql, path: "$" + step, window: e.window}
	if e.base != "" {
		out.base, out.path = e.base, e.path+step
	}
	out.sql = "nullif(" + out.base + "->" + quoteString(out.path) + ", 'null')"
	return out
}

// dynAt looks up a path that is itself computed.
func dynAt(e expr, path string, i expr) expr {
	return expr{typ: Dynamic, sql: "nullif(json_extract(" + e.sql + ", " + path + "), 'null')", window: e.window || i.window}
}
