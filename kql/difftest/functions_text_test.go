package difftest

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"picket/kql"
)

// Regular expressions of RE2 syntax that the generator writes.
const (
	patterns  = `"[a-z]+" "\\d+" "^a" "b$" "(?i)A+" "_" "[^a-z]"`
	captures  = `"([a-z]+)" "(\\d+)" "a(.*)" "(?i)(B+)"`
	fewCounts = `0 1 2 3 7`
	anyCounts = `0 1 2 -1 -2 5 -7`
)

// plain refuses text in which a character is not one rune of 16 bits, or whose
// case is not simple: what counts as a character the pages do not say.
func plain(s string) string {
	for _, r := range s {
		if r > 0xFFFF || r >= 0x300 && r < 0x370 {
			silent("characters beyond 16 bits")
		}
	}
	return s
}

func simpleCase(s string) string {
	if strings.ContainsAny(s, "İıſKßµÿ") {
		silent("special case of letters")
	}
	return s
}

func stringFunctions() []scalar {
	str := func(i int, v []any) string { return v[i].(string) }
	return []scalar{
		{name: "strlen", args: "s", ret: kql.Long, f: func(v []any) any { return int64(utf8.RuneCountInString(plain(str(0, v)))) }},
		{name: "string_size", args: "s", ret: kql.Long, f: func(v []any) any { return int64(len(str(0, v))) }},
		{name: "tolower", args: "s", ret: kql.String, f: func(v []any) any { return strings.ToLower(simpleCase(str(0, v))) }},
		{name: "toupper", args: "s", ret: kql.String, f: func(v []any) any { return strings.ToUpper(simpleCase(str(0, v))) }},
		{name: "reverse", args: "s", ret: kql.String, f: func(v []any) any {
			r := []rune(plain(str(0, v)))
			slices.Reverse(r)
			return string(r)
		}},
		{name: "substring", args: "sl", ret: kql.String, gen: []string{"", anyCounts}, f: func(v []any) any { return substring(str(0, v), v[1].(int64), 1<<30) }},
		{name: "substring", args: "sll", ret: kql.String, gen: []string{"", anyCounts, fewCounts}, f: func(v []any) any { return substring(str(0, v), v[1].(int64), v[2].(int64)) }},
		{name: "indexof", args: "ss", ret: kql.Long, f: func(v []any) any {
			s, t := plain(str(0, v)), str(1, v)
			if t == "" {
				silent("indexof an empty string")
			}
			i := strings.Index(s, t)
			if i < 0 {
				return int64(-1)
			}
			return int64(utf8.RuneCountInString(s[:i]))
		}},
		{name: "countof", args: "ss", ret: kql.Long, f: func(v []any) any { return countOf(str(0, v), str(1, v)) }},
		{name: "replace_string", args: "sss", ret: kql.String, f: func(v []any) any {
			if v[1] == "" {
				silent("replacing an empty string")
			}
			return strings.ReplaceAll(str(0, v), str(1, v), str(2, v))
		}},
		{name: "replace_regex", args: "sss", ret: kql.String, gen: []string{"", patterns, `"" "x" "_-"`}, f: func(v []any) any {
			return regexp.MustCompile(str(1, v)).ReplaceAllLiteralString(str(0, v), str(2, v))
		}},
		{name: "extract", args: "sls", ret: kql.String, gen: []string{captures, "0 1", ""}, f: func(v []any) any {
			m := regexp.MustCompile(str(0, v)).FindStringSubmatch(str(2, v))
			if m == nil {
				return ""
			}
			return m[v[1].(int64)]
		}},
		{name: "extract_all", args: "ss", ret: kql.Dynamic, gen: []string{captures, ""}, f: func(v []any) any {
			out := []any{}
			for _, m := range regexp.MustCompile(str(0, v)).FindAllStringSubmatch(str(1, v), -1) {
				out = append(out, m[1])
			}
			if len(out) == 0 {
				return oneOf{nil, out}
			}
			return out
		}},
		{name: "trim", args: "ss", ret: kql.String, gen: []string{`"[a-z]+" "_" "\\s+" "[^0-9]+"`, ""}, f: func(v []any) any { return trim(str(0, v), str(1, v), true, true) }},
		{name: "trim_start", args: "ss", ret: kql.String, gen: []string{`"[a-z]+" "_" "\\d+"`, ""}, f: func(v []any) any { return trim(str(0, v), str(1, v), true, false) }},
		{name: "trim_end", args: "ss", ret: kql.String, gen: []string{`"[a-z]+" "_" "\\d+"`, ""}, f: func(v []any) any { return trim(str(0, v), str(1, v), false, true) }},
		{name: "split", args: "ss", ret: kql.Dynamic, gen: []string{"", `"_" "a" "ab" "," "-"`}, f: func(v []any) any {
			out := []any{}
			for _, p := range strings.Split(str(0, v), str(1, v)) {
				out = append(out, p)
			}
			return out
		}},
		{name: "strrep", args: "sl", ret: kql.String, gen: []string{"", "0 1 2 3"}, f: func(v []any) any { return strings.Repeat(str(0, v), int(v[1].(int64))) }},
		{name: "strcmp", args: "ss", ret: kql.Long, f: func(v []any) any { return int64(strings.Compare(str(0, v), str(1, v))) }},
		{name: "isempty", args: "s", ret: kql.Bool, f: func(v []any) any { return v[0] == "" }},
		{name: "isnotempty", args: "s", ret: kql.Bool, f: func(v []any) any { return v[0] != "" }},
		{name: "hash_sha256", args: "s", ret: kql.String, f: func(v []any) any { h := sha256.Sum256([]byte(str(0, v))); return hex.EncodeToString(h[:]) }},
		{name: "hash_md5", args: "s", ret: kql.String, f: func(v []any) any { h := md5.Sum([]byte(str(0, v))); return hex.EncodeToString(h[:]) }},
		{name: "base64_encode_tostring", args: "s", ret: kql.String, f: func(v []any) any { return base64.StdEncoding.EncodeToString([]byte(str(0, v))) }},
		{name: "tohex", args: "l", ret: kql.String, f: func(v []any) any { return strconv.FormatUint(uint64(v[0].(int64)), 16) }},
		{name: "isascii", args: "s", ret: kql.Bool, f: func(v []any) any { return !strings.ContainsFunc(str(0, v), func(r rune) bool { return r > 127 }) }},
		{name: "translate", args: "sss", ret: kql.String, gen: []string{`"abc" "a1_" "A"`, `"xyz" "x" "12"`, ""}, f: func(v []any) any { return translate(str(0, v), str(1, v), str(2, v)) }},
		{name: "unicode_codepoints_from_string", args: "s", ret: kql.Dynamic, f: func(v []any) any {
			out := []any{}
			for _, r := range plain(str(0, v)) {
				out = append(out, int64(r))
			}
			return out
		}},
	}
}

// substring counts characters from 0; a negative start counts from the end.
func substring(s string, start, n int64) any {
	r := []rune(plain(s))
	size := int64(len(r))
	if start < 0 {
		if start += size; start < 0 {
			silent("substring before the beginning")
		}
	}
	if start >= size {
		return ""
	}
	return string(r[start:min(size, start+n)])
}

// countOf counts also what overlaps.
func countOf(s, t string) any {
	if t == "" {
		silent("countof an empty string")
	}
	var n int64
	for i := range len(s) {
		if strings.HasPrefix(s[i:], t) {
			n++
		}
	}
	return n
}

func trim(re, s string, start, end bool) any {
	if start {
		s = regexp.MustCompile("^(?:"+re+")").ReplaceAllString(s, "")
	}
	if end {
		s = regexp.MustCompile("(?:"+re+")$").ReplaceAllString(s, "")
	}
	return s
}

// translate replaces characters by those at the same places of another list;
// a list that is too short is filled with its last.
func translate(search, replace, s string) any {
	from, to := []rune(search), []rune(replace)
	return strings.Map(func(r rune) rune {
		if i := slices.Index(from, r); i >= 0 {
			return to[min(i, len(to)-1)]
		}
		return r
	}, s)
}
