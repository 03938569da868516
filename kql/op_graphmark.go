package kql

import (
	"strings"

	"picket/kql/syntax"
)

// graphMark numbers the connected components of a graph.
func (b *binder) graphMark(op *syntax.GraphMarkOp, r *relation) *relation {
	kind, name := "weak", "ComponentId"
	for _, h := range op.Hints {
		word, _ := hint([]*syntax.Hint{h}, h.Name)
		switch {
		case strings.EqualFold(h.Name, "with_component_id") && word != "":
			name = word
		case strings.EqualFold(h.Name, "kind") && (word == "weak" || word == "strong"):
			kind = word
		default:
			b.errorf(h, "SEM0125", "graph-mark-components takes kind=weak or kind=strong, and with_component_id=Name")
		}
	}
	g := *r.graph
	if g.undirected {
		kind = "weak"
	}
	marks := b.emit("SELECT from_json(coalesce("+nativeCall("kql_components", quoteString(kind), "(SELECT count(*) FROM "+g.nodes.from+")::VARCHAR",
		`coalesce((SELECT string_agg("$src" || ' ' || "$dst", ' ') FROM `+g.edges.from+"), '')")+
		", error('graph-mark-components: the graph has more than "+formatInt(maxNodes)+` nodes')), '["BIGINT"]') AS "$c"`, false)
	id := idsOf(g.nodes.cols).add("component")
	cols := append(g.nodes.cols[:len(g.nodes.cols):len(g.nodes.cols)], column{name: name, typ: Long, id: id})
	mark := `(SELECT "$c" FROM ` + marks + `)["$id" + 1]`
	if g.part != nil { // each graph's components are numbered from 0
		mark = `dense_rank() OVER (PARTITION BY "$part" ORDER BY ` + mark + ") - 1"
	}
	g.nodes = b.heavy("SELECT n.*, "+mark+" AS "+quoteIdent(id)+" FROM "+g.nodes.from+" n", cols)
	return &relation{from: g.nodes.from, graph: &g}
}
