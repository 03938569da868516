package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"picket"
)

// The files of a data folder's certificate authority.
const (
	CAFile    = "ca.pem"
	caKeyFile = "ca-key.pem" // mode 0600
)

const (
	caLife    = 10 * 365 * 24 * time.Hour
	leafLife  = 90 * 24 * time.Hour
	leafRenew = 30 * 24 * time.Hour // before its end
	// clockSkew is how far behind a client's clock may be.
	clockSkew = time.Hour
)

// authority is the certificate authority of a data folder. It is made once, may
// certify nothing but this server's own names (RFC 5280 section 4.2.1.10), and
// issues the server's certificate, which is in memory only.
type authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	names []string
	addrs []net.IP
	now   func() time.Time

	mu   sync.Mutex
	leaf *tls.Certificate
}

// openAuthority reads the folder's authority, or makes it for localhost, host
// and names, which are host names and addresses.
func openAuthority(dir, host string, names []string, now func() time.Time) (*authority, error) {
	a := &authority{now: now, names: []string{"localhost"}, addrs: []net.IP{net.IPv4(127, 0, 0, 1).To4(), net.IPv6loopback}}
	for _, n := range names {
		if ip, err := netip.ParseAddr(n); err == nil {
			a.addrs = append(a.addrs, net.IP(ip.Unmap().AsSlice()))
		} else {
			a.names = append(a.names, strings.ToLower(n))
		}
	}
	err := a.read(dir)
	if errors.Is(err, os.ErrNotExist) {
		err = a.create(dir, host)
	}
	if err != nil {
		return nil, err
	}
	// A host that was renamed is still reached by its other names.
	if host = strings.ToLower(host); hostName.MatchString(host) && a.permits(host) {
		a.names = append(a.names, host)
	}
	for _, n := range names {
		if !a.permits(n) {
			return nil, fmt.Errorf("tls.names: %s was not there when the authority in %s was made, which may not certify it; remove %s and %s for a new one, and let clients trust that",
				n, dir, filepath.Join(dir, CAFile), filepath.Join(dir, caKeyFile))
		}
	}
	if _, err := a.certificate(nil); err != nil {
		return nil, err
	}
	return a, nil
}

// hostName is a name as certificates may hold it (RFC 1123 section 2.1).
var hostName = regexp.MustCompile(`(?i)^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)

func (a *authority) read(dir string) error {
	path := filepath.Join(dir, CAFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	keyPath := filepath.Join(dir, caKeyFile)
	keyText, err := readSecret(keyPath)
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(text, []byte(keyText))
	if err != nil {
		return fmt.Errorf("%s and %s: %w", path, keyPath, err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	if !ok || !pair.Leaf.IsCA {
		return fmt.Errorf("%s is not the authority that Picket made; to use a certificate of your own, set tls.cert and tls.key", path)
	}
	if a.now().After(pair.Leaf.NotAfter.Add(-leafLife)) {
		return fmt.Errorf("%s ends on %s; remove it and %s for a new one, and let clients trust that", path, pair.Leaf.NotAfter.Format(time.DateOnly), keyPath)
	}
	a.cert, a.key = pair.Leaf, key
	return nil
}

func (a *authority) create(dir, host string) error {
	names := a.names
	if hostName.MatchString(host) {
		names = append(names[:len(names):len(names)], strings.ToLower(host))
	}
	_, loopback, _ := net.ParseCIDR("127.0.0.0/8") // is one
	nets := []*net.IPNet{loopback}
	for _, ip := range a.addrs {
		if !loopback.Contains(ip) {
			nets = append(nets, &net.IPNet{IP: ip, Mask: net.CIDRMask(8*len(ip), 8*len(ip))})
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	now := a.now()
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Picket local authority " + now.UTC().Format(time.DateOnly)},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(caLife),
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: names, PermittedIPRanges: nets,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return err
	}
	a.key = key
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	// The certificate last: a folder that has it has the key, too.
	if err := picket.WriteFile(filepath.Join(dir, caKeyFile), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600); err != nil {
		return err
	}
	return picket.WriteFile(filepath.Join(dir, CAFile), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

func serial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // never fails
	return n
}

// permits reports whether the authority may certify a name or address.
func (a *authority) permits(name string) bool {
	if ip, err := netip.ParseAddr(name); err == nil {
		for _, n := range a.cert.PermittedIPRanges {
			if n.Contains(net.IP(ip.Unmap().AsSlice())) {
				return true
			}
		}
		return false
	}
	for _, n := range a.cert.PermittedDNSDomains {
		if name = strings.ToLower(name); name == n || strings.HasSuffix(name, "."+n) {
			return true
		}
	}
	return false
}

// certificate is for [tls.Config.GetCertificate]: the server's certificate,
// issued anew before it ends.
func (a *authority) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	if a.leaf != nil && now.Before(a.leaf.Leaf.NotAfter.Add(-leafRenew)) {
		return a.leaf, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Picket server"},
		NotBefore: now.Add(-clockSkew), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true, DNSNames: a.names, IPAddresses: a.addrs,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("issue the server's certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("issue the server's certificate: %w", err)
	}
	a.leaf = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
	return a.leaf, nil
}
