package library

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"picket"
	"picket/kql"
	"picket/state"
	"picket/workspace"
)

type rig struct {
	*Library
	ws *workspace.DB
}

func open(t *testing.T, o Options) rig {
	t.Helper()
	ws, err := workspace.Open("", workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	st, err := state.Open(t.Context(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close(context.Background()) })
	l, err := New(t.Context(), ws, st, o)
	if err != nil {
		t.Fatal(err)
	}
	return rig{l, ws}
}

// ask returns the rows of a query as text, or its error.
func (r rig) ask(t *testing.T, src string) string {
	t.Helper()
	res, err := r.ws.Query(t.Context(), src, kql.Options{})
	if err != nil {
		return err.Error()
	}
	rows, err := res.Collect()
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(rows)
}

func TestFunctions(t *testing.T) {
	r := open(t, Options{})
	put := func(name, params, query string) ([]string, error) {
		return r.PutSearch(t.Context(), state.SavedSearch{ID: name, FunctionAlias: name, FunctionParameters: params, Query: query})
	}
	for _, f := range [][3]string{
		{"Twice", "n:long, f:long=2", "print x = n * f"},
		{"Outer", "", "Twice(4) // twice"},
		{"Only", "T:(a:string)", "T | where a == 'x';"},
		{"Any", "T:(*)", "T | take 1"},
	} {
		if warn, err := put(f[0], f[1], f[2]); err != nil || len(warn) > 0 {
			t.Errorf("%s: %v, %v", f[0], warn, err)
		}
	}
	for src, want := range map[string]string{
		"Twice(3)":            "[[6]]",
		"Twice(3, f=10)":      "[[30]]",
		"Outer | where x > 1": "[[8]]",
		"datatable(a:string)['x','y'] | invoke Only()": "[[x]]",
		"datatable(a:long)[7] | invoke Any()":          "[[7]]",
	} {
		if got := r.ask(t, src); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
	if warn, err := put("Later", "", "ComesLater_CL | take 1"); err != nil || len(warn) != 1 || !strings.Contains(warn[0], "ComesLater_CL") {
		t.Errorf("a table that is not there: %v, %v", warn, err)
	}
	for _, c := range []struct{ name, params, query, want string }{
		{"Bad", "", "Syslog\n| where nothing == 1", "line 2, column 9"},
		{"Bad", "", "Syslog |\n| take", "line 2"},
		{"Bad", "n:nonsense", "print n", "nonsense"},
		{"Bad", "", "Bad | take 1", "calls itself"},
		{"Bad", ") { print 1 }; let g = (", "print 1", "want parameters"},
		{"strcat", "", "print 1", "KQL itself"},
		{"Syslog", "", "print 1", "table of that name"},
		{"no name", "", "print 1", "want a name"},
		{"Bad", "", " ", "want a query"},
	} {
		if _, err := put(c.name, c.params, c.query); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s(%s) %q: %v, want %s", c.name, c.params, c.query, err, c.want)
		}
	}
	if _, err := r.PutSearch(t.Context(), state.SavedSearch{ID: "other", FunctionAlias: "Twice", Query: "print 1"}); picket.CodeOf(err) != picket.Conflict {
		t.Errorf("a name that is taken: %v", err)
	}
	if err := r.DeleteSearch(t.Context(), "Outer"); err != nil {
		t.Error(err)
	}
	if got := r.ask(t, "Outer"); !strings.Contains(got, "Outer") {
		t.Errorf("after deletion: %s", got)
	}
	again, err := New(t.Context(), r.ws, r.st, Options{})
	if err != nil || len(again.Functions()) != 4 {
		t.Errorf("%d functions after a start, want 4 (%v)", len(again.Functions()), err)
	}
}

func TestFiles(t *testing.T) {
	r := open(t, Options{})
	list, err := LoadDir(fstest.MapFS{
		"functions/asim.yaml": {Data: []byte("Parser:\n  Title: A parser\nParserName: vimThing\nEquivalentBuiltInParser: _Im_Thing\nParserParams:\n  - Name: starttime\n    Type: datetime\n    Default: datetime(null)\n" +
			"  - Name: who\n    Type: string\n    Default: '*'\n  - Name: pack\n    Type: bool\n    Default: false\nParserQuery: |\n  print a = who, b = pack, c = isnull(starttime)\n")},
		"functions/solution.yaml": {Data: []byte("id: 1\nFunction:\n  Title: x\nFunctionName: Solution\nFunctionAlias: SolutionAlias\nFunctionQuery: |\n  vimThing(who='me')\n")},
		"functions/arm.json":      {Data: []byte(`{"resources":[{"type":"x/savedSearches","properties":{"functionAlias":"FromARM","functionParameters":"n:int=1","query":"print n"}}]}`)},
		"functions/Plain.kql":     {Data: []byte("print 'plain'")},
		"functions/create.kql":    {Data: []byte(".create-or-alter function with (folder='x') Created(d:datetime=datetime(null)) {\nprint isnull(d)\n}\n")},
		"functions/wrong.kql":     {Data: []byte("print |")},
		"functions/not.yaml":      {Data: []byte("a: b")},
		"functions/README.md":     {Data: []byte("no function")},
	}, "functions")
	if err == nil || !strings.Contains(err.Error(), "functions/not.yaml: want ParserName") {
		t.Errorf("LoadDir: %v", err)
	}
	if _, err := r.SetFiles(t.Context(), list); err == nil || !strings.Contains(err.Error(), "functions/wrong.kql: function wrong, line 1") {
		t.Errorf("SetFiles: %v", err)
	}
	for src, want := range map[string]string{
		"vimThing()": "[[* false true]]", "_Im_Thing(pack=true)": "[[* true true]]", "SolutionAlias": "[[me false true]]",
		"FromARM(3)": "[[3]]", "Plain": "[[plain]]", "Created": "[[true]]",
	} {
		if got := r.ask(t, src); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
	if _, err := LoadDir(fstest.MapFS{}, "functions"); err != nil {
		t.Errorf("no folder: %v", err)
	}
}

func TestWatchlist(t *testing.T) {
	r := open(t, Options{})
	put := func(csv string) error {
		_, err := r.PutWatchlist(t.Context(), state.Watchlist{Alias: "allow-list", SearchKey: "IP Address"}, strings.NewReader(csv), 0)
		return err
	}
	if err := put("\ufeffIP Address,Note\n203.0.113.7,\"ours, too\"\n198.51.100.9,\n"); err != nil {
		t.Fatal(err)
	}
	for src, want := range map[string]string{
		`_GetWatchlist('allow-list') | project SearchKey, ['IP Address'], Note`:                                          "[[203.0.113.7 203.0.113.7 ours, too] [198.51.100.9 198.51.100.9 ]]",
		`let w = 'Allow-List'; _GetWatchlist(w) | where isnotempty(_DTItemId) and isnotnull(LastUpdatedTimeUTC) | count`: "[[2]]",
		`_GetWatchlist('allow-list', dynamic(['198.51.100.9'])) | project SearchKey`:                                     "[[198.51.100.9]]",
		`_GetWatchlistAlias`: "[[allow-list]]",
		`range x from 1 to 1 step 1 | extend ip = "203.0.113.7" | join kind=inner (_GetWatchlist('allow-list')) on $left.ip == $right.SearchKey | project Note`: "[[ours, too]]",
	} {
		if got := r.ask(t, src); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
	for src, want := range map[string]string{
		`_GetWatchlist('nope')`:                                "there are: allow-list",
		`Syslog | where HostName in (_GetWatchlist(HostName))`: "known before the query runs",
	} {
		if got := r.ask(t, src); !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
	}
	for csv, want := range map[string]string{
		"": "no line with", "Note\nx\n": "search key", "IP Address\na,b\n": "line 2: 2 values", "IP Address,SearchKey\n": "already",
	} {
		if err := put(csv); picket.CodeOf(err) != picket.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", csv, err, want)
		}
	}
	const id = "00000000-0000-0000-0000-000000000001"
	if _, err := r.PutItem(t.Context(), "allow-list", id, map[string]string{"IP Address": "192.0.2.1"}); err != nil {
		t.Fatal(err)
	}
	if err := r.DeleteItem(t.Context(), "allow-list", id); err != nil {
		t.Fatal(err)
	}
	if _, err := r.PutItem(t.Context(), "allow-list", id, map[string]string{"nope": "x"}); picket.CodeOf(err) != picket.Invalid {
		t.Errorf("an item with another column: %v", err)
	}
	if err := put("IP Address\n192.0.2.9\n"); err != nil {
		t.Fatal(err)
	}
	if got := r.ask(t, `_GetWatchlist('allow-list') | project SearchKey`); got != "[[192.0.2.9]]" {
		t.Errorf("replaced: %s", got)
	}
	// A start keeps the items that are referred to, and no others.
	again, err := New(t.Context(), r.ws, r.st, Options{})
	if err != nil || len(r.ws.Sides()) != 1 || len(again.Watchlists()) != 1 {
		t.Errorf("%d tables, %v", len(r.ws.Sides()), err)
	}
	if err := r.DeleteWatchlist(t.Context(), "allow-list"); err != nil {
		t.Error(err)
	}
}

func TestExternal(t *testing.T) {
	asked := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		asked++
		switch q.URL.Path {
		case "/feeds/a.csv":
			fmt.Fprint(w, "ip,score\n203.0.113.7,90\n198.51.100.9,none\n")
		case "/feeds/a.json":
			fmt.Fprint(w, `{"ip":"203.0.113.7","score":1,"d":{"k":1}} {"ip":"x"}`)
		case "/feeds/away":
			http.Redirect(w, q, "/secret/a.csv", http.StatusFound)
		default:
			http.NotFound(w, q)
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "in.txt"), []byte("one\ntwo\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "out.txt")
	if err := os.WriteFile(outside, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, filepath.Join(dir, "link.txt")); err != nil {
		t.Fatal(err)
	}
	r := open(t, Options{External: []Location{{URL: srv.URL + "/feeds/"}, {Path: dir}}})
	for src, want := range map[string]string{
		`externaldata(ip:string, score:long)["` + srv.URL + `/feeds/a.csv?sig=topsecret"] with (format="csv", ignoreFirstRecord=true)`: "[[203.0.113.7 90] [198.51.100.9 <nil>]]",
		`externaldata(ip:string, score:real, d:dynamic)["` + srv.URL + `/feeds/a.json"]`:                                               `[[203.0.113.7 1 {"k":1}] [x <nil> <nil>]]`,
		`externaldata(line:string)["` + filepath.Join(dir, "in.txt") + `"]`:                                                            "[[one] [two]]",
	} {
		if got := r.ask(t, src); got != want {
			t.Errorf("%s: %s, want %s", src, got, want)
		}
		if got := r.ask(t, src); got != want {
			t.Errorf("%s, again: %s", src, got)
		}
	}
	if asked != 2 {
		t.Errorf("the server was asked %d times, want once for each location", asked)
	}
	for loc, want := range map[string]string{
		srv.URL + "/feeds/away":               "not configured",
		srv.URL + "/feeds/none?sig=topsecret": "404",
		srv.URL + "/feeds/../secret/a.csv":    "not among the locations",
		srv.URL + "/feedsother?sig=topsecret": "not among the locations",
		"https://other.example/feeds/a.csv":   "picket.yaml",
		outside:                               "not among the locations",
		filepath.Join(dir, "link.txt"):        "not among the locations",
		filepath.Join(dir, "../x"):            "not among the locations",
		"/etc/passwd":                         "not among the locations",
		"file:///etc/passwd":                  "not among the locations",
	} {
		got := r.ask(t, `externaldata(a:string)["`+loc+`"]`)
		if !strings.Contains(got, want) || strings.Contains(got, "topsecret") || strings.Contains(got, "[[") {
			t.Errorf("%s: %s, want %s", loc, got, want)
		}
	}
}

func TestElsewhere(t *testing.T) {
	r := open(t, Options{Workspaces: []string{"SOC"}})
	if got := r.ask(t, `workspace("soc").Syslog | count`); got != "[[0]]" {
		t.Errorf("a mapped name: %s", got)
	}
	if got := r.ask(t, `workspace("far").Syslog | count`); !strings.Contains(got, "workspaces: {far: default}") {
		t.Errorf("another: %s", got)
	}
}
