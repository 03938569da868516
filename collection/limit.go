package collection

import (
	"sync"
	"time"

	"picket"
	"picket/workspace"
)

// What one rule takes in a minute ("Azure Monitor service limits", Logs Ingestion
// API).
const (
	maxRequests = 12_000
	maxMinute   = 2 << 30 // bytes
)

// loads counts what rules take in the present minute.
type loads struct {
	now func() time.Time

	mu     sync.Mutex
	minute time.Time
	rules  map[string]load
}

type load struct{ requests, bytes int }

// add counts a call, or says when there is room for it again.
func (l *loads) add(rule string, size int) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if m := now.Truncate(time.Minute); !m.Equal(l.minute) {
		l.minute, l.rules = m, map[string]load{}
	}
	c := l.rules[rule]
	c.requests, c.bytes = c.requests+1, c.bytes+size
	if c.requests > maxRequests || c.bytes > maxMinute {
		return &workspace.Throttled{
			Err:        picket.Errorf(picket.Busy, "The data collection rule %s takes %d requests and %d bytes a minute; this is more", rule, maxRequests, maxMinute),
			RetryAfter: l.minute.Add(time.Minute).Sub(now),
		}
	}
	l.rules[rule] = c
	return nil
}
