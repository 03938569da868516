package kql

// DuckDB carries a condition down to the scan through the steps in between and
// on the way puts each column's expression in the column's place. Where a step
// names a column several times, as x = iff(c, f(x), x) does, the expression
// doubles with every step and planning never ends. So each column knows how much
// SQL it stands for, and beyond maxWeight its expression is marked volatile,
// below which DuckDB takes no condition.

// maxWeight is how many bytes of SQL a column may stand for.
const maxWeight = 8000

// weigh returns e as it is to be written, and the weight of a column it makes.
func weigh(e expr, from []column) (sql string, weight int) {
	weight = len(e.sql)
	var heavy map[string]int
	for _, c := range from {
		if c.weight > 0 {
			if heavy == nil {
				heavy = map[string]int{}
			}
			heavy[c.ref()] = c.weight
		}
	}
	if heavy != nil {
		eachIdentifier(e.sql, func(id string) { weight += heavy[id] })
	}
	if weight > maxWeight && heavy != nil {
		return "CASE WHEN random() >= 0 THEN " + e.sql + " END", 0
	}
	return e.sql, weight
}
