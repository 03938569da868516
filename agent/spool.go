package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/klauspost/compress/zstd"

	"picket"
)

// A spool keeps batches on disk until they are sent. A batch is a file; the names
// count up, so that their order is that of arrival. What is put is on disk when
// put returns.
//
// The spool is bounded. When a batch does not fit the oldest ones are dropped
// until it does, and how many rows that were is logged: what is new says more of
// what goes on now.
type spool struct {
	dir   string
	limit int64
	log   *slog.Logger
	enc   *zstd.Encoder
	dec   *zstd.Decoder

	mu    sync.Mutex
	files []spooled // oldest first
	size  int64
	last  uint64
	fresh chan struct{} // has a token when there may be a file
}

type spooled struct {
	name string
	size int64
}

// A batch is what a file of the spool holds: a line of JSON, and the records'
// JSON compressed with Zstandard.
type batch struct {
	Stream string `json:"stream"`
	ID     string `json:"id"`
	Rows   int    `json:"rows"`

	name string
	body []byte // the records as a JSON array
}

const spoolEnding = ".batch"

// openSpool opens the spool in a folder, which is made when it is not there.
func openSpool(dir string, limit int64, log *slog.Logger) (*spool, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s := &spool{dir: dir, limit: limit, log: log, fresh: make(chan struct{}, 1)}
	s.enc, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err == nil {
		s.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
	}
	if err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	for _, e := range entries { // by name
		var n uint64
		if _, err := fmt.Sscanf(e.Name(), "%d"+spoolEnding, &n); err != nil || !strings.HasSuffix(e.Name(), spoolEnding) {
			_ = os.Remove(filepath.Join(dir, e.Name())) // one that was being written at a crash; folders stay
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, fmt.Errorf("open spool: %w", err)
		}
		s.files, s.size, s.last = append(s.files, spooled{e.Name(), info.Size()}), s.size+info.Size(), n
	}
	s.wake()
	return s, nil
}

func (s *spool) wake() {
	select {
	case s.fresh <- struct{}{}:
	default:
	}
}

// put adds a batch.
func (s *spool) put(b batch) error {
	head, err := json.Marshal(b)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	data := append(head, '\n')
	data = s.enc.EncodeAll(b.body, data)
	s.makeRoom(int64(len(data)))
	s.last++
	name := fmt.Sprintf("%020d%s", s.last, spoolEnding)
	if err := picket.WriteFile(filepath.Join(s.dir, name), data, 0o600); err != nil {
		return fmt.Errorf("write to spool: %w", err)
	}
	s.files, s.size = append(s.files, spooled{name, int64(len(data))}), s.size+int64(len(data))
	s.wake()
	return nil
}

// makeRoom drops the oldest batches until n bytes fit.
func (s *spool) makeRoom(n int64) {
	for len(s.files) > 0 && s.size+n > s.limit {
		f := s.files[0]
		b, err := s.read(f.name)
		rows := 0
		if err == nil {
			rows = b.Rows
		}
		s.log.Error("the spool is full: its oldest batch is dropped", "rows", rows, "limit", s.limit)
		if err := s.remove(f.name); err != nil {
			s.log.Error("drop a batch", "file", f.name, "error", err)
		}
	}
}

// remove takes a file out of the spool; the caller holds mu.
func (s *spool) remove(name string) error {
	i := slices.IndexFunc(s.files, func(f spooled) bool { return f.name == name })
	if i < 0 {
		return nil // it was dropped while it was being sent
	}
	s.size -= s.files[i].size
	s.files = slices.Delete(s.files, i, i+1)
	return os.Remove(filepath.Join(s.dir, name))
}

// next returns the oldest batch, waiting for one; nil when ctx ends.
func (s *spool) next(ctx context.Context) (*batch, error) {
	for {
		s.mu.Lock()
		if len(s.files) > 0 {
			name := s.files[0].name
			b, err := s.read(name)
			if err != nil {
				s.log.Error("a batch of the spool is damaged and kept aside", "file", name, "error", err)
				err = s.setAside(name)
				s.mu.Unlock()
				if err != nil {
					return nil, err
				}
				continue
			}
			s.mu.Unlock()
			return b, nil
		}
		s.mu.Unlock()
		select {
		case <-s.fresh:
		case <-ctx.Done():
			return nil, nil
		}
	}
}

func (s *spool) read(name string) (*batch, error) {
	data, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		return nil, err
	}
	head, body, ok := bytes.Cut(data, []byte("\n"))
	b := &batch{name: name}
	if err := json.Unmarshal(head, b); err != nil || !ok || b.Stream == "" {
		return nil, errors.Join(errors.New("its first line is not that of a batch"), err)
	}
	b.body, err = s.dec.DecodeAll(body, nil)
	return b, err
}

// done removes a batch that was sent.
func (s *spool) done(b *batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.remove(b.name); err != nil {
		return fmt.Errorf("remove from spool: %w", err)
	}
	return nil
}

// refuse keeps a batch aside that the server does not take, for a person to look
// at: in the folder refused.
func (s *spool) refuse(b *batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.setAside(b.name)
}

// maxRefused is how many batches are kept aside.
const maxRefused = 100

func (s *spool) setAside(name string) error {
	dir := filepath.Join(s.dir, "refused")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if entries, err := os.ReadDir(dir); err == nil && len(entries) >= maxRefused {
		return s.remove(name)
	}
	if err := os.Link(filepath.Join(s.dir, name), filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return s.remove(name)
}
