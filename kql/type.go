// Package kql compiles the Kusto Query Language to SQL for DuckDB: it binds
// names and types over the tree of package syntax and lowers each operator to
// one common table expression. It does not know how SQL is run.
package kql

// Type is a scalar type of KQL.
type Type int

// The scalar types, with the DuckDB type that carries their values.
const (
	Unknown  Type = iota
	Bool          // BOOLEAN
	Int           // INTEGER
	Long          // BIGINT
	Real          // DOUBLE
	Decimal       // DECIMAL(38,16)
	String        // VARCHAR; never NULL: the empty string stands for "no value"
	DateTime      // BIGINT: 100 ns ticks since 0001-01-01T00:00:00Z
	TimeSpan      // BIGINT: 100 ns ticks
	Dynamic       // JSON; NULL for dynamic(null), also where JSON says null
	Guid          // VARCHAR, lower case with hyphens; NULL for guid(null)
)

var typeNames = [...]string{"unknown", "bool", "int", "long", "real", "decimal", "string", "datetime", "timespan", "dynamic", "guid"}

// String returns the type's KQL name: bool, int, long, real, decimal, string,
// datetime, timespan, dynamic or guid.
func (t Type) String() string { return typeNames[t] }

var sqlTypes = [...]string{"VARCHAR", "BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "DECIMAL(38,16)", "VARCHAR", "BIGINT", "BIGINT", "JSON", "VARCHAR"}

// SQL returns the DuckDB type that carries values of type t.
func (t Type) SQL() string { return sqlTypes[t] }

// ParseType returns the type of a KQL type name. It knows the aliases boolean,
// date, time, double, int32, int64, uuid and uniqueid.
func ParseType(name string) (Type, bool) {
	switch name {
	case "boolean":
		return Bool, true
	case "date":
		return DateTime, true
	case "time":
		return TimeSpan, true
	case "double":
		return Real, true
	case "int32":
		return Int, true
	case "int64":
		return Long, true
	case "uuid", "uniqueid":
		return Guid, true
	}
	for i, n := range typeNames {
		if i > 0 && n == name {
			return Type(i), true
		}
	}
	return Unknown, false
}

// Column is a column of a table or of a result.
type Column struct {
	Name string
	Type Type
}

// IngestionTime is the hidden column of every workspace table (DateTime) from
// which ingestion_time() is answered.
const IngestionTime = "$ingestion_time"

// The hidden columns of a table whose [Table.Addressed] is set: the IP addresses and
// networks in the texts of the row, each once. The first two IPv4 addresses are
// numbers, which cost a tenth of a text to store and to search; 0 is none. Addresses has
// the others, as [netip.Addr] writes them, with a space before, between and behind. It is
// "" for a row with none, and NULL for one in which nobody has looked for any. Rows
// of an older Picket have all of theirs there, and NULL for the numbers.
const (
	Addresses     = "$addresses"
	FirstAddress  = "$address_1"
	SecondAddress = "$address_2"
)

// Table is what a [Catalog] knows of a table.
type Table struct {
	Name    string   // as stored; lookup is case-sensitive, as in KQL
	Columns []Column // in order, the hidden ones left out
	Hidden  bool     // whether the table has the IngestionTime column
	Shaped  string   // the string column whose shapes the table has in Shape, or ""

	Addressed bool // whether the table has the columns of addresses
}

// Catalog tells which tables exist.
type Catalog interface {
	// Table returns the table of that name.
	Table(name string) (*Table, bool)
	// Tables returns the names of all tables, sorted; wildcards and
	// "did you mean" use it.
	Tables() []string
}
