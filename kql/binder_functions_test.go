package kql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// typedTable has a column of every type.
var typedTable = &Table{Name: "T", Columns: []Column{
	{"b", Bool}, {"i", Int}, {"l", Long}, {"r", Real}, {"d", Decimal}, {"s", String}, {"t", DateTime}, {"ts", TimeSpan}, {"dy", Dynamic}, {"g", Guid},
}}

// columnsOfKind are the columns of typedTable that a parameter may take, by
// Microsoft's ParameterTypeKind.
func columnsOfKind(p kustoParameter) []string {
	var out []string
	for _, c := range typedTable.Columns {
		number := c.Type == Int || c.Type == Long || c.Type == Real || c.Type == Decimal
		ok := true
		switch p.Kind {
		case 1: // declared
			ok = slices.Contains(p.Types, c.Type.String())
		case 3, 4, 5: // tabular, database, cluster
			ok = false
		case 6: // integer
			ok = c.Type == Int || c.Type == Long
		case 7:
			ok = c.Type == Real || c.Type == Decimal
		case 8, 9: // string or dynamic
			ok = c.Type == String || c.Type == Dynamic
		case 10:
			ok = c.Type == Int || c.Type == Long || c.Type == Dynamic
		case 11, 12:
			ok = c.Type == Dynamic
		case 13, 24:
			ok = number
		case 14:
			ok = number || c.Type == Bool
		case 15, 25: // summable
			ok = number || c.Type == TimeSpan || c.Type == DateTime
		case 16, 26: // orderable
			ok = c.Type != Dynamic && c.Type != Bool
		}
		if ok {
			out = append(out, c.Name)
		}
	}
	return out
}

// literals are constants of the types of the columns.
var literals = map[string]string{"b": "true", "i": "int(1)", "l": "1", "r": "1.0", "d": "decimal(1)", "s": `"x"`, "t": "datetime(2024-01-01)", "ts": "1h", "dy": "dynamic([1])", "g": "guid(74be27de-1e4e-49d9-b579-fe0b331d3642)"}

// callsOf writes calls of f: each signature with its parameters in turn of
// every type they take, without and with the optional ones.
func callsOf(f kustoFunction) []string {
	var out []string
	for _, s := range f.Signatures {
		for _, optional := range []bool{false, true} {
			base := make([][]string, 0, len(s))
			for _, p := range s {
				n := p.Min
				if optional {
					n = max(n, min(p.Max, p.Min+1))
				}
				for range n {
					c := columnsOfKind(p)
					if len(p.Values) > 0 {
						c = []string{strconv.Quote(p.Values[0])}
					} else if p.Literal {
						for j, x := range c {
							c[j] = literals[x]
						}
					}
					base = append(base, c)
				}
			}
			if slices.ContainsFunc(base, func(c []string) bool { return len(c) == 0 }) {
				continue
			}
			width := 1
			for _, c := range base {
				width = max(width, len(c))
			}
			for k := range width {
				args, other := make([]string, len(base)), make([]string, len(base))
				for i, c := range base {
					args[i], other[i] = c[min(k, len(c)-1)], c[(k*(i+1)+i)%len(c)]
				}
				out = append(out, f.Name+"("+strings.Join(args, ", ")+")", f.Name+"("+strings.Join(other, ", ")+")")
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// laxer are functions that Microsoft's binder allows arguments that mean
// nothing, or that the page of the function rules out: part of the message
// with which they are refused here.
var laxer = map[string]string{
	"around": "", "bin": "must be", "floor": "must be", "bin_at": "", "range": "", "percentrank_tdigest": "must be", "rank_tdigest": "must be",
	"binary_all_or": "must be", "binary_all_and": "must be", "binary_all_xor": "must be", "prev": "cannot be made", "next": "cannot be made",
	"format_datetime": "the format has", "format_timespan": "the format has", "format_bytes": "",
	"percentile": "", "percentiles": "", "percentiles_array": "", "percentilew": "", "percentilesw": "", "percentilesw_array": "",
	"covariance": "must be", "covarianceif": "must be", "covariancep": "must be", "covariancepif": "must be", "dcount": "", "dcountif": "",
	"geo_distance_2points": "must be", "geo_line_densify": "must be", "geo_polygon_densify": "must be", "geo_line_locate_point": "", "geo_point_to_geohash": "must be", "bin_auto": "needs the size", "iscolumnexists": "", "tdigest_isvalid": "", "hll_isvalid": "", "current_node_id": "", "rowstore_ordinal_range": "", "passthrough": "",
}

// TestFunctionTypes holds the names and types of single calls to be those of
// Microsoft's binder, over columns of every type.
func TestFunctionTypes(t *testing.T) {
	var queries []string
	for _, f := range kustoFunctions(t) {
		if refusedFunctions[f.Name] != "" || strings.HasPrefix(f.Name, "__") {
			continue
		}
		for _, c := range callsOf(f) {
			switch f.Kind {
			case "function":
				queries = append(queries, "T | project "+c)
			case "aggregate":
				queries = append(queries, "T | summarize "+c)
			}
		}
	}
	cat := testCatalog{"T": typedTable}
	compared := 0
	for i, want := range bindKusto(t, cat, queries) {
		if want.Error != "" {
			continue
		}
		compared++
		got := bindOurs(cat, queries[i])
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(queries[i], "T | project "), "T | summarize "), "(")
		if part, ok := laxer[name]; got.Error != "" && (ok && strings.Contains(got.Error, part) || strings.Contains(got.Error, "constant")) {
			continue
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s\n got %v\nwant %v", queries[i], got, want)
		}
	}
	t.Logf("%d of %d calls compared", compared, len(queries))
}
