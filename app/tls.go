package app

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"time"
)

// tlsConfig returns what the server's TLS is to be: the configured certificate,
// or one of the data folder's own authority.
func tlsConfig(cfg Config) (*tls.Config, error) {
	// net/http sets HTTP/2 up once for both listeners, by what the configuration says
	// when the first is served: without h2 in it, TLS would offer what nobody speaks.
	c := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	if cfg.TLS.Cert != "" {
		files := &certFiles{cert: cfg.TLS.Cert, key: cfg.TLS.Key}
		c.GetCertificate = files.certificate
		_, err := files.certificate(nil)
		return c, err
	}
	ca, err := openAuthority(cfg.Data, hostname(), cfg.TLS.Names, time.Now)
	if err != nil {
		return nil, fmt.Errorf("the server's certificate: %w", err)
	}
	c.GetCertificate = ca.certificate
	return c, nil
}

// secureAddr is where the APIs are served over TLS, or "" for nowhere.
func (c Config) secureAddr() (string, error) {
	switch c.ListenTLS {
	case "off":
		return "", nil
	case "":
		host, port, err := net.SplitHostPort(c.Listen)
		if err != nil {
			return "", err
		}
		n, err := net.LookupPort("tcp", port)
		if err != nil {
			return "", err
		}
		if n > 0 && n < 65535 { // 0 is any
			n++
		}
		return net.JoinHostPort(host, strconv.Itoa(n)), nil
	}
	return c.ListenTLS, nil
}

// certFiles is a certificate in files that another program renews.
type certFiles struct {
	cert, key string

	mu      sync.Mutex
	loaded  *tls.Certificate
	changed time.Time // of the certificate's file, when it was loaded
}

// certificate is for [tls.Config.GetCertificate]. While the files are being
// replaced the certificate that was there goes on being used.
func (f *certFiles) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fi, err := os.Stat(f.cert)
	if err == nil && f.loaded != nil && fi.ModTime().Equal(f.changed) {
		return f.loaded, nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	switch {
	case err == nil:
		f.loaded, f.changed = &pair, fi.ModTime()
	case f.loaded == nil:
		return nil, fmt.Errorf("the server's certificate (tls.cert, tls.key): %w", err)
	}
	return f.loaded, nil
}

func (r configReader) checkTLS(c Config) error {
	if c.ListenTLS != "" && c.ListenTLS != "off" {
		if _, _, err := net.SplitHostPort(c.ListenTLS); err != nil {
			return r.problem("listen_tls", "%q is no address; want for example 127.0.0.1:8481, or off", c.ListenTLS)
		}
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		return r.problem("tls", "cert and key belong together; want both, or none for a certificate of Picket's own authority")
	}
	if c.TLS.Cert != "" && len(c.TLS.Names) > 0 {
		return r.problem("tls.names", "these are for the certificate that Picket makes; with cert and key of your own, want none")
	}
	for i, n := range c.TLS.Names {
		if _, err := netip.ParseAddr(n); err != nil && (!hostName.MatchString(n) || len(n) > 253) {
			return r.problem(fmt.Sprintf("tls.names[%d]", i), "%q is neither a host name nor an address; want for example picket.example.org", n)
		}
	}
	return nil
}
