package kql

import (
	"strings"

	"picket/kql/syntax"
)

// graphToTable makes tables of a graph's nodes and edges. Named ones can be used
// in the rest of the query.
func (b *binder) graphToTable(op *syntax.GraphToTableOp, r *relation, c *ctx) *relation {
	var first *relation
	for _, o := range op.Outputs {
		t := b.graphOutput(o, r.graph)
		if o.As != nil {
			t.table = o.As.Text
			named := *t
			c.env.vars[o.As.Text] = &value{rel: &named, name: o.As.Text}
		}
		if first == nil {
			first = t
		} else {
			first.more = append(first.more, t)
		}
	}
	return first
}

// graphOutput is one table of graph-to-table.
func (b *binder) graphOutput(o *syntax.GraphOutput, g *graph) *relation {
	r, s := g.nodes, newSelection()
	if o.Edges {
		r = g.edges
	}
	from := r.from
	for _, h := range o.Hints {
		name, ok := h.Value.(*syntax.Name)
		id := `"$id"`
		switch strings.ToLower(h.Name) {
		case "with_source_id":
			id = `"$src"`
		case "with_target_id":
			id = `"$dst"`
		}
		if !ok || (id == `"$id"`) == o.Edges {
			b.errorf(h, "SEM0124", "nodes take with_node_id=Column, edges with_source_id=Column and with_target_id=Column")
			continue
		}
		if o.Edges { // the hash is that of the node's identifier
			s.add(name.Text, b.nodeHash(g, "(SELECT n.\"$key\" FROM "+g.nodes.from+" n WHERE n.\"$id\" = "+id+")"))
		} else {
			s.add(name.Text, b.nodeHash(g, `"$key"`))
		}
	}
	for _, col := range r.cols {
		s.add(col.name, expr{sql: col.ref(), typ: col.typ})
	}
	order, part := `"$id"`, ""
	if o.Edges {
		order = `"$e"`
	}
	if g.part != nil {
		part = `, "$part"`
	}
	if len(s.list) == 0 {
		s.list = []string{`NULL AS "$none"`}
	}
	out := b.heavy("SELECT "+s.sql()+part+" FROM "+from+" ORDER BY "+order, s.cols)
	out.part = g.part
	return out
}

// nodeHash is what graph-to-table calls a node's hash: hash() of its identifier.
func (b *binder) nodeHash(g *graph, key string) expr {
	f, _ := lookupScalar("hash")
	e, err := f.apply([]expr{{sql: key, typ: g.key}}, b.opt.Now)
	if err != nil { // hash() takes every type that an identifier can have
		return unknown()
	}
	return e
}
