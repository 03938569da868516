package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Options configures a [Server]. Zero values mean the defaults.
type Options struct {
	Addr     string         // to listen on, UDP and TCP; default 127.0.0.1:5514; port 0 picks one
	Host     string         // this host's name: CollectorHostName
	Location *time.Location // zone of times that name none; default time.Local

	MaxMessage int // bytes; longer ones are cut; default 64 KiB
	MaxConns   int // TCP connections at a time; further ones are closed at once; default 1,000

	// Idle is how long a connection may be silent; default 2 h. It is long
	// because plain TCP syslog has no acknowledgement: a sender loses the
	// first message after a connection was closed on it. Dead peers are found by keep-alive.
	Idle time.Duration

	// Drain is how long Run goes on reading what has arrived, and writing, after
	// its context ended; default 10 s.
	Drain time.Duration

	Batch BatchOptions
	Now   func() time.Time // default time.Now
	Log   *slog.Logger     // default: none
}

func (o Options) withDefaults() Options {
	o.Addr = cmp.Or(o.Addr, "127.0.0.1:5514")
	if o.Location == nil {
		o.Location = time.Local
	}
	o.MaxMessage = cmp.Or(max(0, o.MaxMessage), defaultMaxMessage)
	o.MaxConns = cmp.Or(max(0, o.MaxConns), 1000)
	o.Idle = cmp.Or(max(0, o.Idle), 2*time.Hour)
	o.Drain = cmp.Or(max(0, o.Drain), 10*time.Second)
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Log = orDiscard(o.Log)
	o.Batch.Log = cmp.Or(o.Batch.Log, o.Log)
	o.Batch.Drain = o.Drain / 2 // the other half is for the readers
	return o
}

// lingerSilent is how long a connection must be silent after the stop for its
// reader to end: until then it takes what the sender believes delivered, which
// is in the kernel. Half of Options.Drain bounds that.
const lingerSilent = 200 * time.Millisecond

// A Server receives syslog on UDP (RFC 5426) and TCP (RFC 6587) at one address
// and appends it to the Syslog table, events in the Common Event Format to
// CommonSecurityLog.
//
// TCP senders are held back when the workspace is slow. Datagrams are queued,
// up to 16 MiB, then dropped and counted, those the kernel dropped included.
type Server struct {
	opts    Options
	syslog  *Batcher
	cef     *Batcher
	tcp     *net.TCPListener
	udp     *net.UDPConn
	packets *packetQueue

	mu       sync.Mutex
	conns    map[net.Conn]struct{}
	stopping time.Time // when readers must end; zero while running

	received, odd, truncated, dropped, refused atomic.Uint64
}

// Listen binds the address and returns a Server that appends once it Runs. If
// it never does, Close gives the address back.
func Listen(append Append, opts Options) (*Server, error) {
	opts = opts.withDefaults()
	s := &Server{
		opts:    opts,
		syslog:  NewBatcher(append, syslogTable, syslogColumns, opts.Batch),
		cef:     NewBatcher(append, cefTable, cefColumns, opts.Batch),
		packets: newPacketQueue(),
		conns:   make(map[net.Conn]struct{}),
	}
	if err := s.bind(); err != nil {
		return nil, fmt.Errorf("listen for syslog on %s: %w", opts.Addr, err)
	}
	return s, nil
}

// bind opens both sockets on the same port. A port that the kernel picked for
// TCP may be taken for UDP; then another is tried.
func (s *Server) bind() error {
	for tries := 10; ; tries-- {
		l, err := net.Listen("tcp", s.opts.Addr)
		if err != nil {
			return err
		}
		tcp, ok := l.(*net.TCPListener)
		if !ok {
			return errors.Join(fmt.Errorf("%s is no TCP address", s.opts.Addr), l.Close())
		}
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(tcpAddr(tcp)))
		if err == nil {
			s.tcp, s.udp = tcp, udp
			s.tuneUDP()
			return nil
		}
		tcp.Close()
		if _, port, _ := net.SplitHostPort(s.opts.Addr); port != "0" || tries == 0 {
			return err
		}
	}
}

func tcpAddr(l *net.TCPListener) netip.AddrPort {
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// Addr returns the address that the Server listens on, for UDP and TCP.
func (s *Server) Addr() netip.AddrPort { return tcpAddr(s.tcp) }

// Close releases a Server that does not run.
func (s *Server) Close() error { return errors.Join(s.tcp.Close(), s.udp.Close()) }

// Stats returns the counters so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	open := len(s.conns)
	s.mu.Unlock()
	return Stats{
		Received:    s.received.Load(),
		Committed:   s.syslog.Committed() + s.cef.Committed(),
		Odd:         s.odd.Load(),
		Truncated:   s.truncated.Load(),
		Dropped:     s.dropped.Load() + s.syslog.Failed() + s.cef.Failed(),
		Connections: uint64(open),
		Refused:     s.refused.Load(),
	}
}

// Flush writes what was received before the call.
func (s *Server) Flush(ctx context.Context) error {
	return errors.Join(s.syslog.Flush(ctx), s.cef.Flush(ctx))
}

// Run receives until ctx ends. Then it stops accepting, reads what has already
// arrived, and returns once all of it is committed. The error says what could
// not be. Call it once.
func (s *Server) Run(ctx context.Context) error {
	batching, stopBatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopBatching()
	batched := make(chan error, 2)
	for _, b := range []*Batcher{s.syslog, s.cef} {
		go func() { batched <- b.Run(batching) }()
	}

	// Readers that wait for the batcher are released half-way through the drain.
	reading, stopReading := context.WithCancel(context.WithoutCancel(ctx))
	defer stopReading()
	defer context.AfterFunc(ctx, func() {
		time.AfterFunc(s.opts.Drain/2, stopReading)
		s.stop()
	})()

	var readers, worker sync.WaitGroup
	readers.Go(func() { s.accept(reading) })
	readers.Go(func() { s.readPackets(reading) })
	worker.Go(func() { s.workPackets(reading) })
	readers.Wait()
	s.packets.close()
	worker.Wait()

	stopBatching()
	return errors.Join(<-batched, <-batched)
}

// stop ends the accepting and gives all readers the time to read what arrived.
func (s *Server) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.stopping = now.Add(s.opts.Drain / 2)
	// Connections that the kernel has accepted already are still taken: to
	// their senders, what they sent is delivered.
	_ = s.tcp.SetDeadline(now.Add(lingerSilent))
	s.deadline(s.udp, now.Add(lingerSilent))
	for c := range s.conns {
		s.deadline(c, now.Add(lingerSilent))
	}
}

// deadline sets a read deadline. It can only fail on a closed connection, of
// which the reader learns by itself.
func (s *Server) deadline(c net.Conn, t time.Time) { _ = c.SetReadDeadline(t) }

// receive takes in one message from a sender.
func (s *Server) receive(ctx context.Context, line []byte, truncated bool, from *origin, now time.Time) {
	s.received.Add(1)
	if truncated {
		s.truncated.Add(1)
	}
	m := Parse(line, now, s.opts.Location)
	batcher := s.cef
	row, odd, ok := from.cefEvent(&m, now, s.opts.Location)
	if !ok {
		batcher = s.syslog
		row, odd = from.row(&m, now), m.Odd
	}
	if odd {
		s.odd.Add(1)
	}
	if _, err := batcher.Add(ctx, row); err != nil {
		s.dropped.Add(1) // only at the stop, with a workspace that does not answer
	}
}

// origin returns what is known of a sender.
func (s *Server) origin(peer netip.Addr) *origin {
	address := peer.Unmap().WithZone("").String()
	// RFC 3164 §4.3.3 has relays give priority 13, user.notice, to a message without one.
	return &origin{collector: s.opts.Host, host: address, address: address, facility: User, severity: Notice}
}
