package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

// A bench is a log file, a workspace and a place for offsets, all of which
// outlive the Tails that run on them.
type bench struct {
	t       *testing.T
	path    string
	store   store
	offsets map[string][]byte
	opts    TailOptions
	log     syncBuffer

	written []any // lines, as they should appear in SyslogMessage
	ticks   int   // orders the times of change

	// step is called before and after each thing a Tail does that lasts, if
	// not nil; an error is that thing's result.
	step func() error
}

// A syncBuffer is a buffer that one goroutine may read while another writes.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, path: filepath.Join(t.TempDir(), "auth.log"), offsets: map[string][]byte{}}
	step := func(picket.Batch) error { return b.crossing() }
	b.store.before, b.store.after = step, step
	return b
}

func (b *bench) crossing() error {
	if b.step == nil {
		return nil
	}
	return b.step()
}

// tail returns a Tail in the state that the last one left.
func (b *bench) tail() *Tail {
	opts := b.opts
	opts.Path, opts.Host, opts.Location = b.path, "here", time.UTC
	if opts.Now == nil {
		opts.Now = func() time.Time { return testNow }
	}
	opts.Log = slog.New(slog.NewTextHandler(&b.log, nil))
	return NewTail(b.store.Append, Offsets{
		Load: func(ctx context.Context, key string) ([]byte, error) { return b.offsets[key], nil },
		Save: func(ctx context.Context, key string, value []byte) error {
			if err := b.crossing(); err != nil {
				return err
			}
			b.offsets[key] = slices.Clone(value)
			return b.crossing()
		},
	}, opts)
}

// start runs a Tail until the returned stop is called.
func (b *bench) start() (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	go func() { done <- b.tail().Run(ctx) }()
	return func() {
		b.t.Helper()
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	}
}

// once runs a Tail with Once set.
func (b *bench) once() Stats {
	b.t.Helper()
	b.opts.Once = true
	defer func() { b.opts.Once = false }()
	tail := b.tail()
	if err := tail.Run(b.t.Context()); err != nil {
		b.t.Errorf("Run: %v", err)
	}
	return tail.Stats()
}

// raw appends bytes to the log file.
func (b *bench) raw(text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.touch(b.path)
}

// touch gives a file a time of change of its own: those of the file system are
// too coarse to tell the steps of a test apart.
func (b *bench) touch(path string) {
	b.ticks++
	when := testNow.Add(time.Duration(b.ticks) * time.Second)
	if err := os.Chtimes(path, when, when); err != nil {
		b.t.Fatal(err)
	}
}

// write appends n lines to the log file.
func (b *bench) write(n int) {
	b.t.Helper()
	var text strings.Builder
	for range n {
		text.WriteString(b.line() + "\n")
	}
	b.raw(text.String())
}

// line makes up the next line.
func (b *bench) line() string {
	message := fmt.Sprintf("line %d", len(b.written))
	b.written = append(b.written, message)
	return "Nov 23 03:12:59 h app[1]: " + message
}

// shift renames NAME.1 to NAME.2 and so on, as logrotate does.
func (b *bench) shift() {
	b.t.Helper()
	for i := 40; i > 0; i-- {
		err := os.Rename(fmt.Sprintf("%s.%d", b.path, i), fmt.Sprintf("%s.%d", b.path, i+1))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			b.t.Fatal(err)
		}
	}
}

// rename rotates by renaming. The new file is there at once, and empty.
func (b *bench) rename() {
	b.t.Helper()
	b.shift()
	if err := os.Rename(b.path, b.path+".1"); err != nil {
		b.t.Fatal(err)
	}
	b.raw("")
}

// copyTruncate rotates by copying and truncating.
func (b *bench) copyTruncate() {
	b.t.Helper()
	b.shift()
	content, err := os.ReadFile(b.path)
	if err == nil {
		err = errors.Join(os.WriteFile(b.path+".1", content, 0o600), os.Truncate(b.path, 0))
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.touch(b.path + ".1")
	b.touch(b.path)
}

// check compares the rows with what was written.
func (b *bench) check(when string) {
	b.t.Helper()
	if diff := cmp.Diff(b.written, b.store.column("SyslogMessage")); diff != "" {
		b.t.Errorf("%s: (-written +rows)\n%s\nlog:\n%s", when, diff, b.log.String())
	}
}

func TestTailRealLog(t *testing.T) {
	lines := realLog(t)
	b := newBench(t)
	b.path = realLogPath
	got := b.once()
	if got != (Stats{Received: 2000, Committed: 2000}) || len(lines) != 2000 {
		t.Errorf("stats: %+v", got)
	}
	if diff := cmp.Diff([]int{1000, 1000}, b.store.sizes()); diff != "" {
		t.Error(diff)
	}
	failed := 0
	for _, m := range b.store.column("SyslogMessage") {
		if s, ok := m.(string); ok && strings.HasPrefix(s, "Failed password") {
			failed++
		}
	}
	if failed != 518 {
		t.Errorf("%d failed passwords, want 518", failed)
	}
	for _, name := range []string{"HostName", "Computer", "ProcessName", "Facility", "SeverityLevel", "HostIP", "CollectorHostName"} {
		want := map[string]string{"HostName": "LabSZ", "Computer": "LabSZ", "ProcessName": "sshd", "Facility": "authpriv", "SeverityLevel": "info", "CollectorHostName": "here"}[name]
		for i, v := range b.store.column(name) {
			if v != want {
				t.Fatalf("row %d: %s is %q, want %q", i, name, v, want)
			}
		}
	}
	// Again: all of it is known.
	if got := b.once(); got.Received > 1000 || len(b.store.column("Type")) != 2000 {
		t.Errorf("the second time: %+v", got)
	}
}

func TestTailFollow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		stop := b.start() // before there is a file
		time.Sleep(3 * time.Second)
		b.write(3)
		time.Sleep(time.Second)
		b.check("the file appeared")
		b.write(2)
		time.Sleep(time.Second)
		b.check("it grew")

		// A line counts when it is finished.
		whole := b.line()
		b.raw(whole[:30])
		time.Sleep(time.Minute)
		b.written = b.written[:5]
		b.check("half a line")
		b.written = append(b.written, "line 5")
		b.raw(whole[30:])
		time.Sleep(time.Minute)
		b.raw("\r\n\n\n")
		time.Sleep(time.Second)
		b.check("the other half")

		stop()
		b.write(2)
		stop = b.start()
		time.Sleep(time.Second)
		b.check("after a restart")
		stop()
		if n := strings.Count(b.log.String(), "waiting for the log file"); n != 1 {
			t.Errorf("said %d times that it waits:\n%s", n, b.log.String())
		}
	})
}

func TestTailLatency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.write(1)
		start := time.Now()
		stop := b.start()
		synctest.Wait()
		b.write(1)
		time.Sleep(time.Second)
		stop()
		b.check("a second later")
		if d := b.store.times[1].Sub(start); d > 250*time.Millisecond {
			t.Errorf("a line took %s", d)
		}
	})
}

func TestTailOnce(t *testing.T) {
	b := newBench(t)
	b.write(2500)
	b.raw(b.line()) // no line end
	if got := b.once(); got != (Stats{Received: 2501, Committed: 2501}) {
		t.Errorf("stats: %+v", got)
	}
	b.check("to the end")
	if diff := cmp.Diff([]int{1000, 1000, 501}, b.store.sizes()); diff != "" {
		t.Error(diff)
	}
	b.raw("\n")
	b.write(1)
	b.once()
	b.check("the second time")
}

func TestTailOnceFailure(t *testing.T) {
	f := func(path, want string) {
		t.Helper()
		tail := NewTail(new(store).Append, Offsets{}, TailOptions{Path: path, Once: true})
		if err := tail.Run(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", path, err, want)
		}
	}
	dir := t.TempDir()
	f(filepath.Join(dir, "none.log"), "no such file")
	f(dir, "not a regular file")
	f("/dev/null", "not a regular file")
}

// TestTailWithoutOffsets holds that offsets are not needed.
func TestTailWithoutOffsets(t *testing.T) {
	b := newBench(t)
	b.write(3)
	tail := NewTail(b.store.Append, Offsets{}, TailOptions{Path: b.path, Once: true})
	if err := tail.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.check("once")
}

// TestTailRow holds what a file's lines are given that they do not say.
func TestTailRow(t *testing.T) {
	b := newBench(t)
	b.raw("no header\nNov 23 03:12:59 web1 app[1]: x\nNov 23 03:12:59 web1 CRON[1]: y\n<13>Nov 23 03:12:59 web1 z: z\n")
	if got := b.once(); got.Odd != 1 {
		t.Errorf("stats: %+v", got)
	}
	f := func(column string, want ...any) {
		t.Helper()
		if diff := cmp.Diff(want, b.store.column(column)); diff != "" {
			t.Errorf("%s: %s", column, diff)
		}
	}
	f("HostName", "here", "web1", "web1", "web1")
	f("Computer", "here", "web1", "web1", "web1")
	f("HostIP", "", "", "", "")
	f("Facility", "authpriv", "authpriv", "cron", "user") // auth.log is the file's name
	f("SeverityLevel", "info", "info", "info", "notice")
	f("TimeGenerated", testNow, testNow, testNow, testNow)
	f("EventTime", testNow, at(3, 12, 59, 0), at(3, 12, 59, 0), at(3, 12, 59, 0))
}

func TestTailLongLines(t *testing.T) {
	b := newBench(t)
	b.opts.MaxLine, b.opts.MaxBytes = 100, 1000
	long := "Nov 23 03:12:59 h a: " + strings.Repeat("x", 5000)
	b.raw(long + "\n")
	b.write(1)
	b.raw(long) // not yet finished, but it will be too long
	got := b.once()
	b.raw("yyy") // and it goes on
	b.once()
	b.raw("yyy\n")
	b.write(1)
	b.once()
	cut := strings.Repeat("x", 79) + CutMarker
	want := []any{cut, "line 0", cut, "line 1"}
	if diff := cmp.Diff(want, b.store.column("SyslogMessage")); diff != "" {
		t.Error(diff)
	}
	if got != (Stats{Received: 3, Committed: 3, Truncated: 2}) {
		t.Errorf("stats: %+v", got)
	}
}

func TestTailRotation(t *testing.T) {
	f := func(name string, rotate func(*bench)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.write(3)
				stop := b.start()
				step := func(when string) {
					t.Helper()
					time.Sleep(20 * time.Second)
					b.check(when)
				}
				step("at first")
				b.write(1) // not read yet when the rotation comes
				rotate(b)
				step("right after the rotation")
				b.write(2)
				step("new lines")
				rotate(b)
				b.write(2)
				step("a second rotation")
				rotate(b)
				b.write(1)
				rotate(b) // two within one poll
				b.write(2)
				step("two rotations at once")
				stop()

				// While nobody looks.
				b.write(2)
				rotate(b)
				b.write(3)
				stop = b.start()
				step("a rotation while stopped")
				stop()
				b.write(1)
				rotate(b)
				b.write(2)
				rotate(b)
				b.write(2)
				rotate(b)
				stop = b.start()
				step("three rotations while stopped")
				b.write(2)
				step("the end")
				stop()
			})
		})
	}
	f("rename", (*bench).rename)
	f("copytruncate", (*bench).copyTruncate)
}

// TestTailRotationSlowWriter has a program that goes on writing to the renamed
// file for a while, as they do until they are told.
func TestTailRotationSlowWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.write(3)
		stop := b.start()
		time.Sleep(time.Second)
		old, err := os.OpenFile(b.path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		b.rename()
		slow := func(s string) {
			t.Helper()
			if _, err := io.WriteString(old, s); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute) // the new file is empty: the writer has not moved
		slow(b.line() + "\n")
		time.Sleep(time.Second)
		b.check("the writer stayed with the old file")
		slow(b.line()) // its last words have no line end
		b.write(2)
		time.Sleep(20 * time.Second)
		b.check("the writer moved")
		stop()
	})
}

// TestTailTruncation holds what becomes of a file that is emptied by hand.
func TestTailTruncation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.write(5)
		stop := b.start()
		time.Sleep(2 * time.Second)
		if err := os.Truncate(b.path, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		b.write(2)
		time.Sleep(2 * time.Second)
		b.check("new lines after the truncation")
		// Written anew to more than its old length, within one poll.
		if err := os.Truncate(b.path, 0); err != nil {
			t.Fatal(err)
		}
		b.write(50)
		time.Sleep(2 * time.Second)
		b.check("a longer file in its place")
		// And deleted.
		if err := os.Remove(b.path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.write(2)
		time.Sleep(20 * time.Second)
		b.check("a new file after a deletion")
		stop()
	})
}

// TestTailLost holds that a rotation out of reach is said, and the new file read.
func TestTailLost(t *testing.T) {
	b := newBench(t)
	b.write(3)
	b.once()
	if err := os.Remove(b.path); err != nil {
		t.Fatal(err)
	}
	b.write(2)
	b.once()
	b.check("a new file")
	if !strings.Contains(b.log.String(), "the log file was replaced") {
		t.Errorf("log: %s", b.log.String())
	}
}

// TestTailNameless holds that other files beside the log are none of its business.
func TestTailNameless(t *testing.T) {
	b := newBench(t)
	b.write(3)
	b.once()
	b.rename()
	for _, name := range []string{".gz", ".1.gz", ".bak", "x", "-old", "."} {
		if err := os.WriteFile(b.path+name, []byte("Nov 23 03:12:59 h a: foreign\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.touch(b.path + name)
	}
	b.write(2)
	b.once()
	b.check("after a rotation")
}

func TestTailBadCheckpoint(t *testing.T) {
	b := newBench(t)
	b.write(1)
	b.once()
	for key := range b.offsets {
		b.offsets[key] = []byte(`{"life":`)
	}
	err := b.tail().Run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "no checkpoint; delete it") {
		t.Errorf("error %v", err)
	}
}

// TestTailRefused holds that rows that are refused for good stop the Tail, and
// are neither skipped nor lost.
func TestTailRefused(t *testing.T) {
	b := newBench(t)
	b.write(3)
	refuse := true
	b.store.before = func(picket.Batch) error {
		if refuse {
			return picket.Errorf(picket.Invalid, "no such column")
		}
		return nil
	}
	if err := b.tail().Run(t.Context()); picket.CodeOf(err) != picket.Invalid {
		t.Errorf("error %v", err)
	}
	refuse = false
	b.once()
	b.check("once it is mended")
}

// TestTailRetry holds that trouble of either store holds lines up and loses none.
func TestTailRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		start := time.Now()
		calls := 0
		b.step = func() error {
			if calls++; time.Since(start) < 30*time.Second && calls%3 != 0 {
				return errors.New("trouble")
			}
			return nil
		}
		stop := b.start()
		for range 20 {
			b.write(3)
			time.Sleep(2 * time.Second)
		}
		time.Sleep(10 * time.Second)
		stop()
		b.check("after the trouble")
	})
}
