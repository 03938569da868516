package kql

import (
	"fmt"
	"strings"

	"picket/kql/syntax"
)

// matcher lowers graph-match and graph-shortest-paths. The elements of the
// pattern are joined one after the other to a table of the matches so far, which
// holds only identifiers; an edge of variable length is a recursion that begins at
// the nodes matched already. Conditions on one element are asked when it is
// joined, the others at the end, where the properties are looked up.
type matcher struct {
	b      *binder
	g      *graph
	op     *syntax.GraphMatchOp
	env    *env
	nodes  []*matchNode
	edges  []*matchEdge
	named  map[string]any // *matchNode or *matchEdge
	from   string         // the graph's nodes, with their degrees when they are asked for
	cycles string         // all, none, unique_edges

	late     []string   // conditions left for the end
	lateEdge bool       // one of them is on an edge
	ending   bool       // what is bound now is computed at the end
	ahead    *matchEdge // while a condition is bound that is asked of each single edge of it
	each     *matchEdge // the variable edge that the expression being bound names by e.property
	used     map[any]bool
	mixed    bool // it names two of them

	scalars []string // the values of toscalar() that the end needs, as SQL
}

// matchNode is a node of the pattern; all places with its name are one.
type matchNode struct {
	i     int
	conds []string
	bound bool
}

func (n *matchNode) id() string    { return fmt.Sprintf(`"$n%d"`, n.i) }
func (n *matchNode) alias() string { return fmt.Sprintf(`"$node%d"`, n.i) }

// matchEdge is an edge of the pattern, left and right as it is written.
type matchEdge struct {
	i           int
	syn         *syntax.GraphEdge
	left, right *matchNode
	path        bool // of variable length
	min, max    int64
	conds       []string        // on a single edge
	inner       []string        // on a node between two edges of it
	props       map[string]bool // what must be known of its edges at the end
	nodeProps   map[string]bool // what must be known of the nodes between
	done        bool
}

func (e *matchEdge) id() string        { return fmt.Sprintf(`"$e%d"`, e.i) }
func (e *matchEdge) alias() string     { return fmt.Sprintf(`"$edge%d"`, e.i) }
func (e *matchEdge) innerID() string   { return fmt.Sprintf(`"$i%d"`, e.i) }
func (e *matchEdge) edgeRows() string  { return fmt.Sprintf(`"$v%d"`, e.i) }
func (e *matchEdge) innerRows() string { return fmt.Sprintf(`"$u%d"`, e.i) }

// graphMatch finds all occurrences of a pattern.
func (b *binder) graphMatch(op *syntax.GraphMatchOp, r *relation, c *ctx) *relation {
	m := &matcher{b: b, g: r.graph, op: op, env: c.env, named: map[string]any{}, from: r.graph.nodes.from, used: map[any]bool{}}
	if !m.options() || !m.pattern() {
		return nil
	}
	if len(op.Project) == 0 {
		b.errorf(op, "SEM0126", "put project and what each match is to give behind the pattern: a graph as result is not supported")
		return nil
	}
	m.degrees()
	for _, x := range conjuncts(op.Pred, nil) {
		m.condition(x)
	}
	m.used, m.ending = map[any]bool{}, true
	for _, x := range conjuncts(op.Pred, nil) {
		m.lateCondition(x)
	}
	s := newSelection()
	for _, x := range op.Project {
		name, inner := explicitName(x)
		if e := m.value(inner); name != "" {
			s.add(name, e)
		} else {
			s.auto(inner, e)
		}
	}
	if failed(b.diags) {
		return b.empty(s.cols)
	}
	return m.result(m.join(), s)
}

// options reads cycles= and output=.
func (m *matcher) options() bool {
	m.cycles = "unique_edges"
	if m.op.Shortest {
		m.cycles = "none" // a path that meets a node twice is not the shortest
	}
	for _, h := range m.op.Hints {
		word, _ := hint([]*syntax.Hint{h}, h.Name)
		switch {
		case h.Name == "cycles" && (word == "all" || word == "none" || word == "unique_edges"):
			m.cycles = word
		case h.Name == "output" && m.op.Shortest && (word == "any" || word == "all"):
		default:
			m.b.errorf(h, "SEM0127", "graph-match takes cycles=all, none or unique_edges; graph-shortest-paths output=any or all, too")
			return false
		}
	}
	return true
}

// pattern collects the elements of the pattern.
func (m *matcher) pattern() bool {
	for _, p := range m.op.Patterns {
		var last *matchNode
		for i, sn := range p.Nodes {
			n, ok := m.node(sn)
			if !ok {
				return false
			}
			if i > 0 && !m.edge(p.Edges[i-1], last, n) {
				return false
			}
			last = n
		}
	}
	if !m.connected() {
		m.b.errorf(m.op, "SEM0136", "the sequences of the pattern are not connected: they must share a node's name")
		return false
	}
	paths := 0
	for _, e := range m.edges {
		if e.path {
			paths++
		}
	}
	if m.op.Shortest && (len(m.op.Patterns) != 1 || paths == 0) {
		m.b.errorf(m.op, "SEM0128", "graph-shortest-paths takes one sequence with an edge of variable length, such as (a)-[e*1..5]->(b)")
		return false
	}
	return true
}

// connected reports whether every node can be reached from the first.
func (m *matcher) connected() bool {
	seen := map[*matchNode]bool{m.nodes[0]: true}
	for range m.nodes {
		for _, e := range m.edges {
			if seen[e.left] || seen[e.right] {
				seen[e.left], seen[e.right] = true, true
			}
		}
	}
	return len(seen) == len(m.nodes)
}

func (m *matcher) node(sn *syntax.GraphNode) (*matchNode, bool) {
	if sn.Name != nil {
		switch old := m.named[sn.Name.Text].(type) {
		case *matchNode:
			return old, true
		case *matchEdge:
			m.b.errorf(sn.Name, "SEM0129", "%s is an edge of the pattern already: name the node differently", sn.Name.Text)
			return nil, false
		}
	}
	n := &matchNode{i: len(m.nodes)}
	m.nodes = append(m.nodes, n)
	if sn.Name != nil {
		m.named[sn.Name.Text] = n
	}
	return n, true
}

func (m *matcher) edge(se *syntax.GraphEdge, left, right *matchNode) bool {
	e := &matchEdge{i: len(m.edges), syn: se, left: left, right: right, props: map[string]bool{}, nodeProps: map[string]bool{}}
	if se.Name != nil {
		if m.named[se.Name.Text] != nil {
			m.b.errorf(se.Name, "SEM0129", "%s stands in the pattern already: name this edge differently", se.Name.Text)
			return false
		}
		m.named[se.Name.Text] = e
	}
	if se.Min != nil {
		lo, ok1 := m.b.scalar(se.Min, &ctx{env: m.env}).lit.(int64)
		hi, ok2 := m.b.scalar(se.Max, &ctx{env: m.env}).lit.(int64)
		if !ok1 || !ok2 || lo < 0 || hi < lo {
			m.b.errorf(se, "SEM0130", "the length of an edge is two constant integers, such as *1..5, the second not below the first")
			return false
		}
		e.path, e.min, e.max = true, lo, hi
	}
	m.edges = append(m.edges, e)
	return true
}

// degrees adds $in and $out to the nodes when the query asks for them.
func (m *matcher) degrees() {
	asked := false
	syntax.Walk(m.op, func(n syntax.Node) bool {
		if call, ok := n.(*syntax.Call); ok && call.Func != nil && strings.HasPrefix(call.Func.Text, "node_degree_") {
			asked = true
		}
		return true
	})
	if !asked {
		return
	}
	count := func(end string) string {
		return `(SELECT "` + end + `" AS "$k", count(*) AS "$c" FROM ` + m.g.edges.from + " GROUP BY 1)"
	}
	m.from = m.b.emit(`SELECT n.*, coalesce(i."$c", 0) AS "$in", coalesce(o."$c", 0) AS "$out" FROM `+m.from+" n LEFT JOIN "+count("$dst")+
		` i ON i."$k" = n."$id" LEFT JOIN `+count("$src")+` o ON o."$k" = n."$id"`, false)
}

// result looks up the properties of the matches and selects what is asked for.
func (m *matcher) result(state string, s *selection) *relation {
	sql := "SELECT " + s.sql()
	if m.g.part != nil {
		m.used[m.nodes[0]] = true
		sql += ", " + m.nodes[0].alias() + `."$part"`
	}
	sql += " FROM " + state + ` AS "$m"`
	for _, n := range m.nodes {
		if m.used[n] {
			sql += " JOIN " + m.from + " AS " + n.alias() + " ON " + n.alias() + `."$id" = "$m".` + n.id()
		}
	}
	for _, e := range m.edges {
		if m.used[e] {
			sql += " JOIN " + m.g.edges.from + " AS " + e.alias() + " ON " + e.alias() + `."$e" = "$m".` + e.id()
		}
	}
	for i, q := range m.scalars { // DuckDB allows no subquery within a lambda
		sql += fmt.Sprintf(` CROSS JOIN (SELECT %s AS "$v") AS "$s%d"`, q, i)
	}
	if len(m.late) > 0 {
		sql += " WHERE " + strings.Join(m.late, " AND ")
	}
	if m.op.Shortest {
		sql += m.shortest()
	}
	out := m.b.heavy(sql, s.cols)
	out.part = m.g.part
	return out
}

// shortest keeps the shortest paths between each two ends: one, or all.
func (m *matcher) shortest() string {
	length, paths := "0", ""
	for _, e := range m.edges {
		if e.path {
			length += ` + len("$m".` + e.id() + ")"
		} else {
			length += " + 1"
		}
		paths += `, "$m".` + e.id()
	}
	ends := `PARTITION BY "$m".` + m.nodes[0].id() + `, "$m".` + m.lastNode().id() + " ORDER BY " + length
	if word, _ := hint(m.op.Hints, "output"); word == "all" {
		return " QUALIFY rank() OVER (" + ends + ") = 1"
	}
	return " QUALIFY row_number() OVER (" + ends + paths + ") = 1"
}

// lastNode is where the (one) sequence ends.
func (m *matcher) lastNode() *matchNode { return m.edges[len(m.edges)-1].right }

// conjuncts splits x at its ands.
func conjuncts(x syntax.Expr, list []syntax.Expr) []syntax.Expr {
	switch y := x.(type) {
	case nil:
		return list
	case *syntax.Paren:
		return conjuncts(y.X, list)
	case *syntax.Binary:
		if y.Op == syntax.AND {
			return conjuncts(y.Y, conjuncts(y.X, list))
		}
	}
	return append(list, x)
}

// elements lists the elements of the pattern that x may speak of.
func (m *matcher) elements(x syntax.Expr) map[any]bool {
	out := map[any]bool{}
	syntax.Walk(x, func(n syntax.Node) bool {
		if name, ok := n.(*syntax.Name); ok && m.named[name.Text] != nil {
			out[m.named[name.Text]] = true
		}
		return true
	})
	return out
}
