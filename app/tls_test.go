package app

import (
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// trusting is a client that trusts the data folder's authority and nobody else.
func trusting(t *testing.T, data string) *http.Client {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(data, CAFile))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		t.Fatalf("%s holds no certificate", CAFile)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}}
}

// The certificate is good for every local name, over restarts, and only for who
// trusts the authority.
func TestTLS(t *testing.T) {
	cfg := testConfig(t)
	cfg.TLS.Names = []string{"picket.example", "192.0.2.7"}
	for range 2 {
		a, stop := start(t, cfg)
		client := trusting(t, cfg.Data)
		_, port, err := net.SplitHostPort(strings.TrimPrefix(a.TLSURL(), "https://"))
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Get(a.TLSURL() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.ProtoMajor != 2 {
			t.Errorf("HTTP/%d", res.ProtoMajor)
		}
		roots := client.Transport.(*http.Transport).TLSClientConfig.RootCAs
		for _, name := range []string{"localhost", "127.0.0.1", "::1", "picket.example", "192.0.2.7", hostname()} {
			c, err := tls.Dial("tcp", "127.0.0.1:"+port, &tls.Config{RootCAs: roots, ServerName: name})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			_ = c.Close()
		}
		var unknown x509.UnknownAuthorityError
		if _, err := http.Get(a.TLSURL() + "/healthz"); !errors.As(err, &unknown) {
			t.Errorf("without the authority: %v", err)
		}
		if at, err := ReadLocator(cfg.Data); err != nil || at.TLSURL != a.TLSURL() {
			t.Errorf("%+v, %v", at, err)
		}
		if fi, err := os.Stat(filepath.Join(cfg.Data, caKeyFile)); err != nil || fi.Mode().Perm() != 0o600 {
			t.Errorf("the authority's key: %v, %v", fi.Mode(), err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
	cfg.ListenTLS = "off"
	if a, _ := start(t, cfg); a.TLSURL() != "" {
		t.Error("TLS is not off")
	}
}

func TestAuthority(t *testing.T) {
	dir := t.TempDir()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	clock := func() time.Time { return now }
	a, err := openAuthority(dir, "web_1", nil, clock) // no name for a certificate
	if err != nil {
		t.Fatal(err)
	}
	first, err := a.certificate(nil)
	if err != nil || first.Leaf.NotAfter.Sub(now) != leafLife {
		t.Fatalf("%v, %v", first.Leaf.NotAfter, err)
	}
	now = now.Add(leafLife - leafRenew - time.Second)
	if same, _ := a.certificate(nil); same != first {
		t.Error("renewed too early")
	}
	now = now.Add(time.Second)
	if next, err := a.certificate(nil); err != nil || next.Leaf.NotAfter.Sub(now) != leafLife {
		t.Errorf("not renewed: %v", err)
	}

	// Nobody who has the key can speak for others with it.
	evil := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: "x"}, DNSNames: []string{"login.example"}, NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, evil, a.cert, first.Leaf.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	forged, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	var invalid x509.CertificateInvalidError
	if _, err := forged.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); !errors.As(err, &invalid) || invalid.Reason != x509.CANotAuthorizedForThisName {
		t.Errorf("a certificate for another name: %v", err)
	}

	f := func(want string, names ...string) {
		t.Helper()
		if _, err := openAuthority(dir, "renamed", names, clock); err == nil && want != "" || err != nil && (want == "" || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", names, err, want)
		}
	}
	f("")
	f("", "localhost", "127.0.0.9")
	f("new.example was not there when the authority", "new.example")
	f("192.0.2.1 was not there", "192.0.2.1")
	if err := os.Chmod(filepath.Join(dir, caKeyFile), 0o644); err != nil {
		t.Fatal(err)
	}
	f("can be read by others")
	_ = os.Chmod(filepath.Join(dir, caKeyFile), 0o600)
	now = now.Add(caLife)
	f("remove it")
}

// A certificate of the user's is read again when it changes; half a change keeps
// the one that was there.
func TestCertFiles(t *testing.T) {
	dir := t.TempDir()
	issue := func() {
		a, err := openAuthority(t.TempDir(), "", nil, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		cert, key := pemOf(t, a)
		if err := errors.Join(os.WriteFile(filepath.Join(dir, "c.pem"), cert, 0o600), os.WriteFile(filepath.Join(dir, "k.pem"), key, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	f := certFiles{cert: filepath.Join(dir, "c.pem"), key: filepath.Join(dir, "k.pem")}
	if _, err := f.certificate(nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	issue()
	first, err := f.certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	if err := errors.Join(os.WriteFile(f.cert, []byte("half"), 0o600), os.Chtimes(f.cert, later, later)); err != nil {
		t.Fatal(err)
	}
	if same, err := f.certificate(nil); err != nil || same != first {
		t.Errorf("in the middle of a change: %v", err)
	}
	issue()
	if next, err := f.certificate(nil); err != nil || next == first {
		t.Errorf("changed: %v", err)
	}
}

// pemOf is the server's certificate of an authority and its key.
func pemOf(t *testing.T, a *authority) (cert, key []byte) {
	t.Helper()
	leaf, err := a.certificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(leaf.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.Certificate[0]}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
