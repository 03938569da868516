package workspace

import (
	"fmt"
	"strings"
	"testing"

	"picket"
	"picket/kql"
)

// longTexts are 2,000 texts of 10 kB, which is too much for one step of a
// regular expression with repetitions.
const longTexts = `range x from 1 to 2000 step 1 | extend s = strcat(strrep(strrep("ab", 100), 50), "=", x % 7) | `

// In pieces a regular expression gives what it gives at once.
func TestRegexInPieces(t *testing.T) {
	db := open(t, "", Options{})
	for src, want := range map[string]string{
		`extend e = extract(@"(?:ab)+=(\d+)", 1, s) | summarize count() by e | sort by e asc | take 2`:                      "[[0 285] [1 286]]",
		`extend e = extract(@"b+=(\d+)", 1, strcat(s, "0")) | summarize dcount(e), max(e)`:                                  "[[7 60]]",
		`where s matches regex @"^(ab)+=[3-5]+$" | count`:                                                                   "[[858]]",
		`extend p = strcat("b+=", x % 7) | where s matches regex p | count`:                                                 "[[2000]]",
		`take 100 | extend e = replace_regex(s, @"(ab)+", @"\1") | summarize dcount(e), max(e)`:                             "[[7 ab=6]]",
		`take 100 | summarize max(array_length(extract_all(@"(a)b*", s)))`:                                                  "[[5000]]",
		`take 100 | summarize max(strlen(trim(@"[ab]+", s))), max(countof(s, "ab*", "regex")), max(indexof_regex(s, "=+"))`: "[[2 5000 10000]]",
		`extend e = iff(x == 7, "", s) | summarize countif(e matches regex "b+=")`:                                          "[[1999]]",
	} {
		if got := fmt.Sprint(query(t, db, longTexts+src, kql.Options{})); got != want {
			t.Errorf("%s:\n got %s\nwant %s", src, got, want)
		}
	}
}

// What one step must not take is refused with what to do about it, wherever it grows.
func TestStepRefused(t *testing.T) {
	db := open(t, "", Options{})
	again := func(step string) string { return strings.Repeat(" | extend "+step, 40) }
	const large, long = "would be made at once", "take too long over a text"
	for src, want := range map[string]string{
		`print a = "abcdefgh"` + again("a = strcat(a, a)"):                                                                                            large,
		`print a = "abcdefgh"` + again("a = strcat(a, tolower(strcat(a, 'x')))"):                                                                      large,
		`print a = "abcdefgh"` + again(`a = replace_string(a, "a", "aa")`) + again(`a = strrep(a, 2)`):                                                large,
		`print a = "abcdefgh"` + again(`a = replace_regex(a, "(.*)", @"\1\1")`):                                                                       long,
		`print a = "abcdefgh"` + again("a = iff(strlen(a) > 3, strcat(a, a), a)"):                                                                     large,
		`print a = "abcdefgh" | extend b = a` + again("b = replace_string(a, 'a', b)") + again("b = strcat(b, b)"):                                    large,
		`print d = dynamic([1]) | extend e = tostring(d)` + again("e = strcat(e, e), d = parse_json(e)"):                                              large,
		`let f = (s:string) { strcat(s, s, s, s) }; print a = "abcdefgh"` + again("a = f(f(a))"):                                                      large,
		`range x from 1 to 2000 step 1 | extend a = strcat(strrep(strrep("abcdefgh", 100), 1000), x) | summarize sum(strlen(a))`:                      large,
		`range x from 1 to 100 step 1 | scan declare (a:string = "abcdefgh") with (step s: true => a = strcat(s.a, s.a);) | summarize max(strlen(a))`: large,
		`print s = strrep(strrep("a", 1000), 200) | extend r = replace_regex(s, "(?:a.*z|a)", "")`:                                                    long,
		`print s = strrep(strrep("a", 1000), 1000) | where s matches regex "(a?){1000}a{1000}"`:                                                       long,
	} {
		res, err := db.Query(t.Context(), src, kql.Options{})
		if err == nil {
			_, err = res.Collect()
		}
		if picket.CodeOf(err) != picket.Invalid || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "driver") {
			t.Errorf("%.200s:\n%v\nwant %q", src, err, want)
		}
	}
	if got := fmt.Sprint(query(t, db, `print a = "abcdefgh"`+strings.Repeat(" | extend a = strcat(a, a)", 20)+" | project strlen(a)", kql.Options{})); got != "[[8388608]]" {
		t.Errorf("a text that is long, and not too long: %s", got)
	}
}

// Texts that are replaced in long ones are counted, not taken to be everywhere.
func TestStepFits(t *testing.T) {
	db := open(t, "", Options{})
	const rows = `range x from 1 to 2000 step 1 | extend s = strcat(strrep("ab ", 300), "<user>", x % 7, " ", strrep("cd ", 300)), n = strcat("name", x % 3) | `
	for src, want := range map[string]string{
		`extend r = replace_string(s, strcat("<", "user>"), strcat(n, n, n, n)) | summarize sum(strlen(r))`:                                         "[[3644000]]",
		`extend r = replace_strings(s, dynamic(["<user>", "cd"]), dynamic(["a long text that stands for a user", "z"])) | summarize sum(strlen(r))`: "[[3072000]]",
		`extend r = translate("abcd", "wxyz", s) | summarize sum(strlen(r)), countif(r has "user")`:                                                 "[[3616000 2000]]",
		`extend r = replace_regex(s, @"<\w+>", n) | summarize sum(strlen(r))`:                                                                       "[[3614000]]",
		`take 48 | scan declare (q:string = "") with (step s1: true => q = replace_string(strcat(s, s), "<user>", n);) | summarize sum(strlen(q))`:  "[[173472]]",
	} {
		if got := fmt.Sprint(query(t, db, rows+src, kql.Options{})); got != want {
			t.Errorf("%s:\n got %s\nwant %s", src, got, want)
		}
	}
	for src, want := range map[string]string{
		`extend r = replace_string(s, "ab", strrep(strcat(s, s), 10)) | summarize sum(strlen(r))`:  "would be made at once",
		`extend r = replace_strings(s, dynamic(["ab"]), pack_array(s)) | summarize sum(strlen(r))`: "would be made at once",
	} {
		res, err := db.Query(t.Context(), rows+src, kql.Options{})
		if err == nil {
			_, err = res.Collect()
		}
		if picket.CodeOf(err) != picket.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", src, err)
		}
	}
}
