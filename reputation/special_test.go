package reputation

import (
	"bufio"
	"net/netip"
	"os"
	"strings"
	"testing"

	"picket/address"
)

// testdata/special.txt lists the first and last address of every row and their
// neighbours, with the words for each, or "-" for a public one. It was worked
// out apart from this package's code.
func TestEveryRowOfTheRegistries(t *testing.T) {
	f, err := os.Open("testdata/special.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	s := NewSkipper(SkipOptions{})
	rows, lines := 0, bufio.NewScanner(f)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			rows++
			continue
		}
		addr, want, _ := strings.Cut(lines.Text(), " ")
		if want == "-" {
			want = ""
		}
		if got := s.Reason(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	if want := len(specialV4) + len(specialV6); rows != want {
		t.Errorf("the file tests %d rows, the registries have %d", rows, want)
	}
}

func TestReason(t *testing.T) {
	prefixes := func(s ...string) (out []netip.Prefix) {
		for _, p := range s {
			out = append(out, netip.MustParsePrefix(p))
		}
		return out
	}
	plain := NewSkipper(SkipOptions{})
	lab := NewSkipper(SkipOptions{
		Own:         prefixes("44.0.0.0/8", "44.1.0.0/16", "2a01:4f8::/32", "192.168.1.0/24", "::ffff:45.0.0.0/104"),
		Host:        []netip.Addr{netip.MustParseAddr("46.1.2.3"), netip.MustParseAddr("2a02::1%eth0"), {}},
		Never:       prefixes("8.8.8.8/32", "44.2.0.0/16", "::/0"),
		ForcePublic: append(prefixes("127.0.0.0/8", "192.168.0.0/16", "2001:db8::/32", "44.0.0.0/8"), netip.Prefix{}),
	})
	v6Lab := NewSkipper(SkipOptions{ForcePublic: prefixes("::/0"), Own: prefixes("10.1.0.0/16")})

	f := func(s *Skipper, addr, want string) {
		t.Helper()
		if got := s.Reason(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
	f(plain, "8.8.8.8", "")
	f(plain, "2606:4700::1111", "")
	f(plain, "2606:4700::1111%eth0", "") // a zone says nothing of the address
	f(plain, "fe80::1%eth0", "link-local (RFC 4291)")
	f(plain, "::ffff:10.0.0.1", "private-use (RFC 1918)")
	f(plain, "::ffff:8.8.8.8", "")
	f(plain, "64:ff9b::8.8.8.8", "")
	f(plain, "64:ff9b::10.0.0.1", "NAT64 of 10.0.0.1: private-use (RFC 1918)")
	f(plain, "2002:808:808::1", "")
	f(plain, "2002:c0a8:101::1", "6to4 of 192.168.1.1: private-use (RFC 1918)")
	f(plain, "2001:0:4136:e378:8000:63bf:f7f7:f7f7", "") // Teredo of 8.8.8.8
	f(plain, "2001:0:4136:e378:8000:63bf:f5ff:fffe", "Teredo of 10.0.0.1: private-use (RFC 1918)")

	f(lab, "44.9.9.9", "own network (44.0.0.0/8)") // own beats force-public
	f(lab, "44.1.9.9", "own network (44.1.0.0/16)")
	f(lab, "44.2.9.9", "never asked (44.2.0.0/16)")
	f(lab, "45.0.0.1", "own network (::ffff:45.0.0.0/104)")
	f(lab, "46.1.2.3", "own address")
	f(lab, "46.1.2.4", "")
	f(lab, "2a02::1", "own address")
	f(lab, "2a02::1%eth9", "own address")
	f(lab, "2a01:4f8::1", "own network (2a01:4f8::/32)")
	f(lab, "2a03::1", "never asked (::/0)")
	f(lab, "8.8.8.8", "never asked (8.8.8.8/32)")
	f(lab, "8.8.8.9", "")
	f(lab, "127.0.0.2", "")
	f(lab, "192.168.2.1", "")
	f(lab, "192.168.1.1", "own network (192.168.1.0/24)")
	f(lab, "10.0.0.1", "private-use (RFC 1918)")

	f(v6Lab, "fe80::1", "")
	f(v6Lab, "64:ff9b::192.168.0.1", "")
	f(v6Lab, "64:ff9b::10.1.0.1", "NAT64 of 10.1.0.1: own network (10.1.0.0/16)")
	f(v6Lab, "10.2.0.1", "private-use (RFC 1918)") // ::/0 holds no IPv4

	if got := plain.Reason(netip.Addr{}); got != "not an address" {
		t.Errorf("the zero address: %q", got)
	}
}

// A lab on one machine has its attackers on loopback.
func TestHostLeavesLoopbackToTheRegistries(t *testing.T) {
	host := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::ffff:127.0.0.2"), netip.MustParseAddr("169.254.1.1"), netip.MustParseAddr("fe80::1%eth0"), netip.MustParseAddr("8.8.8.8")}
	lab := NewSkipper(SkipOptions{Host: host, ForcePublic: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("169.254.0.0/16"), netip.MustParsePrefix("fe80::/10")}})
	plain := NewSkipper(SkipOptions{Host: host})
	for _, a := range host[:4] {
		if why := lab.Reason(a); why != "" {
			t.Errorf("%s, forced public: %q", a, why)
		}
		if why := plain.Reason(a); why == "" || why == "own address" {
			t.Errorf("%s: %q, want the registry's words", a, why)
		}
	}
	if why := lab.Reason(host[4]); why != "own address" {
		t.Errorf("%s: %q", host[4], why)
	}
}

// FuzzReason compares the layout with the obvious way to find the longest prefix.
func FuzzReason(f *testing.F) {
	f.Add([]byte{192, 0, 0, 9})
	f.Add([]byte{0x20, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3})
	s := NewSkipper(SkipOptions{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		a = a.Unmap()
		rows := specialV6[:]
		if a.Is4() {
			rows = specialV4[:]
		}
		want, bits := "", -1
		for _, row := range rows {
			if p := netip.MustParsePrefix(row.prefix); p.Contains(a) && p.Bits() > bits {
				want, bits = row.reason(), p.Bits()
			}
		}
		got := s.Reason(a)
		if _, _, ok := address.Embedded(a); !ok && got != want {
			t.Errorf("%s: %q, want %q", a, got, want)
		} else if ok && got == "" && want != "" {
			t.Errorf("%s: public, want at least %q", a, want)
		}
	})
}

func BenchmarkReason(b *testing.B) {
	s := NewSkipper(SkipOptions{Own: []netip.Prefix{netip.MustParsePrefix("44.0.0.0/8")}})
	for _, text := range []string{"8.8.8.8", "10.0.0.1", "2606:4700::1111", "64:ff9b::808:808"} {
		a := netip.MustParseAddr(text)
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Reason(a)
			}
		})
	}
}
