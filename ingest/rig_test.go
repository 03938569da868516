package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
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
	mu      sync.Mutex // of offsets: several files of a follower keep theirs
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
	return NewTail(b.store.Append, b.kept(), opts)
}

// kept is b's place for offsets.
func (b *bench) kept() Offsets {
	return Offsets{
		Load: func(ctx context.Context, key string) ([]byte, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			return b.offsets[key], nil
		},
		Save: func(ctx context.Context, key string, value []byte) error {
			if err := b.crossing(); err != nil {
				return err
			}
			b.mu.Lock()
			b.offsets[key] = slices.Clone(value)
			b.mu.Unlock()
			return b.crossing()
		},
	}
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
