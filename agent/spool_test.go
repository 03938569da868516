package agent

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func openTestSpool(t *testing.T, dir string, limit int64) (*spool, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	s, err := openSpool(dir, limit, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return s, &log
}

func putN(t *testing.T, s *spool, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if err := s.put(batch{Stream: "S", ID: fmt.Sprint(i), Rows: 1, body: []byte(fmt.Sprintf(`[{"n":%d}]`, i))}); err != nil {
			t.Fatal(err)
		}
	}
}

// take sends everything the spool has and returns the ids.
func take(t *testing.T, s *spool) (ids []string) {
	t.Helper()
	for {
		ctx, cancel := context.WithCancel(t.Context())
		if s.mu.Lock(); len(s.files) == 0 {
			cancel()
		}
		s.mu.Unlock()
		b, err := s.next(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if b == nil {
			return ids
		}
		if want := fmt.Sprintf(`[{"n":%s}]`, b.ID); string(b.body) != want || b.Stream != "S" {
			t.Errorf("batch %s of %s: %s", b.ID, b.Stream, b.body)
		}
		ids = append(ids, b.ID)
		if err := s.done(b); err != nil {
			t.Fatal(err)
		}
	}
}

// What was put is there after the end of the process, in its order.
func TestSpoolKeepsOrder(t *testing.T) {
	dir := t.TempDir()
	s, _ := openTestSpool(t, dir, 1<<20)
	putN(t, s, 0, 12)
	if err := os.WriteFile(filepath.Join(dir, "00000000000000000099.batch.part"), []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ = openTestSpool(t, dir, 1<<20)
	putN(t, s, 12, 14)
	if got := strings.Join(take(t, s), " "); got != "0 1 2 3 4 5 6 7 8 9 10 11 12 13" {
		t.Errorf("taken: %s", got)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 || s.size != 0 {
		t.Errorf("left: %v, %d bytes", left, s.size)
	}
}

// A full spool drops its oldest batches and says so.
func TestSpoolDropsOldest(t *testing.T) {
	s, log := openTestSpool(t, t.TempDir(), 400)
	putN(t, s, 0, 50)
	if s.size > 400 {
		t.Errorf("%d bytes are kept", s.size)
	}
	ids := take(t, s)
	if len(ids) == 0 || ids[len(ids)-1] != "49" {
		t.Fatalf("taken: %v", ids)
	}
	if dropped := strings.Count(log.String(), "oldest batch is dropped"); dropped+len(ids) != 50 {
		t.Errorf("%d kept, %d told of", len(ids), dropped)
	}
}

// A damaged file stops nothing and is not lost.
func TestSpoolDamaged(t *testing.T) {
	dir := t.TempDir()
	s, _ := openTestSpool(t, dir, 1<<20)
	putN(t, s, 0, 3)
	for name, text := range map[string]string{"00000000000000000001.batch": "no batch", "00000000000000000002.batch": "{\"stream\":\"S\",\"id\":\"1\"}\nnot zstd"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(take(t, s), " "); got != "2" {
		t.Errorf("taken: %s", got)
	}
	if aside, _ := os.ReadDir(filepath.Join(dir, "refused")); len(aside) != 2 {
		t.Errorf("kept aside: %v", aside)
	}
	s, _ = openTestSpool(t, dir, 1<<20) // the folder is no batch
	if len(s.files) != 0 {
		t.Errorf("files %v", s.files)
	}
}
