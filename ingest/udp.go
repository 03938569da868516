package ingest

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
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
// some milliseconds drops nothing.
type packetQueue struct {
	ch    chan packet
	bytes atomic.Int64
}

func newPacketQueue() *packetQueue { return &packetQueue{ch: make(chan packet, maxPackets)} }

// offer queues p if there is room. Only one goroutine may call it.
func (q *packetQueue) offer(p packet) bool {
	size := int64(len(p.line))
	if q.bytes.Load()+size > maxPacketBytes {
		return false
	}
	q.bytes.Add(size)
	select {
	case q.ch <- p:
		return true
	default:
		q.bytes.Add(-size)
		return false
	}
}

func (q *packetQueue) close() { close(q.ch) }

// tuneUDP asks for a large socket buffer, and to be told what the kernel drops.
// Receiving works without either.
func (s *Server) tuneUDP() {
	if err := s.udp.SetReadBuffer(socketBuffer); err != nil {
		s.opts.Log.Warn("enlarge the buffer for datagrams", "error", err)
	}
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
			if wait(ctx, 10*time.Millisecond) != nil {
				return
			}
			continue
		}
		if total, ok := overflow(control[:c]); ok {
			s.dropped.Add(uint64(total - dropped))
			dropped = total
		}
		line, cut := buf[:n], n > s.opts.MaxMessage
		if cut {
			line = line[:s.opts.MaxMessage]
		}
		line = append(make([]byte, 0, len(line)+len(CutMarker)), line...)
		if cut {
			line = markCut(line)
		}
		if n > 0 && !s.packets.offer(packet{line, peer.Addr(), cut, s.opts.Now()}) {
			s.dropped.Add(1)
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

// workPackets turns queued datagrams into rows until the queue is closed and empty.
func (s *Server) workPackets(ctx context.Context) {
	var last netip.Addr
	from := s.origin(last)
	for p := range s.packets.ch {
		s.packets.bytes.Add(-int64(len(p.line)))
		if p.peer != last {
			last, from = p.peer, s.origin(p.peer)
		}
		if line := trimFrame(p.line); len(line) > 0 {
			s.receive(ctx, line, p.cut, from, p.time)
		}
	}
}
