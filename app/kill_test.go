package app

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// killedEnv names the folder of the Picket that this test binary is, when
// TestKilled starts it to kill it.
const killedEnv = "PICKET_TEST_KILLED"

// TestServeKilled is that Picket: it runs until it is killed. As a test it does nothing.
func TestServeKilled(t *testing.T) {
	dir := os.Getenv(killedEnv)
	if dir == "" {
		t.Skip("only for the process that TestKilled starts")
	}
	cfg := testConfig(t)
	cfg.Data, cfg.Syslog, cfg.NoProviders, cfg.ListenTLS = filepath.Join(dir, "data"), "127.0.0.1:0", true, "off"
	cfg.Logs = []LogConfig{{Path: filepath.Join(dir, "app.log")}}
	a, err := New(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	at, err := secretOf(cfg.Data, tokenFile, "")
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("serves", a.URL(), a.SyslogAddr(), a.Workspace.ID(), at.Reveal())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin) // ends with the test
		os.Exit(1)
	}()
	t.Fatal(a.Run(context.Background()))
}

// startKilled starts it and waits until it serves.
func startKilled(t *testing.T, dir string) (h host, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeKilled$", "-test.timeout=0")
	cmd.Env = append(os.Environ(), killedEnv+"="+dir)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	var said strings.Builder
	for h.url == "" && lines.Scan() {
		said.WriteString(lines.Text() + "\n")
		_, _ = fmt.Sscanf(lines.Text(), "serves %s %s %s %s", &h.url, &h.syslog, &h.workspace, &h.token)
	}
	if h.url == "" {
		t.Fatalf("it does not serve: %s", said.String())
	}
	go func() { _, _ = io.Copy(io.Discard, stdout) }()
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		stdin.Close()
	})
	t.Cleanup(kill)
	return h, kill
}

// load is what is sent to a Picket that is killed, and what it has acknowledged.
type load struct {
	log    *os.File // that is followed
	lines  int      // written to it
	posts  int      // begun
	failed []int    // posts without an answer, to be repeated
	rows   map[int]bool
}

// TestKilled kills a Picket at random points while syslog over TCP and UDP, a
// followed file and posts come in, and wants every acknowledged post and every
// line of the file in the tables, once, and nothing twice. PICKET_KILLS says how often.
func TestKilled(t *testing.T) {
	kills := 3
	if n, err := strconv.Atoi(os.Getenv("PICKET_KILLS")); err == nil {
		kills = n
	}
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "app.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dice := rand.New(rand.NewPCG(1, uint64(kills)))
	l := &load{log: f, rows: map[int]bool{}}
	for round := range kills {
		h, kill := startKilled(t, dir)
		l.run(t, h, round, 1+dice.IntN(25), kill)
	}
	h, _ := startKilled(t, dir)
	for len(l.failed) > 0 {
		l.post(t.Context(), h)
	}
	h.waitFor(t, `Syslog | where ProcessName == "file" | count`, l.lines)
	for _, q := range []string{`Syslog | summarize n = count() by ProcessName, SyslogMessage | where n > 1`, `ProwlEnrich_CL | summarize n = count() by IncidentNumber, IPAddress | where n > 1`} {
		if twice := h.query(t, q); len(twice) > 0 {
			t.Errorf("%d lines or records are there more than once, such as %v", len(twice), twice[0])
		}
	}
	found := map[int]float64{}
	for _, row := range h.query(t, "ProwlEnrich_CL | summarize count() by IncidentNumber") {
		found[int(row[0].(float64))] = row[1].(float64)
	}
	for post := range l.rows {
		if found[post] != perPost {
			t.Errorf("post %d was acknowledged and has %v rows, not %d", post, found[post], perPost)
		}
	}
	received := h.query(t, `Syslog | where ProcessName in ("tcp", "udp") | count`)[0][0]
	t.Logf("%d kills: %d posts of %d records acknowledged, %d lines of the file, %v lines over TCP and UDP", kills, len(l.rows), perPost, l.lines, received)
	if len(l.rows) == 0 || l.lines == 0 || received == 0.0 {
		t.Error("nothing came in: the load is no load")
	}
}

// perPost is how many records a post has.
const perPost = 20

// run sends until so many posts are acknowledged, and then kills, while all goes on.
func (l *load) run(t *testing.T, h host, round, acks int, kill func()) {
	var stopped atomic.Bool
	var senders sync.WaitGroup
	for _, network := range []string{"tcp", "udp"} {
		senders.Go(func() {
			c, err := net.Dial(network, h.syslog)
			if err != nil {
				return
			}
			defer c.Close()
			for i := 0; i < 50_000 && !stopped.Load(); i++ {
				if _, err := fmt.Fprintf(c, "<13>Nov 23 03:12:59 web1 %s: %d-%d\n", network, round, i); err != nil && network == "tcp" {
					return
				}
			}
		})
	}
	senders.Go(func() {
		for !stopped.Load() && l.lines < 20_000*(round+1) {
			if _, err := fmt.Fprintf(l.log, "Nov 23 03:12:59 web1 file: %d\n", l.lines); err != nil {
				t.Error(err)
				return
			}
			l.lines++
		}
	})
	// The first load goes on until all of it has come in: a fast machine would be
	// done with its posts before the first batch of lines is due.
	for before := len(l.rows); len(l.rows) < before+acks || round == 0 && !h.hasLines(t); {
		l.post(t.Context(), h)
	}
	posted := make(chan struct{})
	go func() { // the kill comes in the middle of this
		defer close(posted)
		for !stopped.Load() {
			l.post(t.Context(), h)
		}
	}()
	kill()
	stopped.Store(true)
	<-posted
	senders.Wait()
}

// hasLines reports whether lines came in over TCP and UDP.
func (h host) hasLines(t *testing.T) bool {
	return len(h.query(t, `Syslog | where ProcessName in ("tcp", "udp") | distinct ProcessName`)) == 2
}

// post repeats a post that had no answer, or begins one, and notes what is acknowledged.
func (l *load) post(ctx context.Context, h host) {
	n := l.posts
	if last := len(l.failed) - 1; last >= 0 {
		n = l.failed[last]
		l.failed = l.failed[:last]
	} else {
		l.posts++
	}
	var records []map[string]any
	for i := range perPost {
		records = append(records, map[string]any{"IncidentNumber": n, "IPAddress": fmt.Sprintf("192.0.2.%d", i)})
	}
	res, err := h.post(ctx, fmt.Sprint("post ", n), records...)
	if err != nil || res.StatusCode != http.StatusNoContent {
		l.failed = append(l.failed, n)
		return
	}
	l.rows[n] = true
}
