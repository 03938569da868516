package kql

import (
	"fmt"
	"regexp/syntax"
	"strings"
)

// DuckDB computes a step of a query for up to 2,048 rows at once. It can be
// interrupted only between steps, and texts made within one count towards no
// limit of memory. Where a step may become that large or take that long, the SQL
// calls a guard.
//
// Who runs the SQL of a [Query] must define the guards beside [Natives]:
const (
	// GuardFits is kql_fits(bytes DOUBLE) BOOLEAN. It is true, or an error when the
	// rows of the step need more bytes together than a step may take.
	GuardFits = "kql_fits"
	// GuardLight is kql_light(text VARCHAR, states BIGINT, square BIGINT) BOOLEAN. It
	// is true when a regular expression of so many states, that may go over a text
	// once for each of its characters where square is 1, is soon done with the rows
	// of the step.
	GuardLight = "kql_light"
	// GuardPieces is kql_pieces(text VARCHAR, states BIGINT, square BIGINT) VARCHAR[]:
	// the text, and NULLs behind it. DuckDB gives a lambda 2,048 elements at once, so
	// these make it few texts at once. It is an error when one text is too much.
	GuardPieces = "kql_pieces"
	// GuardAlive is kql_alive(text VARCHAR, connection UBIGINT) BOOLEAN. It is true,
	// or an error when the query on the connection is to end.
	GuardAlive = "kql_alive"
)

const (
	// cellBytes is what a text of a table is taken to have.
	cellBytes = 1 << 10
	// plainBytes is how long a text may become before its making is guarded.
	plainBytes = 64 << 10
	// endless is the size of what grows from row to row.
	endless = 1 << 40
	// unknownStates is what a pattern is taken for that only the data knows.
	unknownStates = 5000
)

// size is how many bytes e may have, roughly.
func (e expr) size() int64 {
	switch {
	case e.lit != nil:
		return int64(len(e.sql))
	case e.typ != String && e.typ != Dynamic:
		return 32
	case e.bytes == 0:
		return cellBytes
	}
	return e.bytes
}

// growth returns how many bytes the result of a function may have, and SQL for
// how many it needs for a row, over the SQL of the arguments.
func growth(name string, args []expr) (bytes int64, sql func(args []expr) string) {
	var most, sum int64
	for _, a := range args {
		most, sum = max(most, a.size()), sum+a.size()
	}
	factor := int64(1)
	switch name {
	case "iff", "iif", "case", "coalesce", "min_of", "max_of":
		sum = most // it is one of them
	case "strrep", "repeat":
		if factor = 1024; name == "repeat" {
			factor = 1 << 20
		}
		if n, ok := args[1].lit.(int64); ok {
			factor = min(max(n, 0), factor)
		}
	case "replace_string", "replace_regex", "replace":
		text, lookup, by := args[0], args[1], args[len(args)-1]
		if name == "replace" {
			text, lookup, by = args[2], args[0], args[1]
		}
		old := int64(1)
		if s, ok := lookup.lit.(string); ok && name == "replace_string" {
			old = max(int64(len(s)), 1)
		}
		if factor, sum = by.size()/old+1, text.size(); by.lit == nil {
			return min(sum*factor, endless), func(args []expr) string {
				return byteSum(args) + " * " + byteSum(args)
			}
		}
	case "replace_strings", "translate":
		factor = most
	}
	return min(sum*max(factor, 1), endless), func(args []expr) string {
		return fmt.Sprintf("%s * %d", byteSum(args), factor)
	}
}

// byteSum is SQL for how many bytes the texts among args have.
func byteSum(args []expr) string {
	sum := "(16"
	for _, a := range args {
		switch {
		case a.lit != nil:
			sum += fmt.Sprintf(" + %d", len(a.sql))
		case a.typ == String:
			sum += " + strlen(" + a.sql + ")"
		case a.typ == Dynamic:
			sum += " + coalesce(strlen(" + a.sql + "::VARCHAR), 0)"
		}
	}
	return sum + ")::DOUBLE"
}

// bindArgs gives each of args that is more than a name or a constant a name for
// f, which may repeat them and use them in lambdas.
func bindArgs(args []expr, f func(args []expr) (string, error)) (string, error) {
	named := append([]expr(nil), args...)
	var fields []string
	for i, a := range args {
		if !a.simple() {
			fields = append(fields, fmt.Sprintf("g%d: %s", i+1, a.sql))
			named[i] = expr{sql: fmt.Sprintf(`"$g".g%d`, i+1), typ: a.typ, dyn: a.dyn, bytes: a.bytes, bound: a.bound}
		}
	}
	sql, err := f(named)
	if fields == nil || err != nil {
		return sql, err
	}
	return fmt.Sprintf(`(list_transform([{%s}], lambda "$g": %s)[1])`, strings.Join(fields, ", "), sql), nil
}

// regexCall makes the lowering of a function that applies the regular expression
// pattern to text, both numbers of arguments (-1: the last). every says that it
// looks for all matches: then a pattern may have it go to the text's end anew
// for each of them.
func regexCall(text, pattern int, every bool, lower func(c *call) (string, error)) func(c *call) (string, error) {
	return func(c *call) (string, error) {
		at := text
		if at < 0 {
			at = len(c.args) - 1
		}
		with := func(args []expr, text expr) (string, error) {
			d := *c
			d.args = append([]expr(nil), args...)
			d.args[at] = text
			return lower(&d)
		}
		if !costly(c.args[pattern]) {
			return with(c.args, c.args[at])
		}
		return bindArgs(c.args, func(args []expr) (string, error) {
			return guardRegex(args[at], args[pattern], every, func(text expr) (string, error) { return with(args, text) })
		})
	}
}

// guardRegex is f over text, in pieces where that takes long. text and pattern
// may be repeated.
func guardRegex(text, pattern expr, every bool, f func(text expr) (string, error)) (string, error) {
	states, square := unknownStates, 0
	if s, ok := pattern.lit.(string); ok {
		states = regexStates(s)
	}
	if every {
		square = 1
	}
	plain, err := f(text)
	if err != nil {
		return "", err
	}
	piece, err := f(expr{sql: `"$t"`, typ: String})
	if err != nil {
		return "", err
	}
	work := fmt.Sprintf("(%s, %d, %d)", text.sql, states, square)
	return "CASE WHEN " + GuardLight + work + " THEN " + plain + " ELSE (list_transform(" + GuardPieces + work +
		`, lambda "$t": CASE WHEN ` + GuardAlive + `("$t", current_connection_id()) THEN ` + piece + " END)[1]) END", nil
}

// costly reports whether a pattern may take long over a text. One without
// repetition is an automaton of few states, which never goes back.
func costly(pattern expr) bool {
	s, ok := pattern.lit.(string)
	if !ok {
		return true
	}
	re, err := syntax.Parse(s, syntax.Perl)
	return err == nil && (repeats(re) || regexStates(s) > unknownStates)
}

func repeats(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		return true
	}
	for _, sub := range re.Sub {
		if repeats(sub) {
			return true
		}
	}
	return false
}

// regexStates is the size of a pattern's program: what each character of a text
// can cost at most.
func regexStates(pattern string) int {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return unknownStates
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return unknownStates
	}
	return len(prog.Inst)
}
