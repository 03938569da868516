package kql

import (
	"slices"
	"strings"

	"picket/kql/syntax"
)

// join joins the elements of the pattern, one after the other, and returns the
// CTE of the matches.
func (m *matcher) join() string {
	start := m.nodes[0]
	for _, n := range m.nodes {
		if len(n.conds) > 0 { // begin where there is something to choose by
			start = n
			break
		}
	}
	start.bound = true
	state := m.b.emit(`SELECT "$id" AS `+start.id()+" FROM "+m.from+" AS "+start.alias()+where(start.conds), false)
	for range m.edges {
		e, forward := m.nextEdge()
		e.done = true
		near, far := e.left, e.right
		if !forward {
			near, far = far, near
		}
		if e.path {
			state = m.joinPath(state, e, near, far, forward)
		} else {
			state = m.joinEdge(state, e, near, far, forward)
		}
		far.bound = true
	}
	return state
}

// nextEdge is an edge that hangs on what is joined already: one that closes a
// circle first, single edges before those of variable length.
func (m *matcher) nextEdge() (best *matchEdge, forward bool) {
	rank := 0
	for _, e := range m.edges {
		if e.done || !e.left.bound && !e.right.bound {
			continue
		}
		r := 1
		if !e.path {
			r = 2
		}
		if e.left.bound && e.right.bound {
			r += 2
		}
		if r > rank {
			best, forward, rank = e, e.left.bound, r
		}
	}
	return best, forward
}

func where(conds []string) string {
	if len(conds) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(conds, " AND ")
}

// edgesOf emits the edges that e can be, with the end to come from ($f) and the
// one to go to ($t).
func (m *matcher) edgesOf(e *matchEdge, forward bool) string {
	more := ""
	if e.path {
		more = ", " + structOf(e.alias(), e.props) + ` AS "$s"`
	}
	arm := func(f, t, cond string) string {
		conds := slices.Clone(e.conds)
		if cond != "" {
			conds = append(conds, cond)
		}
		return `SELECT "` + f + `" AS "$f", "` + t + `" AS "$t", "$e"` + more + " FROM " + m.g.edges.from + " AS " + e.alias() + where(conds)
	}
	dir := e.syn.Dir
	if m.g.undirected {
		dir = syntax.EdgeAny
	}
	switch {
	case dir == syntax.EdgeAny:
		return m.b.emit(arm("$src", "$dst", "")+" UNION ALL "+arm("$dst", "$src", `"$src" <> "$dst"`), false)
	case (dir == syntax.EdgeRight) == forward:
		return m.b.emit(arm("$src", "$dst", ""), false)
	}
	return m.b.emit(arm("$dst", "$src", ""), false)
}

// structOf packs columns of a table; without any, a constant.
func structOf(alias string, ids map[string]bool) string {
	var fields []string
	for id := range ids {
		if id == "$id" {
			fields = append(fields, `'$id': 0`)
			continue
		}
		fields = append(fields, quoteString(id)+": "+alias+"."+quoteIdent(id))
	}
	if len(fields) == 0 {
		return "0"
	}
	slices.Sort(fields)
	return "{" + strings.Join(fields, ", ") + "}"
}

// joinEdge joins a single edge and the node at its far end.
func (m *matcher) joinEdge(state string, e *matchEdge, near, far *matchNode, forward bool) string {
	edges := m.edgesOf(e, forward)
	on, list := `e."$f" = m.`+near.id(), `m.*, e."$e" AS `+e.id()
	var conds []string
	if far.bound {
		on += ` AND e."$t" = m.` + far.id()
	} else {
		list += `, e."$t" AS ` + far.id()
		conds = append(conds, m.candidate(far, `e."$t"`)...)
	}
	switch m.cycles {
	case "none":
		if far.bound {
			conds = append(conds, "false")
		}
		conds = append(conds, m.unvisited(`e."$t"`, e)...)
	case "unique_edges":
		for _, k := range m.edges {
			switch {
			case !k.done || k == e:
			case k.path:
				conds = append(conds, "NOT list_contains(m."+k.id()+`, e."$e")`)
			default:
				conds = append(conds, "m."+k.id()+` <> e."$e"`)
			}
		}
	}
	return m.b.emit("SELECT "+list+" FROM "+state+" m JOIN "+edges+" e ON "+on+where(conds), false)
}

// candidate is the condition that id is a node that far can be.
func (m *matcher) candidate(far *matchNode, id string) []string {
	if len(far.conds) == 0 {
		return nil
	}
	return []string{id + ` IN (SELECT "$id" FROM ` + m.from + " AS " + far.alias() + where(far.conds) + ")"}
}

// unvisited are the conditions that id is no node of the match so far.
func (m *matcher) unvisited(id string, except *matchEdge) []string {
	var conds []string
	for _, n := range m.nodes {
		if n.bound {
			conds = append(conds, "m."+n.id()+" <> "+id)
		}
	}
	for _, k := range m.edges {
		if k.done && k.path && k != except {
			conds = append(conds, "NOT list_contains(m."+k.innerID()+", "+id+")")
		}
	}
	return conds
}

// joinPath joins an edge of variable length and the node at its far end.
func (m *matcher) joinPath(state string, e *matchEdge, near, far *matchNode, forward bool) string {
	paths := m.paths(state, e, near, forward)
	on := `p."$a" = m.` + near.id()
	list := `m.*, p."$p" AS ` + e.id() + `, p."$v" AS ` + e.edgeRows() + `, p."$i" AS ` + e.innerID() + `, p."$u" AS ` + e.innerRows()
	var conds []string
	if far.bound {
		on += ` AND p."$b" = m.` + far.id()
	} else {
		list += `, p."$b" AS ` + far.id()
		conds = append(conds, m.candidate(far, `p."$b"`)...)
	}
	switch m.cycles {
	case "none":
		apart := m.unvisited(`p."$b"`, e)
		if far.bound {
			apart = []string{"false"}
		}
		conds = append(conds, `(p."$l" = 0 OR `+strings.Join(apart, " AND ")+")")
		for _, n := range m.nodes {
			if n.bound {
				conds = append(conds, `NOT list_contains(p."$i", m.`+n.id()+")")
			}
		}
		for _, k := range m.edges {
			if k.done && k.path && k != e {
				conds = append(conds, `NOT list_has_any(p."$i", m.`+k.innerID()+")")
			}
		}
	case "unique_edges":
		for _, k := range m.edges {
			switch {
			case !k.done || k == e:
			case k.path:
				conds = append(conds, `NOT list_has_any(p."$p", m.`+k.id()+")")
			default:
				conds = append(conds, `NOT list_contains(p."$p", m.`+k.id()+")")
			}
		}
	}
	return m.b.emit("SELECT "+list+" FROM "+state+" m JOIN "+paths+" p ON "+on+where(conds), false)
}

// paths emits the paths that e can be from the nodes matched as near: their ends
// $a and $b, length $l, edges $p and inner nodes $i, and what is asked of these
// ($v and $u), all in the order of the pattern.
func (m *matcher) paths(state string, e *matchEdge, near *matchNode, forward bool) string {
	edges, on := m.edgesOf(e, forward), `e."$f" = p."$b"`
	add := func(list, x string) string {
		if forward {
			return "list_append(" + list + ", " + x + ")"
		}
		return "list_prepend(" + x + ", " + list + ")"
	}
	node, join := "0", ""
	if len(e.inner) > 0 || len(e.nodeProps) > 0 {
		node = structOf(`"$inner"`, e.nodeProps)
		join = " JOIN " + m.from + ` AS "$inner" ON "$inner"."$id" = p."$b"`
	}
	conds := []string{`p."$l" < ` + formatInt(e.max)}
	switch {
	case m.direct(e):
		edges = m.shortestEdges(state, edges, e, near, join)
		on += ` AND e."$a" = p."$a"`
	case m.cycles == "unique_edges":
		conds = append(conds, `NOT list_contains(p."$p", e."$e")`)
	case m.cycles == "none":
		conds = append(conds, `e."$t" <> p."$a"`, `e."$t" <> p."$b"`, `NOT list_contains(p."$i", e."$t")`)
	}
	if len(e.inner) > 0 {
		conds = append(conds, `(p."$l" = 0 OR `+strings.Join(e.inner, " AND ")+")")
	}
	inner := func(list, x string) string {
		return `CASE WHEN p."$l" = 0 THEN ` + list + " ELSE " + add(list, x) + " END"
	}
	// The empty lists have their types from rows of the tables.
	first := `SELECT DISTINCT s."$a", s."$a" AS "$b", 0 AS "$l", []::BIGINT[] AS "$p", ` + m.emptyRows(edges, `"$s"`) + ` AS "$v", []::BIGINT[] AS "$i", ` +
		m.emptyRows(m.from+` AS "$inner"`, node) + ` AS "$u" FROM (SELECT ` + near.id() + ` AS "$a" FROM ` + state + ") s"
	next := `SELECT p."$a", e."$t", p."$l" + 1, ` + add(`p."$p"`, `e."$e"`) + ", " + add(`p."$v"`, `e."$s"`) + ", " + inner(`p."$i"`, `p."$b"`) + ", " + inner(`p."$u"`, node) +
		` FROM "$paths" p JOIN ` + edges + " e ON " + on + join + where(conds)
	return m.b.emit(`SELECT * FROM (WITH RECURSIVE "$paths" AS (`+first+" UNION ALL "+next+`) SELECT * FROM "$paths") WHERE "$l" >= `+formatInt(e.min), false)
}

// emptyRows is an empty list of what sql is over from.
func (m *matcher) emptyRows(from, sql string) string {
	return "coalesce((SELECT list(" + sql + ") FROM " + from + " WHERE false), [])"
}

// direct reports whether the paths that e can be are the shortest paths of the
// graph themselves: then those need not be looked for among all paths.
func (m *matcher) direct(e *matchEdge) bool {
	return m.op.Shortest && m.cycles == "none" && len(m.edges) == 1 && e.min <= 1 && !m.lateEdge
}

// shortestEdges emits the edges of the shortest paths from each $a: a search by
// breadth gives the distances ($l) of the nodes ($b), and an edge counts that
// leads one step farther away. Where any path will do, one leads to each node.
func (m *matcher) shortestEdges(state, edges string, e *matchEdge, near *matchNode, join string) string {
	conds := []string{`p."$l" < ` + formatInt(e.max), `r."$a" IS NULL`}
	inner := ""
	if len(e.inner) > 0 {
		inner = `(p."$l" = 0 OR ` + strings.Join(e.inner, " AND ") + ")"
		conds = append(conds, inner)
	}
	distance := m.b.emit(`SELECT * FROM (WITH RECURSIVE "$far"("$a", "$b", "$l") USING KEY ("$a", "$b") AS (SELECT DISTINCT s.`+near.id()+", s."+near.id()+", 0 FROM "+state+
		` s UNION SELECT p."$a", e."$t", min(p."$l" + 1) FROM "$far" p JOIN `+edges+` e ON e."$f" = p."$b"`+join+
		` LEFT JOIN recurring."$far" r ON r."$a" = p."$a" AND r."$b" = e."$t"`+where(conds)+` GROUP BY 1, 2) SELECT * FROM "$far")`, false)
	sql := `SELECT p."$a", e.* FROM ` + distance + " p JOIN " + edges + ` e ON e."$f" = p."$b" JOIN ` + distance + ` t ON t."$a" = p."$a" AND t."$b" = e."$t" AND t."$l" = p."$l" + 1` + join
	if inner != "" {
		sql += " WHERE " + inner
	}
	if word, _ := hint(m.op.Hints, "output"); word != "all" {
		sql += ` QUALIFY row_number() OVER (PARTITION BY p."$a", e."$t" ORDER BY e."$e") = 1`
	}
	return m.b.emit(sql, false)
}
