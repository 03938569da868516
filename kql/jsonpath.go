package kql

import (
	"strconv"
	"strings"
)

// parseJSONPath reads $.a.b, ['a b'], ["a"] and [0], with or without the dot
// behind the $. The steps are strings and ints. It reports false for what is no
// such path, which finds nothing.
func parseJSONPath(path string) (steps []any, ok bool) {
	rest, ok := strings.CutPrefix(strings.TrimSpace(path), "$")
	for ok && rest != "" {
		var step any
		switch {
		case rest[0] == '[':
			step, rest, ok = bracketStep(rest[1:])
		case rest[0] == '.' || steps == nil:
			rest = strings.TrimPrefix(rest, ".")
			n := strings.IndexAny(rest, ".[")
			if n < 0 {
				n = len(rest)
			}
			step, rest, ok = rest[:n], rest[n:], n > 0
		default:
			ok = false
		}
		steps = append(steps, step)
	}
	return steps, ok
}

// bracketStep reads what stands behind a [.
func bracketStep(s string) (step any, rest string, ok bool) {
	if s != "" && (s[0] == '\'' || s[0] == '"') {
		name, rest, ok := strings.Cut(s[1:], s[:1]+"]")
		return name, rest, ok
	}
	index, rest, ok := strings.Cut(s, "]")
	n, err := strconv.ParseUint(strings.TrimSpace(index), 10, 31)
	return int(n), rest, ok && err == nil
}

// jsonPath turns a JSONPath into DuckDB's.
func jsonPath(path string) (string, bool) {
	steps, ok := parseJSONPath(path)
	var w strings.Builder
	w.WriteByte('$')
	for _, s := range steps {
		switch s := s.(type) {
		case int:
			w.WriteString("[" + strconv.Itoa(s) + "]")
		case string:
			if s == "" || strings.ContainsAny(s, "\"\\*\x00") { // DuckDB has no way to write it
				return "", false
			}
			w.WriteString(`."` + s + `"`)
		}
	}
	return w.String(), ok
}
