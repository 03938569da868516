package kql

import (
	"slices"
	"sort"
	"strings"

	"picket/kql/syntax"
)

// evaluate runs a plugin.
func (b *binder) evaluate(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	if op.Call == nil || op.Call.Func == nil {
		return nil
	}
	switch name := op.Call.Func.Text; name {
	case "bag_unpack":
		return b.bagUnpack(op, r, c)
	case "pivot":
		return b.pivot(op, r, c)
	case "narrow":
		return b.narrow(r)
	case "activity_counts_metrics":
		return b.activityCounts(op, r, c)
	case "ipv4_lookup", "ipv6_lookup":
		return b.ipLookup(op, r, c)
	case "dcount_intersect":
		return b.dcountIntersect(op, r, c)
	case "rows_near":
		return b.rowsNear(op, r, c)
	case "sequence_detect":
		return b.sequenceDetect(op, r, c)
	case "funnel_sequence":
		return b.funnelSequence(op, r, c)
	case "funnel_sequence_completion":
		return b.funnelCompletion(op, r, c)
	case "schema_merge":
		return b.schemaMerge(op, r, c)
	case "preview":
		return b.preview(op, r, c)
	case "sliding_window_counts":
		return b.slidingCounts(op, r, c)
	case "activity_engagement":
		return b.engagement(op, r, c)
	case "active_users_count":
		return b.activeUsers(op, r, c)
	case "session_count":
		return b.sessionCount(op, r, c)
	case "activity_metrics":
		return b.activityMetrics(op, r, c)
	case "new_activity_metrics":
		return b.newActivityMetrics(op, r, c)
	case "autocluster", "basket", "diffpatterns":
		return b.patterns(op, r, c)
	case "rolling_percentile":
		return b.rollingPercentile(op, r, c)
	default:
		b.refusePlugin(op.Call.Func)
	}
	return nil
}

// probe runs a query while another is compiled, for the plugins whose columns
// depend on the data.
func (b *binder) probe(n syntax.Node, sql string) ([]string, bool) {
	if b.opt.Probe == nil || failed(b.diags) {
		return nil, false
	}
	rows, err := b.opt.Probe(b.with(sql) + sql)
	if err != nil {
		b.errorf(n, "SEM0065", "looking at the data to learn the columns: %v", err)
		return nil, false
	}
	return rows, true
}

// bagUnpack makes columns of the properties of a bag. Which ones is told by
// the schema, if there is one, else by the data. Where the data cannot be asked,
// the bag stays at hand and a name that is no column is looked up in it.
func (b *binder) bagUnpack(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	pos, named := pluginArgs(op.Call)
	if len(pos) == 0 {
		b.errorf(op.Call, "SEM0003", "bag_unpack() takes the column to unpack")
		return nil
	}
	name, ok := pos[0].(*syntax.Name)
	if !ok {
		b.errorf(pos[0], "SEM0066", "bag_unpack() takes the name of a column")
		return nil
	}
	bagCol, ok := find(r.cols, name.Text)
	if !ok {
		bagCol, ok = b.looseColumn(name, r.loose, r.cols)
	}
	if !ok {
		b.unresolved(name, c)
		return nil
	}
	prefix := ""
	if p, ok := named["OutputColumnPrefix"]; ok {
		pos = append(append(pos[:1:1], p), pos[1:]...)
	}
	if len(pos) > 1 {
		prefix, _ = b.scalar(pos[1], &ctx{env: c.env}).lit.(string)
	}
	bag := expr{sql: bagCol.ref(), typ: Dynamic}
	if bagCol.typ != Dynamic {
		bag.sql = "TRY_CAST(" + bag.sql + " AS JSON)"
	}
	var rest []column
	for _, col := range r.cols {
		if col.name != bagCol.name {
			rest = append(rest, col)
		}
	}
	if op.HasSchm {
		return b.bagSchema(op, r, bag, rest, prefix)
	}
	ignored, conflict := b.bagOptions(pos, named, c)
	keys, ok := b.probe(op, `SELECT DISTINCT e.key || chr(31) || json_type(e.value) AS k FROM (SELECT unnest(map_entries(from_json(`+bag.sql+
		`, '"MAP(VARCHAR, JSON)"'))) AS e FROM `+r.from+" WHERE json_type("+bag.sql+") = 'OBJECT') ORDER BY 1 LIMIT 5000")
	if !ok {
		out := b.keep(r, rest)
		id := idsOf(r.cols).add("$open")
		out.from = b.emit("SELECT "+refs(rest)+comma(rest)+bag.sql+" AS "+quoteIdent(id)+r.hiddenList()+" FROM "+r.from, r.cheap)
		if out.open = (&openBag{id, prefix}); b.opt.Open {
			out.open, out.loose = nil, &looseTable{}
		}
		return out
	}
	names, types := bagTypes(keys)
	names = slices.DeleteFunc(names, func(k string) bool {
		if ignored[k] {
			return true
		}
		_, clash := find(rest, prefix+k)
		if clash && conflict == "error" {
			b.errorf(op.Call, "SEM0066", "bag_unpack(): there is a column %q already: give a prefix, or 'replace_source' or 'keep_source' for columnsConflict", prefix+k)
		}
		return clash && conflict == "keep_source"
	})
	s := newSelection()
	for _, col := range rest {
		if conflict != "replace_source" || !slices.Contains(names, strings.TrimPrefix(col.name, prefix)) || !strings.HasPrefix(col.name, prefix) {
			s.add(col.name, expr{sql: col.ref(), typ: col.typ})
		}
	}
	for _, k := range names {
		e, _ := convert(b.member(bag, k, op), types[k], false)
		s.add(prefix+k, e)
	}
	return b.selected(r, s)
}

// bagOptions reads the last two arguments of bag_unpack(column[, prefix[, columnsConflict[, ignoredProperties]]]).
// Without the first of them a slot with the name of a column gets a number.
func (b *binder) bagOptions(pos []syntax.Expr, named map[string]syntax.Expr, c *ctx) (ignored map[string]bool, conflict string) {
	option := func(name string, i int) syntax.Expr {
		if x, ok := named[name]; ok || i >= len(pos) {
			return x
		}
		return pos[i]
	}
	if x := option("columnsConflict", 2); x != nil {
		conflict, _ = b.scalar(x, &ctx{env: c.env}).lit.(string)
		if !slices.Contains([]string{"error", "replace_source", "keep_source"}, conflict) {
			b.errorf(x, "SEM0066", "bag_unpack(): columnsConflict is 'error', 'replace_source' or 'keep_source'")
		}
	}
	ignored = map[string]bool{}
	if x := option("ignoredProperties", 3); x != nil {
		list, _ := b.scalar(x, &ctx{env: c.env}).lit.([]any)
		for _, v := range list {
			if s, ok := v.(string); ok {
				ignored[s] = true
			}
		}
	}
	return ignored, conflict
}

func comma(cols []column) string {
	if len(cols) > 0 {
		return ", "
	}
	return ""
}

// selected emits exactly the columns of s, and the hidden ones.
func (b *binder) selected(r *relation, s *selection) *relation {
	if len(s.list) == 0 {
		return b.keep(r, nil)
	}
	return b.step(r, "SELECT "+s.sql()+r.hiddenList()+" FROM "+r.from, s.cols)
}

// openBag is a bag whose properties answer to names that are no columns.
type openBag struct{ id, prefix string }

// bagSchema unpacks the properties a schema names.
func (b *binder) bagSchema(op *syntax.EvaluateOp, r *relation, bag expr, rest []column, prefix string) *relation {
	s := newSelection()
	declared := map[string]bool{}
	for _, t := range op.Schema {
		declared[t.Name.Text] = true
	}
	if op.AnyCols {
		for _, col := range rest {
			if !declared[col.name] {
				s.add(col.name, expr{sql: col.ref(), typ: col.typ})
			}
		}
	}
	for _, t := range op.Schema {
		typ := b.typeName(t.Type)
		if col, ok := find(rest, t.Name.Text); ok {
			s.add(col.name, expr{sql: col.ref(), typ: col.typ})
			continue
		}
		e, _ := convert(b.member(bag, strings.TrimPrefix(t.Name.Text, prefix), t), typ, false)
		s.add(t.Name.Text, e)
	}
	return b.selected(r, s)
}

// bagTypes sorts out the keys and JSON types a probe has found.
func bagTypes(rows []string) ([]string, map[string]Type) {
	types := map[string]Type{}
	var names []string
	for _, row := range rows {
		k, t, _ := strings.Cut(row, "\x1f")
		typ := Dynamic
		switch t {
		case "BIGINT", "UBIGINT":
			typ = Long
		case "DOUBLE":
			typ = Real
		case "VARCHAR":
			typ = String
		case "BOOLEAN":
			typ = Bool
		case "NULL":
			typ = Unknown
		}
		old, seen := types[k]
		switch {
		case !seen:
			names = append(names, k)
			types[k] = typ
		case typ == Unknown || typ == old:
		case old == Unknown:
			types[k] = typ
		case numeric(old) && numeric(typ):
			types[k] = Real
		default:
			types[k] = Dynamic
		}
	}
	for k, t := range types {
		if t == Unknown {
			types[k] = Dynamic
		}
	}
	sort.Strings(names)
	return names, types
}

// pivot turns the values of a column into columns.
func (b *binder) pivot(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	pos, _ := pluginArgs(op.Call)
	if len(pos) == 0 {
		b.errorf(op.Call, "SEM0003", "pivot() takes the column to turn")
		return nil
	}
	key := asText(b.scalar(pos[0], c))
	agg, drop := expr{sql: "count(*)", typ: Long}, map[string]bool{resultName(pos[0]): true}
	groups := pos[1:]
	if len(groups) > 0 {
		if call, ok := groups[0].(*syntax.Call); ok {
			agg = b.scalar(call, &ctx{env: c.env, cols: c.cols, src: c.src, loose: c.loose, aggs: true})
			for _, n := range namesIn(call, nil) {
				drop[n] = true
			}
			groups = groups[1:]
		}
	}
	s := newSelection()
	for _, x := range groups {
		b.projected(s, x, c)
	}
	if len(groups) == 0 {
		for _, col := range r.cols {
			if !drop[col.name] {
				s.add(col.name, expr{sql: col.ref(), typ: col.typ})
			}
		}
	}
	list := ""
	for _, k := range s.list {
		list += k + ", "
	}
	cells := b.emit("SELECT "+list+key.sql+` AS "$p", `+agg.sql+` AS "$a" FROM `+r.from+" GROUP BY ALL", false)
	out := newSelection()
	for _, col := range s.cols {
		out.add(col.name, expr{sql: col.ref(), typ: col.typ})
	}
	if op.HasSchm {
		declared := newSelection()
		for _, t := range op.Schema {
			if col, ok := find(s.cols, t.Name.Text); ok {
				declared.add(col.name, expr{sql: col.ref(), typ: col.typ})
			} else {
				e := pivotCell(agg, t.Name.Text)
				e.typ = b.typeName(t.Type)
				declared.add(t.Name.Text, e)
			}
		}
		return b.pivoted(declared, s.cols, cells, "")
	}
	values, ok := b.probe(op, `SELECT DISTINCT "$p" FROM `+cells+" ORDER BY 1 LIMIT 1000")
	if !ok {
		if failed(b.diags) {
			return nil
		}
		// As with bag_unpack: the cells stay at hand, and a name that is no column
		// is looked up in them.
		id := idsOf(out.cols).add("$open")
		r := b.pivoted(out, s.cols, cells, `, json_group_object("$p", `+toDynamic(expr{sql: `"$a"`, typ: agg.typ}).sql+`) AS `+quoteIdent(id))
		if r.open = (&openBag{id: id}); b.opt.Open {
			r.open, r.loose = nil, &looseTable{}
		}
		return r
	}
	for _, v := range values {
		out.add(v, pivotCell(agg, v))
	}
	return b.pivoted(out, s.cols, cells, "")
}

func (b *binder) pivoted(out *selection, keys []column, cells, more string) *relation {
	if len(out.list) == 0 {
		if more == "" {
			return b.empty(nil)
		}
		more = `NULL AS "$none"` + more
	}
	sql := "SELECT " + out.sql() + more + " FROM " + cells
	if len(keys) > 0 {
		sql += " GROUP BY " + refs(keys)
	}
	return b.heavy(sql, out.cols)
}

// pivotCell is the aggregate of the cell under value v; counts and sums of
// nothing are 0.
func pivotCell(agg expr, v string) expr {
	sql := `any_value("$a") FILTER (WHERE "$p" = ` + quoteString(v) + ")"
	switch {
	case agg.typ == String:
		sql = "coalesce(" + sql + ", '')"
	case strings.HasPrefix(agg.sql, "count"), strings.HasPrefix(agg.sql, "coalesce(") && strings.Contains(agg.sql, "sum("):
		sql = "coalesce(" + sql + ", 0)"
	}
	return expr{sql: sql, typ: agg.typ}
}

// ipLookup joins addresses with a table of networks.
func (b *binder) ipLookup(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	pos, named := pluginArgs(op.Call)
	if len(pos) < 3 {
		b.errorf(op.Call, "SEM0003", "%s() takes (Table, AddressColumn, NetworkColumn)", op.Call.Func.Text)
		return nil
	}
	nets := b.tabular(pos[0], c.env)
	if nets == nil {
		return nil
	}
	addr := b.scalar(pos[1], &ctx{env: c.env, cols: r.cols, qual: "l.", loose: r.loose})
	net := b.scalar(pos[2], &ctx{env: c.env, cols: nets.cols, qual: "r.", loose: nets.loose})
	f, ok := lookupScalar(strings.TrimSuffix(op.Call.Func.Text, "_lookup") + "_is_in_range")
	if !ok {
		f, ok = lookupScalar(strings.TrimSuffix(op.Call.Func.Text, "_lookup") + "_is_match")
	}
	if !ok {
		b.errorf(op.Call.Func, "SEM0064", "the plugin %s is not supported", op.Call.Func.Text)
		return nil
	}
	cond, err := f.apply([]expr{asText(addr), asText(net)}, b.opt.Now)
	if err != nil {
		b.report(op.Call.Span(), "SEM0003", "", err.Error())
		return nil
	}
	kind := joinKinds["inner"]
	if x, ok := named["return_unmatched"]; ok {
		if v, _ := b.scalar(literalWord(x), &ctx{env: c.env}).lit.(bool); v {
			kind = joinKinds["leftouter"]
		}
	}
	return b.joinColumns(&syntax.JoinOp{}, kind, r, nets, nil, cond.sql)
}
