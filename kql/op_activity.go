package kql

import (
	"fmt"
	"strings"

	"picket/kql/syntax"
)

// activity is what the plugins on activity over time have in common: who ($id)
// did something when ($t), and by what columns the answer is sliced.
type activity struct {
	b    *binder
	call *syntax.Call
	time column // the timeline, under its name
	dims []column
	from string // CTE with $t, $id and the dimensions
	// ends of the time that is looked at, as SQL
	start, end string
	args       []expr // the constants between End and the dimensions
}

// activityArgs binds (Id, Timeline, Start, End, consts…, Dimension…). With optional,
// Start and End may be left out: they are then those of the rows.
func (b *binder) activityArgs(op *syntax.EvaluateOp, r *relation, c *ctx, optional bool, consts ...string) (*activity, []syntax.Expr) {
	pos, _ := pluginArgs(op.Call)
	name := op.Call.Func.Text
	given := 0 // constants that follow the two columns
	for _, x := range pos[min(2, len(pos)):] {
		if n, ok := x.(*syntax.Name); ok {
			if _, ok := find(r.cols, n.Text); ok {
				break
			}
		}
		given++
	}
	ends := 2
	if optional && given < 2+len(consts) {
		ends = 0
	}
	if given < ends+len(consts) {
		b.errorf(op.Call, "SEM0003", "%s() takes (Id, Timeline, Start, End, %s [, Dimension …])", name, strings.Join(consts, ", "))
		return nil, nil
	}
	id, at := b.scalar(pos[0], c), b.scalar(pos[1], c)
	switch at.typ {
	case DateTime, TimeSpan, Int, Long:
	case Unknown:
		return nil, nil
	default:
		b.errorf(pos[1], "SEM0142", "the timeline of %s() is a datetime or an integer, not %s", name, at.typ)
		return nil, nil
	}
	k := &ctx{env: c.env}
	a := &activity{b: b, call: op.Call}
	for i, x := range pos[2 : 2+ends+len(consts)] {
		e := b.scalar(x, k)
		if i < ends && e.typ != at.typ && !(numeric(e.typ) && numeric(at.typ)) && e.typ != Unknown {
			b.errorf(x, "SEM0142", "the ends of the time that %s() looks at are %s like the timeline, not %s", name, at.typ, e.typ)
			return nil, nil
		}
		a.args = append(a.args, e)
	}
	rest := pos[2+ends+len(consts):]
	a.time = column{name: resultName(pos[1]), typ: at.typ}
	if a.time.name == "" {
		a.time.name = "Timeline"
	}
	rest = a.rows(r, at, id, rest)
	a.start, a.end = `(SELECT min("$t") FROM `+a.from+")", `(SELECT max("$t") FROM `+a.from+")"
	if ends > 0 {
		a.start, a.end, a.args = a.args[0].sql, a.args[1].sql, a.args[2:]
	}
	return a, rest
}

// activityOf is activityArgs where nothing follows the dimensions.
func (b *binder) activityOf(op *syntax.EvaluateOp, r *relation, c *ctx, optional bool, consts ...string) *activity {
	a, rest := b.activityArgs(op, r, c, optional, consts...)
	if len(rest) == 0 {
		return a
	}
	b.notDimension(rest[0], c)
	return nil
}

// notDimension reports an argument where the name of a column is needed.
func (b *binder) notDimension(x syntax.Expr, c *ctx) {
	if n, ok := x.(*syntax.Name); ok {
		b.unresolved(n, c)
		return
	}
	b.errorf(x, "SEM0142", "a dimension is the name of a column: compute it with extend before")
}

// rows emits the rows with what is asked of them. The columns that list begins
// with are the dimensions; the rest of it is returned.
func (a *activity) rows(r *relation, at, id expr, list []syntax.Expr) []syntax.Expr {
	sql := at.sql + ` AS "$t", ` + id.sql + ` AS "$id"`
	for ; len(list) > 0; list = list[1:] {
		n, ok := list[0].(*syntax.Name)
		if !ok {
			break
		}
		col, ok := find(r.cols, n.Text)
		if !ok {
			break
		}
		d := column{name: n.Text, typ: col.typ, id: fmt.Sprintf("d%d", len(a.dims))}
		a.dims = append(a.dims, d)
		sql += ", " + col.ref() + " AS " + d.ref()
	}
	a.from = a.b.emit("SELECT "+sql+" FROM "+r.from, false)
	return list
}

// step checks that argument i is a length of time.
func (a *activity) step(i int) bool {
	e := a.args[i]
	if e.typ == TimeSpan && (a.time.typ == DateTime || a.time.typ == TimeSpan) || (e.typ == Int || e.typ == Long) && (a.time.typ == Int || a.time.typ == Long) {
		return true
	}
	if e.typ != Unknown {
		a.b.errorf(a.call, "SEM0142", "%s() needs a length of time as a constant, such as 1d, and this is %s", a.call.Func.Text, e.typ)
	}
	return false
}

// bin is the SQL of the window that t lies in: windows of length step count from
// the start; "week", "month" and "year" are those of the calendar.
func (a *activity) bin(t string, step expr) (string, bool) {
	if word, ok := step.lit.(string); ok && a.time.typ == DateTime {
		f, ok := lookupScalar("startof" + strings.ToLower(word))
		if ok {
			if e, err := f.apply([]expr{{sql: t, typ: DateTime}}, a.b.opt.Now); err == nil {
				return e.sql, true
			}
		}
	}
	for i, e := range a.args {
		if e.sql == step.sql && !a.step(i) {
			return "", false
		}
	}
	// % takes the sign of its left side, and t may lie before the start.
	return fmt.Sprintf("(%s - (((%s - %s) %% %s) + %[4]s) %% %[4]s)", t, t, a.start, step.sql), true
}

// refs names the dimensions behind a comma, each after prefix.
func (a *activity) refs(prefix string) string {
	s := ""
	for _, d := range a.dims {
		s += ", " + prefix + d.ref()
	}
	return s
}

// same is the condition that two rows agree in all dimensions.
func (a *activity) same(l, r string) string {
	s := ""
	for _, d := range a.dims {
		s += " AND " + l + "." + d.ref() + " IS NOT DISTINCT FROM " + r + "." + d.ref()
	}
	return s
}

// measure is a column of the answer.
type measure struct {
	name string
	typ  Type
	sql  string
}

// emit selects the window w, the dimensions after prefix, and the measures.
func (a *activity) emit(w, prefix, from string, list ...measure) *relation {
	s := newSelection()
	s.add(a.time.name, expr{sql: w, typ: a.time.typ})
	for _, d := range a.dims {
		s.add(d.name, expr{sql: prefix + d.ref(), typ: d.typ})
	}
	for _, m := range list {
		s.add(m.name, expr{sql: m.sql, typ: m.typ})
	}
	return a.b.heavy("SELECT "+s.sql()+" FROM "+from, s.cols)
}

// slidingCounts counts, for each window, the rows and the ids in the time that
// ends with it.
func (b *binder) slidingCounts(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	a := b.activityOf(op, r, c, false, "LookbackWindow", "Bin")
	if a == nil {
		return nil
	}
	from, ok := a.spread(a.args[1], a.args[0])
	if !ok {
		return nil
	}
	return a.emit(`"$w"`, "", from+` GROUP BY "$w"`+a.refs("")+` ORDER BY "$w"`+a.refs(""),
		measure{"Count", Long, "count(*)"}, measure{"Dcount", Long, `count(DISTINCT "$id")`})
}

// spread emits each row once for every window of length step in whose lookback
// it lies; $k counts these windows.
func (a *activity) spread(step, lookback expr) (string, bool) {
	bin, ok := a.bin(`"$t"`, step)
	if !ok {
		return "", false
	}
	if _, calendar := step.lit.(string); calendar {
		a.b.errorf(a.call, "SEM0142", "%s() with windows of the calendar is not supported: give the window as a length, such as 7d", a.call.Func.Text)
		return "", false
	}
	return a.b.emit(`SELECT *, "$bin" + "$k" * `+step.sql+` AS "$w" FROM (SELECT *, `+bin+` AS "$bin" FROM `+a.from+`) , (SELECT range AS "$k" FROM range((`+
		lookback.sql+" + "+step.sql+" - 1) // "+step.sql+`)) WHERE "$w" >= `+a.start+` AND "$w" <= `+a.end+` AND "$t" <= `+a.end, false), true
}

// engagement compares the ids of an inner window with those of an outer one.
func (b *binder) engagement(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	a := b.activityOf(op, r, c, true, "InnerActivityWindow", "OuterActivityWindow")
	if a == nil {
		return nil
	}
	from, ok := a.spread(a.args[0], a.args[1])
	if !ok {
		return nil
	}
	inner, outer := `count(DISTINCT "$id") FILTER (WHERE "$k" = 0)`, `count(DISTINCT "$id")`
	return a.emit(`"$w"`, "", from+` GROUP BY "$w"`+a.refs("")+` ORDER BY "$w"`+a.refs(""),
		measure{"dcount_activities_inner", Long, inner}, measure{"dcount_activities_outer", Long, outer}, measure{"activity_ratio", Real, inner + "::DOUBLE / " + outer})
}

// activeUsers counts the ids that were there in so many periods of the time
// before one of their appearances.
func (b *binder) activeUsers(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	a := b.activityOf(op, r, c, false, "LookbackWindow", "Period", "ActivePeriodsCount", "Bin")
	if a == nil || !a.step(0) {
		return nil
	}
	period, ok1 := a.bin(`"$t"`, a.args[1])
	bin, ok2 := a.bin(`"$t"`, a.args[3])
	if !ok1 || !ok2 {
		return nil
	}
	seen := b.emit("SELECT *, "+bin+` AS "$w", count(DISTINCT `+period+`) OVER (PARTITION BY "$id"`+a.refs("")+` ORDER BY "$t" RANGE BETWEEN `+a.args[0].sql+" - 1 PRECEDING AND CURRENT ROW) AS \"$n\" FROM "+
		a.from+` WHERE "$t" IS NOT NULL`, false)
	return a.emit(`"$w"`, "", seen+` WHERE "$n" >= `+a.args[2].sql+` AND "$t" >= `+a.start+` AND "$t" <= `+a.end+` GROUP BY "$w"`+a.refs("")+` ORDER BY "$w"`+a.refs(""),
		measure{"dcount", Long, `count(DISTINCT "$id")`})
}

// sessionCount counts the sessions with activity in each window; a session is new
// when its id was not there for the time given.
func (b *binder) sessionCount(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	a := b.activityOf(op, r, c, false, "Bin", "LookBackWindow")
	if a == nil || !a.step(1) {
		return nil
	}
	bin, ok := a.bin(`"$t"`, a.args[0])
	if !ok {
		return nil
	}
	over := `OVER (PARTITION BY "$id"` + a.refs("") + ` ORDER BY "$t")`
	marked := b.emit(`SELECT *, ("$t" - lag("$t") `+over+" <= "+a.args[1].sql+`) AS "$old" FROM `+a.from+` WHERE "$t" >= `+a.start+` AND "$t" <= `+a.end, false)
	sessions := b.emit("SELECT *, "+bin+` AS "$w", count(*) FILTER (WHERE NOT coalesce("$old", false)) `+over+` AS "$s" FROM `+marked, false)
	return a.emit(`"$w"`, "", sessions+` GROUP BY "$w"`+a.refs("")+` ORDER BY "$w"`+a.refs(""), measure{"count_sessions", Long, `count(DISTINCT ("$id", "$s"))`})
}
