package syntax

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// kustoError is a syntax error that Microsoft's parser reports.
type kustoError struct {
	Code       string
	Start, End int // bytes
	Msg        string
}

// kustoParse has Microsoft's parser read every query, or skips the test where
// it is not installed ("make setup" does).
func kustoParse(t testing.TB, queries []string) [][]kustoError {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node: make setup installs it")
	}
	dir := filepath.Join("testdata", "kusto")
	if _, err := os.Stat(filepath.Join(dir, "node_modules", "@kusto")); err != nil {
		t.Skipf("Microsoft's parser is not installed (make setup does it): %v", err)
	}
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, q := range queries {
		if err := enc.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(node, "parse.js")
	cmd.Dir, cmd.Stdin, cmd.Stderr = dir, &in, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node parse.js: %v", err)
	}
	sc := bufio.NewScanner(bytes.NewReader(out))
	sc.Buffer(nil, 16<<20)
	var all [][]kustoError
	for sc.Scan() {
		if len(all) == len(queries) {
			t.Fatal("more answers than queries")
		}
		all = append(all, kustoErrors(t, queries[len(all)], sc.Bytes()))
	}
	if err := sc.Err(); err != nil || len(all) != len(queries) {
		t.Fatalf("%d answers to %d queries: %v", len(all), len(queries), err)
	}
	return all
}

// kustoErrors reads one answer of parse.js, in the order of the text.
func kustoErrors(t testing.TB, query string, line []byte) []kustoError {
	var list [][4]any
	if err := json.Unmarshal(line, &list); err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	var errs []kustoError
	for _, e := range list {
		start := byteOffset(query, int(e[1].(float64)))
		end := byteOffset(query, int(e[1].(float64)+e[2].(float64)))
		errs = append(errs, kustoError{e[0].(string), start, end, e[3].(string)})
	}
	return errs
}

// byteOffset turns a count of UTF-16 units into one of bytes.
func byteOffset(s string, units int) int {
	for i, r := range s {
		if units <= 0 {
			return i
		}
		units--
		if r > 0xffff {
			units--
		}
	}
	return len(s)
}

func firstError(errs []kustoError) int {
	first := errs[0].Start
	for _, e := range errs {
		first = min(first, e.Start)
	}
	return first
}

// tokensBetween returns how many tokens begin between two places.
func tokensBetween(src string, a, b int) int {
	if a > b {
		a, b = b, a
	}
	n := 0
	for _, t := range lex(src) {
		if int(t.end) > a && int(t.start) < b && t.end > t.start {
			n++
		}
	}
	return n
}

// mutate breaks a query in one way.
func mutate(rnd *rand.Rand, src string) (string, string) {
	toks := lex(src)
	toks = toks[:len(toks)-1]
	i, j := rnd.IntN(len(toks)), rnd.IntN(len(toks))
	text := func(i int) string { return src[toks[i].start:toks[i].end] }
	replace := func(i int, s string) string { return src[:toks[i].start] + s + src[toks[i].end:] }
	switch kind := rnd.IntN(8); kind {
	case 0:
		return "deletion", replace(i, "")
	case 1:
		return "duplication", replace(i, text(i)+" "+text(i))
	case 2:
		if i > j {
			i, j = j, i
		}
		if i == j {
			return "deletion", replace(i, "")
		}
		return "swap", src[:toks[i].start] + text(j) + src[toks[i].end:toks[j].start] + text(i) + src[toks[j].end:]
	case 3:
		return "insertion", replace(i, text(i)+" "+text(j))
	case 4:
		return "truncation", src[:toks[i].end]
	case 5, 6:
		var at []int
		for k := range len(src) {
			if strings.IndexByte("()[]{}\"'", src[k]) >= 0 == (kind == 5) && (kind == 5 || strings.IndexByte("|,;=:.", src[k]) >= 0) {
				at = append(at, k)
			}
		}
		if len(at) == 0 {
			return "deletion", replace(i, "")
		}
		k := at[rnd.IntN(len(at))]
		if kind == 5 {
			return "bracket or quote", src[:k] + src[k+1:]
		}
		return "sign", src[:k] + src[k+1:]
	default:
		var words []int
		for k := range toks {
			if w := text(k); isOperator(w) || wordOp(w) != ILLEGAL || w == "by" || w == "on" || w == "let" || w == "with" || w == "from" || w == "to" || w == "step" || w == "typeof" {
				words = append(words, k)
			}
		}
		if len(words) == 0 {
			return "deletion", replace(i, "")
		}
		k := words[rnd.IntN(len(words))]
		w := text(k)
		n := rnd.IntN(len(w))
		return "misspelling", replace(k, w[:n]+w[n+1:])
	}
}

type mutation struct{ kind, src, id string }

// mutations breaks n queries of the corpus, always the same.
func mutations(t *testing.T, n int) []mutation {
	var all []corpusCase
	for _, file := range corpusFiles() {
		for _, c := range corpus(t, file) {
			if toks := lex(c.Query); len(toks) > 3 && len(c.Query) < 6000 {
				all = append(all, c)
			}
		}
	}
	rnd := rand.New(rand.NewPCG(3, 14))
	var list []mutation
	for len(list) < n {
		c := all[rnd.IntN(len(all))]
		kind, src := mutate(rnd, c.Query)
		list = append(list, mutation{kind, src, c.ID})
	}
	return list
}

func TestKustoCorpus(t *testing.T) {
	var all []corpusCase
	var queries []string
	for _, file := range corpusFiles() {
		for _, c := range corpus(t, file) {
			all = append(all, c)
			queries = append(queries, c.Query)
		}
	}
	for i, errs := range kustoParse(t, queries) {
		_, ds := Parse(queries[i])
		if (len(ds) > 0) != (len(errs) > 0) {
			t.Errorf("%s: Microsoft's parser finds %v\n%s%s", all[i].ID, errs, queries[i], ds.Render(queries[i]))
		}
	}
}

func TestKustoMutations(t *testing.T) {
	list := mutations(t, 2000)
	queries := make([]string, len(list))
	for i, m := range list {
		queries[i] = m.src
	}
	agree, both, near := 0, 0, 0
	for i, errs := range kustoParse(t, queries) {
		m := list[i]
		_, ds := Parse(m.src)
		if (len(ds) > 0) == (len(errs) > 0) {
			agree++
		} else {
			t.Logf("VERDICT %s (%s): theirs %v\nours %s\n%s", m.id, m.kind, errs, ds.Render(m.src), around(m.src, errs, ds))
			continue
		}
		if len(ds) == 0 {
			continue
		}
		both++
		if d := tokensBetween(m.src, firstError(errs), ds[0].Span.Start); d <= 1 {
			near++
		} else {
			t.Logf("PLACE %s (%s): %d tokens, theirs %v\nours %s%s", m.id, m.kind, d, errs[:1], ds[:1].Render(m.src), around(m.src, errs, nil))
		}
	}
	t.Logf("verdict %.2f %%, place %.2f %% of %d", 100*float64(agree)/float64(len(list)), 100*float64(near)/float64(both), both)
}

func around(src string, errs []kustoError, ds Diagnostics) string {
	if len(errs) > 0 {
		return Diagnostic{Span: Span{errs[0].Start, errs[0].End}, Msg: "theirs: " + errs[0].Msg}.Render(src)
	}
	if utf8.RuneCountInString(src) < 1500 && len(ds) == 0 {
		return src
	}
	return ""
}
