package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"picket/reputation"
)

// hostile is a query that must not hurt anybody but who asks it.
type hostile struct {
	name, query string
	status      int
	want        string // in the answer
}

// hostileQueries are each given a second, and a minute where they are to be
// answered after all.
func hostileQueries() []hostile {
	rep := strings.Repeat
	list := func(n int, item func(i int) string) string {
		items := make([]string, n)
		for i := range items {
			items[i] = item(i)
		}
		return strings.Join(items, ",")
	}
	quoted := func(i int) string { return fmt.Sprintf("'host-%d'", i) }
	const late, long = http.StatusGatewayTimeout, "10 kB of text a row: "
	texts := `range x from 1 to 2000 step 1 | extend s = strcat(strrep(strrep("a", 100), 100), x) | `
	return []hostile{
		{"a body of more than 10 MB", rep("x", 10<<20), http.StatusRequestEntityTooLarge, "ContentLengthLimitExceeded"},
		{"10 MB of text", "print '" + rep("x", 10_000_000) + "'", http.StatusBadRequest, "too long"},
		{"100,000 parentheses", "print " + rep("(", 100_000) + "1" + rep(")", 100_000), http.StatusBadRequest, "nested too deeply"},
		{"100,000 brackets", "print dynamic(" + rep("[", 100_000) + rep("]", 100_000) + ")", http.StatusBadRequest, "nested too deeply"},
		{"100,000 open parentheses", "print " + rep("(", 100_000), http.StatusBadRequest, "nested too deeply"},
		{"lets that double", doublingLets(30), http.StatusBadRequest, "too large"},
		{"10,000 unions", "Syslog" + rep(" | union Syslog", 10_000), http.StatusBadRequest, "at most 500"},
		{"a union of 20,000", "union " + rep("Syslog, ", 19_999) + "Syslog | count", late, "longer than it may"},
		{"100,000 terms", "Syslog | where HostName in (" + list(100_000, quoted) + ") | count", http.StatusOK, "[[0]]"},
		{"a huge datatable", "datatable(a:string)[" + list(50_000, quoted) + "] | count", http.StatusOK, "[[50000]]"},
		{"a huge dynamic", "print array_length(dynamic([" + list(50_000, quoted) + "]))", http.StatusOK, "[[50000]]"},
		{"a range without end", "range x from 1 to 1000000000000 step 1 | summarize sum(x % 7)", late, "longer than it may"},
		{"a wide range", "print array_length(range(1, 1000000000000, 1))", http.StatusOK, "[["},
		{"a cross join", endless, late, "longer than it may"},
		{"a gigabyte of text", `print strlen(strrep("a", 1000000000))`, http.StatusOK, "[[1024]]"},
		{"a pattern that does not end in RE2", "print 'a' matches regex @'(?=a)b'", http.StatusBadRequest, "RE2"},
		{"a pattern of a million states", "print 'a' matches regex @'((a{1,100}){1,100}){1,100}'", http.StatusBadRequest, "RE2"},
		{"texts that double", `range x from 1 to 2000 step 1 | extend a = "abcdefgh"` + rep(" | extend a = strcat(a, a)", 40), http.StatusBadRequest, "would be made at once"},
		{long + "a thousand choices", texts + `where s matches regex @"(a?){1000}a{1000}y" | count`, late, "longer than it may"},
		{long + "to the end for every match", texts + `extend r = replace_regex(s, @"(?:a.*z|a)", "") | summarize max(strlen(r))`, late, "longer than it may"},
		{long + "nested repetition", texts + `where s matches regex @"(a+)+y" | count`, http.StatusOK, "[[0]]"},
	}
}

// doublingLets are functions of which each calls the one before twice.
func doublingLets(n int) string {
	var b strings.Builder
	b.WriteString("let f0 = () { Syslog };")
	for i := range n {
		fmt.Fprintf(&b, "let f%d = () { union f%d(), f%d() };", i+1, i, i)
	}
	fmt.Fprintf(&b, "f%d()", n)
	return b.String()
}

// analyst asks queries with a key of its own.
type analyst struct {
	app *App
	key string
}

func newAnalyst(t *testing.T, a *App, name string) analyst {
	t.Helper()
	_, key, err := a.Reputation.CreateKey(t.Context(), reputation.NewKey{Name: name, Scopes: []string{reputation.ScopeQuery}})
	if err != nil {
		t.Fatal(err)
	}
	return analyst{a, key.Reveal()}
}

// ask posts a query that may take so many seconds.
func (a analyst) ask(ctx context.Context, query string, seconds int) (*http.Response, string, error) {
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return nil, "", err
	}
	req, err := http.NewRequestWithContext(ctx, "POST", a.app.URL()+"/v1/workspaces/default/query", bytes.NewReader(body))
	if err != nil {
		return nil, "", err
	}
	req.Header.Set("Authorization", "Bearer "+a.key)
	req.Header.Set("Prefer", fmt.Sprintf("wait=%d", seconds))
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	return res, string(answer), err
}

// Whatever one caller asks ends cleanly, and others are answered meanwhile.
func TestHostileQueries(t *testing.T) {
	cfg := testConfig(t)
	cfg.Queries.Per30s = 100_000
	cfg.Queries.Memory = 4096
	a, _ := start(t, cfg)
	one, other := newAnalyst(t, a, "one"), newAnalyst(t, a, "other")
	for _, c := range hostileQueries() {
		t.Run(c.name, func(t *testing.T) {
			ended := make(chan struct{})
			var res *http.Response
			var answer string
			var err error
			seconds := 1
			if c.status == http.StatusOK {
				seconds = 60
			}
			go func() {
				defer close(ended)
				res, answer, err = one.ask(t.Context(), c.query, seconds)
			}()
			if res, answer, err := other.ask(t.Context(), "print 6 * 7", 60); err != nil || res.StatusCode != http.StatusOK || !strings.Contains(answer, "[[42]]") {
				t.Errorf("another caller: %v %.300s", err, answer)
			}
			<-ended
			if err != nil {
				t.Fatal(err)
			}
			if res.StatusCode != c.status || !strings.Contains(answer, c.want) || len(answer) > 64<<10 {
				t.Errorf("status %d, want %d, with %q:\n%.500s", res.StatusCode, c.status, c.want, answer)
			}
		})
	}
}

// A caller whose turns are taken is told when to come back; others are answered
// meanwhile, and so is the caller once its queries have gone.
func TestTurnsOverHTTP(t *testing.T) {
	cfg := testConfig(t)
	cfg.Queries.PerCaller, cfg.Queries.Queue = 2, 1
	a, _ := start(t, cfg)
	one, other := newAnalyst(t, a, "one"), newAnalyst(t, a, "other")
	ctx, goAway := context.WithCancel(t.Context())
	defer goAway()
	type answer struct {
		res  *http.Response
		text string
		err  error
	}
	answers := make(chan answer, 4)
	for range 4 { // two run, one waits
		go func() {
			res, text, err := one.ask(ctx, endless, 600)
			answers <- answer{res, text, err}
		}()
	}
	first := <-answers
	if first.err != nil || first.res.StatusCode != http.StatusTooManyRequests || first.res.Header.Get("Retry-After") != "1" || !strings.Contains(first.text, "ThrottledError") {
		t.Errorf("the fourth: %+v", first)
	}
	if res, text, err := other.ask(t.Context(), "print 6 * 7", 60); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("another caller: %v %s", err, text)
	}
	goAway()
	for range 3 {
		if got := <-answers; got.err == nil {
			t.Errorf("a caller that went away has an answer: %s", got.text)
		}
	}
	for { // as soon as the server has seen that they have
		res, text, err := one.ask(t.Context(), "print 6 * 7", 60)
		if err != nil || res.StatusCode != http.StatusOK && res.StatusCode != http.StatusTooManyRequests {
			t.Fatalf("after its queries have gone: %v %s", err, text)
		}
		if res.StatusCode == http.StatusOK {
			break
		}
	}
}
