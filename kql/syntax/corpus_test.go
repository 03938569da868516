package syntax

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
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

func TestCorpus(t *testing.T) {
	for _, file := range []string{"corpus_dev.jsonl", "docs_cases_dev.jsonl", "loco_cases_dev.jsonl", "semantics_cases_dev.jsonl", "schema_cases_dev.jsonl"} {
		t.Run(file, func(t *testing.T) {
			cases := corpus(t, file)
			bad := 0
			for _, c := range cases {
				if _, ds := Parse(c.Query); len(ds) > 0 {
					bad++
					t.Errorf("%s (skip %q)\n%s", c.ID, c.Skip, ds.Render(c.Query))
				}
				checkTree(t, c.Query)
				checkPrint(t, c.Query)
			}
			t.Logf("%d of %d parse", len(cases)-bad, len(cases))
		})
	}
}
