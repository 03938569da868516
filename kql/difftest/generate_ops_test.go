package difftest

import (
	"slices"
	"strings"

	"picket/kql"
)

// op writes one operator for a table with these columns.
func (g *generator) op(cols []kql.Column) string {
	g.scope = cols
	switch g.r.IntN(25) {
	case 0, 1, 2, 3, 4, 5, 6:
		return g.simpleOp(cols)
	case 7, 8, 9:
		return g.summarize(cols)
	case 10:
		if k := g.some(keys(cols), 3); k != nil {
			return "distinct " + strings.Join(k, ", ")
		}
	case 11, 12:
		return g.sort("sort by ", cols)
	case 13:
		return g.sort("top "+pick(g, "0", "1", "2", "5", "100")+" by ", cols)
	case 14:
		return pick(g, "count", "take 2", "take 100", "limit 0", "count as n")
	case 15, 16, 17:
		return g.join(cols)
	case 18:
		sub, _ := g.subquery()
		if g.one(2) {
			return "union " + pick(g, "", "kind=inner ", "kind=outer ") + "(" + sub + ")"
		}
		return "union " + g.table()
	case 19, 20:
		return g.mvExpand(cols)
	case 21:
		return g.serial(cols)
	case 22, 23, 24:
		return g.rareOp(cols)
	}
	return ""
}

func (g *generator) sort(word string, cols []kql.Column) string {
	k := g.some(keys(cols), 3)
	if k == nil {
		return ""
	}
	for i := range k {
		k[i] += pick(g, "", " asc", " desc") + pick(g, "", "", " nulls first", " nulls last")
	}
	return word + strings.Join(k, ", ")
}

// serial sorts by all columns, so that the order is certain, and looks at
// other rows.
func (g *generator) serial(cols []kql.Column) string {
	k := keys(cols)
	if len(k) == 0 {
		return ""
	}
	c := cols[g.r.IntN(len(cols))]
	for i := range k {
		k[i] += pick(g, " asc", " desc")
	}
	fn := pick(g, "row_number()", "row_number(0)", "prev("+c.Name+")", "next("+c.Name+")", "prev("+c.Name+", 2)", "next("+c.Name+", 1, "+g.literal(c.Type)+")")
	if l := names(cols, kql.Long, kql.Int); len(l) > 0 && g.one(2) {
		fn = pick(g, "row_cumsum(", "row_rank_dense(", "row_rank_min(") + pick(g, l...) + ")"
	}
	return "sort by " + strings.Join(k, ", ") + " | extend " + g.fresh() + " = " + fn
}

func (g *generator) join(cols []kql.Column) string {
	sub, right := g.subquery()
	var on []string
	for _, k := range g.some(keys(cols), 2) {
		if typeOf(right, k) == typeOf(cols, k) {
			on = append(on, k)
			continue
		}
		if r := g.some(names(right, typeOf(cols, k)), 1); r != nil {
			on = append(on, "$left."+k+" == $right."+r[0])
		}
	}
	if on == nil {
		return ""
	}
	if g.one(5) {
		return "lookup " + pick(g, "", "kind=leftouter ", "kind=inner ") + "(" + sub + ") on " + strings.Join(on, ", ")
	}
	return "join " + pick(g, "", "kind=inner ", "kind=innerunique ", "kind=leftouter ", "kind=rightouter ", "kind=fullouter ", "kind=leftanti ",
		"kind=rightanti ", "kind=leftsemi ", "kind=rightsemi ", "kind=anti ") + "(" + sub + ") on " + strings.Join(on, ", ")
}

func typeOf(cols []kql.Column, name string) kql.Type {
	for _, c := range cols {
		if c.Name == name {
			return c.Type
		}
	}
	return kql.Unknown
}

func (g *generator) mvExpand(cols []kql.Column) string {
	d := g.some(names(cols, kql.Dynamic), 1)
	if d == nil {
		return ""
	}
	item := d[0]
	switch g.r.IntN(4) {
	case 0:
		item = g.fresh() + " = " + g.expr(kql.Dynamic, 2)
	case 1:
		item = g.fresh() + " = " + item
	}
	return "mv-expand " + pick(g, "", "", "kind=array ", "with_itemindex="+g.fresh()+" ") + item + pick(g, "", "", " to typeof(long)", " to typeof(string)", " to typeof(real)") + pick(g, "", "", "", " limit 2")
}

// summarize writes aggregates over groups.
func (g *generator) summarize(cols []kql.Column) string {
	var aggs, by []string
	for range g.r.IntN(4) {
		a := g.aggregate(cols)
		if a != "" && g.one(2) {
			a = g.fresh() + " = " + a
		}
		if a != "" {
			aggs = append(aggs, a)
		}
	}
	for range g.r.IntN(3) {
		switch k := g.some(keys(cols), 1); {
		case k != nil && !g.one(3):
			if !slices.Contains(by, k[0]) { // a column cannot be named twice
				by = append(by, k[0])
			}
		default:
			// No strings: DuckDB takes a group by "," for the separator inside of make_bag.
			by = append(by, g.fresh()+" = "+g.expr(pick(g, kql.Bool, kql.Long, kql.DateTime), 2))
		}
	}
	if len(aggs)+len(by) == 0 {
		return ""
	}
	s := "summarize " + strings.Join(aggs, ", ")
	if by != nil {
		s += " by " + strings.Join(by, ", ")
	}
	return s
}

// aggregate writes a call of an aggregation function over a column.
func (g *generator) aggregate(cols []kql.Column) string {
	cond := g.expr(kql.Bool, 2)
	col := func(types ...kql.Type) string {
		if c := g.some(names(cols, types...), 1); c != nil {
			return c[0]
		}
		return ""
	}
	call := func(arg string, fs ...string) string {
		if arg == "" {
			return "count()"
		}
		f := pick(g, fs...)
		if strings.HasSuffix(f, "if") {
			arg += ", " + cond
		}
		return f + "(" + arg + ")"
	}
	switch g.r.IntN(9) {
	case 0:
		return "countif(" + cond + ")"
	case 1, 2:
		return call(col(kql.Int, kql.Long, kql.Real, kql.Decimal, kql.TimeSpan), "sum", "sumif", "avg", "avgif")
	case 3:
		return call(col(kql.Int, kql.Long, kql.Real, kql.Decimal, kql.TimeSpan, kql.DateTime, kql.String), "min", "max", "minif", "maxif")
	case 4:
		return call(col(kql.Bool, kql.Int, kql.Long, kql.Real, kql.String, kql.DateTime, kql.TimeSpan, kql.Guid), "dcount", "dcountif", "count_distinct")
	case 5:
		return call(col(kql.Int, kql.Long, kql.String, kql.Bool), "make_list", "make_set", "make_list_if", "make_set_if")
	case 6:
		by, out := col(kql.Int, kql.Long, kql.Real, kql.DateTime, kql.TimeSpan), col()
		if by == "" || by == out {
			return "count()"
		}
		return pick(g, "arg_max", "arg_min") + "(" + by + ", " + pick(g, "*", out) + ")"
	case 7:
		return call(col(), "take_any")
	}
	if d := col(kql.Dynamic); d != "" && g.one(2) {
		return "make_bag(" + d + ")"
	}
	if g.one(2) {
		return call(col(kql.Long), "binary_all_and", "binary_all_or", "binary_all_xor")
	}
	return call(col(kql.Int, kql.Long, kql.Real), "stdev", "stdevp", "variance", "variancep")
}
