package kql

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"picket/kql/syntax"
)

// corpusQuery is a real-world query, with the tables it reads.
type corpusQuery struct {
	ID     string   `json:"id"`
	Query  string   `json:"query"`
	Tables []string `json:"tables"`
}

func readQueries(t testing.TB) []corpusQuery {
	t.Helper()
	f, err := os.Open(sharedCases + "corpus_dev.jsonl")
	if err != nil {
		t.Skipf("the corpus is not here: %v", err)
	}
	defer f.Close()
	var out []corpusQuery
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 8<<20)
	for sc.Scan() {
		var q corpusQuery
		if err := json.Unmarshal(sc.Bytes(), &q); err != nil {
			t.Fatal(err)
		}
		out = append(out, q)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestCorpus compiles real-world queries and fails when fewer compile than did
// before, or when the median takes more than a few milliseconds.
func TestCorpus(t *testing.T) {
	cat := schemaCatalog(t)
	var times []time.Duration
	good, missing, n := 0, 0, 0
	for _, q := range readQueries(t) {
		n++
		start := time.Now()
		_, err := Compile(q.Query, cat, Options{Now: testNow, Functions: ServiceFunctions{}, External: anything, Open: true})
		times = append(times, time.Since(start))
		var d syntax.Diagnostics
		ok := errors.As(err, &d)
		switch {
		case err == nil:
			good++
		case ok && namesMissing(d):
			missing++
		}
		if err != nil && testing.Verbose() {
			for _, x := range d {
				t.Logf("%s: %s %s (%q)", q.ID, x.Code, x.Msg, clip(q.Query[x.Span.Start:min(x.Span.End, len(q.Query))]))
			}
		}
	}
	const floor = 2568
	if good < floor {
		t.Errorf("%d compile, want at least %d", good, floor)
	}
	slices.Sort(times)
	t.Logf("%d of %d compile, %d more name tables or functions that are not declared; median %v, 99 %% %v, longest %v", good, n, missing,
		times[n/2], times[n*99/100], times[n-1])
}

// anything allows every location and has no rows.
func anything(ExternalData) (string, error) { return "", nil }

func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return s[:min(len(s), 80)]
}

// namesMissing reports whether all that is wrong is a name nobody declared.
func namesMissing(d syntax.Diagnostics) bool {
	for _, x := range d {
		if x.Code != codeName && x.Code != codeFunction {
			return false
		}
	}
	return true
}
