package kql

import (
	"regexp"
	"strings"
)

// newerSyntax are the forms that the page "Regex syntax" has and the RE2 of
// DuckDB has not, though it has others that mean the same: a group's name without
// a P, and code points after \u and \U. What begins with a backslash otherwise is
// passed over, as are look-arounds, which there is nothing for.
var newerSyntax = regexp.MustCompile(`\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|[uU]\{([0-9A-Fa-f]+)\}|(?s:.))|\(\?<([A-Za-z_]\w*)>`)

// asRE2 writes a constant regular expression as DuckDB understands it.
func asRE2(pattern expr) expr {
	s, ok := pattern.lit.(string)
	if !ok || !strings.Contains(s, `\u`) && !strings.Contains(s, `\U`) && !strings.Contains(s, "(?<") {
		return pattern
	}
	return strLit(newerSyntax.ReplaceAllStringFunc(s, func(m string) string {
		switch g := newerSyntax.FindStringSubmatch(m); {
		case g[4] != "":
			return "(?P<" + g[4] + ">"
		case g[1]+g[2]+g[3] != "":
			return `\x{` + g[1] + g[2] + g[3] + "}"
		}
		return m
	}))
}
