package kql

import (
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// graph is what make-graph makes of tables: nodes that have the hidden columns
// $id (0, 1, …) and $key, the identifier that the query gave them, and edges that
// have $e (1, 2, …), $src and $dst, the $id of their ends. Both have $part when
// each value of a column makes a graph of its own; no edge then leads out of it.
type graph struct {
	nodes, edges *relation
	key          Type // of $key
	undirected   bool // every edge leads both ways
	part         *column
}

// graphTerm is an expression's place in the pattern of graph-match: it may name
// elements of the pattern and call the graph functions.
type graphTerm struct {
	m *matcher
	// inner is set within map(inner_nodes(e), …) and its like, where node_id() and
	// the degrees are those of the node at hand; node is then its alias.
	inner *matchEdge
	node  string
}

// graphOp binds an operator whose input may be a graph.
func (b *binder) graphOp(op syntax.Op, r *relation, c *ctx) *relation {
	name := "make-graph"
	switch op := op.(type) {
	case *syntax.MakeGraphOp:
		if r.graph != nil {
			break
		}
		return b.makeGraph(op, r, c)
	case *syntax.GraphMatchOp:
		if r.graph != nil {
			return b.graphMatch(op, r, c)
		}
		name = "graph-match"
		if op.Shortest {
			name = "graph-shortest-paths"
		}
	case *syntax.GraphToTableOp:
		if r.graph != nil {
			return b.graphToTable(op, r, c)
		}
		name = "graph-to-table"
	case *syntax.GraphMarkOp:
		if r.graph != nil {
			return b.graphMark(op, r)
		}
		name = "graph-mark-components"
	}
	if r.graph != nil {
		b.errorf(op, "SEM0120", "a graph is made of a table, and this is a graph already")
	} else {
		b.errorf(op, "SEM0121", "%s works on a graph, and this is a table: put make-graph before it", name)
	}
	return nil
}

// isGraphOp reports whether op can take a graph.
func isGraphOp(op syntax.Op) bool {
	switch op.(type) {
	case *syntax.MakeGraphOp, *syntax.GraphMatchOp, *syntax.GraphToTableOp, *syntax.GraphMarkOp, *syntax.AsOp, *syntax.BadOp:
		return true
	}
	return false
}

// needTable reports a graph where rows are needed.
func (b *binder) needTable(r *relation, n syntax.Node) bool {
	if r == nil || r.graph == nil && r.more == nil {
		return true
	}
	if r.more != nil {
		b.errorf(n, "SEM0108", "these are several tables, and one is needed: the operator that yields several must be the last of the query")
		return false
	}
	b.errorf(n, "SEM0122", "this is a graph, and a table is needed: put graph-match, graph-shortest-paths or graph-to-table behind it")
	return false
}

// makeGraph builds a graph from a table of edges and tables of nodes.
func (b *binder) makeGraph(op *syntax.MakeGraphOp, r *relation, c *ctx) *relation {
	if r.part != nil {
		b.errorf(op, "SEM0050", "make-graph cannot stand inside mv-apply or partition here: use partitioned-by")
		return nil
	}
	src, dst, ok := b.edgeEnds(op, r)
	if !ok {
		return nil
	}
	g := &graph{key: src.typ, undirected: op.Undirected}
	part := ""
	if op.PartitionBy != nil {
		col := b.chosen(op.PartitionBy, r)
		if len(col) == 0 {
			return nil
		}
		g.part, part = &column{name: "$part", typ: col[0].typ, id: "$part"}, ", "+col[0].ref()+` AS "$part"`
	}
	base, renamed := b.rename(r, "c", `, row_number() OVER () AS "$e"`+part)
	n := &nodeTable{b: b, g: g, op: op}
	if !n.read(c.env) {
		return nil
	}
	at := func(col column) string {
		if i := indexOf(r.cols, col); i >= 0 {
			return renamed[i].ref()
		}
		return col.ref() // taken on trust
	}
	g.nodes = n.emit(base, at(src), at(dst))
	on, with := ` IS NOT DISTINCT FROM e.`, ""
	if g.part != nil {
		with = ` AND %."$part" IS NOT DISTINCT FROM e."$part"`
	}
	g.edges = b.heavy(`SELECT e.*, s."$id" AS "$src", d."$id" AS "$dst" FROM `+base+` e JOIN `+g.nodes.from+` s ON s."$key"`+on+at(src)+strings.ReplaceAll(with, "%", "s")+
		` JOIN `+g.nodes.from+` d ON d."$key"`+on+at(dst)+strings.ReplaceAll(with, "%", "d"), renamed)
	out := &relation{from: g.nodes.from, graph: g}
	if g.part == nil {
		return out
	}
	sub := b.ops(op.Ops, out, newEnv(c.env))
	if sub == nil || !b.needTable(sub, op) {
		return nil
	}
	return b.heavy("SELECT "+refs(sub.cols)+" FROM "+sub.from, sub.cols)
}

// edgeEnds finds the columns with the ends of edges.
func (b *binder) edgeEnds(op *syntax.MakeGraphOp, r *relation) (src, dst column, ok bool) {
	s, d := b.chosen(op.Source, r), b.chosen(op.Target, r)
	if len(s) == 0 || len(d) == 0 {
		return column{}, column{}, false
	}
	src, dst = s[0], d[0]
	for _, col := range []column{src, dst} {
		if col.typ == Dynamic {
			b.errorf(op, "SEM0123", "a node's identifier cannot be dynamic: convert %s, with tostring() for instance", col.name)
			return src, dst, false
		}
	}
	if src.typ != dst.typ {
		b.errorf(op, "SEM0123", "the ends of edges need the same type: %s is %s, %s is %s", src.name, src.typ, dst.name, dst.typ)
		return src, dst, false
	}
	return src, dst, true
}

// rename gives the columns of r identifiers that no hidden one can have, and
// adds what more says. It returns the new CTE and columns.
func (b *binder) rename(r *relation, prefix, more string) (string, []column) {
	cols := make([]column, len(r.cols))
	list := make([]string, len(r.cols))
	for i, col := range r.cols {
		cols[i] = col
		cols[i].id = prefix + strconv.Itoa(i)
		list[i] = col.ref() + " AS " + cols[i].ref()
	}
	sql := strings.Join(list, ", ") + more
	return b.emit("SELECT "+strings.TrimPrefix(sql, ", ")+" FROM "+r.from, false), cols
}

func indexOf(cols []column, col column) int {
	for i, c := range cols {
		if c.id == col.id {
			return i
		}
	}
	return -1
}

// nodeTable collects the nodes of a graph from the tables that tell of them and
// from the ends of the edges.
type nodeTable struct {
	b      *binder
	g      *graph
	op     *syntax.MakeGraphOp
	tables []*relation
	keys   []column // of each table, the identifier
	parts  []column // of each table, the column to partition by
	props  []column // what the nodes have
}

// read binds the tables of nodes. A property that several tables have is one
// property; it is dynamic where their types differ.
func (n *nodeTable) read(env *env) bool {
	if id := n.op.NodeID; id != nil {
		n.props = []column{{name: id.Text, typ: n.g.key}}
	}
	for _, t := range n.op.Nodes {
		r := n.b.tabular(t.Table, env)
		if r == nil {
			return false
		}
		key := n.b.chosen(t.Key, r)
		if len(key) == 0 {
			return false
		}
		if key[0].typ != n.g.key {
			n.b.errorf(t.Key, "SEM0123", "the identifier of nodes needs the type of the ends of edges: %s is %s, not %s", key[0].name, key[0].typ, n.g.key)
			return false
		}
		if n.g.part != nil {
			p := n.b.chosen(n.op.PartitionBy, r)
			if len(p) == 0 {
				return false
			}
			n.parts = append(n.parts, p[0])
		}
		n.tables, n.keys = append(n.tables, r), append(n.keys, key[0])
		for _, col := range r.cols {
			n.property(col)
		}
	}
	for i := range n.props {
		n.props[i].id = "c" + strconv.Itoa(i)
	}
	return true
}

func (n *nodeTable) property(col column) {
	for i, p := range n.props {
		if p.name == col.name {
			if p.typ != col.typ {
				n.props[i].typ = Dynamic
			}
			return
		}
	}
	n.props = append(n.props, column{name: col.name, typ: col.typ})
}

// emit writes the nodes in the order in which they are told of. What two rows
// say of one node is put together; the first to say something is believed.
func (n *nodeTable) emit(base, src, dst string) *relation {
	var arms []string
	for i, r := range n.tables {
		list := `false AS "$end", ` + n.keys[i].ref() + ` AS "$key"`
		if n.g.part != nil {
			list += ", " + n.parts[i].ref() + ` AS "$part"`
		}
		for _, p := range n.props {
			e := nullLit(p.typ)
			if col, ok := find(r.cols, p.name); ok {
				e = expr{sql: col.ref(), typ: col.typ}
			}
			list += ", " + n.as(e, p)
		}
		arms = append(arms, "SELECT "+list+" FROM "+r.from)
	}
	part, list := "", ""
	if n.g.part != nil {
		part = `, "$part"`
	}
	for _, p := range n.props {
		list += ", " + n.as(nullLit(p.typ), p)
	}
	arms = append(arms, `SELECT true AS "$end", "$key"`+part+list+" FROM (SELECT unnest(["+src+", "+dst+`]) AS "$key"`+part+" FROM "+base+")")
	all := n.b.emit(`SELECT *, row_number() OVER () AS "$o" FROM (`+strings.Join(arms, " UNION ALL ")+")", false)
	sql := `SELECT row_number() OVER (ORDER BY min("$o")) - 1 AS "$id", "$key"` + part
	for _, p := range n.props {
		told, none := p.ref()+" IS NOT NULL", ""
		if p.typ == String {
			told, none = p.ref()+" <> ''", ", ''"
		}
		value := "coalesce(arg_min(" + p.ref() + `, "$o") FILTER (WHERE ` + told + ")" + none + ")"
		if n.isKey(p.name) { // of a node that only edges know
			value = `CASE WHEN bool_and("$end") THEN "$key" ELSE ` + value + " END"
		}
		sql += ", " + value + " AS " + p.ref()
	}
	return n.b.heavy(sql+" FROM "+all+` GROUP BY "$key"`+part+` ORDER BY "$id"`, n.props)
}

// as converts e to the type of property p.
func (n *nodeTable) as(e expr, p column) string {
	if p.typ == Dynamic {
		e = toDynamic(e)
	}
	return e.sql + " AS " + p.ref()
}

func (n *nodeTable) isKey(name string) bool {
	for _, k := range n.keys {
		if k.name == name {
			return true
		}
	}
	return n.op.NodeID != nil && n.op.NodeID.Text == name
}
