package reputation

import (
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestParseIPQuery(t *testing.T) {
	ok := func(query, want string) {
		t.Helper()
		if a, err := ParseIPQuery(query); err != nil || a.String() != want {
			t.Errorf("%q: %v, %v; want %s", query, a, err, want)
		}
	}
	ok("ip=8.8.8.8", "8.8.8.8")
	ok("ip=2001:DB8:0::1", "2001:db8::1") // raw colons, as every client sends them
	ok("ip=2001%3Adb8%3A%3A1", "2001:db8::1")
	ok("x=1&ip=8.8.8.8&y", "8.8.8.8")
	ok("%69p=8.8.8.8", "8.8.8.8")
	ok("ip=::ffff:8.8.8.8", "8.8.8.8")
	ok("ip=::ffff:808:808", "8.8.8.8")
	ok("ip=fe80::1%eth0", "fe80::1") // a bare zone is no percent-encoding
	ok("ip=fe80::1%25eth0", "fe80::1")
	ok("ip=fe80::1%ab0", "fe80::1") // though this one could be
	ok("ip=+8.8.8.8%0A", "8.8.8.8") // a line of a file, with its end
	ok("ip=[2001:db8::1]", "2001:db8::1")
	ok("ip=%5B2001:db8::1%5D", "2001:db8::1")

	bad := func(query string) {
		t.Helper()
		if a, err := ParseIPQuery(query); err == nil {
			t.Errorf("%q: %v, want an error", query, a)
		}
	}
	bad("")
	bad("ip")
	bad("ip=")
	bad("ip=%20")
	bad("IP=8.8.8.8")
	bad("ip=8.8.8.8&ip=8.8.8.8")
	bad("ip=8.8.8.8&%69p=10.0.0.1")
	bad("ip=08.8.8.8")
	bad("ip=8.8.8")
	bad("ip=134744072")
	bad("ip=256.1.1.1")
	bad("ip=8.8.8.8/32")
	bad("ip=8.8.8.8:53")
	bad("ip=[8.8.8.8]")
	bad("ip=[2001:db8::1]:443")
	bad("ip=8.8.8.8,9.9.9.9")
	bad("ip=8.8.8.8%25eth0")
	bad("ip=example.com")
	bad("ip=8.8.8.8%00")
	bad("ip=fe80::1%" + strings.Repeat("z", 300))
}

// FuzzParseIPQuery: what comes out is canonical and is read the same again.
func FuzzParseIPQuery(f *testing.F) {
	for _, seed := range []string{"ip=8.8.8.8", "ip=fe80::1%eth0", "a=b&ip=%5B::1%5D", "ip=+1.1.1.1%0a", "ip=1&ip=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		a, err := ParseIPQuery(query)
		if err != nil {
			return
		}
		if a.Zone() != "" || a.Is4In6() {
			t.Errorf("%q: %q", query, a)
		}
		for _, again := range []string{"ip=" + a.String(), "ip=" + url.QueryEscape(a.String())} {
			if b, err := ParseIPQuery(again); err != nil || b != a {
				t.Errorf("%q: %v, then %v, %v", query, a, b, err)
			}
		}
		if _, err := netip.ParseAddr(a.String()); err != nil {
			t.Error(err)
		}
	})
}
