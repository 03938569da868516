package difftest

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"picket/kql"
	"picket/kql/syntax"
)

// op evaluates one operator over r.
func (e *evaluator) op(r *relation, op syntax.Op, in *lets) *relation {
	switch op := op.(type) {
	case *syntax.WhereOp:
		return e.where(r, op, in)
	case *syntax.ExtendOp:
		return e.extend(r, op.Cols, in, false)
	case *syntax.SerializeOp:
		return e.extend(r, op.Cols, in, true)
	case *syntax.ProjectOp:
		return e.project(r, op, in)
	case *syntax.SortOp:
		return e.sort(r, op.Keys, in)
	case *syntax.TopOp:
		return take(e.sort(r, op.Keys, in), e.count(op.N, in))
	case *syntax.TakeOp:
		return take(r, e.count(op.N, in))
	case *syntax.DistinctOp:
		return e.distinct(r, op)
	case *syntax.CountOp:
		name := "Count"
		if op.As != nil {
			name = op.As.Text
		}
		n := len(r.rows)
		if n == 0 && e.within > 0 {
			silent("a count of no rows within a subquery")
		}
		if r.limit >= 0 {
			n = min(n, r.limit)
		}
		return &relation{cols: []kql.Column{{Name: name, Type: kql.Long}}, rows: [][]any{{int64(n)}}, limit: -1}
	case *syntax.SummarizeOp:
		return e.summarize(r, op, in)
	case *syntax.JoinOp:
		return e.join(r, op, in)
	case *syntax.UnionOp:
		return e.union(r, op, in)
	case *syntax.AsOp:
		return r
	}
	return e.rareOp(r, op, in)
}

// source evaluates an operator that begins a query.
func (e *evaluator) source(op syntax.Op, in *lets) *relation {
	switch op := op.(type) {
	case *syntax.UnionOp:
		return e.union(nil, op, in)
	case *syntax.PrintOp:
		r := &relation{rows: [][]any{{}}, limit: -1}
		for i, x := range op.Cols {
			v := e.bind(x, &scope{lets: in})
			name := fmt.Sprintf("print_%d", i)
			if n, ok := x.(*syntax.NamedExpr); ok {
				name = n.Names[0].Text
			}
			r.cols = append(r.cols, kql.Column{Name: name, Type: v.typ})
			r.rows[0] = append(r.rows[0], v.eval(&at{}))
		}
		return r
	case *syntax.RangeOp:
		return e.rangeOp(op, in)
	}
	panic(fmt.Sprintf("no evaluation of %T", op))
}

// count evaluates the number of rows that take and top ask for.
func (e *evaluator) count(x syntax.Expr, in *lets) int {
	return int(e.bind(x, &scope{lets: in}).eval(&at{}).(int64))
}

// where keeps the rows for which the condition is true: page "where operator".
func (e *evaluator) where(r *relation, op *syntax.WhereOp, in *lets) *relation {
	r.settled()
	p := e.bind(op.Pred, &scope{cols: r.cols, lets: in, win: true})
	out := &relation{cols: r.cols, limit: -1}
	for i, row := range r.rows {
		if truth(p.eval(&at{rows: r.rows, i: i})) {
			out.rows = append(out.rows, row)
			if r.rank != nil {
				out.rank = append(out.rank, r.rank[i])
			}
		}
	}
	return out
}

// extend adds columns, or replaces those of the same name: page "extend
// operator". Expressions see the columns as they were before.
func (e *evaluator) extend(r *relation, list []syntax.Expr, in *lets, serial bool) *relation {
	sc := &scope{cols: r.cols, lets: in, win: true}
	cols := slices.Clone(r.cols)
	rows := make([][]any, len(r.rows))
	for i, row := range r.rows {
		rows[i] = slices.Clone(row)
	}
	m := namer{}
	for _, c := range r.cols {
		m[c.Name] = true
	}
	for _, x := range list {
		v := e.bind(x, sc)
		name := m.extended(x)
		j := slices.IndexFunc(cols, func(c kql.Column) bool { return c.Name == name })
		if j < 0 {
			j = len(cols)
			cols = append(cols, kql.Column{Name: name})
		}
		cols[j].Type = v.typ
		for i := range rows {
			if j == len(rows[i]) {
				rows[i] = append(rows[i], nil)
			}
			if usesOrder(x) {
				r.serial()
			}
			rows[i][j] = v.eval(&at{rows: r.rows, i: i})
		}
	}
	return r.derive(cols, rows)
}

// usesOrder reports whether x looks at other rows.
func usesOrder(x syntax.Node) bool {
	found := false
	syntax.Walk(x, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.Call); ok {
			switch c.Func.Text {
			case "prev", "next", "row_number", "row_cumsum", "row_rank_dense", "row_rank_min", "row_window_session":
				found = true
			}
		}
		return !found
	})
	return found
}

// project is the family of project operators: a page each.
func (e *evaluator) project(r *relation, op *syntax.ProjectOp, in *lets) *relation {
	var pick []int
	names := map[int]string{}
	switch op.Kind {
	case syntax.Project:
		return e.projectPlain(r, op, in)
	case syntax.ProjectAway, syntax.ProjectKeep:
		for i, c := range r.cols {
			if matchesAny(op.Cols, c.Name) == (op.Kind == syntax.ProjectKeep) {
				pick = append(pick, i)
			}
		}
	case syntax.ProjectRename:
		for i := range r.cols {
			pick = append(pick, i)
		}
		for _, x := range op.Cols {
			n := x.(*syntax.NamedExpr)
			names[r.index(n.X.(*syntax.Name).Text)] = n.Names[0].Text
		}
	case syntax.ProjectReorder:
		pick = reorder(r, op)
	default:
		panic("no evaluation of this project")
	}
	cols := make([]kql.Column, len(pick))
	for i, p := range pick {
		cols[i] = r.cols[p]
		if n, ok := names[p]; ok {
			cols[i].Name = n
		}
	}
	rows := make([][]any, len(r.rows))
	for i, row := range r.rows {
		for _, p := range pick {
			rows[i] = append(rows[i], row[p])
		}
	}
	return r.derive(cols, rows)
}

// reorder is the order of project-reorder: what it names first, the others
// behind; a wildcard's columns in their order, or sorted by name.
func reorder(r *relation, op *syntax.ProjectOp) []int {
	var pick []int
	for i, x := range op.Cols {
		var m []int
		for j, c := range r.cols {
			if matchesAny([]syntax.Expr{x}, c.Name) && !slices.Contains(pick, j) {
				m = append(m, j)
			}
		}
		dir := op.Dirs[i]
		if dir != syntax.DirNone {
			slices.SortFunc(m, func(a, b int) int {
				c := strings.Compare(r.cols[a].Name, r.cols[b].Name)
				if dir == syntax.Desc {
					c = -c
				}
				return c
			})
		}
		pick = append(pick, m...)
	}
	for j := range r.cols {
		if !slices.Contains(pick, j) {
			pick = append(pick, j)
		}
	}
	return pick
}

func matchesAny(list []syntax.Expr, name string) bool {
	for _, x := range list {
		switch x := x.(type) {
		case *syntax.Name:
			if x.Text == name {
				return true
			}
		case *syntax.Wildcard:
			pre, post, _ := strings.Cut(x.Pattern, "*")
			if len(name) >= len(pre)+len(post) && strings.HasPrefix(name, pre) && strings.HasSuffix(name, post) {
				return true
			}
		}
	}
	return false
}

func (e *evaluator) projectPlain(r *relation, op *syntax.ProjectOp, in *lets) *relation {
	sc := &scope{cols: r.cols, lets: in, win: true}
	var cols []kql.Column
	rows := make([][]any, len(r.rows))
	m := namer{}
	for _, x := range op.Cols {
		v := e.bind(x, sc)
		cols = append(cols, kql.Column{Name: m.projected(x), Type: v.typ})
		if usesOrder(x) {
			r.serial()
		}
		for i := range rows {
			rows[i] = append(rows[i], v.eval(&at{rows: r.rows, i: i}))
		}
	}
	return r.derive(cols, rows)
}

// sort orders rows: page "sort operator", also for nulls and NaN.
func (e *evaluator) sort(r *relation, keys []*syntax.Ordered, in *lets) *relation {
	r.settled()
	type sorted struct{ row, keys []any }
	rows := make([]sorted, len(r.rows))
	for i, row := range r.rows {
		rows[i].row = row
	}
	for _, k := range keys {
		v := e.bind(k.X, &scope{cols: r.cols, lets: in})
		for i := range rows {
			rows[i].keys = append(rows[i].keys, fixed(v.eval(&at{rows: r.rows, i: i})))
		}
	}
	compare := func(a, b sorted) int {
		for i, k := range keys {
			if c := sortOrder(a.keys[i], b.keys[i], k); c != 0 {
				return c
			}
		}
		return 0
	}
	slices.SortStableFunc(rows, compare)
	out := &relation{cols: r.cols, limit: -1, rank: make([]int, len(rows))}
	for i, s := range rows {
		out.rows = append(out.rows, s.row)
		if i > 0 {
			out.rank[i] = out.rank[i-1]
			if compare(rows[i-1], s) != 0 {
				out.rank[i]++
			}
		}
	}
	return out
}

func sortOrder(a, b any, k *syntax.Ordered) int {
	asc := k.Dir == syntax.Asc
	first := asc
	if k.Nulls != syntax.NullsDefault {
		first = k.Nulls == syntax.NullsFirst
	}
	x, y := special(a), special(b)
	if x != 0 || y != 0 {
		if first {
			return y - x
		}
		return x - y
	}
	if c := order(a, b); asc {
		return c
	} else {
		return -c
	}
}

// special is 2 for null, 1 for NaN, 0 for all else.
func special(v any) int {
	if v == nil {
		return 2
	}
	if f, ok := v.(float64); ok && math.IsNaN(f) {
		return 1
	}
	return 0
}

// take bounds the rows: page "take operator".
func take(r *relation, n int) *relation {
	r.settled()
	out := *r
	if n >= len(r.rows) {
		return &out
	}
	if n <= 0 {
		out.rows, out.rank = nil, nil
		return &out
	}
	if r.rank != nil && (r.rank[n-1] != r.rank[n]) {
		out.rows, out.rank = r.rows[:n], r.rank[:n]
		return &out
	}
	out.limit = n
	return &out
}

// distinct is each combination once: page "distinct operator".
func (e *evaluator) distinct(r *relation, op *syntax.DistinctOp) *relation {
	r.settled()
	var pick []int
	for _, x := range op.Cols {
		if n, ok := x.(*syntax.Name); ok {
			pick = append(pick, r.index(n.Text))
			continue
		}
		for i := range r.cols {
			pick = append(pick, i)
		}
	}
	out := &relation{limit: -1}
	for _, p := range pick {
		out.cols = append(out.cols, r.cols[p])
	}
	seen := map[string]bool{}
	for _, row := range r.rows {
		var picked []any
		for _, p := range pick {
			picked = append(picked, row[p])
		}
		if k := rowKey(picked); !seen[k] {
			seen[k] = true
			out.rows = append(out.rows, picked)
		}
	}
	return out
}
