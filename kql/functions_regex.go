package kql

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
)

// regexFunctions are the functions over text that take a regular expression.
// Kusto and DuckDB both use RE2.
func regexFunctions() []function {
	return []function{
		fn("extract", low(Unknown, regexCall(2, 0, false, lowerExtract), String, Long, String, Unknown).from(3).as(func(args []expr) Type {
			if len(args) == 4 {
				if t, ok := args[3].lit.(Type); ok {
					return t
				}
			}
			return String
		})),
		fn("extract_all",
			low(Dynamic, regexCall(-1, 0, true, lowerExtractAll), String, String),
			low(Dynamic, regexCall(-1, 0, true, lowerExtractAll), String, Dynamic, String)),
		fn("replace_regex", low(String, regexCall(0, 1, true, lowerReplaceRegex), String, String, String)),
		fn("replace", low(String, regexCall(2, 0, true, func(c *call) (string, error) { // the older name has the text last
			c.args = []expr{c.args[2], c.args[0], c.args[1]}
			return lowerReplaceRegex(c)
		}), String, String, String)),
		fn("trim", trimSig("^(?:%s)|(?:%[1]s)$")),
		fn("trim_start", trimSig("^(?:%s)")),
		fn("trim_end", trimSig("(?:%s)$")),
		fn("indexof_regex", low(Long, regexCall(0, 1, true, lowerIndexOfRegex), String, String, Long, Long, Long).from(2).ofText()),
		fn("regex_quote", tpl(String, `regexp_replace($1, '([\\.+*?()|\[\]{}^$])', '\\\1', 'g')`, String).ofText()),
	}
}

// constRegex checks argument i, a regular expression, and returns how many
// capture groups it has; -1 when the argument is no constant.
func (c *call) constRegex(i int) (groups int, err error) {
	s, ok := c.args[i].lit.(string)
	if !ok {
		return -1, nil
	}
	return regexGroups(c.name, s)
}

// regexGroups returns how many capture groups pattern has.
func regexGroups(name, pattern string) (int, error) {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		var e *syntax.Error
		if errors.As(err, &e) {
			return 0, fmt.Errorf("%s(): the regular expression is not RE2: %s: %s", name, e.Code, e.Expr)
		}
		return 0, fmt.Errorf("%s(): the regular expression is not RE2: %w", name, err)
	}
	return re.MaxCap(), nil
}

// lowerExtract lowers extract(regex, group, text[, typeof(T)]).
func lowerExtract(c *call) (string, error) {
	groups, err := c.constRegex(0)
	if err != nil {
		return "", err
	}
	group, ok := c.args[1].lit.(int64)
	if !ok || group < 0 {
		return "", errors.New("extract(): argument 2, the capture group, must be a number constant from 0 on")
	}
	text, err := extractGroup(c.args[2].sql, c.args[0].sql, int(group), groups)
	if err != nil {
		return "", fmt.Errorf("extract(): %w", err)
	}
	if len(c.args) < 4 {
		return text, nil
	}
	t, ok := c.args[3].lit.(Type)
	if !ok {
		return "", errors.New("extract(): argument 4 must be typeof(a type)")
	}
	if t == String {
		return text, nil
	}
	return castTo(expr{sql: text, typ: String}, t)
}

// extractGroup is the SQL of one capture group of the first match, ” when
// there is none. groups is the pattern's number of groups, -1 when unknown.
func extractGroup(text, pattern string, group, groups int) (string, error) {
	switch {
	case groups >= 0 && group > groups:
		return "''", nil
	case group <= 9:
		return fmt.Sprintf("regexp_extract(%s, %s, %d)", text, pattern, group), nil
	case groups < 0:
		return "", fmt.Errorf("capture group %d needs a constant regular expression", group)
	}
	// DuckDB numbers groups to 9 only; beyond, they are read by name.
	names := make([]string, group)
	for i := range names {
		names[i] = "'g" + strconv.Itoa(i+1) + "'"
	}
	return fmt.Sprintf("regexp_extract(%s, %s, [%s]).g%d", text, pattern, strings.Join(names, ", "), group), nil
}

// lowerExtractAll lowers extract_all(regex[, groups], text): an array of the
// texts of the group, or of arrays where there are several groups.
func lowerExtractAll(c *call) (string, error) {
	n, err := c.constRegex(0)
	if err != nil {
		return "", err
	}
	if n < 0 {
		if len(c.args) < 3 {
			return "", errors.New("extract_all(): argument 1, the regular expression, must be a constant, or argument 2 must say which of its groups to take")
		}
		n = 9 // known at run time
	}
	text := c.args[len(c.args)-1]
	var groups []int
	for i := 1; i <= n; i++ {
		groups = append(groups, i)
	}
	if n == 0 {
		groups = []int{0}
	}
	if len(c.args) == 3 {
		if groups, err = groupsArg(c); err != nil {
			return "", err
		}
	}
	for _, g := range groups {
		if g < 0 || g > n || g > 9 {
			return "", fmt.Errorf("extract_all(): there is no capture group %d to take; the pattern has %d, of which 9 can be used", g, n)
		}
	}
	return once(text, func(s string) string {
		lists := make([]string, len(groups))
		items := make([]string, len(groups))
		for i, g := range groups {
			lists[i] = fmt.Sprintf("regexp_extract_all(%s, %s, %d)", s, c.args[0].sql, g)
			items[i] = fmt.Sprintf(`"$z"[%d]`, i+1)
		}
		if len(lists) == 1 {
			return nullIfEmpty("to_json(" + lists[0] + ")")
		}
		return nullIfEmpty(`to_json(list_transform(list_zip(` + strings.Join(lists, ", ") + `), lambda "$z": [` + strings.Join(items, ", ") + `]))`)
	}), nil
}

// groupsArg reads argument 2 of extract_all(): the groups, by number or name.
func groupsArg(c *call) ([]int, error) {
	var list []any
	j, ok := c.args[1].constJSON()
	if !ok || json.Unmarshal(j, &list) != nil {
		return nil, errors.New("extract_all(): argument 2, the capture groups, must be a constant array")
	}
	pattern, _ := c.args[0].lit.(string)
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("extract_all(): %w", err)
	}
	var groups []int
	for _, v := range list {
		switch v := v.(type) {
		case float64:
			groups = append(groups, int(v))
		case string:
			i := slices.Index(re.CapNames(), v)
			if i < 0 {
				return nil, fmt.Errorf("extract_all(): the pattern has no capture group named %q", v)
			}
			groups = append(groups, i)
		default:
			return nil, fmt.Errorf("extract_all(): capture group %v is neither a number nor a name", v)
		}
	}
	return groups, nil
}

// nullIfEmpty turns the empty array into null: no match is null.
func nullIfEmpty(j string) string { return "nullif(" + j + ", '[]'::JSON)" }

// lowerReplaceRegex lowers replace_regex(text, regex, rewrite), in which \1 is
// a group of the match, as in RE2.
func lowerReplaceRegex(c *call) (string, error) {
	if _, err := c.constRegex(1); err != nil {
		return "", err
	}
	return expand("regexp_replace($1, $2, $3, 'g')", c.args), nil
}

// trimSig makes the signature of a trim function; form is the pattern that
// removes what the query's pattern %s matches.
func trimSig(form string) sig {
	return low(String, regexCall(1, 0, true, func(c *call) (string, error) {
		if s, ok := c.args[0].lit.(string); ok {
			if _, err := regexGroups(c.name, s); err != nil {
				return "", err
			}
			return expand("regexp_replace($2, "+quoteString(fmt.Sprintf(form, s))+", '', 'g')", c.args), nil
		}
		p := "'" + strings.NewReplacer("%s", "' || $1 || '", "%[1]s", "' || $1 || '").Replace(form) + "'"
		return expand("regexp_replace($2, "+p+", '', 'g')", c.args), nil
	}), String, String)
}

// lowerIndexOfRegex lowers indexof_regex(text, regex[, start[, length[, occurrence]]]).
// Unlike indexof(), it is null for a start before the text.
func lowerIndexOfRegex(c *call) (string, error) {
	if _, err := c.constRegex(1); err != nil {
		return "", err
	}
	args := c.args
	for _, d := range []int64{0, -1, 1}[len(args)-2:] {
		args = append(args, longLit(d))
	}
	// The text before the n-th match is what stands before it in the split.
	return expand(`list_transform([{s: greatest($3, 0), t: substring($1, greatest($3, 0) + 1, CASE WHEN $4 < 0 THEN length($1) ELSE $4 END)}], lambda "$w":
CASE WHEN $3 < 0 OR $4 < -1 OR $5 < 0 THEN NULL WHEN $5 = 0 OR len(regexp_extract_all("$w".t, $2)) < $5 THEN -1
ELSE "$w".s + list_sum(list_transform(list_slice(string_split_regex("$w".t, $2), 1, $5), lambda "$e": length("$e")))
+ coalesce(list_sum(list_transform(list_slice(regexp_extract_all("$w".t, $2), 1, $5 - 1), lambda "$e": length("$e"))), 0) END)[1]::BIGINT`, args), nil
}
