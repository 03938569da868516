package app

import (
	"net"
	"net/http"
	"sync"
)

// silent is the set of connections on which nothing was sent yet: such as a
// client makes in advance, our own too. A server that shuts down would wait
// five seconds for each of them to say something.
type silent struct {
	mu    sync.Mutex
	conns map[net.Conn]bool
	ended bool
}

// track is for [http.Server.ConnState].
func (s *silent) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case state != http.StateNew:
		delete(s.conns, c)
	case s.ended:
		_ = c.Close()
	default:
		if s.conns == nil {
			s.conns = map[net.Conn]bool{}
		}
		s.conns[c] = true
	}
}

// closeAll closes them, and those that still come.
func (s *silent) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	for c := range s.conns {
		_ = c.Close()
	}
}
