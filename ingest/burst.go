package ingest

import (
	"context"
	"strings"
	"time"
)

// maxBurst is how many rows a burst hands over at the latest.
const maxBurst = 1024

// A burst makes rows of the messages that came with one read and hands them
// over together, so that most of what a row costs is paid once for many: the
// memory for it and for its text, the lock, the clock. Whoever reads hands
// over before waiting for more. It is for one goroutine.
type burst struct {
	s    *Server
	by   transport
	from *origin
	now  time.Time // when the messages came
	box  any       // now, for rows

	syslog, cef [][]any
	cells       []any // for rows to come
	text        arena
	names       names

	received, odd, truncated uint64
}

func (s *Server) newBurst(by transport, from *origin) *burst { return &burst{s: s, by: by, from: from} }

// at sets the time that the next messages came.
func (b *burst) at(now time.Time) { b.now, b.box = now, now }

// take makes a message a row.
func (b *burst) take(ctx context.Context, line []byte, truncated bool) {
	b.received++
	if truncated {
		b.truncated++
	}
	m := parse(b.text.clean(line), b.now, b.s.opts.Location)
	row, odd, ok := b.from.cefEvent(&m, b.now, b.s.opts.Location)
	if ok {
		b.cef = append(b.cef, row)
	} else {
		odd = m.Odd
		b.syslog = append(b.syslog, b.from.fill(b.row(), &m, b.box, &b.names))
	}
	if odd {
		b.odd++
	}
	if len(b.syslog)+len(b.cef) >= maxBurst {
		b.hand(ctx)
	}
}

// row returns an empty row of Syslog.
func (b *burst) row() []any {
	n := len(syslogColumns)
	if len(b.cells) < n {
		b.cells = make([]any, 128*n)
	}
	row := b.cells[:n:n]
	b.cells = b.cells[n:]
	return row
}

// hand gives the rows to the batchers. It waits while those are full.
func (b *burst) hand(ctx context.Context) {
	if b.received == 0 {
		return
	}
	b.s.received[b.by].Add(b.received)
	b.s.odd.Add(b.odd)
	b.s.truncated.Add(b.truncated)
	b.received, b.odd, b.truncated = 0, 0, 0
	// What is not taken is lost, but only at the stop, with a workspace that does not answer.
	n, _ := b.s.syslog.AddAll(ctx, b.syslog)
	m, _ := b.s.cef.AddAll(ctx, b.cef)
	b.s.unwritten.Add(uint64(len(b.syslog) - n + len(b.cef) - m))
	clear(b.syslog)
	clear(b.cef)
	b.syslog, b.cef = b.syslog[:0], b.cef[:0]
}

// An arena keeps the texts of many messages in one piece of memory, which lives
// as long as the last of them.
type arena struct{ b strings.Builder }

// arenaSize is the size of a piece. A longer text has one of its own.
const arenaSize = 32 << 10

// clean does as the function clean.
func (a *arena) clean(line []byte) string {
	line = trimLine(line)
	if !plain(line) {
		return escape(line)
	}
	if a.b.Cap()-a.b.Len() < len(line) {
		a.b = strings.Builder{}
		a.b.Grow(max(arenaSize, len(line)))
	}
	start := a.b.Len()
	a.b.Write(line)
	return a.b.String()[start:]
}

// names keeps texts that recur, such as the names of hosts and programs, as
// values of rows, and the time of the last message, which the next one may
// share. The zero value and nil are ready to use; nil keeps nothing.
type names struct {
	known map[string]any
	time  time.Time
	box   any // time
}

// maxNames is how many texts are kept, and maxName how long they may be.
const (
	maxNames = 512
	maxName  = 64
)

// value returns s as a value of a row.
func (n *names) value(s string) any {
	if n == nil || len(s) > maxName {
		return s
	}
	if v, ok := n.known[s]; ok {
		return v
	}
	if len(n.known) >= maxNames || n.known == nil {
		n.known = make(map[string]any)
	}
	s = strings.Clone(s) // it would keep its whole arena
	var v any = s
	n.known[s] = v
	return v
}

// moment returns t as a value of a row.
func (n *names) moment(t time.Time) any {
	if n == nil {
		return t
	}
	if n.box == nil || n.time != t {
		n.time, n.box = t, t
	}
	return n.box
}
