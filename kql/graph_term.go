package kql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// ctx is the place of an expression over the elements of the pattern.
func (m *matcher) ctx() *ctx {
	return &ctx{env: m.env, cols: []column{}, steps: m.property, graph: &graphTerm{m: m}}
}

// property answers for x.col, where x is an element of the pattern.
func (m *matcher) property(x, col *syntax.Name) (expr, bool) {
	cols, alias := m.g.nodes.cols, ""
	switch v := m.named[x.Text].(type) {
	case *matchNode:
		m.used[v] = true
		alias = v.alias()
	case *matchEdge:
		cols, alias = m.g.edges.cols, v.alias()
		if !v.path {
			m.used[v] = true
		} else if m.ahead != v { // the expression is computed for each edge
			m.mixed = m.mixed || m.each != nil && m.each != v
			m.each, alias = v, `"$x"`
		}
	default:
		return expr{}, false
	}
	k, ok := find(cols, col.Text)
	if !ok {
		var names []string
		for _, c := range cols {
			names = append(names, c.name)
		}
		m.b.report(col.Span(), codeName, didYouMean(col.Text, names), x.Text+" has no property named "+strconv.Quote(col.Text))
		return unknown(), true
	}
	if alias == `"$x"` {
		m.each.props[k.id] = true
	}
	return expr{sql: alias + "." + k.ref(), typ: k.typ, bound: k.bound, bytes: k.bytes}, true
}

// condition binds a condition that one element alone decides, to be asked when
// the element is joined.
func (m *matcher) condition(x syntax.Expr) {
	switch v := m.alone(x).(type) {
	case *matchNode:
		v.conds = append(v.conds, m.boolean(x, m.ctx()))
	case *matchEdge:
		if !v.path {
			v.conds = append(v.conds, m.boolean(x, m.ctx()))
			return
		}
		if call, ok := x.(*syntax.Call); ok { // all(e, …)
			c := &ctx{env: m.env, cols: orEmpty(m.g.edges.cols), qual: v.alias() + "."}
			if m.innerOf(call.Args[0]) != nil {
				c.cols, c.qual = orEmpty(m.g.nodes.cols), `"$inner".`
				c.graph = &graphTerm{m: m, inner: v, node: `"$inner"`}
				v.inner = append(v.inner, m.boolean(call.Args[1], c))
				return
			}
			v.conds = append(v.conds, m.boolean(call.Args[1], c))
			return
		}
		m.ahead = v
		v.conds = append(v.conds, m.boolean(x, m.ctx()))
		m.ahead = nil
	}
}

// alone is the element that alone decides condition x, or nil. A variable edge
// does when every single edge of it has to meet a condition.
func (m *matcher) alone(x syntax.Expr) any {
	var one any
	list := m.elements(x)
	for v := range list {
		one = v
	}
	e, ok := one.(*matchEdge)
	if len(list) != 1 || !ok || !e.path {
		if len(list) != 1 {
			return nil
		}
		return one
	}
	calls := false
	syntax.Walk(x, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.Call); ok && call.Func != nil {
			calls = calls || isGraphFunction(call.Func.Text)
		}
		return true
	})
	if m.whole(x, e) {
		return nil
	}
	if !calls {
		return e
	}
	if call, ok := x.(*syntax.Call); ok && call.Func.Text == "all" && len(call.Args) == 2 && len(m.elements(call.Args[1])) == 0 &&
		(m.pathOf(call.Args[0]) != nil || m.innerOf(call.Args[0]) != nil) {
		return e
	}
	return nil
}

// whole reports whether x names path e itself, as in array_length(e), instead of properties of its edges.
func (m *matcher) whole(x syntax.Expr, e *matchEdge) bool {
	taken := map[syntax.Node]bool{} // names that stand before a dot or in a graph function
	found := false
	syntax.Walk(x, func(n syntax.Node) bool {
		switch n := n.(type) {
		case *syntax.Path:
			taken[n.X], taken[n.Name] = true, true
		case *syntax.Call:
			if n.Func != nil && isGraphFunction(n.Func.Text) && len(n.Args) > 0 {
				taken[n.Args[0]] = true
			}
		case *syntax.Name:
			found = found || m.named[n.Text] == e && !taken[n]
		}
		return true
	})
	return found
}

// element is what n names in the pattern: a node or an edge as a bag of its properties, a path as the
// array of its edges. It hides what a let statement calls so.
func (t *graphTerm) element(n *syntax.Name) (expr, bool) {
	if t == nil {
		return expr{}, false
	}
	m := t.m
	bag := func(alias string, cols []column) expr {
		parts := make([]string, len(cols))
		for i, col := range cols {
			parts[i] = quoteString(col.name) + ", " + jsonOf(expr{sql: alias + "." + col.ref(), typ: col.typ})
		}
		return expr{sql: "json_object(" + strings.Join(parts, ", ") + ")", typ: Dynamic}
	}
	switch v := m.named[n.Text].(type) {
	case *matchNode:
		m.used[v] = true
		return bag(v.alias(), m.g.nodes.cols), true
	case *matchEdge:
		if !v.path {
			m.used[v] = true
			return bag(v.alias(), m.g.edges.cols), true
		}
		for _, col := range m.g.edges.cols {
			v.props[col.id] = true
		}
		return mapOf(`"$m".`+v.edgeRows(), bag(`"$x"`, m.g.edges.cols)), true
	}
	return expr{}, false
}

// lateCondition binds a condition for the end.
func (m *matcher) lateCondition(x syntax.Expr) {
	if m.alone(x) != nil {
		return
	}
	for v := range m.elements(x) {
		if _, ok := v.(*matchEdge); ok {
			m.lateEdge = true
		}
	}
	m.each, m.mixed = nil, false
	sql := m.boolean(x, m.ctx())
	if m.each != nil {
		m.plain(x, sql)
		sql = allOf(`"$m".`+m.each.edgeRows(), sql)
	}
	m.oneEach(x)
	m.late = append(m.late, sql)
}

func (m *matcher) boolean(x syntax.Expr, c *ctx) string {
	e := m.b.pred(x, c)
	if e.window {
		m.b.errorf(x, "SEM0131", "the rows of a graph have no order: compute this behind graph-match")
	}
	return e.sql
}

// plain reports a table in an expression that is computed for each edge of a path.
func (m *matcher) plain(x syntax.Expr, sql string) {
	if strings.Contains(sql, "(SELECT ") {
		m.b.errorf(x, "SEM0137", "a table cannot stand in an expression over the edges of a path: take what is needed of it with toscalar()")
	}
}

func (m *matcher) oneEach(x syntax.Expr) {
	if m.mixed {
		m.b.errorf(x, "SEM0132", "an expression can name the properties of one edge of variable length; use map() for the others")
	}
}

// value binds an expression of project. One that names the properties of a
// variable edge is computed for each single edge, which gives an array.
func (m *matcher) value(x syntax.Expr) expr {
	m.each, m.mixed = nil, false
	e := m.b.scalar(x, m.ctx())
	if m.each != nil {
		m.plain(x, e.sql)
		e = mapOf(`"$m".`+m.each.edgeRows(), e)
	}
	m.oneEach(x)
	return e
}

func isGraphFunction(name string) bool {
	switch name {
	case "all", "any", "map", "inner_nodes", "labels", "node_id", "node_degree_in", "node_degree_out":
		return true
	}
	return false
}

// pathOf is the variable edge that x names, or nil.
func (m *matcher) pathOf(x syntax.Expr) *matchEdge {
	if n, ok := x.(*syntax.Name); ok {
		if e, ok := m.named[n.Text].(*matchEdge); ok && e.path {
			return e
		}
	}
	return nil
}

// innerOf is e when x is inner_nodes(e), or nil.
func (m *matcher) innerOf(x syntax.Expr) *matchEdge {
	if call, ok := x.(*syntax.Call); ok && call.Func != nil && call.Func.Text == "inner_nodes" && len(call.Args) == 1 {
		return m.pathOf(call.Args[0])
	}
	return nil
}

// graphCall binds the functions that only exist over a pattern (the page "Graph
// functions").
func (b *binder) graphCall(x *syntax.Call, c *ctx) (value, bool) {
	t := c.graph
	if t != nil && t.m.ending && x.Func.Text == "toscalar" {
		v := b.toScalar(x, c)
		if v.scalar != nil {
			v = scalarValue(t.once(*v.scalar))
		}
		return v, true
	}
	if t == nil || !isGraphFunction(x.Func.Text) {
		return value{}, false
	}
	switch name := x.Func.Text; name {
	case "labels":
		return scalarValue(dynLit("[]")), true // the page: nothing but graph models have labels
	case "node_id", "node_degree_in", "node_degree_out":
		return scalarValue(t.ofNode(x)), true
	case "inner_nodes":
		b.errorf(x, "SEM0133", "inner_nodes() stands inside all(), any() and map()")
	default:
		if len(x.Args) != 2 {
			b.errorf(x, "SEM0003", "%s() takes an edge of variable length and an expression", name)
			return value{}, true
		}
		return scalarValue(t.overPath(x, c)), true
	}
	return value{}, true
}

// once has a value that comes from a table computed beside the matches, so that
// expressions over the edges of a path can use it.
func (t *graphTerm) once(e expr) expr {
	if t == nil || !t.m.ending || e.lit != nil || !strings.Contains(e.sql, "(SELECT ") {
		return e
	}
	i := slices.Index(t.m.scalars, e.sql)
	if i < 0 {
		i = len(t.m.scalars)
		t.m.scalars = append(t.m.scalars, e.sql)
	}
	return expr{sql: fmt.Sprintf(`"$s%d"."$v"`, i), typ: e.typ, bound: e.bound}
}

// ofNode binds the functions of a single node.
func (t *graphTerm) ofNode(x *syntax.Call) expr {
	b, alias := t.m.b, t.node
	switch {
	case len(x.Args) == 1:
		n, _ := x.Args[0].(*syntax.Name)
		if n == nil {
			n = &syntax.Name{}
		}
		v, ok := t.m.named[n.Text].(*matchNode)
		if !ok {
			b.errorf(x.Args[0], "SEM0134", "%s() takes a node of the pattern", x.Func.Text)
			return unknown()
		}
		t.m.used[v] = true
		alias = v.alias()
	case len(x.Args) > 1 || t.inner == nil:
		b.errorf(x, "SEM0134", "%s() takes a node of the pattern; without one it stands inside of map(inner_nodes(e), …) and its like", x.Func.Text)
		return unknown()
	}
	col := map[string]string{"node_id": "$key", "node_degree_in": "$in", "node_degree_out": "$out"}[x.Func.Text]
	if alias == `"$x"` {
		t.inner.nodeProps[col] = true
	}
	e := expr{sql: alias + "." + quoteIdent(col), typ: Long, bound: smallBound}
	if col == "$key" {
		return asText(expr{sql: e.sql, typ: t.m.g.key})
	}
	return e
}

// overPath binds all(), any() and map().
func (t *graphTerm) overPath(x *syntax.Call, c *ctx) expr {
	m := t.m
	e, inner := m.pathOf(x.Args[0]), false
	if e == nil {
		e = m.innerOf(x.Args[0])
		inner = e != nil
	}
	if e == nil || t.inner != nil || c.qual != "" {
		m.b.errorf(x.Args[0], "SEM0135", "%s() takes an edge of variable length, or inner_nodes() of one, and does not nest", x.Func.Text)
		return unknown()
	}
	k := &ctx{env: c.env, cols: orEmpty(m.g.edges.cols), qual: `"$x".`, steps: c.steps, graph: &graphTerm{m: m}}
	rows, props := e.edgeRows(), e.props
	if inner {
		k.cols, rows, props = orEmpty(m.g.nodes.cols), e.innerRows(), e.nodeProps
		k.graph = &graphTerm{m: m, inner: e, node: `"$x"`}
	}
	syntax.Walk(x.Args[1], func(n syntax.Node) bool {
		name := ""
		switch n := n.(type) {
		case *syntax.Name:
			name = n.Text
		case *syntax.Literal: // column_ifexists("name", …)
			name = n.Text
		case *syntax.Call:
			if n.Func != nil && n.Func.Text == "pack_all" {
				for _, col := range k.cols {
					props[col.id] = true
				}
			}
		}
		if col, ok := find(k.cols, name); ok {
			props[col.id] = true
		}
		return true
	})
	if len(props) == 0 { // a struct needs a field
		props["$id"] = true
	}
	each := m.each
	defer func() { m.each = each }()
	rows = `"$m".` + rows
	if x.Func.Text == "map" {
		v := m.b.scalar(x.Args[1], k)
		m.plain(x.Args[1], v.sql)
		return mapOf(rows, v)
	}
	cond := m.boolean(x.Args[1], k)
	m.plain(x.Args[1], cond)
	if x.Func.Text == "all" {
		return expr{sql: allOf(rows, cond), typ: Bool}
	}
	return expr{sql: "(len(list_filter(" + rows + `, lambda "$x": coalesce(` + cond + ", false))) > 0)", typ: Bool}
}

func allOf(rows, cond string) string {
	return "(len(list_filter(" + rows + `, lambda "$x": NOT coalesce(` + cond + ", false))) = 0)"
}

func mapOf(rows string, e expr) expr {
	return expr{sql: "to_json(list_transform(" + rows + `, lambda "$x": ` + toDynamic(e).sql + "))", typ: Dynamic}
}
