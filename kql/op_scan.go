package kql

import (
	"fmt"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// scanner lowers one scan operator. The rows are numbered and a recursive CTE
// walks over them, one row of each part at a time; what it carries along is the
// state of every step: for step k, the values that steps 0…k had when they last
// matched. The page "scan operator" (Matching logic) is followed to the letter.
type scanner struct {
	b     *binder
	op    *syntax.ScanOp
	r     *relation // the input with its declared columns
	steps map[string]int
	refs  [][]bool // refs[j][i]: some expression reads column i of step j
	init  []expr   // what a column is while its step has not matched
	set   []bool   // columns that a step assigns
	check [2][]string
	value []map[int]string // of each step, the assigned columns
}

// Names of the columns that the recursion carries. p is the state in which a
// row is looked at, t the state it leaves behind.
func stateID(kind string, k, j, i int) string {
	return fmt.Sprintf(`"$%s_%d_%d_%d"`, kind, k, j, i)
}

func stepID(kind string, k int) string { return fmt.Sprintf(`"$%s_%d"`, kind, k) }

// scan matches sequences of rows.
func (b *binder) scan(op *syntax.ScanOp, r *relation, c *ctx) *relation {
	if len(op.PartitionBy) > 0 || len(op.OrderBy) > 0 {
		b.errorf(op, "SEM0110", "scan has no order by and partition by of its own here: sort before it, and put it into partition by … (…)")
		return nil
	}
	s := &scanner{b: b, op: op, steps: map[string]int{}}
	if !s.columns(r, c) {
		return nil
	}
	n := len(s.r.cols)
	s.set = make([]bool, n)
	for k, st := range op.Steps {
		if st.Name == nil || st.Optional {
			b.errorf(st, "SEM0111", "a step of scan needs a name, and cannot be optional")
			return nil
		}
		if _, ok := s.steps[st.Name.Text]; ok {
			b.errorf(st.Name, "SEM0112", "there are two steps named %q", st.Name.Text)
			return nil
		}
		s.steps[st.Name.Text] = k
		s.refs = append(s.refs, make([]bool, n))
	}
	for k, st := range op.Steps {
		if !s.bindStep(k, st, c.env) {
			return nil
		}
	}
	return s.emit(r, c.env)
}

// columns numbers the rows of r and adds the declared columns to them.
func (s *scanner) columns(r *relation, c *ctx) bool {
	b, u := s.b, idsOf(r.cols)
	cols := append([]column(nil), r.cols...)
	list := ""
	for _, col := range cols {
		s.init = append(s.init, nullLit(col.typ))
	}
	for _, p := range s.op.Declarations {
		if p.Name == nil || p.Tabular() {
			continue
		}
		if _, ok := find(cols, p.Name.Text); ok {
			b.errorf(p.Name, "SEM0113", "the input has a column %q already: declare another name", p.Name.Text)
			return false
		}
		t := b.typeName(p.Type)
		e := nullLit(t)
		if p.Default != nil {
			e = b.castTo(b.scalar(p.Default, &ctx{env: c.env}), t, p.Default)
		}
		col := column{name: p.Name.Text, typ: t, id: u.add(p.Name.Text), bytes: endless}
		cols, s.init = append(cols, col), append(s.init, e)
		list += ", " + e.sql + " AS " + col.ref()
	}
	from := b.emit("SELECT *"+list+`, row_number() OVER () AS "$at" FROM `+r.from, false)
	row := "row_number() OVER (ORDER BY \"$at\")"
	if r.part != nil {
		row = "row_number() OVER (PARTITION BY " + r.part.ref() + " ORDER BY \"$at\")"
	}
	from = b.emit("SELECT *, "+row+` AS "$n" FROM `+from, false)
	s.r = &relation{from: from, cols: cols, hidden: r.hidden, part: r.part}
	return true
}

// within is the context of an expression in the state whose columns name gives.
func (s *scanner) within(env *env, upTo int, name func(j, i int) string) *ctx {
	return &ctx{env: env, cols: s.r.cols, loose: s.r.loose, steps: func(x, col *syntax.Name) (expr, bool) {
		j, ok := s.steps[x.Text]
		if !ok {
			return expr{}, false
		}
		for i, c := range s.r.cols {
			if c.name != col.Text {
				continue
			}
			if j > upTo {
				s.b.errorf(x, "SEM0114", "step %q comes later: its state is not known here", x.Text)
				return unknown(), true
			}
			s.refs[j][i] = true
			return expr{sql: name(j, i), typ: c.typ, bytes: c.bytes}, true
		}
		var names []string
		for _, c := range s.r.cols {
			names = append(names, c.name)
		}
		s.b.report(col.Span(), codeName, didYouMean(col.Text, names), "scan has no column named "+strconv.Quote(col.Text))
		return unknown(), true
	}}
}

// bindStep binds the condition of step k in both states it is asked in, and its
// assignments.
func (s *scanner) bindStep(k int, st *syntax.ScanStep, env *env) bool {
	own := s.within(env, k, func(j, i int) string { return stateID("p", k, j, i) })
	prev := s.within(env, k, func(j, i int) string {
		if j == k {
			return s.init[i].sql
		}
		return stateID("t", k-1, j, i)
	})
	s.check[0] = append(s.check[0], s.b.pred(st.Cond, prev).sql)
	s.check[1] = append(s.check[1], s.b.pred(st.Cond, own).sql)
	values := map[int]string{}
	for _, a := range st.Assigns {
		if len(a.Names) == 0 {
			continue
		}
		at := -1
		for i, c := range s.r.cols {
			if c.name == a.Names[0].Text {
				at = i
			}
		}
		if at < 0 {
			s.b.report(a.Names[0].Span(), codeName, "declare it: scan declare ("+a.Names[0].Text+":type) with (…)", "scan has no column named "+strconv.Quote(a.Names[0].Text))
			return false
		}
		values[at] = s.b.castTo(s.b.scalar(a.X, own), s.r.cols[at].typ, a.X).sql
		s.set[at], s.r.cols[at].bound = true, 0
	}
	s.value = append(s.value, values)
	return true
}

// each calls f for every value of the state of step k.
func (s *scanner) each(k int, f func(j, i int)) {
	for j := 0; j <= k; j++ {
		for i, used := range s.refs[j] {
			if used {
				f(j, i)
			}
		}
	}
}

// emit writes the recursion and the rows that come out of it.
func (s *scanner) emit(r *relation, env *env) *relation {
	on := ""
	if r.part != nil {
		on = " AND r." + r.part.ref() + " IS NOT DISTINCT FROM c." + r.part.ref()
	}
	sql, ok := s.native(env)
	if !ok {
		sql = s.recursion(r, on)
	}
	var arms []string
	for k, st := range s.op.Steps {
		if st.Output != "none" {
			arms = append(arms, s.arm(k, st, on))
		}
	}
	cols := append([]column(nil), s.r.cols...)
	if name, ok := hint(s.op.Hints, "with_match_id"); ok {
		cols = append(cols, column{name: name, typ: Long, id: idsOf(cols).add(name)})
	}
	if len(arms) == 0 {
		return s.b.empty(cols)
	}
	list := refs(cols) + s.r.hiddenList()
	if len(cols) > len(s.r.cols) {
		list = strings.Replace(list, cols[len(cols)-1].ref(), `"$match" AS `+cols[len(cols)-1].ref(), 1)
	}
	out := s.b.heavy("SELECT "+list+" FROM ("+sql+" "+strings.Join(arms, " UNION ALL ")+`) ORDER BY "$at", "$step" DESC`, cols)
	out.hidden, out.part = r.hidden, r.part
	return out
}

// recursion is the SQL of $scan: what each row makes of the states, row by row.
func (s *scanner) recursion(r *relation, on string) string {
	part := ""
	if r.part != nil {
		part = ", " + r.part.ref()
	}
	first := []string{`0::BIGINT AS "$n"`, `0::BIGINT AS "$next"`}
	names := []string{`"$n"`, `"$next"`}
	for k := range s.op.Steps {
		first = append(first, "false AS "+stepID("a", k), "0::BIGINT AS "+stepID("m", k), "false AS "+stepID("o", k))
		names = append(names, stepID("a", k), stepID("m", k), stepID("o", k))
		s.each(k, func(j, i int) {
			first = append(first, s.init[i].sql+"::"+s.r.cols[i].typ.SQL()+" AS "+stateID("t", k, j, i))
			names = append(names, stateID("t", k, j, i))
		})
		for i, set := range s.set {
			if set {
				first = append(first, "NULL::"+s.r.cols[i].typ.SQL()+" AS "+stateID("v", k, k, i))
				names = append(names, stateID("v", k, k, i))
			}
		}
	}
	start := "SELECT " + strings.Join(first, ", ") + part
	if part != "" {
		start += " FROM (SELECT DISTINCT" + part[1:] + " FROM " + s.r.from + ")"
	}
	state := "c.* EXCLUDE (" + strings.Join(append([]string{`"$n"`}, exclude(r)...), ", ") + "), r.\"$n\"" + part2(r) + ", " + refsOf("r.", s.r.cols)
	walk := s.layers("SELECT " + state + " FROM \"$scan\" c JOIN " + s.r.from + ` r ON r."$n" = c."$n" + 1` + on)
	return `WITH RECURSIVE "$scan" AS (` + start + " UNION ALL SELECT " + strings.Join(names, ", ") + part + " FROM (" + walk + "))"
}

func exclude(r *relation) []string {
	if r.part != nil {
		return []string{r.part.ref()}
	}
	return nil
}

func part2(r *relation) string {
	if r.part != nil {
		return ", r." + r.part.ref()
	}
	return ""
}

func refsOf(p string, cols []column) string {
	list := make([]string, len(cols))
	for i, c := range cols {
		list[i] = p + c.ref()
	}
	return strings.Join(list, ", ")
}

// arm selects the rows that step k puts out.
func (s *scanner) arm(k int, st *syntax.ScanStep, on string) string {
	sql := "SELECT r.*"
	var replace []string
	for i, set := range s.set {
		if set {
			replace = append(replace, "c."+stateID("v", k, k, i)+" AS "+s.r.cols[i].ref())
		}
	}
	if len(replace) > 0 {
		sql += " REPLACE (" + strings.Join(replace, ", ") + ")"
	}
	sql += ", c." + stepID("m", k) + ` AS "$match", ` + strconv.Itoa(k) + ` AS "$step" FROM "$scan" c JOIN ` + s.r.from + ` r ON r."$n" = c."$n"` + on +
		" WHERE c." + stepID("o", k)
	if st.Output == "last" {
		by := "c." + stepID("m", k)
		if s.r.part != nil {
			by += ", r." + s.r.part.ref()
		}
		sql += " QUALIFY row_number() OVER (PARTITION BY " + by + ` ORDER BY r."$n" DESC) = 1`
	}
	return sql
}

// layers computes what one row does to the state, given both in from.
func (s *scanner) layers(from string) string {
	last := len(s.op.Steps) - 1
	// Which steps match the row after the step before them: the last step first,
	// so that each sees the others as the row before left them.
	sql := "SELECT *"
	for k := 1; k <= last; k++ {
		sql += ", (" + stepID("a", k-1) + " AND coalesce(" + s.check[0][k] + ", false)) AS " + stepID("c", k)
	}
	from = sql + " FROM (" + from + ")"
	// What that leaves of each state: taken over from the step before, given
	// away to the step behind, or as it was.
	sql = "SELECT *"
	for k := 0; k <= last; k++ {
		takes, gives := "false", "false"
		if k > 0 {
			takes = stepID("c", k)
		}
		if k < last {
			gives = stepID("c", k+1)
		}
		sql += ", (" + takes + " OR " + stepID("a", k) + " AND NOT " + gives + ") AS " + stepID("b", k)
		if k > 0 {
			sql += ", CASE WHEN " + takes + " THEN " + stepID("m", k-1) + " ELSE " + stepID("m", k) + " END AS " + stepID("w", k)
		}
		s.each(k, func(j, i int) {
			taken := s.init[i].sql
			if j < k {
				taken = stateID("t", k-1, j, i)
			}
			sql += ", CASE WHEN " + takes + " THEN " + taken + " WHEN " + gives + " THEN " + s.init[i].sql + " ELSE " + stateID("t", k, j, i) + " END AS " + stateID("p", k, j, i)
		})
	}
	from = sql + " FROM (" + from + ")"
	// Which steps match at all.
	sql = "SELECT *"
	for k := 0; k <= last; k++ {
		cond := "coalesce(" + s.check[1][k] + ", false)"
		if k > 0 {
			cond = "(" + stepID("c", k) + " OR " + stepID("b", k) + " AND " + cond + ")"
		}
		sql += ", " + cond + " AS " + stepID("y", k)
	}
	from = sql + " FROM (" + from + ")"
	sql = "SELECT *"
	for k := 0; k <= last; k++ {
		for i, set := range s.set {
			if v, ok := s.value[k][i]; ok {
				sql += ", " + v + " AS " + stateID("x", k, k, i)
			} else if set {
				sql += ", " + s.r.cols[i].ref() + " AS " + stateID("x", k, k, i)
			}
		}
	}
	return s.after(sql + " FROM (" + from + ")")
}

// after is the state that the row leaves.
func (s *scanner) after(from string) string {
	fresh := "(" + stepID("y", 0) + " AND NOT " + stepID("b", 0) + ")"
	list := []string{`"$n"`, `"$next" + ` + fresh + `::BIGINT AS "$next"`}
	if s.r.part != nil {
		list = append(list, s.r.part.ref())
	}
	for k := range s.op.Steps {
		y := stepID("y", k)
		list = append(list, "("+stepID("b", k)+" OR "+y+") AS "+stepID("a", k), y+" AS "+stepID("o", k))
		if k == 0 {
			list = append(list, "CASE WHEN "+fresh+` THEN "$next" ELSE `+stepID("m", 0)+" END AS "+stepID("m", 0))
		} else {
			list = append(list, stepID("w", k)+" AS "+stepID("m", k))
		}
		s.each(k, func(j, i int) {
			v := stateID("p", k, j, i)
			if j == k {
				now := s.r.cols[i].ref()
				if s.set[i] {
					now = stateID("x", k, k, i)
				}
				v = "CASE WHEN " + y + " THEN " + now + " ELSE " + v + " END"
			}
			list = append(list, v+" AS "+stateID("t", k, j, i))
		})
		for i, set := range s.set {
			if set {
				list = append(list, stateID("x", k, k, i)+" AS "+stateID("v", k, k, i))
			}
		}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM (" + from + ")"
}
