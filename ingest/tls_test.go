package ingest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// An issuer is an authority of a test.
type issuer struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	i := &issuer{t: t}
	pair := i.issue(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	i.cert, i.key = pair.Leaf, pair.PrivateKey.(*ecdsa.PrivateKey)
	return i
}

// issue completes a template and signs it; the first certificate signs itself.
func (i *issuer) issue(template *x509.Certificate) tls.Certificate {
	i.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.Subject = pkix.Name{CommonName: fmt.Sprint("test ", template.SerialNumber)}
	if template.NotAfter.IsZero() {
		template.NotAfter = time.Now().Add(time.Hour)
	}
	template.NotBefore = template.NotAfter.Add(-24 * time.Hour)
	parent, signer := i.cert, i.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		i.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		i.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (i *issuer) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(i.cert)
	return p
}

func (i *issuer) server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{i.issue(&x509.Certificate{DNSNames: []string{"localhost"}})}}
}

func (i *issuer) client(end time.Time) tls.Certificate {
	return i.issue(&x509.Certificate{NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// startTLS runs a Server that takes TLS, beside UDP and TCP.
func startTLS(t *testing.T, s *store, opts Options) (server *Server, stop func() error) {
	t.Helper()
	opts.TLSAddr = "127.0.0.1:0"
	return startServer(t, s, opts)
}

func dialTLS(t *testing.T, s *Server, conf *tls.Config) (*tls.Conn, error) {
	t.Helper()
	conf.ServerName = "localhost"
	c, err := tls.Dial("tcp", s.TLSAddr().String(), conf)
	if err == nil {
		t.Cleanup(func() { c.Close() })
	}
	return c, err
}

// TestServerTLS sends with octet counting, as RFC 5425 has it, and with lines, as senders do.
func TestServerTLS(t *testing.T) {
	ca := newIssuer(t)
	s := newStore()
	server, stop := startTLS(t, s, Options{TLS: ca.server()})
	c, err := dialTLS(t, server, &tls.Config{RootCAs: ca.pool()})
	if err != nil {
		t.Fatal(err)
	}
	const counted = "<86>1 2026-11-23T03:12:59Z web1 sshd 1 - - counted"
	send(t, c, fmt.Sprintf("%d %s<86>Nov 23 03:12:59 web1 sshd[2]: a line\n", len(counted), counted))
	send(t, c, strings.Repeat("<86>Nov 23 03:12:59 web1 sshd[3]: more\n", 1000)+"<86>Nov 23 03:12:59 web1 sshd[4]: unfinished")
	await(t, s, 100)
	if err := stop(); err != nil { // with the connection open
		t.Error(err)
	}
	if got := server.Stats(); got != (Stats{Received: 1003, Committed: 1003}) {
		t.Errorf("stats: %+v", got)
	}
	messages := s.column("SyslogMessage")
	if diff := cmp.Diff([]any{"counted", "a line", "unfinished"}, []any{messages[0], messages[1], messages[1002]}); diff != "" {
		t.Error(diff)
	}
	if got := s.column("HostIP")[0]; got != "127.0.0.1" {
		t.Errorf("HostIP %v", got)
	}
}

// TestServerTLSRefuses holds who is not let in, that the log says why, and that
// others are served meanwhile.
func TestServerTLSRefuses(t *testing.T) {
	ca, other := newIssuer(t), newIssuer(t)
	conf := ca.server()
	conf.ClientCAs, conf.ClientAuth, conf.MinVersion = ca.pool(), tls.RequireAndVerifyClientCert, tls.VersionTLS12
	s := newStore()
	var log syncBuffer
	server, stop := startTLS(t, s, Options{TLS: conf, Log: slog.New(slog.NewTextHandler(&log, nil))})
	refused := uint64(0)
	refuse := func(what string, client *tls.Config) {
		t.Helper()
		c, err := dialTLS(t, server, client)
		if err == nil { // TLS 1.3 tells a client with its first read
			expectEnd(t, c)
		}
		refused++
		awaitStats(t, server, what, func(got Stats) bool { return got.Insecure == refused && got.Connections == 0 })
	}
	valid := ca.client(time.Now().Add(time.Hour))
	refuse("no certificate", &tls.Config{RootCAs: ca.pool()})
	refuse("of another authority", &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{other.client(time.Now().Add(time.Hour))}})
	refuse("expired", &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{ca.client(time.Now().Add(-time.Hour))}})
	refuse("distrusts the server", &tls.Config{RootCAs: other.pool(), Certificates: []tls.Certificate{valid}})
	refuse("too old", &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{valid}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10})
	// Plain text where TLS is to be, and the other way round.
	plain, err := net.Dial("tcp", server.TLSAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	send(t, plain, "<86>Nov 23 03:12:59 web1 sshd[1]: a password in the clear\n")
	expectEnd(t, plain)
	refused++
	if c, err := tls.Dial("tcp", server.Addr().String(), &tls.Config{InsecureSkipVerify: true}); err == nil {
		c.Close()
		t.Error("TLS on the port for plain syslog")
	}
	refused++
	awaitStats(t, server, "wrong port", func(got Stats) bool { return got.Insecure == refused })

	good, err := dialTLS(t, server, &tls.Config{RootCAs: ca.pool(), Certificates: []tls.Certificate{valid}})
	if err != nil {
		t.Fatal(err)
	}
	send(t, good, "<86>Nov 23 03:12:59 web1 sshd[1]: welcome\n")
	await(t, s, 1)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]any{"welcome"}, s.column("SyslogMessage")); diff != "" {
		t.Error(diff)
	}
	for _, want := range []string{"no TLS with a syslog sender", "client didn't provide a certificate", "a sender speaks TLS where plain syslog is taken"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	if n := strings.Count(log.String(), "no TLS with a syslog sender"); n != 1 {
		t.Errorf("%d lines in the log for as many strangers", n)
	}
}

// awaitStats returns when the server's counters are as they should be.
func awaitStats(t *testing.T, s *Server, what string, as func(Stats) bool) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for tick := time.Tick(time.Millisecond); !as(s.Stats()); {
		select {
		case <-tick:
		case <-timeout:
			t.Fatalf("%s: stats %+v", what, s.Stats())
		}
	}
}
