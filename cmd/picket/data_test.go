package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
)

// TestDataUpdate: what is fetched, what has not changed, and what fails, each told once.
func TestDataUpdate(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/gone":
			w.WriteHeader(http.StatusGone)
		case r.Header.Get("If-None-Match") == `"1"`:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("ETag", `"1"`)
			fmt.Fprintln(w, "45.83.64.0/24")
		}
	}))
	defer srv.Close()
	data := t.TempDir()
	for _, name := range []string{"good", "gone"} {
		placed(t, filepath.Join(data, "datasets", name+".yaml"), fmt.Sprintf("name: %[1]s\nkind: block\nformat: cidr\nreliability: A\nurls: [%[2]s/%[1]s]\nsays: {verdict: malicious, confidence: 90}\n", name, srv.URL))
	}
	for _, want := range []string{"fetched", "has not changed"} {
		out, errs, code := runPicket(t, "", "data", "update", "--data", data, "good", "gone")
		if code != 1 || !strings.Contains(out, want) || strings.Count(errs, "HTTP 410") != 1 || !strings.HasSuffix(errs, "picket: 1 of 2 data sets could not be fetched\n") {
			t.Errorf("exit code %d\n%s%s", code, out, errs)
		}
	}
	if out := picketIn(t, "lookup", "--data", data, "--local", "45.83.64.7"); !strings.Contains(out, "MALICIOUS") {
		t.Errorf("lookup:\n%s", out)
	}
	png := placed(t, filepath.Join(t.TempDir(), "a.png"), "\x89PNG\r\n\x1a\n")
	if _, errs, code := runPicket(t, "", "data", "import", "--data", data, "good", png); code != 1 || !strings.Contains(errs, "the old files stay") {
		t.Errorf("import of a wrong file: exit code %d, %s", code, errs)
	}
	if _, errs, code := runPicket(t, "", "data", "import", "--data", data, "better", png); code != 2 || !strings.Contains(errs, `no data set "better"`) {
		t.Errorf("import of a wrong name: exit code %d, %s", code, errs)
	}
	if out := picketIn(t, "data", "list", "--data", data); !strings.Contains(out, "just now") || !strings.Contains(out, "not fetched") {
		t.Errorf("list:\n%s", out)
	}
}
