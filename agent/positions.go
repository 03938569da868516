package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"sync"

	"picket"
	"picket/collection"
	"picket/ingest"
)

// positions is how far files and the journal were read, and what was collected
// last, in one small file.
type positions struct {
	path string

	mu   sync.Mutex
	kept map[string]json.RawMessage
}

const sourcesKey = "sources"

func openPositions(path string) (*positions, error) {
	p := &positions{path: path, kept: map[string]json.RawMessage{}}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return p, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &p.kept)
	}
	if err != nil {
		return nil, fmt.Errorf("read positions: %w; without the file %s everything is read from its beginning", err, path)
	}
	return p, nil
}

func (p *positions) load(key string) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.kept[key]
}

func (p *positions) save(key string, value []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := maps.Clone(p.kept)
	next[key] = value
	text, err := json.Marshal(next)
	if err == nil {
		err = picket.WriteFile(p.path, text, 0o600)
	}
	if err == nil {
		p.kept = next
	}
	return err
}

// offsets are the positions of one source: two may read the same file.
func (p *positions) offsets(source string) ingest.Offsets {
	return ingest.Offsets{
		Load: func(_ context.Context, key string) ([]byte, error) { return p.load(source + " " + key), nil },
		Save: func(_ context.Context, key string, value []byte) error { return p.save(source+" "+key, value) },
	}
}

// sources returns what was collected last, or the built-in rule's.
func (p *positions) sources() (collection.Sources, error) {
	text := p.load(sourcesKey)
	if text == nil {
		return collection.DefaultSources(), nil
	}
	var s collection.Sources
	err := json.Unmarshal(text, &s)
	return s, err
}

func (p *positions) setSources(s collection.Sources) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return p.save(sourcesKey, text)
}
