package app

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"

	"picket/ingest"
)

// bindSyslog opens what syslog is received on, if it is to be.
func (a *App) bindSyslog() error {
	if field, err := a.cfg.checkSyslog(); err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	o := ingest.Options{Host: hostname(), MaxMessage: a.cfg.SyslogMaxBytes, Socket: a.cfg.SyslogSocket, Metrics: a.metrics, Log: a.component("syslog")}
	if a.cfg.Syslog != "off" {
		o.Addr = a.cfg.Syslog
	}
	if a.cfg.SyslogTLS != "" && a.cfg.SyslogTLS != "off" {
		o.TLSAddr = a.cfg.SyslogTLS
		var err error
		if o.TLS, err = syslogTLS(a.cfg); err != nil {
			return fmt.Errorf("syslog over TLS: %w", err)
		}
	}
	if o.Addr == "" && o.TLSAddr == "" && o.Socket == "" {
		return nil
	}
	var err error
	if a.syslog, err = ingest.Listen(a.Workspace.Append, o); err != nil {
		return err
	}
	a.closed = append(a.closed, func() error { return ignoreClosed(a.syslog.Close()) })
	return nil
}

// syslogTLS is the TLS of syslog (RFC 5425): the server's certificate, and
// certificates of the senders, if an authority for them is named.
func syslogTLS(cfg Config) (*tls.Config, error) {
	c, err := tlsConfig(cfg)
	if err != nil {
		return nil, err
	}
	c.NextProtos = nil // those are HTTP's
	if cfg.SyslogClientCA != "" {
		if c.ClientCAs, err = readCertificates(cfg.SyslogClientCA); err != nil {
			return nil, fmt.Errorf("syslog_client_ca: %w", err)
		}
		c.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return c, nil
}

// readCertificates reads a PEM file of authorities.
func readCertificates(path string) (*x509.CertPool, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate; want a PEM file of the authority that issues the senders' certificates", path)
	}
	return pool, nil
}

// SyslogAddr is where syslog is taken over UDP and TCP, or the zero AddrPort
// when that is off.
func (a *App) SyslogAddr() netip.AddrPort {
	if a.syslog == nil {
		return netip.AddrPort{}
	}
	return a.syslog.Addr()
}

// SyslogTLSAddr is where syslog is taken over TLS, or the zero AddrPort when
// that is off.
func (a *App) SyslogTLSAddr() netip.AddrPort {
	if a.syslog == nil {
		return netip.AddrPort{}
	}
	return a.syslog.TLSAddr()
}

// The bounds of syslog_max_bytes. RFC 5424 §6.1 wants 2,048 to be taken; and
// memory is bounded by this times the connections there may be.
const (
	minSyslogBytes = 2 << 10
	maxSyslogBytes = 1 << 20
)

// checkSyslog reports what is wrong with the settings of syslog, and with which.
func (c Config) checkSyslog() (field string, err error) {
	if _, _, err := net.SplitHostPort(c.Syslog); err != nil && c.Syslog != "off" {
		return "syslog", fmt.Errorf("%q is no address; want for example 127.0.0.1:5514, or off", c.Syslog)
	}
	on := c.SyslogTLS != "" && c.SyslogTLS != "off"
	if on {
		if _, _, err := net.SplitHostPort(c.SyslogTLS); err != nil {
			return "syslog_tls", fmt.Errorf("%q is no address; want for example 0.0.0.0:6514, or off", c.SyslogTLS)
		}
	}
	if c.SyslogClientCA != "" && !on {
		return "syslog_client_ca", errors.New("senders are only asked for certificates over TLS; want syslog_tls: 0.0.0.0:6514, too")
	}
	if c.SyslogSocket != "" && !filepath.IsAbs(c.SyslogSocket) {
		return "syslog_socket", fmt.Errorf("%q is no absolute path; want for example /run/picket/log", c.SyslogSocket)
	}
	if len(c.SyslogSocket) > maxSocketPath {
		return "syslog_socket", fmt.Errorf("the path has %d bytes; the system takes %d", len(c.SyslogSocket), maxSocketPath)
	}
	if n := c.SyslogMaxBytes; n != 0 && (n < minSyslogBytes || n > maxSyslogBytes) {
		return "syslog_max_bytes", fmt.Errorf("%d is out of range; want %d to %d", n, minSyslogBytes, maxSyslogBytes)
	}
	return "", nil
}

// maxSocketPath is what fits into a sockaddr_un (unix(7)).
const maxSocketPath = 107
