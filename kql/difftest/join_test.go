package difftest

import (
	"picket/kql"
	"picket/kql/syntax"
)

// union puts tables below each other: page "union operator". Columns of one
// name and different types become two, named after their types.
func (e *evaluator) union(first *relation, op *syntax.UnionOp, in *lets) *relation {
	var ins []*relation
	var names []string
	if first != nil {
		ins, names = append(ins, first.loose()), append(names, "")
	}
	for _, t := range op.Tables {
		ins = append(ins, e.tabular(t, in).loose())
		name := ""
		if n, ok := t.(*syntax.Name); ok {
			name = n.Text
		}
		names = append(names, name)
	}
	inner, source := false, ""
	for _, h := range op.Hints {
		switch v := h.Value.(*syntax.Name).Text; h.Name {
		case "kind":
			inner = v == "inner"
		case "withsource":
			source = v
		}
	}
	out := &relation{limit: -1}
	if source != "" {
		out.cols = append(out.cols, kql.Column{Name: source, Type: kql.String})
	}
	types := map[string]map[kql.Type]bool{}
	count := map[string]int{}
	for _, r := range ins {
		for _, c := range r.cols {
			if types[c.Name] == nil {
				types[c.Name] = map[kql.Type]bool{}
			}
			types[c.Name][c.Type] = true
			count[c.Name]++
		}
	}
	columnOf := func(c kql.Column) kql.Column {
		if len(types[c.Name]) > 1 {
			c.Name += "_" + c.Type.String()
		}
		return c
	}
	// The columns of one name stand together, at the place of the first.
	for _, r := range ins {
		for _, c := range r.cols {
			if inner && count[c.Name] < len(ins) {
				continue
			}
			if len(ins) > 2 && len(types[c.Name]) > 1 {
				silent("a union of more than two tables with two types for a name")
			}
			if inner && len(types[c.Name]) > 1 {
				silent("an inner union of columns of two types")
			}
			if len(types[c.Name]) > 1 && types[c.Name+"_"+c.Type.String()] != nil {
				silent("a name that a column made unique has already")
			}
			for _, r2 := range ins {
				if k := r2.index(c.Name); k >= 0 && out.index(columnOf(r2.cols[k]).Name) < 0 {
					out.cols = append(out.cols, columnOf(r2.cols[k]))
				}
			}
		}
	}
	for i, r := range ins {
		for _, row := range r.rows {
			line := blanks(out.cols)
			if source != "" {
				if names[i] == "" {
					silent("source of what is no table")
				}
				line[0] = names[i]
			}
			for j, c := range r.cols {
				if k := out.index(columnOf(c).Name); k >= 0 {
					line[k] = row[j]
				}
			}
			out.rows = append(out.rows, line)
		}
	}
	return out
}

// blanks is a row of nulls; a string has none and is empty.
func blanks(cols []kql.Column) []any {
	row := make([]any, len(cols))
	for i, c := range cols {
		if c.Type == kql.String {
			row[i] = ""
		}
	}
	return row
}

// join matches rows by keys: page "join operator" and the pages of its flavours;
// page "lookup operator".
func (e *evaluator) join(l *relation, op *syntax.JoinOp, in *lets) *relation {
	l, r := l.loose(), e.tabular(op.Right, in).loose()
	kind := "innerunique"
	if op.Lookup {
		kind = "leftouter"
	}
	for _, h := range op.Hints {
		if h.Name == "kind" {
			kind = h.Value.(*syntax.Name).Text
		}
	}
	var lk, rk []int
	for _, on := range op.On {
		switch on := on.(type) {
		case *syntax.Name:
			lk, rk = append(lk, l.index(on.Text)), append(rk, r.index(on.Text))
		case *syntax.Binary:
			lk = append(lk, l.index(on.X.(*syntax.Path).Name.(*syntax.Name).Text))
			rk = append(rk, r.index(on.Y.(*syntax.Path).Name.(*syntax.Name).Text))
		}
	}
	j := &joined{l: l, r: r, lk: lk, rk: rk, lookup: op.Lookup}
	return j.flavour(kind)
}

type joined struct {
	l, r   *relation
	lk, rk []int
	lookup bool
}

// match reports whether two rows have the same keys. Whether null is the same
// as null is not said.
func (j *joined) match(l, r []any) bool {
	same, nulls := true, false
	for i := range j.lk {
		x, y := fixed(l[j.lk[i]]), fixed(r[j.rk[i]])
		switch {
		case x == nil && y == nil:
			nulls = true
		case x == nil || y == nil:
			same = false
		default:
			tl, tr := j.l.cols[j.lk[i]].Type, j.r.cols[j.rk[i]].Type
			if tl != tr {
				x, y = numberPair(x, y, tl, tr)
			}
			same = same && order(x, y) == 0
		}
	}
	if same && nulls {
		silent("join of null with null")
	}
	return same
}

func (j *joined) anyMatch(row []any, right bool) bool {
	other := j.r.rows
	if right {
		other = j.l.rows
	}
	found := false
	for _, o := range other {
		if right && j.match(o, row) || !right && j.match(row, o) {
			found = true
		}
	}
	return found
}

func (j *joined) flavour(kind string) *relation {
	switch kind {
	case "leftsemi", "leftanti", "anti", "leftantisemi":
		return j.half(j.l, false, kind == "leftsemi")
	case "rightsemi", "rightanti", "rightantisemi":
		return j.half(j.r, true, kind == "rightsemi")
	case "innerunique":
		j.unique()
	}
	out := &relation{limit: -1}
	m := namer{}
	var keep []int
	for _, c := range j.l.cols {
		m[c.Name] = true
		out.cols = append(out.cols, c)
	}
	isKey := map[int]bool{}
	for _, k := range j.rk {
		isKey[k] = true
	}
	for i, c := range j.r.cols {
		if j.lookup && isKey[i] {
			continue
		}
		keep = append(keep, i)
		out.cols = append(out.cols, kql.Column{Name: m.unique(c.Name), Type: c.Type})
	}
	add := func(l, r []any) {
		row := append([]any(nil), l...)
		for _, k := range keep {
			row = append(row, r[k])
		}
		out.rows = append(out.rows, row)
	}
	for _, l := range j.l.rows {
		found := false
		for _, r := range j.r.rows {
			if j.match(l, r) {
				found = true
				add(l, r)
			}
		}
		if !found && (kind == "leftouter" || kind == "fullouter") {
			add(l, blanks(j.r.cols))
		}
	}
	if kind == "rightouter" || kind == "fullouter" {
		for _, r := range j.r.rows {
			if !j.anyMatch(r, true) {
				add(blanks(j.l.cols), r)
			}
		}
	}
	return out
}

// half keeps the rows of one side that have, or do not have, a match.
func (j *joined) half(side *relation, right, want bool) *relation {
	out := &relation{cols: side.cols, limit: -1}
	for _, row := range side.rows {
		if j.anyMatch(row, right) == want {
			out.rows = append(out.rows, row)
		}
	}
	return out
}

// unique leaves one row of the left side for each key; any of them.
func (j *joined) unique() {
	groups := map[string][][]any{}
	var keys []string
	for _, row := range j.l.rows {
		k := ""
		for _, i := range j.lk {
			k += key(row[i]) + "|"
		}
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], row)
	}
	l := &relation{cols: j.l.cols, limit: -1}
	for _, k := range keys {
		l.rows = append(l.rows, anyRow(groups[k]))
	}
	j.l = l
}

// anyRow is one of rows, where it matters cell by cell open.
func anyRow(rows [][]any) []any {
	out := append([]any(nil), rows[0]...)
	for i := range out {
		var all oneOf
		same := true
		for _, r := range rows {
			same = same && key(r[i]) == key(rows[0][i])
			all = append(all, r[i])
		}
		if !same {
			out[i] = all
		}
	}
	return out
}
