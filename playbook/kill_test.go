package playbook

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"picket"
	"picket/state"
)

// killedEnv makes the test binary be the process that is killed.
const killedEnv = "PICKET_PLAYBOOK_VICTIM"

// victim is what the child process needs to know, as JSON in killedEnv.
type victim struct{ State, URL, Run string }

// httpIncidents tells the witness of comments.
type httpIncidents struct{ url string }

func (h httpIncidents) Comment(ctx context.Context, _ By, _ string, c picket.Comment) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, h.url+"/comment/"+c.ID, strings.NewReader(c.Message))
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

func (httpIncidents) Update(context.Context, By, string, IncidentUpdate) error { return nil }

// TestVictim is not a test: TestKill starts it as a process.
func TestVictim(t *testing.T) {
	spec := os.Getenv(killedEnv)
	if spec == "" {
		t.Skip("only run by TestKill")
	}
	var v victim
	if err := json.Unmarshal([]byte(spec), &v); err != nil {
		t.Fatal(err)
	}
	if err := v.live(context.Background(), loadShipped(t)); err != nil {
		t.Fatal(err)
	}
}

func (v victim) live(ctx context.Context, data []byte) error {
	db, err := state.Open(ctx, state.Options{Path: v.State})
	if err != nil {
		return err
	}
	params := map[string]any{"ProwlBaseUrl": v.URL, "ProwlApiKey": picket.Secret(canary), "LogsIngestionEndpoint": v.URL, "DcrImmutableId": "dcr-1"}
	r, err := New(db, Options{Incidents: httpIncidents{v.URL}, Token: tokenOf, Parameters: func(string) map[string]any { return params },
		SkipReason: testSkip})
	if err != nil {
		return err
	}
	p, err := Load("prowl-enrich-incident.json", []byte(quick(data)))
	if err != nil {
		return err
	}
	r.Set(p)
	if err := db.Launch(); err != nil {
		return err
	}
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		return r.Enqueue(ctx, tx, Run{ID: v.Run, Playbook: p.Name, Trigger: mustJSON(incident(killedIPs()...))})
	})
	if err != nil {
		return err
	}
	run, err := r.Wait(ctx, v.Run)
	if err == nil && run.Status != "Succeeded" {
		err = fmt.Errorf("run %s %s: %s", run.Status, run.Code, run.Message)
	}
	return errors.Join(err, db.Close(ctx))
}

func killedIPs() []string {
	var ips []string
	for i := range 20 {
		ips = append(ips, fmt.Sprintf("198.51.100.%d", i+1))
	}
	return ips
}

// TestKill kills the process of a run with SIGKILL at random points, again and
// again, until the run is done: every address ends with one row and one lookup,
// as servers that know a repetition by its request ID count them.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(2, 60))
	kills := 0
	for round := 0; round < 5 || kills < 15; round++ {
		if round == 12 {
			t.Fatalf("only %d kills in %d rounds: the run is too fast to hit", kills, round)
		}
		kills += killRound(t, exe, rnd, round)
	}
	t.Logf("%d kills", kills)
}

func killRound(t *testing.T, exe string, rnd *rand.Rand, round int) int {
	p := startProwl(t, false)
	var mu sync.Mutex
	comments := map[string]int{}
	requests := make(chan struct{}, 10_000)
	p.before = func(r *http.Request) bool {
		requests <- struct{}{}
		if r.Method != http.MethodPut {
			return false
		}
		mu.Lock()
		defer mu.Unlock()
		comments[r.URL.Path]++
		return true
	}
	p.Start()
	spec := mustJSON(victim{filepath.Join(t.TempDir(), "state.db"), p.URL, fmt.Sprintf("run-%d", round)})
	kills := 0
	for try := 0; ; try++ {
		if try == 40 {
			t.Fatal("the run does not come to its end")
		}
		cmd := exec.Command(exe, "-test.run=^TestVictim$")
		cmd.Env = append(os.Environ(), killedEnv+"="+string(spec))
		var out strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// Kill some requests and a moment after the start, so that points
		// before, within and after requests are hit.
		killed := make(chan struct{})
		done := make(chan struct{})
		go func() {
			defer close(killed)
			for range 1 + rnd.IntN(9) {
				select {
				case <-requests:
				case <-done:
					return
				}
			}
			select {
			case <-time.After(time.Duration(rnd.IntN(20_000)) * time.Microsecond):
			case <-done:
				return
			}
			_ = cmd.Process.Signal(syscall.SIGKILL)
		}()
		err := cmd.Wait()
		close(done)
		<-killed
		if err == nil {
			break
		}
		if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !ws.Signaled() {
			t.Fatalf("the process ended by itself: %v\n%s", err, out.String())
		}
		kills++
	}
	checkKilled(t, p, comments, kills)
	return kills
}

func checkKilled(t *testing.T, p *prowl, comments map[string]int, kills int) {
	t.Helper()
	p.check(t)
	p.mu.Lock()
	total := 0
	for _, ip := range killedIPs() {
		total += p.asked[ip]
		if n := len(p.lookups[ip]); n != 1 {
			t.Errorf("%s: %d distinct lookups, want 1", ip, n)
		}
	}
	rows := len(p.rows)
	p.mu.Unlock()
	for _, ip := range killedIPs() {
		if r := p.row(t, ip); r["Status"] != "found" {
			t.Errorf("%s: status %v", ip, r["Status"])
		}
	}
	if most := len(killedIPs()) + 5*kills; rows != len(killedIPs()) || total > most || total < len(killedIPs()) {
		t.Errorf("%d rows, %d requests; want %d rows and at most %d requests after %d kills", rows, total, len(killedIPs()), most, kills)
	}
	if len(comments) != 1 {
		t.Errorf("%d comments, want 1", len(comments))
	}
	t.Logf("%d kills: %d requests for %d addresses", kills, total, len(killedIPs()))
}
