package kql

import (
	"fmt"
	"math"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
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
	// shortWork is what a regular expression may do over a text that needs no guard,
	// in states of it at a character: at 20 ns and worst, half a second a step.
	shortWork = 12_000
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
	case "replace_string", "replace_strings", "replace_regex", "replace", "translate":
		return replacedGrowth(name, args)
	}
	return min(sum*max(factor, 1), endless), func(args []expr) string {
		return fmt.Sprintf("%s * %d", byteSum(args), factor)
	}
}

// replacedGrowth is growth of a function that replaces parts of a text. How often
// a text is in another can be counted, so the need of a row is then exact, or for
// several texts an upper bound near it.
func replacedGrowth(name string, args []expr) (bytes int64, sql func(args []expr) string) {
	text, lookup, by := 0, 1, 2
	if name == "replace" || name == "translate" { // these have the text last
		text, lookup, by = 2, 0, 1
	}
	factor := args[by].size() + 1
	switch name {
	case "translate":
		factor = utf8.UTFMax // a character for each
		sql = func(args []expr) string {
			return fmt.Sprintf("%s * %d + %s", byteSum(args[text:]), factor, byteSum(args[:text]))
		}
	case "replace_string":
		if s, ok := args[lookup].lit.(string); ok {
			factor = args[by].size()/max(int64(len(s)), 1) + 1
		}
		sql = func(args []expr) string { return expand("("+occurrences("$1", "$2", "strlen($3)")+")", args) }
	case "replace_strings":
		sql = func(args []expr) string {
			return expand(`list_transform([{t: $1, l: json_extract_string($2, '$[*]'), r: json_extract_string($3, '$[*]')}], lambda "$p": strlen("$p".t)::DOUBLE +
coalesce(list_sum(list_transform(range(1, least(len("$p".l), len("$p".r)) + 1), lambda "$i": `+
				occurrences(`"$p".t`, `"$p".l["$i"]`, `strlen(coalesce("$p".r["$i"], ''))`)+`)), 0))[1]`, args)
		}
	default: // a regular expression matches each character at most once, and at the end
		sql = func(args []expr) string {
			return byteSum(args[text:text+1]) + " * greatest(strlen(" + args[by].sql + "), 1)"
		}
	}
	return min(args[text].size()*factor, endless), sql
}

// occurrences is SQL for the bytes of text, with by bytes more for each of old in it.
func occurrences(text, old, by string) string {
	return fmt.Sprintf("strlen(%[1]s)::DOUBLE + (strlen(%[1]s) - strlen(replace(%[1]s, %[2]s, ''))) / greatest(strlen(%[2]s), 1) * %[3]s", text, old, by)
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
		c.args[pattern] = asRE2(c.args[pattern])
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
	return guardStates(text, states, square, f)
}

// guardStates is guardRegex for patterns of so many states.
func guardStates(text expr, states, square int, f func(text expr) (string, error)) (string, error) {
	plain, err := f(text)
	if err != nil {
		return "", err
	}
	piece, err := f(expr{sql: `"$t"`, typ: String})
	if err != nil {
		return "", err
	}
	work := fmt.Sprintf("(%s, %d, %d)", text.sql, states, square)
	light := fmt.Sprintf("CASE WHEN strlen(%s) <= %d THEN true ELSE %s%s END", text.sql, shortText(states, square), GuardLight, work)
	return "CASE WHEN " + light + " THEN " + plain + " ELSE (list_transform(" + GuardPieces + work +
		`, lambda "$t": CASE WHEN ` + GuardAlive + `("$t", current_connection_id()) THEN ` + piece + " END)[1]) END", nil
}

// shortText is how many bytes a text may have over which a pattern of so many
// states does no more than shortWork. To ask the guard costs as much as a small
// pattern over such a text.
func shortText(states, square int) int {
	n := float64(shortWork) / float64(states)
	if square == 1 { // n*states + n*n/20, see GuardLight
		s := float64(states)
		n = 10 * (math.Sqrt(s*s+shortWork/5) - s)
	}
	return int(n)
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
