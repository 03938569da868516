package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"

	"picket"
)

// follower returns a Follower over b's log and offsets.
func (b *bench) follower(patterns ...string) *Follower {
	o := FollowerOptions{Tail: b.opts}
	for _, p := range patterns {
		o.Inputs = append(o.Inputs, Input{Path: p})
	}
	o.Tail.Host, o.Tail.Location = "here", time.UTC
	o.Tail.Now = func() time.Time { return testNow }
	o.Tail.Log = slog.New(slog.NewTextHandler(&b.log, nil))
	return NewFollower(b.store.Append, b.kept(), o)
}

// follow runs a Follower until the returned stop is called.
func (b *bench) follow(patterns ...string) (stop func()) {
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	f := b.follower(patterns...)
	go func() { done <- f.Run(ctx) }()
	return func() {
		b.t.Helper()
		cancel()
		if err := <-done; err != nil {
			b.t.Errorf("Run: %v", err)
		}
	}
}

// pack compresses a file as gzip and logrotate do: the time of change stays.
func (b *bench) pack(path, ext string) {
	b.t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		b.t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		b.t.Fatal(err)
	}
	var out bytes.Buffer
	switch ext {
	case ".gz":
		z := gzip.NewWriter(&out)
		if _, err := z.Write(text); err != nil {
			b.t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			b.t.Fatal(err)
		}
	case ".zst":
		z, err := zstd.NewWriter(nil)
		if err != nil {
			b.t.Fatal(err)
		}
		out.Write(z.EncodeAll(text, nil))
	}
	if err := os.WriteFile(path+ext, out.Bytes(), 0o600); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Chtimes(path+ext, info.ModTime(), info.ModTime()); err != nil {
		b.t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		b.t.Fatal(err)
	}
}

// shiftPacked renames NAME.1.gz to NAME.2.gz and so on.
func (b *bench) shiftPacked() {
	b.t.Helper()
	for i := 40; i > 0; i-- {
		for _, ext := range []string{".gz", ".zst"} {
			err := os.Rename(fmt.Sprintf("%s.%d%s", b.path, i, ext), fmt.Sprintf("%s.%d%s", b.path, i+1, ext))
			if err != nil && !os.IsNotExist(err) {
				b.t.Fatal(err)
			}
		}
	}
}

// compress rotates by renaming, and compresses what was renamed.
func (b *bench) compress() {
	b.t.Helper()
	b.shiftPacked()
	b.rename()
	b.pack(b.path+".1", ".gz")
}

// TestFollowerBackfill reads what rotation has left, oldest first, and follows
// the log through rotations that compress, also while nobody looks.
func TestFollowerBackfill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.opts.MaxRows = 3
		rotate := func(ext string) {
			t.Helper()
			b.shiftPacked()
			b.rename()
			b.pack(b.path+".1", ext)
		}
		b.write(5)
		rotate(".gz")
		b.write(4)
		rotate(".zst")
		b.write(3)
		b.shiftPacked()
		b.rename()
		b.write(2)
		stop := b.follow(b.path + "*")
		time.Sleep(time.Minute)
		b.check("what was there")

		b.write(1)
		b.pack(b.path+".1", ".gz") // delaycompress: the one that was there first
		rotate(".gz")
		b.write(3)
		time.Sleep(time.Minute)
		b.check("a rotation")
		stop()

		b.write(3)
		rotate(".gz")
		b.write(2)
		rotate(".zst")
		b.write(1)
		stop = b.follow(b.path + "*")
		time.Sleep(time.Minute)
		b.check("two rotations while stopped")
		stop()
	})
}

// TestFollowerNew has logs come and go.
func TestFollowerNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		dir := filepath.Dir(b.path)
		ctx, cancel := context.WithCancel(t.Context())
		f := b.follower(filepath.Join(dir, "*.log"), filepath.Join(dir, "auth*"), filepath.Join(dir, "l*k"))
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		time.Sleep(time.Minute)
		b.write(3)
		if err := os.Symlink(b.path, filepath.Join(dir, "link")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.check("a log that came later, and a link to it")
		if err := os.Remove(b.path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s := f.Stats(); s != (Stats{Received: 3, Committed: 3}) || len(f.tails) != 0 {
			t.Errorf("after its end: %+v, %d logs", s, len(f.tails))
		}
		b.write(2)
		time.Sleep(time.Minute)
		b.check("it came again")
		if s := f.Stats(); s != (Stats{Received: 5, Committed: 5}) {
			t.Errorf("%+v", s)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// TestFollowerRotatedOnly names compressed files and not the log itself.
func TestFollowerRotatedOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.write(4)
		b.rename()
		b.pack(b.path+".1", ".gz")
		seen := len(b.written)
		b.write(2)
		stop := b.follow(b.path + ".*.gz")
		time.Sleep(time.Minute)
		stop()
		if got := b.store.column("SyslogMessage"); len(got) != seen {
			t.Errorf("%d lines, want %d", len(got), seen)
		}
		stop = b.follow(b.path + ".*.gz")
		b.shiftPacked()
		b.rename()
		b.pack(b.path+".1", ".gz")
		time.Sleep(time.Minute)
		b.check("one more file")
		stop()
	})
}

// TestFollowerAgain holds that a file that cannot be followed is tried again,
// less and less often, and keeps no other from being followed.
func TestFollowerAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		bad := filepath.Join(filepath.Dir(b.path), "folder")
		if err := os.Mkdir(bad, 0o700); err != nil {
			t.Fatal(err)
		}
		b.write(2)
		stop := b.follow(bad, b.path)
		time.Sleep(16 * time.Minute)
		stop()
		b.check("the good one")
		// At 0, 5, 15, 35, 75, 155, 315, 615 and 915 s.
		if n := strings.Count(b.log.String(), "not followed for now"); n != 9 {
			t.Errorf("tried %d times, want 9:\n%s", n, b.log.String())
		}
	})
}

func TestBaseName(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := baseName(name); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	f("access.log", "access.log")
	f("access.log.1", "access.log")
	f("access.log.12.gz", "access.log")
	f("access.log-20261123", "access.log")
	f("access.log-20261123-1764072000.zst", "access.log")
	f("access.log.2026-11-23", "access.log")
	f("access.log.gz", "access.log.gz") // a log of its own that is compressed
	f("worker-2", "worker-2")
	f("server-8080", "server-8080")
	f("10.0.0.5", "10.0.0.5")
	f("10.0.0.5.1", "10.0.0.5")
	f("20261123", "20261123")
	f("access.log.", "access.log.")
	f("app-2026-11-23.log", "app-2026-11-23.log")
}

// TestUnpack reads a damaged file, at any offset and backwards.
func TestUnpack(t *testing.T) {
	b := newBench(t)
	b.write(100_000)
	b.pack(b.path, ".gz")
	whole, err := os.ReadFile(b.path + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(func() (lines []string) {
		for _, l := range b.written {
			lines = append(lines, "Nov 23 03:12:59 h app[1]: "+l.(string)+"\n")
		}
		return lines
	}(), "")
	u, err := newUnpacker(bytes.NewReader(whole), ".gz")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{0, 5, 1 << 20, 1<<20 + 3, 3 << 20, 3<<20 - 5000, 100, len(text) - 10, 0} {
		got := make([]byte, 5000)
		n, err := u.ReadAt(got, int64(at))
		if want := text[at:min(len(text), at+5000)]; string(got[:n]) != want || (err != nil) != (n < 5000) {
			t.Errorf("at %d: %d bytes, %v", at, n, err)
		}
	}
	if u.broken != nil || cap(u.window) > 3*unpackWindow {
		t.Errorf("broken %v, a window of %d", u.broken, cap(u.window))
	}

	if err := os.WriteFile(b.path+".gz", whole[:len(whole)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	b.path += ".gz"
	b.once()
	got := b.store.column("SyslogMessage")
	if len(got) < 1000 || !slices.Equal(got[:len(got)-1], b.written[:len(got)-1]) || !strings.Contains(b.log.String(), "is damaged") {
		t.Errorf("%d lines of a damaged file; log: %s", len(got), b.log.String())
	}
}

// TestTailFormats holds that each file has its own format, and that a table's
// rows are whole.
func TestTailFormats(t *testing.T) {
	b := newBench(t)
	tables := map[string]bool{}
	b.store.after = func(p picket.Batch) error { tables[p.Table] = true; return nil }
	access := "203.0.113.7 - - [25/Nov/2026:13:44:24 +0100] \"GET /x HTTP/1.1\" 200 5 \"-\" \"curl\"\n"
	b.path = filepath.Join(filepath.Dir(b.path), "nginx-access.log")
	b.raw(access + access)
	b.once()
	b.raw("garbage\n" + access)
	if got := b.once(); got != (Stats{Received: 4, Committed: 4, Odd: 1}) { // two of the last batch are repeated
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff(map[string]bool{"NGINX_CL": true}, tables); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{"200", "200", "", "200"}, b.store.column("scStatus")); diff != "" {
		t.Error(diff)
	}
}
