package address

import (
	"net/netip"
)

// groups are those of an IPv6 address while it is read.
type groups struct {
	value    [8]uint16
	n        int
	compress int // how many groups stand before ::, or -1
	digits   bool
	pairs    bool // all groups have two digits
}

// ipv6 reads the IPv6 address whose first colon is at colon. It returns from
// where to go on: what is none, such as a time of day, a MAC address or
// std::string, is passed over as a whole.
func (s *scanner) ipv6(colon, done int) int {
	text := s.text
	start := colon
	for start > done && colon-start < 5 && isHex(text[start-1]) {
		start--
	}
	if colon-start == 2 {
		if end := s.pairs(colon); end > 0 {
			return end
		}
	}
	if colon-start > 4 && s.at(start-2) == '%' { // %3D2001:db8::1: the end of an escape
		start++
	} else if colon-start > 2 && s.at(start-1) == '%' {
		start += 2
	} else if colon-start > 4 || start > 0 && !s.before6(start) {
		return s.pass6(colon)
	}
	g := groups{compress: -1, pairs: true}
	end := s.read6(&g, start)
	if end == 0 || word(s.at(end)) || g.n == 0 && s.at(start-1) != '[' {
		return s.pass6(colon)
	}
	m := Match{Start: start, End: end, Bits: -1, Addr: g.addr()}
	// Words in hexadecimal digits (dead::beef), EUI-64 (00:11:22:33:44:55:66:77).
	m.Doubtful = !g.digits && g.n > 0 || g.compress < 0 && g.pairs
	if !s.after6(&m) {
		return s.pass6(colon)
	}
	s.found(m)
	return m.End
}

// pairs returns the end of pairs of hexadecimal digits with colons between them,
// as in 12:34:56 and 52:54:00:12:34:56, by far the most frequent of what is no
// address. It is 0 when it may be something else.
func (s *scanner) pairs(colon int) int {
	text, at := s.text, colon
	for at+2 < len(text) && text[at] == ':' && isHex(text[at+1]) && isHex(text[at+2]) {
		at += 3
	}
	if at == colon || at < len(text) && (word(text[at]) || text[at] == ':' || text[at] == '.') || (at-colon)/3 == 7 {
		return 0
	}
	return at
}

// before6 says whether an IPv6 address may begin at start.
func (s *scanner) before6(start int) bool {
	b := s.text[start-1]
	return b != '.' && b != ':' && (!word(b) || s.escaped(start))
}

// pass6 returns the end of the word of letters, digits and colons around colon,
// less the digits before a dot: they may begin an IPv4 address.
func (s *scanner) pass6(colon int) int {
	at := colon + 1
	for at < len(s.text) && (word(s.text[at]) || s.text[at] == ':') {
		at++
	}
	if s.at(at) == '.' {
		for at > colon+1 && isDigit(s.text[at-1]) {
			at--
		}
	}
	return at
}

// read6 reads groups from at (RFC 4291 section 2.2) and returns their end, 0
// when they are no address.
func (s *scanner) read6(g *groups, at int) int {
	for at < len(s.text) {
		if s.text[at] == ':' { // always the first of two
			if g.compress >= 0 || s.at(at+1) != ':' {
				return 0
			}
			g.compress = g.n
			if at += 2; !isHex(s.at(at)) {
				break
			}
		}
		first := at
		var v uint32
		for ; at < len(s.text) && at-first < 5 && isHex(s.text[at]); at++ {
			v = v<<4 | hexValue(s.text[at])
			g.digits = g.digits || s.text[at] <= '9'
		}
		if at-first > 4 || g.n == 8 {
			return 0
		}
		if s.at(at) == '.' && g.n <= 6 {
			if quad, end := s.quad(first); end > 0 {
				g.value[g.n] = uint16(quad[0])<<8 | uint16(quad[1])
				g.value[g.n+1] = uint16(quad[2])<<8 | uint16(quad[3])
				g.n, g.pairs, at = g.n+2, false, end
				break
			}
		}
		g.value[g.n] = uint16(v)
		g.n++
		g.pairs = g.pairs && at-first == 2
		if s.at(at) != ':' {
			break
		}
		switch next := s.at(at + 1); {
		case next == ':':
		case isHex(next):
			at++
		default: // the colon belongs to the sentence
			return g.end(at)
		}
	}
	return g.end(at)
}

// end returns at when the groups are a whole address, otherwise 0.
func (g *groups) end(at int) int {
	if g.n == 8 && g.compress < 0 || g.n < 8 && g.compress >= 0 {
		return at
	}
	return 0
}

func (g *groups) addr() netip.Addr {
	var b [16]byte
	for i, v := range g.value[:g.n] {
		if g.compress >= 0 && i >= g.compress {
			i += 8 - g.n
		}
		b[2*i], b[2*i+1] = byte(v>>8), byte(v)
	}
	return netip.AddrFrom16(b).Unmap()
}

// after6 reads what follows an IPv6 address, and says whether one may end there.
func (s *scanner) after6(m *Match) bool {
	end := m.End
	switch s.at(end) {
	case ']':
		m.Doubtful = m.Doubtful && m.Port(s.text) == 0
	case '%':
		if m.Addr.IsLinkLocalUnicast() || m.Addr.IsLinkLocalMulticast() {
			s.zone(m)
		}
	case '/':
		if bits, at := number(s.text, end+1, 128); at > 0 && bits <= m.Addr.BitLen() && s.at(at) != '/' {
			m.Bits, m.End = int16(bits), at
		}
	case '.':
		if !isDigit(s.at(end + 1)) {
			break
		}
		_, at := number(s.text, end+1, 65535)
		if at == 0 || !s.tcpdump(m.Start, at, "IP6 ") {
			return false
		}
	}
	return true
}

// zone reads the zone behind an address (RFC 4007 section 11).
func (s *scanner) zone(m *Match) {
	at := m.End + 1
	for at < len(s.text) && (word(s.text[at]) || s.text[at] == '-' || s.text[at] == '.' && word(s.at(at+1))) {
		at++
	}
	if at > m.End+1 {
		m.Zone, m.End = m.End+1, at
	}
}

// ip6arpa reads the name of reverse DNS whose dot before ip6.arpa is at dot
// (RFC 3596 section 2.5), and returns its end, or 0. Matches within it go.
func (s *scanner) ip6arpa(dot int) int {
	const arpa = ".ip6.arpa"
	const length = 63 // 32 digits with dots between them
	start := dot - length
	if start < 0 || len(s.text) < dot+len(arpa) || string(s.text[dot:dot+len(arpa)]) != arpa ||
		word(s.at(dot+len(arpa))) || start > 0 && (word(s.text[start-1]) || s.text[start-1] == '.') {
		return 0
	}
	var b [16]byte
	for i := range 32 {
		digit := s.text[dot-1-2*i]
		if !isHex(digit) || i > 0 && s.text[dot-2*i] != '.' {
			return 0
		}
		b[i/2] |= byte(hexValue(digit) << (4 * (1 - i%2)))
	}
	for n := len(*s.dst); n > s.base && (*s.dst)[n-1].Start >= start; n-- {
		*s.dst = (*s.dst)[:n-1]
	}
	m := Match{Start: start, End: dot + len(arpa), Bits: -1, Addr: netip.AddrFrom16(b).Unmap()}
	s.found(m)
	return m.End
}
