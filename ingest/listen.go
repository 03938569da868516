package ingest

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Options configures a [Server]. Zero values mean the defaults.
type Options struct {
	// Where to receive. An empty one is not used; if all are, Addr is 127.0.0.1:5514.
	Addr    string      // UDP and TCP; port 0 picks one
	TLSAddr string      // TLS (RFC 5425)
	TLS     *tls.Config // for TLSAddr
	Socket  string      // path of a datagram socket for programs of this host, such as /dev/log

	Host     string         // this host's name: CollectorHostName
	Location *time.Location // zone of times that name none; default time.Local

	MaxMessage int // bytes; longer ones are cut; default 64 KiB
	MaxConns   int // connections at a time, see [Server]; default 1,000

	// Idle is how long a connection may be without a whole message; default 2 h.
	// It is long because syslog over TCP has no acknowledgement: a sender loses
	// the first message after a connection was closed on it. Dead peers are found by keep-alive.
	Idle time.Duration

	// Drain is how long Run goes on reading what has arrived, and writing, after
	// its context ended; default 10 s.
	Drain time.Duration

	Batch BatchOptions
	Now   func() time.Time // default time.Now

	Metrics prometheus.Registerer // where the counters are shown, nil for nowhere; one Server each
	Log     *slog.Logger          // default: none
}

func (o Options) withDefaults() Options {
	if o.Addr == "" && o.TLSAddr == "" && o.Socket == "" {
		o.Addr = "127.0.0.1:5514"
	}
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

// A transport is how a message came.
type transport uint8

const (
	overUDP transport = iota
	overTCP
	overTLS
	overUnix
)

// transports are their names in metrics.
var transports = [...]string{overUDP: "udp", overTCP: "tcp", overTLS: "tls", overUnix: "unix"}

// lingerSilent is how long a connection must be silent after the stop for its
// reader to end: until then it takes what the sender believes delivered, which
// is in the kernel. Half of Options.Drain bounds that.
const lingerSilent = 200 * time.Millisecond

// A Server receives syslog on UDP (RFC 5426) and TCP (RFC 6587) at one address,
// over TLS (RFC 5425) at another, and on a unix datagram socket. It appends
// events in the Common Event Format to CommonSecurityLog, and the rest to Syslog.
//
// Senders over TCP, TLS and the socket are held back when the workspace is
// slow. Datagrams are queued, up to 16 MiB of which half for one sender, then
// dropped and counted, those the kernel dropped included.
//
// When there are MaxConns connections, a new one takes the place of another of
// the source that has most, if that has at least two more than its own, and is
// refused otherwise. A source is an IPv4 address or an IPv6 /64.
type Server struct {
	opts    Options
	syslog  *Batcher
	cef     *Batcher
	packets *packetQueue
	noise   *noise
	drops   *drops

	// Those that are not used are nil.
	tcp, tls   *net.TCPListener
	udp        *net.UDPConn
	socket     *net.UnixConn
	socketFile fs.FileInfo

	mu       sync.Mutex
	conns    connTable
	stopping time.Time // when readers must end; zero while running

	received [len(transports)]atomic.Uint64
	// overflowed are datagrams without room in the queue, kernelDropped those that
	// the kernel dropped, and unwritten messages that were not written before the stop.
	overflowed, kernelDropped, unwritten         atomic.Uint64
	odd, truncated, refused, displaced, insecure atomic.Uint64
}

// Listen binds the addresses and returns a Server that appends once it Runs. If
// it never does, Close gives them back.
func Listen(append Append, opts Options) (*Server, error) {
	opts = opts.withDefaults()
	s := &Server{
		opts:    opts,
		syslog:  NewBatcher(append, syslogTable, syslogColumns, opts.Batch),
		cef:     NewBatcher(append, cefTable, cefColumns, opts.Batch),
		packets: newPacketQueue(),
		noise:   newNoise(),
		drops:   newDrops(),
		conns:   newConnTable(),
	}
	if err := s.bind(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if opts.Metrics != nil {
		if err := opts.Metrics.Register(newCollector(s)); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Stats returns the counters so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	open := len(s.conns.open)
	s.mu.Unlock()
	var received uint64
	for i := range s.received {
		received += s.received[i].Load()
	}
	return Stats{
		Received:    received,
		Committed:   s.syslog.Committed() + s.cef.Committed(),
		Odd:         s.odd.Load(),
		Truncated:   s.truncated.Load(),
		Dropped:     s.overflowed.Load() + s.kernelDropped.Load() + s.unwritten.Load() + s.syslog.Failed() + s.cef.Failed(),
		Connections: uint64(open),
		Refused:     s.refused.Load(),
		Displaced:   s.displaced.Load(),
		Insecure:    s.insecure.Load(),
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
	if s.tcp != nil {
		readers.Go(func() { s.accept(reading, s.tcp, nil) })
		readers.Go(func() { s.readPackets(reading) })
	}
	if s.tls != nil {
		readers.Go(func() { s.accept(reading, s.tls, s.opts.TLS) })
	}
	if s.socket != nil {
		readers.Go(func() { s.readUnix(reading) })
	}
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
	soon := now.Add(lingerSilent)
	for _, l := range []*net.TCPListener{s.tcp, s.tls} {
		if l != nil {
			_ = l.SetDeadline(soon) // fails on a closed one only
		}
	}
	if s.udp != nil {
		s.deadline(s.udp, soon)
	}
	if s.socket != nil {
		s.deadline(s.socket, soon)
	}
	for c := range s.conns.open {
		s.deadline(c.raw, soon)
	}
}

// deadline sets a read deadline. It can only fail on a closed connection, of
// which the reader learns by itself.
func (s *Server) deadline(c net.Conn, t time.Time) { _ = c.SetReadDeadline(t) }

// origin returns what is known of a sender.
func (s *Server) origin(peer netip.Addr) *origin {
	address := peer.Unmap().WithZone("").String()
	// RFC 3164 §4.3.3 has relays give priority 13, user.notice, to a message without one.
	return &origin{collector: s.opts.Host, host: address, address: address, facility: User, severity: Notice}
}
