package kql

import (
	"strings"

	"picket/kql/syntax"
)

// The hidden columns that a union carries.
var (
	ingestionTime = column{id: IngestionTime, typ: DateTime}
	addresses     = column{id: Addresses, typ: String}
)

// hiddenColumns are those of r that a union carries.
func (r *relation) hiddenColumns() []column {
	var cols []column
	if r.hidden {
		cols = append(cols, ingestionTime)
	}
	if r.addressed {
		cols = append(cols, addresses)
	}
	return cols
}

// rowAddresses binds ip_addresses() without arguments: the addresses in all texts
// of a stored row, as they were found when it was taken in. It is null for rows of
// before Picket looked for them.
func (b *binder) rowAddresses(x *syntax.Call, c *ctx) value {
	if c.src == nil || !c.src.addressed {
		b.report(x.Span(), "SEM0033", "ip_addresses(pack_all()) finds those in the columns at hand",
			"ip_addresses() without arguments can only be asked of the rows of a workspace's table: these are of none, or stand behind an operator that made rows of its own")
		return value{}
	}
	col := c.qual + quoteIdent(Addresses)
	return scalarValue(expr{typ: Dynamic, addresses: col,
		sql: "(CASE WHEN " + col + " = '' THEN '[]' ELSE '[\"' || replace(trim(" + col + "), ' ', '\",\"') || '\"]' END)::JSON"})
}

// hasAddress is the SQL of whether the addresses of a row have one, a constant,
// among them, which is asked of the column itself: no array has to be made.
func hasAddress(array, element expr) (sql string, ok bool) {
	text, ok := element.lit.(string)
	if !ok || array.addresses == "" || element.typ != String {
		return "", false
	}
	if strings.Contains(text, " ") { // no element has one
		return "false", true
	}
	return "coalesce(contains(" + array.addresses + ", " + quoteString(" "+text+" ") + "), false)", true
}
