package kql

import (
	"fmt"

	"picket/kql/syntax"
)

// sequenceDetect finds the rows in which conditions come true one after the
// other, not too far apart: every combination of such rows is one result.
func (b *binder) sequenceDetect(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	var pos []syntax.Expr
	var steps []*syntax.NamedExpr
	for _, a := range op.Call.Args {
		if n, ok := a.(*syntax.NamedExpr); ok && len(n.Names) == 1 && b.scalar(n.X, c).typ == Bool {
			steps = append(steps, n)
			continue
		}
		pos = append(pos, a)
	}
	if len(pos) < 3 || len(steps) < 2 {
		b.errorf(op.Call, "SEM0003", "sequence_detect() takes (Timeline, MaxStep, MaxSpan, Name1 = Condition1, Name2 = Condition2 … [, Dimension …])")
		return nil
	}
	at, k := b.scalar(pos[0], c), &ctx{env: c.env}
	gap, span := b.scalar(pos[1], k), b.scalar(pos[2], k)
	if at.typ == Unknown || gap.typ == Unknown || span.typ == Unknown {
		return nil
	}
	if at.typ != DateTime || gap.typ != TimeSpan || span.typ != TimeSpan {
		b.errorf(op.Call, "SEM0003", "sequence_detect() takes a datetime and two timespans, not %s, %s and %s", at.typ, gap.typ, span.typ)
		return nil
	}
	dims := newSelection()
	for _, x := range pos[3:] {
		b.projected(dims, x, c)
	}
	list, same := "", ""
	for _, s := range dims.list {
		list += ", " + s
	}
	for _, d := range dims.cols {
		same += " AND l." + d.ref() + " IS NOT DISTINCT FROM r." + d.ref()
	}
	out := newSelection()
	for _, d := range dims.cols {
		out.add(d.name, expr{sql: d.ref(), typ: d.typ})
	}
	name := func(i int) string { return fmt.Sprintf(`"$t%d"`, i) }
	chain := ""
	for i, s := range steps {
		cond := b.pred(s.X, c)
		hits := b.emit("SELECT DISTINCT "+at.sql+` AS "$t"`+list+" FROM "+r.from+" WHERE "+cond.sql, false)
		if i == 0 {
			chain = b.emit(`SELECT *, "$t" AS "$t0" FROM `+hits, false)
		} else {
			chain = b.emit(`SELECT l.*, r."$t" AS `+name(i)+" FROM "+chain+" l JOIN "+hits+` r ON r."$t" > l.`+name(i-1)+` AND r."$t" <= l.`+name(i-1)+" + "+gap.sql+
				` AND r."$t" <= l."$t0" + `+span.sql+same, false)
		}
		out.add(s.Names[0].Text+"_"+resultName(pos[0]), expr{sql: name(i), typ: DateTime})
	}
	out.add("Duration", expr{sql: name(len(steps)-1) + ` - "$t0"`, typ: TimeSpan})
	return b.heavy("SELECT "+out.sql()+" FROM "+chain+` ORDER BY "$t0", `+name(len(steps)-1), out.cols)
}

// funnel is what the plugins on sequences of states have in common.
type funnel struct {
	a        *activity
	state    column // under its name
	sequence []string
	events   string // CTE with $t, $id, $w, the window of $t, and $s, the state
}

// funnelArgs binds (Id, Timeline, Start, End, …, State, Sequence, …): consts tells
// how many constants stand between End and State, bin which of them is the window.
func (b *binder) funnelArgs(op *syntax.EvaluateOp, r *relation, c *ctx, consts []string, bin int) (*funnel, []syntax.Expr) {
	pos, _ := pluginArgs(op.Call)
	name, n := op.Call.Func.Text, 4+len(consts)
	if len(pos) < n+2 {
		b.errorf(op.Call, "SEM0003", "%s() takes too few arguments: the state and the sequence are missing", name)
		return nil, nil
	}
	if _, ok := pos[n].(*syntax.Name); !ok {
		b.errorf(pos[n], "SEM0143", "%s() takes the column of the state here", name)
		return nil, nil
	}
	call := *op.Call
	call.Args = pos[:n+1]
	a := b.activityOf(&syntax.EvaluateOp{Call: &call}, r, c, false, consts...)
	if a == nil || len(a.dims) != 1 {
		return nil, nil
	}
	f := &funnel{a: a, state: a.dims[0]}
	list, _ := b.scalar(pos[n+1], &ctx{env: c.env}).lit.([]any)
	for _, v := range list {
		f.sequence = append(f.sequence, fmt.Sprint(v))
	}
	if len(f.sequence) == 0 || len(f.sequence) > 32 {
		b.errorf(pos[n+1], "SEM0143", "%s() takes the sequence as a constant array of 1 to 32 states, such as dynamic(['a', 'b'])", name)
		return nil, nil
	}
	window, ok := a.bin(`"$t"`, a.args[bin])
	if !ok {
		return nil, nil
	}
	text := asText(expr{sql: f.state.ref(), typ: f.state.typ}).sql
	f.events = b.emit(`SELECT "$t", "$id", `+window+` AS "$w", `+text+` AS "$s" FROM `+a.from+` WHERE "$t" >= `+a.start+` AND "$t" < `+a.end, false)
	return f, pos[n+2:]
}

// funnelSequence counts the ids that went through a sequence of states, by the
// states before and behind it. A state that repeats itself counts once.
func (b *binder) funnelSequence(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	f, _ := b.funnelArgs(op, r, c, []string{"MaxSequenceStepWindow", "Step"}, 1)
	if f == nil || !f.a.step(0) {
		return nil
	}
	gap := f.a.args[0].sql
	const over = ` OVER (PARTITION BY "$id" ORDER BY "$t")`
	changes := b.emit("SELECT * FROM "+f.events+` QUALIFY lag("$s")`+over+` IS DISTINCT FROM "$s"`, false)
	ahead := func(what string, n int) string {
		if n < 0 {
			return fmt.Sprintf("lag(%s, %d)", what, -n) + over
		}
		if n == 0 {
			return what
		}
		return fmt.Sprintf("lead(%s, %d)", what, n) + over
	}
	n := len(f.sequence)
	cond := "true"
	for i, s := range f.sequence {
		cond += " AND coalesce(" + ahead(`"$s"`, i) + " = " + quoteString(s)
		if i > 0 {
			cond += " AND " + ahead(`"$t"`, i) + " - " + ahead(`"$t"`, i-1) + " <= " + gap
		}
		cond += ", false)"
	}
	near := func(state, later, sooner string) string {
		return "CASE WHEN " + later + " - " + sooner + " <= " + gap + " THEN " + state + " ELSE '' END"
	}
	found := b.emit(`SELECT "$w", "$id", `+near(ahead(`"$s"`, -1), `"$t"`, ahead(`"$t"`, -1))+` AS "$prev", `+
		near(ahead(`"$s"`, n), ahead(`"$t"`, n), ahead(`"$t"`, n-1))+` AS "$next" FROM `+changes+" QUALIFY "+cond, false)
	f.a.dims = nil
	prev, next := measure{"prev", String, `"$prev"`}, measure{"next", String, `"$next"`}
	count := measure{"dcount", Long, `count(DISTINCT "$id")`}
	samples := measure{"samples", Dynamic, `to_json(list_slice(list_sort(list(DISTINCT "$id")), 1, 128))`}
	table := func(by string, list ...measure) *relation {
		return f.a.emit(`"$w"`, "", found+` GROUP BY "$w", `+by+` ORDER BY "$w", count(DISTINCT "$id") DESC, `+by, append(list, count, samples)...)
	}
	return several([]*relation{table(`"$prev", "$next"`, prev, next), table(`"$prev"`, prev), table(`"$next"`, next)})
}

// funnelCompletion counts how far ids come in a sequence of states, for several
// lengths of time.
func (b *binder) funnelCompletion(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	f, rest := b.funnelArgs(op, r, c, []string{"Step"}, 0)
	if f == nil {
		return nil
	}
	var periods []string
	if len(rest) == 1 {
		list, _ := b.scalar(rest[0], &ctx{env: c.env}).lit.([]any)
		for _, v := range list {
			s, _ := v.(string)
			t, err := ParseTimeSpan(s)
			if err != nil || f.a.time.typ != DateTime {
				list = nil
				break
			}
			periods = append(periods, ticksLit(t, TimeSpan).sql)
		}
		if list == nil {
			periods = nil
		}
	}
	if len(periods) == 0 {
		b.errorf(op.Call, "SEM0143", "funnel_sequence_completion() takes the lengths of time as a constant array, such as dynamic([1h, 1d]), behind the sequence")
		return nil
	}
	// A chain goes on to the next of its states that comes; $a is when it began.
	chain := b.emit(`SELECT DISTINCT "$w", "$id", "$t" AS "$a", "$t" FROM `+f.events+` WHERE "$s" = `+quoteString(f.sequence[0]), false)
	s := newSelection()
	s.add(f.a.time.name, expr{sql: `"$w"`, typ: f.a.time.typ})
	s.add(f.state.name, expr{sql: `"$s"`, typ: String})
	s.add("Period", expr{sql: `"$p"`, typ: TimeSpan})
	s.add("dcount", expr{sql: `count(DISTINCT "$id")`, typ: Long})
	arms := ""
	for i, state := range f.sequence {
		if i > 0 {
			chain = b.emit(`SELECT l."$w", l."$id", l."$a", min(r."$t") AS "$t" FROM `+chain+" l JOIN "+f.events+` r ON r."$id" = l."$id" AND r."$s" = `+quoteString(state)+
				` AND r."$t" > l."$t" GROUP BY ALL`, false)
			arms += " UNION ALL "
		}
		arms += `SELECT "$w", "$id", ` + formatInt(int64(i)) + ` AS "$i", ` + quoteString(state) + ` AS "$s", "$t" - "$a" AS "$d" FROM ` + chain
	}
	all := ""
	for i, p := range periods {
		if i > 0 {
			all += ", "
		}
		all += "(" + formatInt(int64(i)) + ", " + p + ")"
	}
	return b.heavy("SELECT "+s.sql()+" FROM ("+arms+") JOIN (VALUES "+all+`) p("$o", "$p") ON "$d" <= "$p" GROUP BY "$w", "$i", "$s", "$o", "$p" ORDER BY "$w", "$o", "$i"`, s.cols)
}
