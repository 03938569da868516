package kql

import (
	"fmt"
	"strings"
)

// expand writes a template of the function table as SQL. In it
//
//	$1 … $9   is the SQL of that argument
//	$*        is all arguments, with commas between
//	$2+       is the arguments from the second on, with commas between
//
// An argument that was not given is NULL.
//
// An argument that is more than a name or a constant is computed once, however
// often the template uses it, and outside of the template's lambdas and TRYs (in
// which DuckDB allows no subquery): it is bound by a lambda around the whole. The
// names of such bindings begin with "$", as no column's does.
func expand(tmpl string, args []expr) string {
	uses, inLambda := countUses(tmpl, len(args))
	tries := strings.Contains(tmpl, "TRY(")
	sql := make([]string, len(args))
	var fields []string
	for i, a := range args {
		sql[i] = a.sql
		inTry := tries && uses[i] > 0 && strings.Contains(a.sql, "(SELECT ")
		if (uses[i] > 1 || uses[i] > 0 && inLambda || inTry) && !a.simple() {
			fields = append(fields, fmt.Sprintf("a%d: %s", i+1, a.sql))
			sql[i] = fmt.Sprintf(`"$a".a%d`, i+1)
		}
	}
	body := substitute(tmpl, sql)
	if fields == nil {
		return body
	}
	return fmt.Sprintf(`(list_transform([{%s}], lambda "$a": %s)[1])`, strings.Join(fields, ", "), body)
}

// once returns the SQL that f makes of x, where x is computed once even if f
// repeats its argument.
func once(x expr, f func(sql string) string) string {
	if x.simple() {
		return f(x.sql)
	}
	return fmt.Sprintf(`(list_transform([%s], lambda "$o": %s)[1])`, x.sql, f(`"$o"`))
}

// simple reports whether repeating e costs nothing: a constant or a column.
func (e expr) simple() bool {
	return e.lit != nil || !strings.ContainsAny(e.sql, "( +-*/|")
}

// substitute replaces the argument marks of tmpl by sql.
func substitute(tmpl string, sql []string) string {
	var b strings.Builder
	for i := 0; i < len(tmpl); i++ {
		c := tmpl[i]
		if c != '$' || i+1 == len(tmpl) {
			b.WriteByte(c)
			continue
		}
		from, n := mark(tmpl[i+1:])
		switch {
		case n == 0:
			b.WriteByte(c)
			continue
		case from < 0 || n == 2:
			b.WriteString(strings.Join(sql[min(max(from, 0), len(sql)):], ", "))
		case from < len(sql):
			b.WriteString(sql[from])
		default:
			b.WriteString("NULL")
		}
		i += n
	}
	return b.String()
}

// mark reads what follows a $: the index of the argument (-1 for all) and how
// many bytes the mark has. It has none where the $ is no mark.
func mark(s string) (from, n int) {
	switch {
	case s[0] == '*':
		return -1, 1
	case s[0] < '1' || s[0] > '9':
		return 0, 0
	case len(s) > 1 && s[1] == '+':
		return int(s[0] - '1'), 2
	default:
		return int(s[0] - '1'), 1
	}
}

// countUses counts how often tmpl uses each of n arguments, and tells whether
// it has a lambda.
func countUses(tmpl string, n int) (uses []int, inLambda bool) {
	uses = make([]int, n)
	for i := 0; i+1 < len(tmpl); i++ {
		if tmpl[i] != '$' {
			continue
		}
		switch from, w := mark(tmpl[i+1:]); {
		case w == 0:
		case from < 0 || w == 2:
			for j := max(from, 0); j < n; j++ {
				uses[j]++
			}
		case from < n:
			uses[from]++
		}
	}
	return uses, strings.Contains(tmpl, "lambda ")
}
