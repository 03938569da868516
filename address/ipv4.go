package address

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// ipv4 reads the IPv4 address whose first dot is at dot. It returns from where
// to go on: what is no address is passed over as a whole, so that 256.1.1.1
// does not become 56.1.1.1, nor 1.2.3.4.5 anything.
func (s *scanner) ipv4(dot, done int) int {
	text := s.text
	start := dot - 1
	if dot >= 4 && start > done+3 {
		// At most three more digits: how many is as good as random, so no loop.
		w := binary.LittleEndian.Uint32(text[dot-4:]) ^ 0x30303030
		other := (w&0x7f7f7f7f + (0x80-10)*0x01010101 | w) & 0x80808080
		start = dot - bits.LeadingZeros32(other)/8
	}
	for start > done && isDigit(text[start-1]) {
		start--
	}
	if start > 0 && text[start-1] == '%' && dot-start > 2 {
		start += 2 // %20198.51.100.1: the end of an escape (RFC 3986 section 2.1)
	}
	addr, end := s.quad(start)
	if end == 0 {
		return s.pass4(dot)
	}
	m := Match{Start: start, End: end, Bits: -1}
	if !s.before4(&m) || !s.after4(&m, addr) {
		return s.pass4(dot)
	}
	s.found(m)
	return m.End
}

// quad reads four numbers with dots between them, and returns the end of the
// last, 0 when there is something else. Leading zeros are refused: some read them
// as octal (RFC 6943 section 3.1.1).
//
// The lengths of the numbers are as good as random, so a loop over the digits
// would mostly wait for branches that were guessed wrong. Sixteen bytes are
// looked at together instead.
func (s *scanner) quad(at int) (addr [4]byte, end int) {
	at -= s.start
	if at < 0 || at+quadSize > s.known || s.start+at+quadSize > len(s.text) {
		return s.quadAtEdge(at + s.start)
	}
	m, next, shift := &s.masks[at/block], &s.masks[at/block+1], at%block
	dots := uint32(m.dot>>shift|next.dot<<(block-shift)) & 0xffff
	digits := uint32(m.decimal>>shift | next.decimal<<(block-shift))
	at += s.start
	addr, end = quad((*[quadSize]byte)(s.text[at:]), dots, digits)
	if end == 0 {
		return addr, 0
	}
	return addr, at + end
}

// quadAtEdge is quad where the masks do not reach.
func (s *scanner) quadAtEdge(at int) (addr [4]byte, end int) {
	var p [block]byte
	copy(p[:quadSize], s.text[at:])
	var m [1]mask
	classify(p[:], m[:])
	addr, end = quad((*[quadSize]byte)(p[:]), uint32(m[0].dot)&0xffff, uint32(m[0].decimal))
	if end == 0 {
		return addr, 0
	}
	return addr, at + end
}

// quadSize is the length of the longest quad, and some for reading four bytes at
// its last digit.
const quadSize = 20

// quad reads four numbers at the beginning of p. dots and digits say where these
// stand in its first sixteen bytes; the longest has fifteen.
func quad(p *[quadSize]byte, dots, digits uint32) (addr [4]byte, end int) {
	other := ^(dots | digits) | 1<<16
	d1 := bits.TrailingZeros32(dots)
	dots &= dots - 1
	d2 := bits.TrailingZeros32(dots)
	dots &= dots - 1
	d3 := bits.TrailingZeros32(dots)
	dots &= dots - 1
	end = min(bits.TrailingZeros32(dots), bits.TrailingZeros32(other))
	// Each number has one to three digits. Where a dot is missing, its place is 32.
	n1, n2, n3, n4 := uint(d1), uint(d2-d1-1), uint(d3-d2-1), uint(end-d3-1)
	if n1-1 > 2 || n2-1 > 2 || n3-1 > 2 || n4-1 > 2 {
		return addr, 0
	}
	v1, bad1 := octet(p, 0, n1)
	v2, bad2 := octet(p, d1+1, n2)
	v3, bad3 := octet(p, d2+1, n3)
	v4, bad4 := octet(p, d3+1, n4)
	if bad1|bad2|bad3|bad4 != 0 {
		return addr, 0
	}
	return [4]byte{byte(v1), byte(v2), byte(v3), byte(v4)}, end
}

// octet reads the number of n digits at i, and says whether it is none: above
// 255, or with a leading zero.
func octet(p *[quadSize]byte, i int, n uint) (v, bad uint32) {
	w := binary.LittleEndian.Uint32(p[i&15:]) << (8 * (3 - n) & 31)
	v = w>>16&15 + w>>8&15*10 + w&15*100
	return v, (v-least[n&3])>>31 | (255-v)>>31
}

// least is the smallest number of so many digits.
var least = [4]uint32{0, 0, 10, 100}

// pass4 returns the end of the digits and dots around dot, which may turn out to
// be a name of reverse DNS.
func (s *scanner) pass4(dot int) int {
	at := dot + 1
	for isHex(s.at(at)) && s.at(at+1) == '.' {
		at += 2
	}
	if at > dot+1 && s.at(at) == 'i' {
		if end := s.ip6arpa(at - 1); end > 0 {
			return end
		}
	}
	at = dot + 1
	for at < len(s.text) && (isDigit(s.text[at]) || s.text[at] == '.' && isDigit(s.at(at+1))) {
		at++
	}
	return at
}

// before4 says whether an IPv4 address may begin at m.Start.
func (s *scanner) before4(m *Match) bool {
	if m.Start == 0 {
		return true
	}
	switch b := s.text[m.Start-1]; {
	case b == ' ', b == '=', b == ':', b == '"', b == '-':
		m.Doubtful = s.version(m.Start)
	case b == '/':
		m.Doubtful = s.product(m.Start - 1)
	case b == '.':
		m.Doubtful = m.Start > 1 && word(s.text[m.Start-2])
	case word(b):
		return s.escaped(m.Start)
	}
	return true
}

// escaped says whether the letter before at ends an escape, \n in JSON or %3D
// in an URL.
func (s *scanner) escaped(at int) bool {
	if s.at(at-2) == '\\' {
		b := s.text[at-1]
		return b == 'n' || b == 't' || b == 'r'
	}
	return s.at(at-3) == '%' && isHex(s.text[at-2]) && isHex(s.text[at-1])
}

// product says whether the name of a product stands before the slash, as in a
// User-Agent (RFC 9110 section 10.1.5): a word that begins after a space or the
// like. A path or an URL has another slash before.
func (s *scanner) product(slash int) bool {
	at := slash
	for at > 0 && slash-at < 40 && (word(s.text[at-1]) || s.text[at-1] == '-' || s.text[at-1] == '+') {
		at--
	}
	if at == slash || slash-at == 40 || isDigit(s.text[slash-1]) && isDigit(s.text[at]) {
		return false
	}
	switch s.at(at - 1) {
	case '/', '.', ':', '@', '?', '=', '&', '%':
		return false
	}
	return true
}

// version says whether a word before at, on the same line, says that a version follows.
func (s *scanner) version(at int) bool {
	end := at - 1
	for end > 0 && at-end < 4 && !word(s.text[end-1]) && s.text[end-1] != '\n' {
		end--
	}
	switch s.at(end-1) | 0x20 { // the last letters of those below
	case 'n', 'r', 'v', 'e', 'd':
	default:
		return false
	}
	start := end
	for start > 0 && end-start < 9 && word(s.text[start-1]) {
		start--
	}
	var lower [9]byte
	for i, b := range s.text[start:end] {
		lower[i] = b | 0x20
	}
	switch string(lower[:end-start]) {
	case "version", "ver", "v", "rv", "release", "revision", "rev", "build", "firmware":
		return true
	}
	return false
}

// after4 reads what follows an IPv4 address, and says whether one may end there.
func (s *scanner) after4(m *Match, addr [4]byte) bool {
	text, end := s.text, m.End
	m.Addr = netip.AddrFrom4(addr)
	if end == len(text) {
		return true
	}
	switch b := text[end]; {
	case b == ' ', b == '"', b == ',':
	case b == ':': // host/192.0.2.1:443 is Java's
		m.Doubtful = m.Doubtful && (text[m.Start-1] != '/' || m.Port(text) == 0)
	case b == '/':
		if bits, at := number(s.text, end+1, 32); at > 0 && s.at(at) != '/' && s.at(m.Start-1) != '/' {
			m.Bits, m.End = int16(bits), at
		}
	case b == '.':
		return s.dot4(m, addr)
	case b == '-':
		m.Doubtful = m.Doubtful || class[s.at(end+1)]&isLetter != 0
	case word(b):
		return false
	}
	return true
}

// dot4 reads what follows the dot behind an IPv4 address: the end of a sentence,
// the domain of reverse DNS, a port of tcpdump's, a further number, a name.
func (s *scanner) dot4(m *Match, addr [4]byte) bool {
	const arpa = ".in-addr.arpa"
	end := m.End
	switch b := s.at(end + 1); {
	case isDigit(b):
		_, at := number(s.text, end+1, 65535)
		if at == 0 || !s.tcpdump(m.Start, at, "IP ") {
			return false
		}
		m.Doubtful = false
	case b == 'i' && len(s.text) >= end+len(arpa) && string(s.text[end:end+len(arpa)]) == arpa && !word(s.at(end+len(arpa))):
		m.Addr = netip.AddrFrom4([4]byte{addr[3], addr[2], addr[1], addr[0]}) // RFC 1035 section 3.5
		m.End = end + len(arpa)
	case word(b):
		m.Doubtful = true // the beginning of a host name
	}
	return true
}

// tcpdump says whether a line of tcpdump's stands around the address and port at
// [start, end): "IP 192.0.2.1.51022 > 198.51.100.1.22: Flags …".
func (s *scanner) tcpdump(start, end int, ip string) bool {
	if s.at(end) == ':' && start >= 2 && s.text[start-1] == ' ' && s.text[start-2] == '>' {
		return true
	}
	return s.at(end) == ' ' && s.at(end+1) == '>' && start >= len(ip) && string(s.text[start-len(ip):start]) == ip
}

// found takes a match that the options ask for.
func (s *scanner) found(m Match) {
	if !m.Doubtful || s.o.Doubtful {
		*s.dst = append(*s.dst, m)
	}
}
