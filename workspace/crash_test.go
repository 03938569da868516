package workspace

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	osexec "os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"picket"
	"picket/kql"
)

// TestMain is also the other process: it appends batches for ever, from two
// goroutines, and says on standard output which ones are acknowledged.
func TestMain(m *testing.M) {
	path := os.Getenv("WORKSPACE_TEST_CHILD")
	if path == "" {
		os.Exit(m.Run())
	}
	start := os.Getenv("WORKSPACE_TEST_START")
	if start == "bare" {
		fmt.Println("error", bareChild(path))
		return
	}
	db, err := Open(path, Options{})
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	if start == "ingest" {
		fmt.Println("error", errors.Join(ingestChild(db), db.Close()))
		return
	}
	if start == "full" {
		fillDisk(db)
		return
	}
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%s-%d-%d", start, w, i)
				b := syslog(id, id, id, id)
				if i%2 == 1 {
					b.ID = ""
				}
				if err := db.Append(context.Background(), b); err != nil {
					fmt.Println("error", err)
					os.Exit(1)
				}
				fmt.Println("ok", id)
			}
		})
	}
	wg.Wait()
}

// fillDisk appends until DuckDB gives up, in a process whose files cannot grow
// beyond a limit, larger than the log of changes gets, and says what came of it.
func fillDisk(db *DB) {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 80 << 20, Max: 80 << 20}); err != nil {
		fmt.Println("error", err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	acked := 0
	for ctx.Err() == nil {
		lines := make([]string, 100)
		for i := range lines {
			noise := make([]byte, 8<<10)
			_, _ = rand.Read(noise) // never fails
			lines[i] = base64.StdEncoding.EncodeToString(noise)
		}
		if err := db.Append(ctx, syslog("", lines...)); picket.CodeOf(err) == picket.Unavailable {
			break
		} else if err == nil {
			acked += len(lines)
		}
	}
	_, err := db.Query(ctx, "Syslog | count", kql.Options{})
	fmt.Println("acked", acked)
	fmt.Println("query", picket.CodeOf(err))
	fmt.Println("watch", db.Watch(ctx))
}

// child starts the other process and returns its lines.
func child(t *testing.T, path, start string) (*osexec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := osexec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "WORKSPACE_TEST_CHILD="+path, "WORKSPACE_TEST_START="+start)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd, bufio.NewScanner(out)
}

// What was acknowledged is there after a kill -9 at any point, once and whole;
// what was not is there whole or not at all. A repeat of it adds nothing.
func TestKill(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	acked := map[string]bool{}
	for round := range 4 {
		cmd, lines := child(t, path, fmt.Sprint(round))
		for n := 0; lines.Scan(); n++ {
			id, ok := strings.CutPrefix(lines.Text(), "ok ")
			if !ok {
				t.Fatal(lines.Text())
			}
			acked[id] = true
			if n == 0 && round == 0 {
				// While it runs nobody else opens the file, and is told why.
				_, err := Open(path, Options{})
				if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("process %d has it open", cmd.Process.Pid)) {
					t.Errorf("a second process: %v", err)
				}
			}
			if n == 30*(round+1)+7*round {
				_ = cmd.Process.Kill()
			}
		}
		_ = cmd.Wait()
	}
	db := open(t, path, Options{})
	found := map[string]int64{}
	for _, row := range query(t, db, "Syslog | summarize count() by SyslogMessage", kql.Options{}) {
		found[row[0].(string)] = row[1].(int64)
	}
	for id := range acked {
		if found[id] != 3 {
			t.Errorf("batch %s was acknowledged and has %d rows, not 3", id, found[id])
		}
	}
	for id, n := range found {
		if n != 3 {
			t.Errorf("batch %s has %d rows, not 3", id, n)
		}
	}
	for id := range found {
		if err := db.Append(t.Context(), syslog(id, id)); err != nil {
			t.Fatal(err)
		}
	}
	more := query(t, db, "Syslog | summarize n = count() by SyslogMessage | where n == 4 and toint(split(SyslogMessage, '-')[2]) % 2 == 0", kql.Options{})
	if len(more) > 0 {
		t.Errorf("%d batches with an ID were written again, such as %v", len(more), more[0])
	}
}

// A disk that is full at a checkpoint ends the database for this process. That
// is told, so that somebody starts anew; what was acknowledged is there then.
func TestFullDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	cmd, lines := child(t, path, "full")
	said := map[string]string{}
	for lines.Scan() {
		what, rest, _ := strings.Cut(lines.Text(), " ")
		said[what] = rest
	}
	_ = cmd.Wait()
	if said["error"] != "" || said["query"] != "unavailable" || !strings.Contains(said["watch"], "must be opened anew") {
		t.Fatalf("the process said %v", said)
	}
	db := open(t, path, Options{})
	var acked int64
	fmt.Sscan(said["acked"], &acked)
	// The batch that failed may be there, too: it was not acknowledged.
	if n := query(t, db, "Syslog | count", kql.Options{})[0][0].(int64); acked == 0 || n < acked {
		t.Errorf("%d rows, %d were acknowledged", n, acked)
	}
}

// Close lets nobody down: who appends gets an answer that is true, who queries
// an answer or an error, and nothing hangs.
func TestCloseWhileBusy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	db, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	acked := 0
	first := make(chan struct{})
	var once sync.Once
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				err := db.Append(context.Background(), syslog("", "m"))
				if err != nil {
					if picket.CodeOf(err) != picket.Unavailable {
						t.Errorf("append: %v", err)
					}
					return
				}
				mu.Lock()
				acked++
				mu.Unlock()
				once.Do(func() { close(first) })
			}
		})
		wg.Go(func() {
			for {
				res, err := db.Query(context.Background(), "Syslog | summarize count()", kql.Options{})
				if err != nil {
					return
				}
				if _, err := res.Collect(); err != nil {
					return
				}
			}
		})
	}
	res, err := db.Query(context.Background(), "range x from 1 to 100000 step 1", kql.Options{}) // nobody reads it yet
	if err != nil {
		t.Fatal(err)
	}
	<-first
	closed := make(chan error, 2)
	go func() { closed <- db.Close() }()
	go func() { closed <- db.Close() }()
	for range 2 {
		select {
		case err := <-closed:
			if err != nil {
				t.Errorf("close: %v", err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("Close hangs")
		}
	}
	wg.Wait()
	if _, err := res.Collect(); err != nil && !errors.Is(err, context.Canceled) {
		t.Logf("a result read after Close: %v", err)
	}
	db = open(t, path, Options{})
	if n := query(t, db, "Syslog | count", kql.Options{})[0][0]; n != int64(acked) {
		t.Errorf("%v rows, %d were acknowledged", n, acked)
	}
}

// Who stops waiting for the writer's turn has written nothing.
func TestAppendCancelled(t *testing.T) {
	db := open(t, "", Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	acked := 0
	for range 200 {
		if err := db.Append(ctx, syslog("", "m")); err == nil {
			acked++
		} else if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if n := query(t, db, "Syslog | count", kql.Options{})[0][0]; n != int64(acked) {
		t.Errorf("%v rows, %d were acknowledged", n, acked)
	}
}
