package kql

import (
	"strings"

	"picket/kql/syntax"
)

// activityMetrics compares the ids of each window with those of the one before.
func (b *binder) activityMetrics(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	a := b.activityOf(op, r, c, true, "Window")
	if a == nil {
		return nil
	}
	bin, ok1 := a.bin(`"$t"`, a.args[0])
	before, ok2 := a.bin(`(c."$w" - 1)`, a.args[0])
	if !ok1 || !ok2 {
		return nil
	}
	ids := a.windows(bin)
	same := a.same("c", "p")
	sizes := b.emit(`SELECT "$w"`+a.refs("")+`, count(*) AS "$n" FROM `+ids+` GROUP BY "$w"`+a.refs(""), false)
	counts := b.emit(`SELECT c."$w"`+a.refs("c.")+`, count(*) AS "$n", count(*) FILTER (WHERE p."$w" IS NULL) AS "$new" FROM `+ids+" c LEFT JOIN "+ids+
		` p ON p."$id" IS NOT DISTINCT FROM c."$id" AND p."$w" = `+before+same+` GROUP BY c."$w"`+a.refs("c."), false)
	rate := `coalesce((c."$n" - c."$new")::DOUBLE / p."$n", 'nan'::DOUBLE)`
	return a.emit(`c."$w"`, "c.", counts+" c LEFT JOIN "+sizes+` p ON p."$w" = `+before+same+` ORDER BY c."$w"`+a.refs("c."),
		measure{"dcount_values", Long, `c."$n"`}, measure{"dcount_newvalues", Long, `c."$new"`}, measure{"retention_rate", Real, rate}, measure{"churn_rate", Real, "1 - " + rate})
}

// windows emits which ids were there in which window ($w).
func (a *activity) windows(bin string) string {
	return a.b.emit("SELECT DISTINCT "+bin+` AS "$w", "$id"`+a.refs("")+" FROM "+a.from+` WHERE "$t" >= `+a.start+` AND "$t" <= `+a.end, false)
}

// newActivityMetrics follows the ids that are new in a window through the later
// ones.
func (b *binder) newActivityMetrics(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	a, rest := b.activityArgs(op, r, c, false, "Window")
	if a == nil {
		return nil
	}
	// What follows: [Cohort] [dimensions …] [Lookback].
	cohort := ""
	if len(rest) > 0 && len(a.dims) == 0 && !b.isTabular(rest[0], c.env) {
		e := b.scalar(rest[0], &ctx{env: c.env})
		if e.typ != a.time.typ && !(numeric(e.typ) && numeric(a.time.typ)) {
			b.errorf(rest[0], "SEM0142", "the cohort of new_activity_metrics() is %s like the timeline, not %s", a.time.typ, e.typ)
			return nil
		}
		cohort = e.sql
		call := *op.Call
		pos, _ := pluginArgs(op.Call)
		call.Args = append(append([]syntax.Expr(nil), pos[:5]...), pos[6:]...)
		if a, rest = b.activityArgs(&syntax.EvaluateOp{Call: &call}, r, c, false, "Window"); a == nil {
			return nil
		}
	}
	if len(rest) > 1 || len(rest) == 1 && !b.isTabular(rest[0], c.env) {
		b.notDimension(rest[0], c)
		return nil
	}
	bin, ok1 := a.bin(`"$t"`, a.args[0])
	head, ok2 := a.bin("range", a.args[0])
	if !ok1 || !ok2 {
		return nil
	}
	ids := a.windows(bin)
	if len(rest) > 0 {
		known, ok := b.lookbackIDs(op, rest[0], c.env)
		if !ok {
			return nil
		}
		ids = b.emit("SELECT i.* FROM "+ids+` i WHERE NOT EXISTS (SELECT 1 FROM `+known+` k WHERE k."$id" IS NOT DISTINCT FROM i."$id")`, false)
	}
	step := a.args[0].sql
	if _, calendar := a.args[0].lit.(string); calendar {
		step = formatInt(ticksPerDay)
	}
	first := b.emit(`SELECT *, min("$w") OVER (PARTITION BY "$id"`+a.refs("")+`) AS "$f" FROM `+ids, false)
	heads := b.emit("SELECT DISTINCT "+head+` AS "$to" FROM range(`+a.start+", "+a.end+" + 1, "+step+")", false)
	only := ""
	if cohort != "" {
		only, _ = a.bin("("+cohort+")", a.args[0])
		only = ` AND "$w" = ` + only
	}
	cohorts := b.emit(`SELECT "$f"`+a.refs("")+`, count(*) AS "$n" FROM `+first+` WHERE "$w" = "$f"`+only+` GROUP BY "$f"`+a.refs(""), false)
	pairs := b.emit(`SELECT c."$f", h."$to"`+a.refs("c.")+`, any_value(c."$n") AS "$n", count(i."$id") FILTER (WHERE i."$f" > c."$f" OR i."$f" = c."$f" AND h."$to" = c."$f") AS "$new", `+
		`count(*) FILTER (WHERE i."$f" = c."$f") AS "$kept" FROM `+cohorts+" c JOIN "+heads+` h ON h."$to" >= c."$f" LEFT JOIN `+first+` i ON i."$w" = h."$to"`+a.same("i", "c")+
		` GROUP BY c."$f", h."$to"`+a.refs("c."), false)
	name := a.time.name
	a.time.name = "from_" + name
	list := []measure{{"dcount_new_values", Long, `"$new"`}, {"dcount_retained_values", Long, `"$kept"`}, {"dcount_churn_values", Long, `"$n" - "$kept"`},
		{"retention_rate", Real, `"$kept"::DOUBLE / "$n"`}, {"churn_rate", Real, `("$n" - "$kept")::DOUBLE / "$n"`}}
	a.dims = append([]column{{name: "to_" + name, typ: a.time.typ, id: "$to"}}, a.dims...)
	return a.emit(`"$f"`, "", pairs+` ORDER BY "$f"`+a.refs(""), list...)
}

// isTabular reports whether x is plainly a table.
func (b *binder) isTabular(x syntax.Expr, env *env) bool {
	switch x := x.(type) {
	case *syntax.Paren:
		return b.isTabular(x.X, env)
	case *syntax.Pipe, *syntax.DataTable:
		return true
	case *syntax.Name:
		if v, ok := env.lookup(x.Text); ok {
			return v.rel != nil
		}
		_, ok := b.cat.Table(x.Text)
		return ok
	}
	return false
}

// lookbackIDs emits the ids of the table x: its column of the same name, or its
// first.
func (b *binder) lookbackIDs(op *syntax.EvaluateOp, x syntax.Expr, env *env) (string, bool) {
	r := b.tabular(x, env)
	if r == nil {
		return "", false
	}
	col, ok := find(r.cols, resultName(op.Call.Args[0]))
	if !ok && len(r.cols) > 0 {
		col, ok = r.cols[0], true
	}
	if !ok {
		b.errorf(x, "SEM0142", "the table of earlier ids has no column")
		return "", false
	}
	return b.emit("SELECT "+col.ref()+` AS "$id" FROM `+r.from, false), true
}

// activityCounts counts, for every window of time, the rows and the ids in it,
// the ids that are new, and all ids so far.
func (b *binder) activityCounts(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	pos, _ := pluginArgs(op.Call)
	if len(pos) < 5 {
		b.errorf(op.Call, "SEM0003", "activity_counts_metrics() takes (Id, Timeline, Start, End, Window [, Dimension …])")
		return nil
	}
	id, at := b.scalar(pos[0], c), b.scalar(pos[1], c)
	k := &ctx{env: c.env}
	start, end, step := b.scalar(pos[2], k), b.scalar(pos[3], k), b.scalar(pos[4], k)
	s := newSelection()
	s.add(resultName(pos[1]), expr{sql: start.sql + " + (" + at.sql + " - " + start.sql + ") // " + step.sql + " * " + step.sql, typ: at.typ})
	dims := ""
	for _, x := range pos[5:] {
		b.projected(s, x, c)
	}
	for _, col := range s.cols[1:] {
		dims += ", " + col.ref()
	}
	base := b.emit("SELECT "+s.sql()+", "+id.sql+` AS "$id" FROM `+r.from+" WHERE "+at.sql+" >= "+start.sql+" AND "+at.sql+" <= "+end.sql, false)
	t := s.cols[0].ref()
	marked := b.emit("SELECT *, min("+t+`) OVER (PARTITION BY "$id"`+dims+`) AS "$first" FROM `+base, false)
	part := ""
	if dims != "" {
		part = "PARTITION BY " + dims[2:] + " "
	}
	out := append([]column(nil), s.cols...)
	u := idsOf(out)
	var sums []string
	for i, name := range []string{"count", "dcount", "new_dcount", "aggregated_dcount"} {
		col := column{name: name, typ: Long, id: u.add(name)}
		out = append(out, col)
		sums = append(sums, []string{"count(*)", `count(DISTINCT "$id")`, `count(DISTINCT "$id") FILTER (WHERE "$first" = ` + t + ")",
			`(sum(count(DISTINCT "$id") FILTER (WHERE "$first" = ` + t + ")) OVER (" + part + "ORDER BY " + t + "))::BIGINT"}[i]+" AS "+col.ref())
	}
	return b.heavy("SELECT "+t+dims+", "+strings.Join(sums, ", ")+" FROM "+marked+" GROUP BY "+t+dims+" ORDER BY "+t, out)
}
