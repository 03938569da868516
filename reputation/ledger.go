package reputation

import (
	"context"
	"sync"

	"picket/state"
)

// A ledger counts what was not asked, and writes it down every so often: unlike
// requests, which are written before they are sent, these cost nothing, and a
// kill -9 may forget the last second's.
type ledger struct {
	db *state.DB

	mu      sync.Mutex
	pending map[ledgerLine]ledgerCount
	writing sync.Mutex
}

// A ledgerLine is what is counted together.
type ledgerLine struct{ day, provider, key, playbook, incident string }

type ledgerCount struct{ cached, skipped, saved int64 }

func newLedger(db *state.DB) *ledger {
	return &ledger{db: db, pending: map[ledgerLine]ledgerCount{}}
}

func (l *ledger) add(line ledgerLine, c ledgerCount) {
	l.mu.Lock()
	n := l.pending[line]
	l.pending[line] = ledgerCount{n.cached + c.cached, n.skipped + c.skipped, n.saved + c.saved}
	l.mu.Unlock()
}

// flush writes what is counted. What cannot be written is kept for the next time.
func (l *ledger) flush(ctx context.Context) error {
	l.writing.Lock()
	defer l.writing.Unlock()
	l.mu.Lock()
	taken := l.pending
	l.pending = map[ledgerLine]ledgerCount{}
	l.mu.Unlock()
	lines := make([]state.ProviderUsage, 0, len(taken))
	for k, n := range taken {
		lines = append(lines, state.ProviderUsage{Day: k.day, Provider: k.provider, Key: k.key, Playbook: k.playbook, Incident: k.incident,
			Cached: n.cached, Skipped: n.skipped, SavedMicroUSD: n.saved})
	}
	err := l.db.AddProviderUsage(ctx, lines...)
	if err != nil {
		for k, n := range taken {
			l.add(k, n)
		}
	}
	return err
}
