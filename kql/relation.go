package kql

import (
	"fmt"
	"strings"
)

// column is a column of a relation while it is bound.
type column struct {
	name string // KQL name, case-sensitive
	typ  Type
	id   string // SQL identifier, unique in its relation without regard to case
	// bound is what the absolute value of a long cannot exceed, 0 when unknown.
	bound int64
	// bytes is how long a text or a dynamic value may be, 0 when as in a table.
	bytes int64
	// weight is how much SQL it stands for since the last table or aggregate, see
	// weigh.
	weight int
	shaped bool   // the Shape column is of this text
	scaled bool   // it is divided by 10^16, see keepsScale
	also   string // another name it answers to where no column has that one, or ""
}

// ref is the SQL that names the column.
func (c column) ref() string { return quoteIdent(c.id) }

// relation is a bound tabular expression: something that can stand behind FROM.
type relation struct {
	from   string   // quoted table name or the name of a CTE
	cols   []column // the visible ones
	hidden bool     // it carries the IngestionTime column
	shaped bool     // it carries the Shape column
	// addressed says that it carries the columns of addresses.
	addressed bool
	// splits says that filters may treat rows with and without a shape apart: only
	// row-wise work lies between it and a stored table, and its rows have no order.
	splits bool
	// arms, when set, are two relations of which this one is the union: the rows
	// with a shape, and those without.
	arms  *[2]string
	cheap bool   // only row-wise work lies between it and stored tables
	table string // the stored table's name, or the one given by "as", else ""
	// graph, when set, is what the relation is instead of a table.
	graph *graph
	// more are further tables that the operator yields besides this one.
	more []*relation
	// part, when set, is a hidden column that splits the rows: an operator over
	// them works on each part by itself (mv-apply, partition).
	part *column
	// open, when set, is a hidden bag in which names that are no columns are
	// looked up: what bag_unpack gives when it cannot ask the data.
	open *openBag
	// loose, when set, takes names that are no columns: see Options.Open.
	loose *looseTable
}

// find returns the column of that name.
func find(cols []column, name string) (column, bool) {
	for _, c := range cols {
		if c.name == name {
			return c, true
		}
	}
	for _, c := range cols {
		if c.also == name && name != "" {
			return c, true
		}
	}
	return column{}, false
}

// defenderTables begin the names of the tables that Microsoft Defender XDR
// streams to a workspace. Its own queries call their TimeGenerated Timestamp.
var defenderTables = [...]string{"Device", "Email", "Identity", "CloudAppEvents", "CloudAuditEvents", "CloudProcessEvents", "CloudStorageAggregatedEvents",
	"AlertInfo", "AlertEvidence", "UrlClickEvents", "BehaviorInfo", "BehaviorEntities", "OAuthAppInfo", "Message", "FileMaliciousContentInfo", "CampaignInfo"}

// answerTimestamp makes TimeGenerated answer to Timestamp in Defender's tables.
func answerTimestamp(table string, cols []column) {
	for _, p := range defenderTables {
		if strings.HasPrefix(table, p) {
			for i := range cols {
				if cols[i].name == "TimeGenerated" && cols[i].typ == DateTime {
					cols[i].also = "Timestamp"
				}
			}
			return
		}
	}
}

// with returns the relation that a row-wise operator makes of r: same hidden
// column, same cost.
func (r *relation) with(from string, cols []column) *relation {
	return &relation{from: from, cols: cols, hidden: r.hidden, shaped: r.shaped, addressed: r.addressed, cheap: r.cheap, part: r.part, open: r.open, loose: r.loose}
}

// ids hands out SQL identifiers that differ even without regard to case, since
// DuckDB's do not tell X from x and KQL's do.
type ids map[string]bool

func (u ids) add(name string) string {
	id := name
	for n := 1; u[strings.ToLower(id)]; n++ {
		id = fmt.Sprintf("%s$%d", name, n)
	}
	u[strings.ToLower(id)] = true
	return id
}

func idsOf(cols []column) ids {
	u := ids{}
	for _, c := range cols {
		u[strings.ToLower(c.id)] = true
	}
	return u
}

// newColumns gives each column an identifier of its own.
func newColumns(cols ...Column) []column {
	u := ids{}
	out := make([]column, len(cols))
	for i, c := range cols {
		out[i] = column{name: c.Name, typ: c.Type, id: u.add(c.Name)}
	}
	return out
}

// uniqueName returns name, or name followed by the first number that is free.
func uniqueName(name string, taken func(string) bool) string {
	if !taken(name) {
		return name
	}
	for n := 1; ; n++ {
		if s := fmt.Sprintf("%s%d", name, n); !taken(s) {
			return s
		}
	}
}

// hiddenList names the hidden columns of r, to be put behind a SELECT list that
// does not use *.
func (r *relation) hiddenList() string {
	s := r.partList()
	if r.hidden {
		s += ", " + quoteIdent(IngestionTime)
	}
	if r.shaped {
		s += ", " + quoteIdent(Shape)
	}
	if r.addressed {
		for _, c := range addresses {
			s += ", " + c.ref()
		}
	}
	if r.open != nil {
		s += ", " + quoteIdent(r.open.id)
	}
	return s
}

// partList names the hidden column that splits the rows, if there is one.
func (r *relation) partList() string {
	if r.part != nil {
		return ", " + r.part.ref()
	}
	return ""
}

// over is the window that an operator working part by part needs, with order
// (an ORDER BY clause or "").
func (r *relation) over(order string) string {
	if r.part != nil {
		order = "PARTITION BY " + r.part.ref() + " " + order
	}
	return "OVER (" + order + ")"
}

// refs joins the columns as a SELECT list.
func refs(cols []column) string {
	var b strings.Builder
	for i, c := range cols {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(c.ref())
	}
	return b.String()
}

// Identifiers returns the SQL identifiers under which a stored table holds its
// columns, in their order: the names, but where two differ only by case the
// later one has a suffix, since DuckDB does not tell X from x.
func Identifiers(columns []Column) []string {
	ids := make([]string, len(columns))
	for i, c := range newColumns(columns...) {
		ids[i] = c.id
	}
	return ids
}
