package syntax

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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

// mutation is a query of the corpus that was broken.
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
		src, kind := mutate(rnd, c.Query)
		list = append(list, mutation{kind, src, c.ID})
	}
	return list
}

// kustoRefuses are the queries that Microsoft's parser refuses and ours reads.
func kustoRefuses() map[string]string {
	return map[string]string{
		"docs/find-operator#8": "an example of the page itself: project pack_all()",
	}
}

// TestKustoCorpus: what is real or documented, both parsers take, or neither.
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
		_, known := kustoRefuses()[all[i].ID]
		if agree := (len(ds) > 0) == (len(errs) > 0); agree == known {
			t.Errorf("%s: Microsoft's parser finds %v\n%s%s", all[i].ID, errs, queries[i], ds.Render(queries[i]))
		}
	}
}

// TestKustoMutations breaks real queries and compares the verdicts of the
// parsers, and where they find the first error: within a token is the same
// place. What is left is told in ../DESIGN.md.
func TestKustoMutations(t *testing.T) {
	const count, verdicts, places = 2000, 0.995, 0.99
	list := mutations(t, count)
	queries := make([]string, len(list))
	for i, m := range list {
		queries[i] = m.src
	}
	agree, both, near := 0, 0, 0
	for i, errs := range kustoParse(t, queries) {
		m := list[i]
		_, ds := Parse(m.src)
		if (len(ds) > 0) != (len(errs) > 0) {
			t.Logf("%s, %s: only one refuses it: Microsoft's %v, ours %v\n%s", m.id, m.kind, errs, ds, m.src)
			continue
		}
		agree++
		if len(ds) == 0 {
			continue
		}
		both++
		if n := tokensBetween(m.src, firstError(errs), ds[0].Span.Start); n <= 1 {
			near++
		} else {
			t.Logf("%s, %s: %d tokens apart: Microsoft's %v, ours\n%s", m.id, m.kind, n, errs[0], ds[0].Render(m.src))
		}
	}
	v, p := float64(agree)/float64(len(list)), float64(near)/float64(both)
	t.Logf("the same verdict on %.2f %% of %d, the same place in %.2f %% of %d", 100*v, len(list), 100*p, both)
	if v < verdicts || p < places || both < count/2 {
		t.Errorf("want at least %.1f %% and %.1f %%", 100*verdicts, 100*places)
	}
}
