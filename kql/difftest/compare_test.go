package difftest

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"picket/kql"
)

// decoded is a value of a result as the evaluator would have it.
func decoded(v any, t kql.Type) any {
	s, ok := v.(string)
	if !ok {
		return v
	}
	switch t {
	case kql.Dynamic:
		x, ok := parseJSON(s)
		if !ok {
			return "no JSON: " + s
		}
		return x
	case kql.Decimal:
		r, ok := new(big.Rat).SetString(s)
		if !ok {
			return "no decimal: " + s
		}
		return r
	}
	return v
}

// agrees reports whether got is what want allows. Reals may differ in the last
// digits; a whole real within a dynamic may be written as a long.
func agrees(want, got any) bool {
	switch w := want.(type) {
	case oneOf:
		for _, x := range w {
			if agrees(x, got) {
				return true
			}
		}
		return false
	case unordered:
		g, ok := got.([]any)
		return ok && len(g) == len(w) && matching(len(g), func(i, j int) bool { return agrees(w[j], g[i]) })
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !agrees(w[i], g[i]) {
				return false
			}
		}
		return true
	case bag:
		g, ok := got.(bag)
		if !ok || len(g) != len(w) {
			return false
		}
		for k := range w {
			if x, ok := g[k]; !ok || !agrees(w[k], x) {
				return false
			}
		}
		return true
	case float64:
		if n, ok := got.(int64); ok {
			got = float64(n)
		}
		g, ok := got.(float64)
		return ok && near(w, g)
	case *big.Rat:
		// 16 digits stand behind the point; a long product may be as near as a double.
		g, ok := got.(*big.Rat)
		bound := new(big.Rat).Add(new(big.Rat).Abs(w), big.NewRat(1, 1))
		return ok && new(big.Rat).Abs(new(big.Rat).Sub(w, g)).Cmp(bound.Mul(bound, big.NewRat(1, 1e12))) < 0
	case int64:
		g, ok := got.(int64)
		return ok && g == w
	}
	switch got.(type) {
	case []any, bag, *big.Rat:
		return false
	}
	return want == got
}

func near(a, b float64) bool {
	if a == b || math.IsNaN(a) && math.IsNaN(b) {
		return true
	}
	return math.Abs(a-b) <= 1e-9*math.Max(math.Abs(a), math.Abs(b))+1e-15
}

// matching reports whether every one of n things on the left can have a
// different one of n on the right for which fit is true.
func matching(n int, fit func(left, right int) bool) bool { return matched(n, n, fit) }

func matched(left, right int, fit func(left, right int) bool) bool {
	owner := make([]int, right)
	for i := range owner {
		owner[i] = -1
	}
	var try func(l int, seen []bool) bool
	try = func(l int, seen []bool) bool {
		for r := range right {
			if seen[r] || !fit(l, r) {
				continue
			}
			seen[r] = true
			if owner[r] < 0 || try(owner[r], seen) {
				owner[r] = l
				return true
			}
		}
		return false
	}
	for l := range left {
		if !try(l, make([]bool, right)) {
			return false
		}
	}
	return true
}

// difference says how a result differs from what the evaluator has, or "".
func difference(want *relation, cols []kql.Column, rows [][]any) string {
	if len(cols) != len(want.cols) {
		return fmt.Sprintf("columns %v, want %v", cols, want.cols)
	}
	for i, c := range cols {
		if c != want.cols[i] {
			return fmt.Sprintf("column %d is %s:%s, want %s:%s", i+1, c.Name, c.Type, want.cols[i].Name, want.cols[i].Type)
		}
	}
	n := len(want.rows)
	if want.limit >= 0 {
		n = min(n, want.limit)
	}
	if len(rows) != n {
		return fmt.Sprintf("%d rows, want %d", len(rows), n)
	}
	for i := range rows {
		for j, c := range cols {
			if rows[i][j] == nil && c.Type == kql.String {
				return "a string is NULL in column " + c.Name
			}
			rows[i][j] = decoded(rows[i][j], c.Type)
		}
	}
	if len(want.rows) > 300 {
		silent("too many rows to compare")
	}
	// Rows of one rank may come in any order.
	for from := 0; from < n; {
		to := from + 1
		for to < len(want.rows) && (want.rank == nil || want.rank[to] == want.rank[from]) {
			to++
		}
		got := rows[from:min(to, n)]
		if !matched(len(got), to-from, func(l, r int) bool { return rowAgrees(want.rows[from+r], got[l]) }) {
			return fmt.Sprintf("rows from %d on:\n%swant:\n%s", from+1, rowsText(got), rowsText(want.rows[from:to]))
		}
		from = to
	}
	return ""
}

func rowAgrees(want, got []any) bool {
	for i := range want {
		if !agrees(want[i], got[i]) {
			return false
		}
	}
	return true
}

func rowsText(rows [][]any) string {
	var b strings.Builder
	for _, row := range rows {
		for _, v := range row {
			switch v := v.(type) {
			case string:
				fmt.Fprintf(&b, "  %q", v)
			case *big.Rat:
				fmt.Fprintf(&b, "  %s", v.FloatString(16))
			default:
				fmt.Fprintf(&b, "  %v", v)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
