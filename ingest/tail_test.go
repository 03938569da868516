package ingest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/kql"
)

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
	if got := b.once(); got.Received > 1000 || len(b.store.column("TimeGenerated")) != 2000 {
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

// TestTailEndless reads 100 MB without a line end, and a line after it, in the
// memory of a line.
func TestTailEndless(t *testing.T) {
	b := newBench(t)
	f, err := os.Create(b.path)
	if err != nil {
		t.Fatal(err)
	}
	chunk := []byte(strings.Repeat("x", 1<<20))
	for range 100 {
		if _, err := f.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	b.raw("\n")
	b.write(1)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	stats := b.once()
	runtime.ReadMemStats(&after)
	got := b.store.column("SyslogMessage")
	if len(got) != 2 || got[0] != strings.Repeat("x", defaultMaxMessage)+CutMarker || got[1] != "line 0" || stats.Truncated != 1 {
		t.Errorf("%d rows, %+v", len(got), stats)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d bytes were allocated", used)
	}
}

// TestTailHeaders follows CSV whose header comes anew with each file, by copying
// and truncating.
func TestTailHeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		format, err := NewFormat(FormatOptions{Name: "csv", Table: "X_CL", Columns: []MappedColumn{{Name: "N", Type: kql.Long, From: "n"}}})
		if err != nil {
			t.Fatal(err)
		}
		b.opts.Format, b.opts.MaxRows = format, 2
		b.raw("x,")
		stop := b.start()
		time.Sleep(time.Second)
		b.raw("n\na,1\nb,2\nc,3\n")
		time.Sleep(time.Second)
		stop()
		b.raw("d,4\n")
		b.copyTruncate()
		b.raw("n,x,y\n5,e,\n")
		stop = b.start()
		time.Sleep(30 * time.Second)
		b.copyTruncate()
		b.raw("n,x\n6,f\n")
		time.Sleep(30 * time.Second)
		stop()
		if diff := cmp.Diff([]any{int64(1), int64(2), int64(3), int64(4), int64(5), int64(6)}, b.store.column("N")); diff != "" {
			t.Errorf("%s\n%s", diff, b.log.String())
		}
	})
}

// TestTailRecords follows CSV whose records span lines, and is killed at every
// step while they are written in pieces: each is one row, once.
func TestTailRecords(t *testing.T) {
	format, err := NewFormat(FormatOptions{Name: "csv", Table: "X_CL", Columns: []MappedColumn{{Name: "Note", Type: kql.String, From: "the\nnote"}}})
	if err != nil {
		t.Fatal(err)
	}
	for death := range 16 {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			b.opts.Format, b.opts.MaxRows = format, 2
			c := &crashingBench{bench: b, lives: []int{death, death / 2}}
			b.raw("n,\"the\n")
			c.start()
			for _, piece := range []string{"note\"\n1,a\n2,\"b\n", "\nb \"\"b\"\"", "\n\"\n3,19\" c\n4,\"d\n", "d\"\n5,e\n"} {
				c.settle(time.Second)
				b.raw(piece)
			}
			c.settle(time.Second)
			b.rename()
			b.raw("n,note\n") // another header: the rest of the file before is complete
			c.settle(30 * time.Second)
			c.stop()
			if diff := cmp.Diff([]any{"a", "b\n\nb \"b\"\n", nil, "d\nd", "e"}, b.store.column("Note")); diff != "" {
				t.Errorf("killed at %d: %s\n%s", death, diff, b.log.String())
			}
		})
	}
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

func BenchmarkTail(b *testing.B) {
	path := filepath.Join(b.TempDir(), "auth.log")
	const n = 20000
	text := strings.Repeat("Dec 10 06:55:48 LabSZ sshd[24200]: Failed password for invalid user webmaster from 203.0.113.7 port 38926 ssh2\n", n)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		tail := NewTail(func(context.Context, picket.Batch) error { return nil }, Offsets{}, TailOptions{Path: path, Once: true})
		if err := tail.Run(b.Context()); err != nil || tail.Stats().Committed != n {
			b.Fatal(err, tail.Stats())
		}
	}
}
