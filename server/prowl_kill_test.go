package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"picket/reputation"
	"picket/state"
)

// serveEnv names the state that this test binary serves, when it is started as
// the server that a test kills.
const serveEnv = "PICKET_TEST_SERVE_PROWL"

// TestServeProwl is that server: it serves until it is killed or its standard
// input ends. As a test it does nothing.
func TestServeProwl(t *testing.T) {
	path := os.Getenv(serveEnv)
	if path == "" {
		t.Skip("only for the process that TestProwlKilled starts")
	}
	db, err := state.Open(t.Context(), state.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	service := reputation.New(db, reputation.Options{})
	go func() { _ = service.Run(context.Background()) }()
	fmt.Println(httptest.NewServer(Prowl(ProwlOptions{Reputation: service, Engine: storeEngine(db, slog.New(slog.DiscardHandler))})).URL)
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(1)
}

// startProwl starts the server as a process of its own.
func startProwl(t *testing.T, path string) (url string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeProwl$")
	cmd.Env = append(os.Environ(), serveEnv+"="+path)
	stdin, err := cmd.StdinPipe() // ends with this process
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill = func() {
		once.Do(func() {
			_ = cmd.Process.Kill() // SIGKILL
			_ = cmd.Wait()
			stdin.Close()
		})
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the server says %q, %v", line, err)
	}
	return line[:len(line)-1], kill
}

// However often the server is killed, a client that repeats its requests until
// each is answered has each counted exactly once.
func TestProwlKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := state.Open(t.Context(), state.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	service := reputation.New(db, reputation.Options{})
	_, key, err := service.CreateKey(t.Context(), reputation.NewKey{Name: "test", Scopes: []string{reputation.ScopeLookup}})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	const requests, kills, clients = 400, 5, 8
	answered := make([]atomic.Bool, requests)
	for round := 0; round <= kills; round++ {
		url, kill := startProwl(t, path)
		var answers atomic.Int64
		killAt := int64(requests * 10) // the last round runs to its end
		if round < kills {
			killAt = 1 + rand.Int64N(requests/kills)
		}
		next := make(chan int, requests)
		for i := range requests {
			if !answered[i].Load() {
				next <- i
			}
		}
		close(next)
		var wg sync.WaitGroup
		for range clients {
			wg.Go(func() {
				for i := range next {
					if !askProwl(t, url, key.Reveal(), i) {
						return // killed
					}
					answered[i].Store(true)
					if answers.Add(1) == killAt {
						kill()
					}
				}
			})
		}
		wg.Wait()
		kill()
	}
	for i := range answered {
		if !answered[i].Load() {
			t.Fatalf("request %d was never answered", i)
		}
	}

	if db, err = state.Open(t.Context(), state.Options{Path: path}); err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	usage, err := reputation.New(db, reputation.Options{}).Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var counted int64
	for _, u := range usage {
		counted += u.Requests
	}
	if counted != requests {
		t.Errorf("%d requests counted, want %d", counted, requests)
	}
}

// askProwl makes the i-th request and reports whether it was answered.
func askProwl(t *testing.T, url, key string, i int) bool {
	req, err := http.NewRequest(http.MethodGet, fmt.Sprintf("%s/GetIPReputation?ip=8.8.%d.%d", url, i/256, i%256), nil)
	if err != nil {
		t.Error(err)
		return false
	}
	req.Header.Set("x-api-key", key)
	req.Header.Set("x-ms-client-request-id", fmt.Sprint("request-", i))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	return err == nil
}
