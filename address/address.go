// Package address finds IP addresses in text: IPv4, IPv6, networks in CIDR
// notation, ports behind addresses, names of reverse DNS, defanged forms, and
// IPv4 addresses inside of IPv6 ones.
//
// It is written for speed (a log of gigabytes is scanned at memory speed, and
// nothing is allocated per address) and for few false findings: numbers of
// versions, object identifiers, times of day, MAC addresses and names of C++
// are not addresses.
package address

import (
	"bytes"
	"math"
	"net/netip"
)

// Options says what counts as an address. The zero value takes what is
// certainly one.
type Options struct {
	// Defanged finds addresses whose dots or colons were made harmless, as
	// reports on threats write them: 192[.]0[.]2[.]1, 192(.)0(.)2(.)1,
	// 192{.}0{.}2{.}1, 192[dot]0[dot]2[dot]1, 192(dot)0…, 192\.0\.2\.1, and
	// 2001[:]db8[:]:1.
	Defanged bool
	// Doubtful finds what is an address in form and most likely something else
	// in meaning: a version (nginx/1.25.3.1, "version 1.2.3.4"), the beginning of
	// a host name (192.0.2.1.example.net), hexadecimal words (dead::beef).
	Doubtful bool
}

// A Match is an address in a text.
type Match struct {
	// Addr is the address, without zone; IPv4-mapped IPv6 is the IPv4 address.
	Addr netip.Addr
	// Start and End are the place of the finding: text[Start:End], with the
	// length of the prefix, the zone or the .in-addr.arpa that belongs to it,
	// without the port.
	Start, End int
	// Zone is where the zone of an IPv6 address begins in the text, behind the
	// %, or 0.
	Zone int
	// Bits is the length of the prefix where a network stands in the text, as in
	// 192.0.2.0/24, or -1.
	Bits int16
	// Defanged and Doubtful say that the finding is one that the option of that
	// name asks for.
	Defanged, Doubtful bool
}

// Text returns the finding as it stands in text.
func (m Match) Text(text []byte) []byte { return text[m.Start:m.End] }

// Port returns the port that stands behind the address in text, or 0, as
// in 192.0.2.1:443, [2001:db8::1]:443, BIND's 192.0.2.1#53, sshd's "192.0.2.1 port
// 22" and tcpdump's 192.0.2.1.443.
func (m Match) Port(text []byte) uint16 {
	at, end := m.End, len(text)
	v4 := m.Addr.Is4()
	if at < end && text[at] == ']' && m.Start > 0 && text[m.Start-1] == '[' {
		at, v4 = at+1, true // a colon is certainly not the address's
	}
	if at+1 >= end || m.Bits >= 0 {
		return 0
	}
	switch b := text[at]; {
	case b == ':' && v4, b == '#', b == '.':
		at++
	case bytes.HasPrefix(text[at:], []byte(" port ")):
		at += len(" port ")
	default:
		return 0
	}
	n, _ := number(text, at, math.MaxUint16)
	return uint16(n)
}

// number reads the number at a place in text, up to limit, and returns its end;
// 0 when there is none or more follows.
func number(text []byte, at, limit int) (n, end int) {
	start := at
	for ; at < len(text) && at-start < 6 && isDigit(text[at]); at++ {
		n = n*10 + int(text[at]-'0')
	}
	if at == start || n > limit || at < len(text) && (word(text[at]) || text[at] == '.' && at+1 < len(text) && isDigit(text[at+1])) {
		return 0, 0
	}
	return n, at
}

// Prefix returns the network, for an address alone the one of that address.
func (m Match) Prefix() netip.Prefix {
	if m.Bits < 0 {
		return netip.PrefixFrom(m.Addr, m.Addr.BitLen())
	}
	return netip.PrefixFrom(m.Addr, int(m.Bits))
}

// Embedded returns the IPv4 address inside an IPv6 address that stands for it, and
// the name of the form: IPv4-mapped (RFC 4291 section 2.5.5.2), NAT64 with the
// well-known prefix (RFC 6052 section 2.2), 6to4 (RFC 3056 section 2: the site's router),
// Teredo (RFC 4380 section 4: the client, its bits inverted) or IPv4-translated (RFC 2765).
func Embedded(a netip.Addr) (v4 netip.Addr, kind string, ok bool) {
	if !a.Is6() {
		return netip.Addr{}, "", false
	}
	b := a.As16()
	last := netip.AddrFrom4([4]byte(b[12:]))
	switch {
	case a.Is4In6():
		return last, "IPv4-mapped", true
	case b[0] == 0x20 && b[1] == 0x02:
		return netip.AddrFrom4([4]byte(b[2:6])), "6to4", true
	case b[0] == 0x20 && b[1] == 0x01 && b[2] == 0 && b[3] == 0:
		return netip.AddrFrom4([4]byte{^b[12], ^b[13], ^b[14], ^b[15]}), "Teredo", true
	case [12]byte(b[:12]) == [12]byte{0, 0x64, 0xff, 0x9b}:
		return last, "NAT64", true
	case [12]byte(b[:12]) == [12]byte{8: 0xff, 9: 0xff}:
		return last, "IPv4-translated", true
	}
	return netip.Addr{}, "", false
}
