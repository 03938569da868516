package kql

import (
	"slices"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

func diagnostic(span syntax.Span, code, hint, msg string) syntax.Diagnostic {
	return syntax.Diagnostic{Span: span, Code: code, Msg: msg, Hint: hint}
}

// Codes that the query API of Log Analytics has for these problems too.
const (
	codeName     = "SEM0100" // no table, column or let of that name
	codeFunction = "SEM0260" // no function of that name
	codeCompare  = "SEM0023" // two types that cannot be compared
)

func failed(d syntax.Diagnostics) bool { return len(d) > 0 }

func formatInt(v int64) string { return strconv.FormatInt(v, 10) }

func formatBool(v bool) string { return strconv.FormatBool(v) }

// didYouMean returns the hint that names the candidate nearest to name, or "".
func didYouMean(name string, candidates []string) string {
	best, bestDist := "", len(name)/3+2
	low := strings.ToLower(name)
	slices.Sort(candidates) // so that of equals it is always the same one
	for _, c := range candidates {
		if c == "" || strings.HasPrefix(c, "$") {
			continue
		}
		d := editDistance(low, strings.ToLower(c), bestDist)
		if d < bestDist {
			best, bestDist = c, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}

// editDistance is the Levenshtein distance of a and b, or limit when it is at
// least that.
func editDistance(a, b string, limit int) int {
	if d := len(a) - len(b); d >= limit || -d >= limit {
		return limit
	}
	prev := make([]int, len(b)+1)
	cur := make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := range len(a) {
		cur[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			cur[j+1] = min(prev[j]+cost, prev[j+1]+1, cur[j]+1)
		}
		prev, cur = cur, prev
	}
	return min(prev[len(b)], limit)
}
