package kql

import (
	"fmt"
	"strings"
)

// stringFunctions are the functions over text that need no pattern.
func stringFunctions() []function {
	return []function{
		fn("tolower", tpl(String, "lower($1)", String).ofText()),
		fn("toupper", tpl(String, "upper($1)", String).ofText()),
		fn("strlen", tpl(Long, "length($1)", String)),
		fn("string_size", tpl(Long, "strlen($1)", String)),
		fn("strcat", low(String, lowerStrcat, Unknown).more(1)),
		fn("strcat_delim", low(String, func(c *call) (string, error) {
			return expand("concat_ws($*)", textArgs(c.args)), nil
		}, Unknown, Unknown).more(2)),
		fn("strcat_array", tpl(String, "coalesce(array_to_string(list_transform(json_extract_string($1, '$[*]')::VARCHAR[], lambda \"$e\": coalesce(\"$e\", 'null')), $2), '')", Dynamic, String).ofText()),
		fn("strrep",
			textTpl(String, "coalesce(repeat($1, least(greatest(TRY_CAST($2 AS BIGINT), 0), 1024)), '')", 2),
			textTpl(String, "coalesce(CASE WHEN TRY_CAST($2 AS BIGINT) > 0 THEN repeat($1 || $3, least(TRY_CAST($2 AS BIGINT), 1024) - 1) || $1 END, '')", 3)),
		fn("strcmp", tpl(Long, "CASE WHEN $1 < $2 THEN -1 WHEN $1 > $2 THEN 1 ELSE 0 END::BIGINT", String, String).ofText()),
		fn("reverse", textTpl(String, "reverse($1)", 1)),
		fn("substring", low(String, lowerSubstring, String, Long, Long).from(2).ofText()),
		fn("indexof", low(Long, lowerIndexOf, Unknown, Unknown, Long, Long, Long).from(2)),
		fn("split",
			low(Dynamic, func(c *call) (string, error) {
				if d, ok := c.args[1].lit.(string); ok && d != "" {
					return expand("to_json(string_split($1, $2))", c.args), nil
				}
				return expand("to_json("+splitListSQL+")", c.args), nil
			}, String, String).ofText(),
			tpl(Dynamic, "to_json(list_slice("+splitListSQL+", $3 + 1, $3 + 1))", String, String, Long).ofText()),
		fn("replace_string", tpl(String, "replace($1, $2, $3)", String, String, String)),
		fn("replace_strings", tpl(String, replaceStrings, String, Dynamic, Dynamic)),
		fn("translate", tpl(String, "translate($3, $1, CASE WHEN $2 = '' THEN '' ELSE $2 || repeat(right($2, 1), greatest(length($1) - length($2), 0)) END)", String, String, String)),
		fn("isempty", emptySigs("", "IS NULL")...),
		fn("isnotempty", emptySigs("NOT ", "IS NOT NULL")...),
		fn("isascii", tpl(Bool, `regexp_full_match($1, '[\x00-\x7f]*')`, String).ofText()),
		fn("isutf8", tpl(Bool, `($1 IS NOT NULL)`, String).ofText()),
		fn("countof", low(Long, lowerCountOf, String, String, String).from(2)),
		fn("make_string", low(String, lowerCodepointsToString, Unknown).more(1)),
		fn("unicode_codepoints_to_string", low(String, lowerCodepointsToString, Unknown).more(1)),
		fn("to_utf8", tpl(Dynamic, "to_json(list_transform(string_split($1, ''), lambda \"$e\": unicode(\"$e\")))", String).ofText()),
		fn("unicode_codepoints_from_string", tpl(Dynamic, "to_json(CASE WHEN $1 = '' THEN [] ELSE list_transform(string_split($1, ''), lambda \"$e\": unicode(\"$e\")) END)", String).ofText()),
		fn("base64_encode_tostring", tpl(String, "to_base64(encode($1))", String)),
		fn("base64_decode_tostring", tpl(String, "coalesce(TRY(decode(from_base64($1))), '')", String)),
		fn("base64_decode_toarray", tpl(Dynamic, `to_json(TRY(list_transform(regexp_extract_all(hex(from_base64($1)), '..'), lambda "$e": ('0x' || "$e")::INTEGER)))`, String)),
		fn("base64_encode_fromarray", tpl(String, `coalesce(list_transform([unhex(array_to_string(list_transform(TRY_CAST($1 AS UTINYINT[]), lambda "$e": lpad(hex("$e"), 2, '0')), ''))], lambda "$b": CASE WHEN TRY(decode("$b")) IS NOT NULL THEN to_base64("$b") END)[1], '')`, Dynamic)),
		fn("base64_encode_fromguid", tpl(String, "coalesce(to_base64(unhex("+guidBytes+")), '')", Guid)),
		fn("base64_decode_toguid", tpl(Guid, "(list_transform([TRY(lower(hex(from_base64($1))))], lambda \"$h\": CASE WHEN length(\"$h\") = 32 THEN regexp_replace(\"$h\", '^(..)(..)(..)(..)(..)(..)(..)(..)(.{4}).*$', '\\4\\3\\2\\1-\\6\\5-\\8\\7-\\9-') || right(\"$h\", 12) END)[1])", String)),
		fn("url_encode", tpl(String, urlEncode, String)),
		fn("url_encode_component", tpl(String, "url_encode($1)", String)),
		fn("url_decode", tpl(String, "coalesce(TRY(url_decode($1)), $1)", String)),
		fn("hash_md5", textTpl(String, "md5($1)", 1)),
		fn("hash_sha1", textTpl(String, "sha1($1)", 1)),
		fn("hash_sha256", textTpl(String, "sha256($1)", 1)),
		fn("new_guid", tpl(Guid, "uuid()::VARCHAR")),
		fn("format_bytes", low(String, lowerFormatBytes, Real, Long, String).from(1)),
		fn("has_any_index", low(Long, lowerHasAnyIndex, String, Dynamic)),
	}
}

// splitListSQL splits $1 at $2; without a delimiter the text stays whole.
const splitListSQL = "CASE WHEN $2 = '' THEN [$1] ELSE string_split($1, $2) END"

// guidBytes is a guid in the byte order of Microsoft's GUID structure, as hex.
const guidBytes = `substr($1, 7, 2) || substr($1, 5, 2) || substr($1, 3, 2) || substr($1, 1, 2) || substr($1, 12, 2) || substr($1, 10, 2) || substr($1, 17, 2) || substr($1, 15, 2) || substr($1, 20, 4) || substr($1, 25, 12)`

// emptySigs are the signatures of isempty() and isnotempty().
func emptySigs(not, null string) []sig {
	return []sig{
		tpl(Bool, "("+not+"$1 = '')", String),
		low(Bool, func(c *call) (string, error) {
			return "(" + not + textOf(c.args[0]).sql + " = '')", nil
		}, Dynamic),
		tpl(Bool, "($1 "+null+")", Unknown),
	}
}

func lowerStrcat(c *call) (string, error) {
	args := textArgs(c.args)
	if len(args) == 1 {
		return args[0].sql, nil
	}
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.sql
	}
	return "(" + strings.Join(parts, " || ") + ")", nil
}

// lowerSubstring lowers substring(text, start[, length]), where a negative
// start counts from the end.
func lowerSubstring(c *call) (string, error) {
	start := "(CASE WHEN $2 < 0 THEN greatest(length($1) + $2, 0) ELSE $2 END + 1)"
	if v, ok := c.args[1].lit.(int64); ok && v >= 0 {
		start = fmt.Sprint(v + 1)
	}
	if len(c.args) == 2 {
		return expand("coalesce(substring($1, "+start+"), '')", c.args), nil
	}
	length := "greatest($3, 0)"
	if v, ok := c.args[2].lit.(int64); ok && v >= 0 {
		length = fmt.Sprint(v)
	}
	return expand("coalesce(substring($1, "+start+", "+length+"), '')", c.args), nil
}

// lowerIndexOf lowers indexof(text, lookup[, start[, length[, occurrence]]]).
func lowerIndexOf(c *call) (string, error) {
	args := append(textArgs(c.args[:2]), c.args[2:]...)
	if len(args) == 2 {
		return expand("(strpos($1, $2) - 1)", args), nil
	}
	for _, d := range []int64{-1, 1}[len(args)-3:] {
		args = append(args, longLit(d))
	}
	// Each further occurrence is looked for within length of the one before.
	return expand(`greatest(-1, list_reduce(list_transform(range($5), lambda "$i": CASE WHEN $3 < 0 THEN greatest(length($1) + $3, 0) - 1 ELSE $3 - 1 END), lambda "$p", "$x":
CASE WHEN "$p" < -1 THEN -2 ELSE list_transform([strpos(substring($1, "$p" + 2, CASE WHEN $4 < 0 THEN length($1) ELSE $4 END), $2)], lambda "$f": CASE WHEN "$f" = 0 THEN -2 ELSE "$p" + "$f" END)[1] END,
CASE WHEN $3 < 0 THEN greatest(length($1) + $3, 0) - 1 ELSE $3 - 1 END))`, args), nil
}

// replaceStrings replaces each lookup in turn; what one of them wrote is not
// seen by the next: first by a private character each, then by the texts.
const replaceStrings = `list_transform([{l: json_extract_string($2, '$[*]'), r: json_extract_string($3, '$[*]')}], lambda "$p":
list_transform([list_transform(range(1, least(len("$p".l), len("$p".r)) + 1), lambda "$i": {t: '', i: "$i"})], lambda "$n":
list_reduce("$n", lambda "$a", "$b": {t: replace("$a".t, chr(983040 + "$b".i::INTEGER), coalesce("$p".r["$b".i], '')), i: 0},
list_reduce("$n", lambda "$a", "$b": {t: replace("$a".t, "$p".l["$b".i], chr(983040 + "$b".i::INTEGER)), i: 0}, {t: $1, i: 0::BIGINT})).t)[1])[1]`

// lowerCountOf lowers countof(text, search[, kind]): plain occurrences may
// overlap, matches of a regular expression do not.
func lowerCountOf(c *call) (string, error) {
	kind := "normal"
	if len(c.args) == 3 {
		k, err := c.constString(2)
		if err != nil {
			return "", err
		}
		kind = k
	}
	switch kind {
	case "normal":
	case "regex":
		if _, err := c.constRegex(1); err != nil {
			return "", err
		}
		return regexCall(0, 1, true, func(c *call) (string, error) { return expand("len(regexp_extract_all($1, $2))", c.args), nil })(c)
	default:
		return "", fmt.Errorf(`countof(): the kind is "normal" or "regex", not %q`, kind)
	}
	if s, ok := c.args[1].lit.(string); ok && s != "" && !overlapsItself(s) {
		return expand("((length($1) - length(replace($1, $2, ''))) // length($2))", c.args), nil
	}
	return expand(`len(list_filter(range(length($1)), lambda "$i": substring($1, "$i" + 1, length($2)) = $2))`, c.args), nil
}

// overlapsItself reports whether two occurrences of s can overlap.
func overlapsItself(s string) bool {
	for i := 1; i < len(s); i++ {
		if s[i:] == s[:len(s)-i] {
			return true
		}
	}
	return false
}

// lowerCodepointsToString takes numbers and arrays of them.
func lowerCodepointsToString(c *call) (string, error) {
	lists := make([]string, len(c.args))
	for i, a := range c.args {
		switch {
		case a.typ == Dynamic:
			lists[i] = "coalesce(TRY_CAST(" + a.sql + " AS INTEGER[]), [TRY_CAST(" + a.sql + " AS INTEGER)])"
		case a.typ == Int || a.typ == Long:
			lists[i] = "[(" + a.sql + ")::INTEGER]"
		default:
			return "", fmt.Errorf("%s(): argument %d is %s, but must be a number or an array of numbers", c.name, i+1, a.typ)
		}
	}
	return `coalesce(array_to_string(list_transform(flatten([` + strings.Join(lists, ", ") + `]), lambda "$e": chr("$e")), ''), '')`, nil
}

// lowerFormatBytes lowers format_bytes(value[, precision[, units]]).
func lowerFormatBytes(c *call) (string, error) {
	units := []string{"Bytes", "KB", "MB", "GB", "TB", "PB", "EB"}
	args := c.args
	if len(args) == 1 {
		args = append(args, longLit(0))
	}
	text := func(i int) string {
		v := fmt.Sprintf("round($1 / pow(1024, %d), $2::INTEGER)", i)
		return fmt.Sprintf("regexp_replace(%s::VARCHAR, '[.]0$', '') || ' %s'", v, units[i])
	}
	want := "" // what suits the value
	if len(args) == 3 {
		var err error
		if want, err = c.constString(2); err != nil {
			return "", err
		}
	}
	if want != "" {
		for i, u := range units {
			if strings.EqualFold(u, want) {
				return expand("coalesce("+text(i)+", '')", args), nil
			}
		}
		return "", fmt.Errorf("format_bytes(): unknown unit %q; it is one of %s", want, strings.Join(units, ", "))
	}
	var b strings.Builder
	b.WriteString("coalesce(CASE")
	for i := range units[:len(units)-1] {
		fmt.Fprintf(&b, " WHEN abs($1) < pow(1024, %d) THEN %s", i+1, text(i))
	}
	b.WriteString(" ELSE " + text(len(units)-1) + " END, '')")
	return expand(b.String(), args), nil
}

// lowerHasAnyIndex tells the first of the values that stands in the text as has
// finds it.
func lowerHasAnyIndex(c *call) (string, error) {
	return once(lowered(c.args[0]), func(text string) string {
		found := strOp{before: true, after: true}.hasValue(text, `lower("$e")`)
		return expand(`coalesce(list_position(list_transform(json_extract_string($1, '$[*]'), lambda "$e": `+found+`), true), 0) - 1`, c.args[1:])
	}), nil
}

// urlEncode is url_encode() as a form is sent: + for a space, small letters in
// the escapes as the page prints them, and of the marks - _ . ! * ( ) as they are.
var urlEncode = func() string {
	sql := `array_to_string(list_transform(string_split(url_encode($1), '%'), lambda "$e", "$i": CASE WHEN "$i" = 1 THEN "$e" ELSE lower("$e"[1:2]) || "$e"[3:] END), '%')`
	for _, r := range [...][2]string{{"%20", "+"}, {"%21", "!"}, {"%2a", "*"}, {"%28", "("}, {"%29", ")"}, {"~", "%7e"}} {
		sql = "replace(" + sql + ", '" + r[0] + "', '" + r[1] + "')"
	}
	return sql
}()
