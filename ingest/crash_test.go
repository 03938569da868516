package ingest

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite" // a store that survives kill -9

	"picket"
)

var errCrash = errors.New("crashed")

// crashingBench runs Tails one after the other: each dies at its n-th crossing
// into or out of something that lasts, for the numbers n in lives, and then does
// nothing more. The Tail after the last number lives.
type crashingBench struct {
	*bench
	lives  []int
	deaths int
	stop   func()
	dead   atomic.Bool
}

func (c *crashingBench) start() {
	ctx, cancel := context.WithCancel(c.t.Context())
	done := make(chan struct{})
	crossings := 0
	c.dead.Store(false)
	c.step = func() error {
		crossings++
		if len(c.lives) > 0 && crossings >= c.lives[0] {
			c.dead.Store(true)
			cancel() // so that it does not try again
			return errCrash
		}
		return nil
	}
	go func() {
		defer close(done)
		if err := c.tail().Run(ctx); err != nil {
			c.t.Errorf("Run: %v", err)
		}
	}()
	c.stop = func() { cancel(); <-done }
}

// settle lets the Tail work for a while and starts another when it has died.
func (c *crashingBench) settle(d time.Duration) {
	for end := time.Now().Add(d); ; {
		time.Sleep(300 * time.Millisecond)
		synctest.Wait()
		if c.dead.Load() {
			c.stop()
			c.deaths++
			c.lives = c.lives[1:]
			c.start()
		}
		if time.Now().After(end) {
			return
		}
	}
}

// TestTailCrashes kills the Tail at every step of a story with all that can
// happen to a log file, and again while it recovers, and wants each line once
// and in order.
func TestTailCrashes(t *testing.T) {
	story := func(t *testing.T, rotate func(*bench), lives []int) (deaths int) {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.opts.MaxRows, b.opts.MaxLine, b.opts.MaxBytes = 4, 60, 200
			c := &crashingBench{bench: b, lives: lives}
			b.write(6)
			c.start()
			c.settle(time.Second)
			b.write(5)
			whole := b.line()
			b.raw(whole[:20])
			c.settle(time.Second)
			b.raw(whole[20:] + "\n")
			b.write(1)
			rotate(b)
			c.settle(10 * time.Second)
			b.write(5)
			c.settle(10 * time.Second)
			const head = "Nov 23 03:12:59 h app[1]: "
			b.raw(head + strings.Repeat("x", 300)) // too long, and not all of it
			b.written = append(b.written, strings.Repeat("x", 60-len(head))+CutMarker)
			c.settle(time.Second)
			b.raw(strings.Repeat("x", 90) + "\n") // the rest, in one batch with other lines
			b.write(2)
			c.settle(time.Second)
			rotate(b)
			b.write(2)
			rotate(b)
			b.write(3)
			c.settle(20 * time.Second)
			c.stop()
			deaths = c.deaths
			b.check(fmt.Sprintf("killed at %v", lives))
		})
		return deaths
	}
	for name, rotate := range map[string]func(*bench){"rename": (*bench).rename, "copytruncate": (*bench).copyTruncate, "compress": (*bench).compress} {
		t.Run(name, func(t *testing.T) {
			n := 1
			for story(t, rotate, []int{n}) == 1 && !t.Failed() {
				n++
			}
			if n < 20 {
				t.Errorf("only %d places to die at: the story is too short", n-1)
			}
			t.Logf("%d places to die at", n-1)
			for n := 1; n <= 12 && !t.Failed(); n++ {
				for m := 1; m <= 6; m++ {
					story(t, rotate, []int{n, m, 1, 2, 3})
				}
			}
		})
	}
}

// TestTailChance does as TestTailCrashes, with stories and deaths by the dice.
func TestTailChance(t *testing.T) {
	for seed := range uint64(150) {
		synctest.Test(t, func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 42))
			b := newBench(t)
			b.opts.MaxRows = 1 + dice.IntN(5)
			rotate := []func(*bench){(*bench).rename, (*bench).copyTruncate, (*bench).compress}[dice.IntN(3)]
			c := &crashingBench{bench: b}
			b.write(1)
			c.start()
			c.settle(time.Second) // it must have seen the file to find it again
			c.stop()
			for range 10 {
				c.lives = append(c.lives, 1+dice.IntN(8))
			}
			c.start()
			for range 30 {
				switch dice.IntN(6) {
				case 0, 1, 2:
					b.write(1 + dice.IntN(7))
				case 3:
					b.write(1)
					rotate(b)
				case 4:
					c.stop() // an orderly stop
					c.start()
				default:
					c.settle(time.Duration(dice.IntN(8000)) * time.Millisecond)
				}
			}
			b.write(1)
			for len(c.lives) > 0 {
				b.write(1)
				c.settle(time.Second)
			}
			c.settle(time.Minute)
			c.stop()
			b.check(fmt.Sprintf("seed %d", seed))
		})
		if t.Failed() {
			return
		}
	}
}

// TestTailKilled kills a real process with SIGKILL, with real, separate stores
// for rows and offsets, while its log is written and rotated.
func TestTailKilled(t *testing.T) {
	if dir := os.Getenv("PICKET_TEST_TAIL"); dir != "" {
		killedTail(t, dir)
		return
	}
	dice := rand.New(rand.NewPCG(1, 2))
	b := newBench(t)
	dir := filepath.Dir(b.path)
	for round := range 25 {
		b.write(20 + dice.IntN(200))
		cmd := exec.Command(os.Args[0], "-test.run=^TestTailKilled$")
		cmd.Env = append(os.Environ(), "PICKET_TEST_TAIL="+dir)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		// It prints a byte at each step. Kill it after some of them.
		reader := bufio.NewReader(out)
		for range 1 + dice.IntN(40) {
			if _, err := reader.ReadByte(); err != nil {
				t.Fatalf("round %d: the process ended by itself: %v", round, err)
			}
		}
		if round%5 == 4 {
			b.write(3)
			b.rename()
			b.write(5)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, reader)
		if err := cmd.Wait(); err == nil {
			t.Fatalf("round %d: the process was not killed", round)
		}
	}
	rows, offsets := openKilled(t, dir, func() {})
	tail := NewTail(rows, offsets, TailOptions{Path: b.path, Once: true, Location: time.UTC})
	if err := tail.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.written, readKilled(t, dir)); diff != "" {
		t.Errorf("(-written +rows)\n%s", diff)
	}
	t.Logf("%d lines", len(b.written))
}

// killedTail is the process to be killed.
func killedTail(t *testing.T, dir string) {
	step := func() { fmt.Print(".") }
	rows, offsets := openKilled(t, dir, step)
	tail := NewTail(rows, offsets, TailOptions{Path: filepath.Join(dir, "auth.log"), MaxRows: 5, Poll: time.Millisecond, Grace: time.Millisecond, Location: time.UTC})
	go func() { // more steps than any round waits for, though nothing may happen
		for {
			step()
			time.Sleep(time.Millisecond)
		}
	}()
	if err := tail.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// openKilled opens the rows and the offsets, each a database of its own.
func openKilled(t *testing.T, dir string, step func()) (Append, Offsets) {
	db := openSQLite(t, filepath.Join(dir, "rows.db"), "CREATE TABLE IF NOT EXISTS rows(n INTEGER PRIMARY KEY, message TEXT); CREATE TABLE IF NOT EXISTS ids(id TEXT PRIMARY KEY)")
	kv := openSQLite(t, filepath.Join(dir, "offsets.db"), "CREATE TABLE IF NOT EXISTS kv(key TEXT PRIMARY KEY, value BLOB)")
	appendRows := func(ctx context.Context, b picket.Batch) error {
		step()
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return err
		}
		defer tx.Rollback() // after a commit it has nothing to do
		res, err := tx.ExecContext(ctx, "INSERT OR IGNORE INTO ids VALUES (?)", b.ID)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		for _, row := range b.Rows {
			if _, err := tx.ExecContext(ctx, "INSERT INTO rows(message) VALUES (?)", row[7]); err != nil {
				return err
			}
		}
		step()
		return tx.Commit()
	}
	return appendRows, Offsets{
		Load: func(ctx context.Context, key string) (value []byte, err error) {
			err = kv.QueryRowContext(ctx, "SELECT value FROM kv WHERE key = ?", key).Scan(&value)
			if errors.Is(err, sql.ErrNoRows) {
				return nil, nil
			}
			return value, err
		},
		Save: func(ctx context.Context, key string, value []byte) error {
			step()
			if !json.Valid(value) {
				return errors.New("not JSON: " + strconv.Quote(string(value)))
			}
			_, err := kv.ExecContext(ctx, "INSERT OR REPLACE INTO kv VALUES (?, ?)", key, value)
			return err
		},
	}
}

func openSQLite(t *testing.T, path, schema string) *sql.DB {
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)")
	if err == nil {
		_, err = db.Exec(schema)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func readKilled(t *testing.T, dir string) (messages []any) {
	db := openSQLite(t, filepath.Join(dir, "rows.db"), "")
	rows, err := db.Query("SELECT message FROM rows ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return messages
}
