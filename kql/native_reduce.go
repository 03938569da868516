package kql

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reduceGroup is a row of reduce: what the texts of a group have in common, how
// many there are, and the first of them.
type reduceGroup struct {
	P string `json:"p"`
	C int64  `json:"c"`
	R string `json:"r"`
}

// reduceTexts groups texts by the terms they share, as the page "reduce operator"
// and the paper it names (R. Vaarandi, A Data Clustering Algorithm for Mining
// Patterns From Event Logs) describe: a term is frequent that stands at the same
// place in more than the given share of the texts; the frequent terms of a text
// are its pattern, with * for the others. Patterns that are not frequent
// themselves are put together as "others". A number is never part of a pattern.
//
// texts and counts are JSON arrays of one length. The result is a JSON object:
// the groups, the largest first, and of each text the number of its group.
func reduceTexts(texts, counts, share, characters string) (string, bool) {
	var list []string
	var n []int64
	threshold, err := strconv.ParseFloat(share, 64)
	if err != nil || json.Unmarshal([]byte(texts), &list) != nil || json.Unmarshal([]byte(counts), &n) != nil || len(list) != len(n) {
		return "", false
	}
	type place struct {
		i    int
		term string
	}
	total, frequent := int64(0), map[place]int64{}
	for i, s := range list {
		total += n[i]
		for k, t := range splitTerms(s, characters) {
			if !t.sep && !allDigits(t.text) {
				frequent[place{k, t.text}] += n[i]
			}
		}
	}
	least := max(1, threshold*float64(total)) // what stands there once is no pattern
	patterns := make([]string, len(list))
	support := map[string]int64{}
	for i, s := range list {
		patterns[i] = patternOf(splitTerms(s, characters), func(k int, term string) bool {
			return float64(frequent[place{k, term}]) > least
		})
		support[patterns[i]] += n[i]
	}
	var groups []reduceGroup
	index := map[string]int{}
	others := reduceGroup{P: "others"}
	for i, p := range patterns {
		if p == "" || float64(support[p]) <= least {
			others.C += n[i]
			continue
		}
		if _, ok := index[p]; !ok {
			index[p] = len(groups)
			groups = append(groups, reduceGroup{P: p, R: list[i]})
		}
		groups[index[p]].C += n[i]
	}
	slices.SortStableFunc(groups, func(a, b reduceGroup) int { return cmp.Compare(b.C, a.C) })
	for i, g := range groups {
		index[g.P] = i + 1
	}
	if others.C > 0 {
		groups = append(groups, others)
	}
	of := make([]int, len(list))
	for i, p := range patterns {
		if of[i] = index[p]; p == "" || float64(support[p]) <= least {
			of[i] = len(groups)
		}
	}
	out, err := json.Marshal(map[string]any{"groups": groups, "of": of})
	return string(out), err == nil
}

// term is a term of a text, or what stands between two.
type term struct {
	text string
	sep  bool
}

// splitTerms cuts s at the given characters; without any, at everything but
// ASCII letters and digits.
func splitTerms(s, characters string) []term {
	separates := func(r rune) bool {
		if characters != "" {
			return strings.ContainsRune(characters, r)
		}
		return r >= utf8.RuneSelf || !isAlphanumeric(byte(r))
	}
	var out []term
	start := 0
	for i, r := range s {
		sep := separates(r)
		if i > start && sep != separates(firstRune(s[start:])) {
			out = append(out, term{s[start:i], !sep})
			start = i
		}
	}
	if start < len(s) {
		out = append(out, term{s[start:], separates(firstRune(s[start:]))})
	}
	return out
}

func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func allDigits(s string) bool { return strings.Trim(s, "0123456789") == "" }

// patternOf writes * for the terms that are not frequent. A separator that could
// be part of a word (one of the query's own) goes with the term beside it. The
// result is "" when no term is left.
func patternOf(terms []term, frequent func(i int, term string) bool) string {
	var b strings.Builder
	some := false
	keep := func(i int) bool {
		return i < 0 || i >= len(terms) || terms[i].sep || !allDigits(terms[i].text) && frequent(i, terms[i].text)
	}
	for i, t := range terms {
		switch {
		case !t.sep && keep(i):
			some = true
			b.WriteString(t.text)
		case t.sep && (keep(i-1) && keep(i+1) || !isAlphanumeric(t.text[0])):
			b.WriteString(t.text)
		case !strings.HasSuffix(b.String(), "*"):
			b.WriteByte('*')
		}
	}
	if !some {
		return ""
	}
	return b.String()
}
