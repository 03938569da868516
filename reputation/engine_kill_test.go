package reputation

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"picket"
	"picket/state"
)

// lookupEnv holds the state and the provider of the process that a test kills.
const lookupEnv = "PICKET_TEST_LOOKUP"

const killedAddrs = 200

// TestLookupProcess is that process: it looks up addresses until it is killed or
// done. As a test it does nothing.
func TestLookupProcess(t *testing.T) {
	file, url, ok := strings.Cut(os.Getenv(lookupEnv), " ")
	if !ok {
		t.Skip("only for the process that TestLookupKilled starts")
	}
	db, err := state.Open(t.Context(), state.Options{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseProvider("witness.yaml", []byte(fmt.Sprintf("name: witness\nreliability: A\nrequest: {url: \"%s/{ip}\"}\nprice_usd: 0.02\nanswer: '{verdict: \"malicious\"}'\n", url)))
	if err != nil {
		t.Fatal(err)
	}
	e := NewEngine(db, EngineOptions{Providers: []*Provider{p}, Keys: map[string]picket.Secret{"witness": secretKey}})
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			ip := someone
			for i := range killedAddrs {
				if i%4 == w || i%8 == w { // two workers ask for some
					e.Lookup(context.Background(), ip, Caller{})
				}
				ip = ip.Next()
			}
		})
	}
	wg.Wait()
}

// TestLookupKilled: however often the process is killed, no paid request is made
// twice, and the ledger has each.
func TestLookupKilled(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	var total atomic.Int64
	running := make(chan *os.Process, 1) // the process to kill
	var killAt atomic.Int64
	witness := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[path.Base(r.URL.Path)]++
		mu.Unlock()
		if total.Add(1) == killAt.Load() {
			_ = (<-running).Kill()
		}
		_, _ = w.Write([]byte("{}"))
	}))
	defer witness.Close()

	file := filepath.Join(t.TempDir(), "state.db")
	const kills = 8
	for round := 0; round <= kills; round++ {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLookupProcess$")
		cmd.Env = append(os.Environ(), lookupEnv+"="+file+" "+witness.URL)
		if killAt.Store(0); round < kills {
			killAt.Store(total.Load() + 1 + rand.Int64N(killedAddrs/kills))
		}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		running <- cmd.Process
		if err := cmd.Wait(); err != nil && round == kills {
			t.Fatalf("%v: %s", err, &out)
		}
		select { // it was done before its time had come
		case <-running:
		default:
		}
	}
	db, err := state.Open(t.Context(), state.Options{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	mu.Lock()
	defer mu.Unlock()
	ip, lost := someone, 0
	for range killedAddrs {
		if n := asked[ip.String()]; n > 1 {
			t.Errorf("%s was asked for %d times", ip, n)
		}
		a, ok, err := db.ProviderAnswer(t.Context(), "witness", ip)
		if err != nil || !ok {
			t.Errorf("%s: nothing is kept (%v)", ip, err)
		} else if len(a.Finding) == 0 {
			lost++
		}
		ip = ip.Next()
	}
	if lost > kills*4 {
		t.Errorf("%d answers are lost, more than can have been under way", lost)
	}
	ledger, err := db.ProviderUsageSince(t.Context(), "2026-01-01")
	if err != nil {
		t.Fatal(err)
	}
	var requests int64
	for _, u := range ledger {
		requests += u.Requests
	}
	// One that was killed between the ledger and the wire was never sent.
	if sent := total.Load(); requests < sent || requests > sent+kills*4 {
		t.Errorf("the ledger has %d requests, the witness %d", requests, sent)
	}
	t.Logf("%d requests, %d answers lost in %d kills", total.Load(), lost, kills)
}
