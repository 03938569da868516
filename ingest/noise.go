package ingest

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// noiseEvery is how often one message may be in the log, however often senders
// cause it.
const noiseEvery = 10 * time.Second

// noise is the log of what senders cause: each message now and then only, with
// how many like it there were since.
type noise struct {
	mu     sync.Mutex
	said   map[string]time.Time // by message, which are constants
	hidden map[string]uint64
}

func newNoise() *noise {
	return &noise{said: map[string]time.Time{}, hidden: map[string]uint64{}}
}

func (n *noise) log(log *slog.Logger, level slog.Level, message string, args ...any) {
	now := time.Now()
	n.mu.Lock()
	if last, ok := n.said[message]; ok && now.Sub(last) < noiseEvery {
		n.hidden[message]++
		n.mu.Unlock()
		return
	}
	n.said[message] = now
	hidden := n.hidden[message]
	delete(n.hidden, message)
	n.mu.Unlock()
	if hidden > 0 {
		args = append(args, "similar", hidden)
	}
	log.Log(context.Background(), level, message, args...)
}
