package playbook

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"picket/state"
)

// TestStopAndGoOn stops a process in the orderly way while requests are under
// way. The next process finishes the run, with the definition it began with.
func TestStopAndGoOn(t *testing.T) {
	p := newProwl(t)
	var hold atomic.Bool
	hold.Store(true)
	held := make(chan string, 100)
	p.answer = func(w http.ResponseWriter, r *http.Request, ip string, _ int) {
		if hold.Load() && ip != "203.0.113.1" {
			held <- ip
			<-r.Context().Done() // until the process that asks goes away
			return
		}
		fmt.Fprintf(w, `{"ip":%q,"ttps":["known-bot"]}`, ip)
	}
	def := strings.ReplaceAll(quick(loadShipped(t)), `"PT0.3S"`, `"PT1M"`)
	file := filepath.Join(t.TempDir(), "state.db")

	parsed := make(chan bool, 10) // the lookup before it is on record then
	one := newBench(t, file, p.params(), func(o *Options) {
		o.Token = tokenOf
		o.Event = func(e Event) {
			if strings.HasSuffix(e.Action, "/Parse_JSON") && e.Status == Succeeded {
				parsed <- true
			}
		}
	})
	pb, err := Load("prowl.json", []byte(def))
	if err != nil {
		t.Fatal(err)
	}
	one.r.Set(pb)
	if err := one.db.Launch(); err != nil {
		t.Fatal(err)
	}
	one.enqueue(Run{ID: "r", Playbook: "prowl", Trigger: mustJSON(incident("203.0.113.1", "203.0.113.2", "203.0.113.3", "10.0.0.1"))})
	<-held
	<-held
	<-parsed
	stop := time.Now()
	if err := one.db.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(stop); d > 5*time.Second {
		t.Errorf("stopping took %s", d)
	}
	hold.Store(false)

	two := newBench(t, file, p.params(), func(o *Options) { o.Token = tokenOf })
	other, err := Load("prowl.json", []byte(strings.ReplaceAll(trivial, "NAME", "Other")))
	if err != nil {
		t.Fatal(err)
	}
	two.r.Set(other)
	two.launch()
	run := two.wait("r")
	if run.Status != "Succeeded" {
		t.Fatalf("run %s: %s", run.Status, run.Message)
	}
	p.check(t)
	for ip, want := range map[string]string{"203.0.113.1": "found", "203.0.113.2": "found", "203.0.113.3": "found", "10.0.0.1": "skipped"} {
		if r := p.row(t, ip); r["Status"] != want {
			t.Errorf("%s: %v %v, want %s", ip, r["Status"], r["Reason"], want)
		}
	}
	for ip, ids := range p.lookups {
		if len(ids) != 1 {
			t.Errorf("%s has %d lookups", ip, len(ids))
		}
	}
	if p.asked["203.0.113.1"] != 1 {
		t.Errorf("an answered lookup was made %d times", p.asked["203.0.113.1"])
	}
	two.incidents.only(t)
	runs, err := two.db.PlaybookRuns(t.Context(), state.PlaybookRunFilter{})
	if err != nil || len(runs) != 1 {
		t.Errorf("%d runs (%v)", len(runs), err)
	}
}

// trivial is a definition with one action.
var trivial = def(`"NAME": {"type": "Compose", "inputs": 1}`)

// TestStopInSequentialLoop: an iteration that is taken up again sees the
// variables as the ones before it left them.
func TestStopInSequentialLoop(t *testing.T) {
	p := newProwl(t)
	var hold atomic.Bool
	hold.Store(true)
	held := make(chan bool, 10)
	p.answer = func(w http.ResponseWriter, r *http.Request, ip string, _ int) {
		if ip == "3" && hold.Load() {
			held <- true
			<-r.Context().Done()
			return
		}
		fmt.Fprint(w, `{}`)
	}
	src := def(`"V": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "v", "type": "string"}]}},
		"L": {"type": "Foreach", "runAfter": {"V": ["Succeeded"]}, "foreach": "@range(1, 5)", "runtimeConfiguration": {"concurrency": {"repetitions": 1}}, "actions": {
			"A": {"type": "AppendToStringVariable", "inputs": {"name": "v", "value": "@{item()}"}},
			"H": {"type": "Http", "runAfter": {"A": ["Succeeded"]}, "inputs": {"method": "GET", "uri": "@{parameters('Url')}/?ip=@{item()}", "headers": {"x-api-key": "@parameters('Key')"}}},
			"B": {"type": "AppendToStringVariable", "runAfter": {"H": ["Succeeded"]}, "inputs": {"name": "v", "value": "@{length(variables('v'))} "}}}},
		"Out": {"type": "Compose", "runAfter": {"L": ["Succeeded"]}, "inputs": "@variables('v')"}`)
	file := filepath.Join(t.TempDir(), "state.db")
	params := map[string]any{"Url": p.URL}
	pb, err := Load("seq.json", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	one := newBench(t, file, params, nil)
	one.r.Set(pb)
	if err := one.db.Launch(); err != nil {
		t.Fatal(err)
	}
	one.enqueue(Run{ID: "r", Playbook: "seq", Trigger: []byte("{}")})
	<-held
	if err := one.db.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	hold.Store(false)
	two := newBench(t, file, params, nil)
	two.launch()
	if run := two.wait("r"); run.Status != "Succeeded" {
		t.Fatalf("run %s: %s", run.Status, run.Message)
	}
	if got := two.action("r", "Out", "").Outputs; got != `"11 24 37 410 514 "` {
		t.Errorf("v = %s", got)
	}
	for _, ip := range []string{"1", "2", "4", "5"} {
		if p.asked[ip] != 1 {
			t.Errorf("%s was asked for %d times", ip, p.asked[ip])
		}
	}
}
