package ingest

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// bind opens all sockets.
func (s *Server) bind() (err error) {
	if s.opts.Addr != "" {
		if err := s.bindPlain(); err != nil {
			return fmt.Errorf("listen for syslog on %s: %w", s.opts.Addr, explainBind(err))
		}
	}
	if s.opts.TLSAddr != "" {
		if s.opts.TLS == nil {
			return fmt.Errorf("listen for syslog over TLS on %s: there is no certificate", s.opts.TLSAddr)
		}
		if s.tls, err = listenTCP(s.opts.TLSAddr); err != nil {
			return fmt.Errorf("listen for syslog over TLS on %s: %w", s.opts.TLSAddr, explainBind(err))
		}
	}
	if s.opts.Socket != "" {
		if s.socket, err = listenUnix(s.opts.Socket); err != nil {
			return fmt.Errorf("listen for syslog on the socket %s: %w", s.opts.Socket, explainBind(err))
		}
		if s.socketFile, err = os.Lstat(s.opts.Socket); err != nil {
			return fmt.Errorf("listen for syslog on the socket: %w", err)
		}
		s.tune(s.socket, "the socket")
	}
	return nil
}

// bindPlain opens the sockets for UDP and TCP on the same port. A port that the
// kernel picked for TCP may be taken for UDP; then another is tried.
func (s *Server) bindPlain() error {
	for tries := 10; ; tries-- {
		tcp, err := listenTCP(s.opts.Addr)
		if err != nil {
			return err
		}
		udp, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(tcpAddr(tcp)))
		if err == nil {
			s.tcp, s.udp = tcp, udp
			s.tune(udp, "UDP")
			s.countOverflow()
			return nil
		}
		tcp.Close()
		if _, port, _ := net.SplitHostPort(s.opts.Addr); port != "0" || tries == 0 {
			return err
		}
	}
}

func listenTCP(addr string) (*net.TCPListener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil, errors.Join(fmt.Errorf("%s is no TCP address", addr), l.Close())
	}
	return tcp, nil
}

// explainBind adds to the errors that people meet what to do about them.
func explainBind(err error) error {
	hint := ""
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		hint = "another program, or another Picket, has it; stop that, or choose another"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		hint = "this host has no such address; 0.0.0.0 takes what is sent to any"
	case errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM):
		hint = "ports below 1024 need root or CAP_NET_BIND_SERVICE, a socket needs the right to write to its folder"
	case errors.Is(err, syscall.ENOENT):
		hint = "make its folder first"
	default:
		return err
	}
	return fmt.Errorf("%w (%s)", err, hint)
}

func tcpAddr(l *net.TCPListener) netip.AddrPort {
	if l == nil {
		return netip.AddrPort{}
	}
	if a, ok := l.Addr().(*net.TCPAddr); ok {
		return a.AddrPort()
	}
	return netip.AddrPort{}
}

// Addr returns the address that the Server listens on for UDP and TCP; it is
// zero if there is none.
func (s *Server) Addr() netip.AddrPort { return tcpAddr(s.tcp) }

// TLSAddr returns the address for TLS; it is zero if there is none.
func (s *Server) TLSAddr() netip.AddrPort { return tcpAddr(s.tls) }

// Close releases a Server that does not run.
func (s *Server) Close() error {
	var errs []error
	for _, l := range []*net.TCPListener{s.tcp, s.tls} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	if s.udp != nil {
		errs = append(errs, s.udp.Close())
	}
	if s.socket != nil {
		errs = append(errs, s.closeUnix())
	}
	return errors.Join(errs...)
}
