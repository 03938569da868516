package ingest

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"
)

// A conn is a connection of a sender.
type conn struct {
	net.Conn              // TLS, if it is that
	raw      *net.TCPConn // what is below it
	peer     netip.Addr
	source   netip.Prefix // whom its place is counted for

	heard   atomic.Int64 // when it was opened, or had sent a whole message: nanoseconds since 1970
	spoke   bool         // it sent a whole message since the last look at the clock
	reading atomic.Bool  // it waits for its sender, not for the workspace

	until time.Time // when it must end, because its place was given to another; under Server.mu
}

// sourceOf is whom an address belongs to: an IPv6 host commonly has a /64 for itself.
func sourceOf(a netip.Addr) netip.Prefix {
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // fails for the zero Addr only, for which it is zero
	return p
}

// A connTable is the connections that are open. It is under Server.mu.
type connTable struct {
	open map[*conn]struct{}
	by   map[netip.Prefix]int
}

func newConnTable() connTable {
	return connTable{open: map[*conn]struct{}{}, by: map[netip.Prefix]int{}}
}

// leavingRoom is how many connections there may be above the limit while those
// that gave their places up come to their ends.
const leavingRoom = 16

func (t *connTable) add(c *conn) {
	t.open[c] = struct{}{}
	t.by[c.source]++
}

func (t *connTable) remove(c *conn) {
	delete(t.open, c)
	if c.until.IsZero() {
		t.release(c)
	}
}

// release takes c's place from its source's count.
func (t *connTable) release(c *conn) {
	if t.by[c.source]--; t.by[c.source] == 0 {
		delete(t.by, c.source)
	}
}

// crowded returns the connection that should give its place to a newcomer: of
// the source that has the most, and at least two more than the newcomer's, the
// one that was silent for longest. So whoever opens connections by the
// thousand displaces none but their own. nil is for none.
func (t *connTable) crowded(newcomer netip.Prefix) *conn {
	var most netip.Prefix
	for source, n := range t.by {
		if n > t.by[most] {
			most = source
		}
	}
	if t.by[most] < t.by[newcomer]+2 {
		return nil
	}
	var victim *conn
	for c := range t.open {
		if c.source == most && c.until.IsZero() && c.reading.Load() && (victim == nil || c.heard.Load() < victim.heard.Load()) {
			victim = c
		}
	}
	return victim
}

// enter gives a connection a place. If there are too many, it takes that of
// another, or none.
func (s *Server) enter(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	c.heard.Store(now.UnixNano())
	if len(s.conns.open) >= s.opts.MaxConns {
		if len(s.conns.open) >= s.opts.MaxConns+leavingRoom {
			return false
		}
		other := s.conns.crowded(c.source)
		if other == nil {
			return false
		}
		s.conns.release(other)
		s.displaced.Add(1)
		other.until = now.Add(lingerSilent) // to read what has arrived
		s.deadline(other.raw, other.until)
	}
	s.conns.add(c)
	return true
}

func (s *Server) leave(c *conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.conns.remove(c)
}

// limit sets when the next read from a connection must end.
func (s *Server) limit(c *conn) {
	now := time.Now()
	if c.spoke {
		c.spoke = false
		c.heard.Store(now.UnixNano())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !c.until.IsZero():
		s.deadline(c.raw, c.until)
	case !s.stopping.IsZero():
		s.deadline(c.raw, now.Add(min(lingerSilent, s.stopping.Sub(now))))
	default:
		s.deadline(c.raw, time.Unix(0, c.heard.Load()).Add(s.opts.Idle))
	}
}
