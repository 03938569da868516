package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"
)

const (
	maxDatagram    = 65535
	maxPackets     = 16384    // datagrams waiting
	maxPacketBytes = 16 << 20 // and their bytes
	socketBuffer   = 4 << 20  // asked of the kernel, which may give less
)

// A packet is a datagram that waits for its turn.
type packet struct {
	line []byte
	peer netip.Addr
	cut  bool
	time time.Time
}

// A packetQueue stands between the socket and the batcher, so that a commit of
// some milliseconds drops nothing. One peer may have half of it.
type packetQueue struct {
	ch chan packet

	mu     sync.Mutex
	bytes  int
	byPeer map[netip.Addr]share // of those that wait
}

// A share is what a peer has in the queue.
type share struct{ packets, bytes int }

func newPacketQueue() *packetQueue {
	return &packetQueue{ch: make(chan packet, maxPackets), byPeer: map[netip.Addr]share{}}
}

// offer queues p if there is room. Only one goroutine may call it.
func (q *packetQueue) offer(p packet) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := len(p.line)
	have := q.byPeer[p.peer]
	if q.bytes+size > maxPacketBytes || have.bytes+size > maxPacketBytes/2 || have.packets >= maxPackets/2 {
		return false
	}
	select {
	case q.ch <- p:
		q.bytes += size
		q.byPeer[p.peer] = share{have.packets + 1, have.bytes + size}
		return true
	default:
		return false
	}
}

// done takes a packet that came out of the queue from its peer's share.
func (q *packetQueue) done(p packet) {
	q.mu.Lock()
	defer q.mu.Unlock()
	size := len(p.line)
	q.bytes -= size
	if have := q.byPeer[p.peer]; have.packets > 1 {
		q.byPeer[p.peer] = share{have.packets - 1, have.bytes - size}
	} else {
		delete(q.byPeer, p.peer)
	}
}

// waiting returns how many datagrams are in the queue, and their bytes.
func (q *packetQueue) waiting() (packets, bytes int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ch), q.bytes
}

func (q *packetQueue) close() { close(q.ch) }

// tune asks for a large socket buffer. Receiving works without.
func (s *Server) tune(c interface{ SetReadBuffer(bytes int) error }, what string) {
	if err := c.SetReadBuffer(socketBuffer); err != nil {
		s.opts.Log.Warn("enlarge the buffer for "+what, "error", err)
	}
}

// countOverflow asks to be told what the kernel drops.
func (s *Server) countOverflow() {
	raw, err := s.udp.SyscallConn()
	if err == nil {
		var failed error
		err = raw.Control(func(fd uintptr) {
			failed = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RXQ_OVFL, 1)
		})
		err = errors.Join(err, failed)
	}
	if err != nil {
		s.opts.Log.Warn("datagrams dropped by the kernel will not be counted", "error", err)
	}
}

// readPause is how long a reader waits after an error that may not last.
const readPause = 10 * time.Millisecond

// readPackets queues datagrams until the stop.
func (s *Server) readPackets(ctx context.Context) {
	defer s.udp.Close()
	buf := make([]byte, maxDatagram)
	control := make([]byte, 64)
	var dropped uint32 // as the kernel counts; it wraps
	for {
		n, c, _, peer, err := s.udp.ReadMsgUDPAddrPort(buf, control)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			s.opts.Log.Warn("read datagram", "error", err)
			if wait(ctx, readPause) != nil {
				return
			}
			continue
		}
		if total, ok := overflow(control[:c]); ok && total != dropped {
			s.drop(netip.Addr{}, uint64(total-dropped))
			dropped = total
		}
		from := peer.Addr().Unmap()
		line, cut := cutDatagram(buf[:n], s.opts.MaxMessage)
		if n > 0 && !s.packets.offer(packet{bytes.Clone(line), from, cut, s.opts.Now()}) {
			s.drop(from, 1)
		}
	}
}

// cutDatagram bounds a datagram; one that is cut is a copy.
func cutDatagram(line []byte, most int) ([]byte, bool) {
	if len(line) <= most {
		return line, false
	}
	return markCut(line[:most:most]), true
}

// workPackets turns queued datagrams into rows until the queue is closed and
// empty. It hands them over whenever the queue is empty.
func (s *Server) workPackets(ctx context.Context) {
	var last netip.Addr
	got := s.newBurst(overUDP, s.origin(last))
	defer got.hand(ctx)
	for p := range s.packets.ch {
		s.packets.done(p)
		if p.peer != last {
			last, got.from = p.peer, s.origin(p.peer)
		}
		if line := trimFrame(p.line); len(line) > 0 {
			got.at(p.time)
			got.take(ctx, line, p.cut)
		}
		if len(s.packets.ch) == 0 {
			got.hand(ctx)
		}
	}
}

// overflow finds the kernel's count of dropped datagrams in a control message
// (socket(7), SO_RXQ_OVFL). It is only sent once there are any.
func overflow(control []byte) (total uint32, ok bool) {
	if len(control) == 0 {
		return 0, false
	}
	messages, err := syscall.ParseSocketControlMessage(control)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == syscall.SOL_SOCKET && m.Header.Type == syscall.SO_RXQ_OVFL && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data), true
		}
	}
	return 0, false
}
