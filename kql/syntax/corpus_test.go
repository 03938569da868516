package syntax

import (
	"bufio"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpusDir holds real queries and cases beside the repository.
const corpusDir = "../../../shared/kql"

type corpusCase struct {
	ID    string `json:"id"`
	Query string `json:"query"`
	Skip  string `json:"skip"`
}

// corpus reads one file of cases, or skips the test when it is not there.
func corpus(t testing.TB, file string) []corpusCase {
	t.Helper()
	f, err := os.Open(filepath.Join(corpusDir, file))
	if err != nil {
		t.Skipf("no corpus: %v", err)
	}
	defer f.Close()
	var list []corpusCase
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		var c corpusCase
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		list = append(list, c)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func corpusFiles() []string {
	return []string{"corpus_dev.jsonl", "docs_cases_dev.jsonl", "loco_cases_dev.jsonl", "semantics_cases_dev.jsonl", "schema_cases_dev.jsonl"}
}

// refused are the queries that must not parse, with the message and the reason.
func refused() map[string]string {
	return map[string]string{
		"cluster-function#1": "expected ';'", // two queries on one line: the official parser refuses it, too
	}
}

// TestCorpus: every real query and every documented example parses, is
// printed, and parses to the same tree again.
func TestCorpus(t *testing.T) {
	for _, file := range corpusFiles() {
		t.Run(file, func(t *testing.T) {
			cases := corpus(t, file)
			bad := 0
			for _, c := range cases {
				_, ds := Parse(c.Query)
				want, refuse := refused()[c.ID[strings.IndexByte(c.ID, '/')+1:]]
				switch {
				case refuse && (len(ds) == 0 || !strings.Contains(ds[0].Msg, want)):
					t.Errorf("%s: got %v, want a message with %q", c.ID, ds, want)
				case !refuse && len(ds) > 0:
					t.Errorf("%s (skip %q)\n%s", c.ID, c.Skip, ds.Render(c.Query))
				}
				if len(ds) > 0 {
					bad++
				}
				checkTree(t, c.Query)
				checkPrint(t, c.Query)
			}
			t.Logf("%d of %d parse", len(cases)-bad, len(cases))
		})
	}
}

// TestMangled breaks real queries, a few tokens each, and checks that what
// must hold for any text holds for them.
func TestMangled(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, file := range corpusFiles() {
		for _, c := range corpus(t, file) {
			toks := lex(c.Query)
			if len(toks) < 3 || len(c.Query) > 20_000 {
				continue
			}
			for range 3 {
				src := mangle(rnd, c.Query, toks)
				checkTree(t, src)
				checkPrint(t, src)
				if t.Failed() {
					t.Fatalf("made of %s", c.ID)
				}
			}
		}
	}
}

// mangle removes, doubles, swaps or cuts off tokens.
func mangle(rnd *rand.Rand, src string, toks []token) string {
	var parts []string
	last := int32(0)
	for _, k := range toks {
		parts = append(parts, src[last:k.end])
		last = k.end
	}
	for range 1 + rnd.IntN(4) {
		i, j := rnd.IntN(len(parts)), rnd.IntN(len(parts))
		switch rnd.IntN(5) {
		case 0:
			parts[i] = ""
		case 1:
			parts[i] += parts[i]
		case 2:
			parts[i], parts[j] = parts[j], parts[i]
		case 3:
			parts[i] = parts[j]
		case 4:
			if n := len(parts) * 3 / 4; n > 1 && rnd.IntN(4) == 0 {
				parts = parts[:n]
			}
		}
	}
	return strings.Join(parts, "")
}
