package kql

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"picket/kql/syntax"
)

// The hidden columns that a union carries.
var (
	ingestionTime = column{id: IngestionTime, typ: DateTime}
	addresses     = []column{{id: Addresses, typ: String}, {id: FirstAddress, typ: Long}, {id: SecondAddress, typ: Long}}
)

// hiddenColumns are those of r that a union carries.
func (r *relation) hiddenColumns() []column {
	var cols []column
	if r.hidden {
		cols = append(cols, ingestionTime)
	}
	if r.addressed {
		cols = append(cols, addresses...)
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
	cols := &addressColumns{c.qual + quoteIdent(Addresses), c.qual + quoteIdent(FirstAddress), c.qual + quoteIdent(SecondAddress)}
	return scalarValue(expr{typ: Dynamic, addresses: cols, sql: cols.array()})
}

// addressColumns are the SQL of the hidden columns with the addresses of a row.
type addressColumns struct{ others, first, second string }

// array is the SQL of all of them, as JSON.
func (c *addressColumns) array() string {
	all := "(" + dotted(c.first) + " || " + dotted(c.second) + " || " + c.others + ")"
	return "(CASE WHEN " + c.others + " = '' AND coalesce(" + c.first + ", 0) = 0 THEN '[]' ELSE '[\"' || replace(trim(" + all + "), ' ', '\",\"') || '\"]' END)::JSON"
}

// dotted is the SQL of an IPv4 address as text, behind a space, of the number n; that of none is ”.
func dotted(n string) string {
	return strings.ReplaceAll("(CASE WHEN $n > 0 THEN concat(' ', $n >> 24, '.', ($n >> 16) & 255, '.', ($n >> 8) & 255, '.', $n & 255) ELSE '' END)", "$n", n)
}

// hasAddress is the SQL of whether the addresses of a row have one, a constant,
// among them, which is asked of the columns themselves: no array has to be made.
func hasAddress(array, element expr) (sql string, ok bool) {
	text, ok := element.lit.(string)
	if !ok || array.addresses == nil || element.typ != String {
		return "", false
	}
	if strings.Contains(text, " ") { // no element has one
		return "false", true
	}
	c := array.addresses
	sql = "contains(" + c.others + ", " + quoteString(" "+text+" ") + ")"
	if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
		four := a.As4()
		if n := binary.BigEndian.Uint32(four[:]); n != 0 {
			sql = fmt.Sprintf("%s = %d OR %s = %d OR %s", c.first, n, c.second, n, sql)
		}
	}
	return "coalesce(" + sql + ", false)", true
}
