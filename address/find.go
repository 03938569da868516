package address

import "math/bits"

// Append appends the addresses in text to dst, in their order, and returns it.
// Nothing else is allocated. An address that reaches over the end of text is
// cut: whoever reads in pieces cuts them between lines.
func Append(dst []Match, text []byte, o Options) []Match {
	s := scanner{text: text, o: o, dst: &dst, base: len(dst)}
	s.scan()
	if o.Defanged {
		s.defanged()
	}
	return dst
}

type scanner struct {
	text []byte
	o    Options
	dst  *[]Match
	base int // the first of the text's own in dst

	masks        [stretch + 1]mask
	start, known int // the masks are of the known bytes from start on

	refanged int // up to where defanged addresses were read
}

// stretch is how many blocks are classified at a time: the masks stay in the
// processor's first cache.
const stretch = 64

// scan looks at every dot between digits and every colon that may stand in an
// IPv6 address: no address is without one.
func (s *scanner) scan() {
	masks := &s.masks
	done := 0        // nothing before is looked at again
	before := mask{} // of the last block
	for start := 0; start < len(s.text); start += stretch * block {
		part := s.text[start:min(start+stretch*block, len(s.text))]
		n := len(part) / block
		classify(part[:n*block], masks[:])
		if rest := part[n*block:]; len(rest) > 0 {
			var padded [block]byte
			copy(padded[:], rest)
			classify(padded[:], masks[n:])
			n++
		}
		// Of what follows the stretch nothing is known: it may be anything.
		masks[n] = mask{colon: 1, decimal: 1, hex: 1}
		s.start, s.known = start, n*block
		dots, colons := candidates(&before, &masks[0], &masks[1])
		for i := range n {
			hits := dots
			next := ^uint64(0) // not known
			if i+1 < n {
				dots, next = candidates(&masks[i], &masks[i+1], &masks[i+2])
			}
			if mayHoldIPv6(colons, next) {
				hits |= colons
			}
			colons = next
			for ; hits != 0; hits &= hits - 1 {
				if at := start + i*block + bits.TrailingZeros64(hits); at >= done {
					done = s.look(at, done)
				}
			}
		}
		before = masks[n-1]
	}
}

// candidates returns the dots with a digit on both sides, and the colons beside
// another or with a hexadecimal digit on both sides. A colon alone begins no address;
// after a name or a word there is mostly a space or a quote.
func candidates(before, m, after *mask) (dots, colons uint64) {
	dots = m.dot & (m.decimal<<1 | before.decimal>>63) & (m.decimal>>1 | after.decimal<<63)
	colons = m.colon & (m.colon>>1 | after.colon<<63 | m.colon<<1 | before.colon>>63 |
		(m.hex<<1|before.hex>>63)&(m.hex>>1|after.hex<<63))
	return dots, colons
}

// mayHoldIPv6 says whether one of the first colons may be the first of an
// address: it has two that are side by side, or six at the least. This spares
// looking at times of day.
func mayHoldIPv6(colons, next uint64) bool {
	return colons != 0 && (colons&(colons>>1|next<<63)|next&(next>>1) != 0 || bits.OnesCount64(colons)+bits.OnesCount64(next) >= 6)
}

// look sees whether the dot or colon at i is the first of an address, which
// begins at done or later. It returns from where to go on.
func (s *scanner) look(i, done int) int {
	if s.text[i] == ':' {
		return s.ipv6(i, done)
	}
	return s.ipv4(i, done)
}

// Classes of bytes.
const (
	isHexDigit = 1 << iota
	isDecimal
	isLetter // also the underscore; other alphabets may touch an address
)

var class = classes()

func classes() (c [256]uint8) {
	for b := range c {
		switch b := byte(b); {
		case b >= '0' && b <= '9':
			c[b] = isHexDigit | isDecimal
		case b >= 'a' && b <= 'f', b >= 'A' && b <= 'F':
			c[b] = isHexDigit | isLetter
		case b >= 'g' && b <= 'z', b >= 'G' && b <= 'Z', b == '_':
			c[b] = isLetter
		}
	}
	return c
}

func isDigit(b byte) bool { return b-'0' <= 9 }
func isHex(b byte) bool   { return class[b]&isHexDigit != 0 }

// word says whether b can be part of a word or a number.
func word(b byte) bool { return class[b] != 0 }

// hexValue is the value of a hexadecimal digit.
func hexValue(b byte) uint32 {
	if b <= '9' {
		return uint32(b - '0')
	}
	return uint32(b|0x20-'a') + 10
}

// at returns the byte at i, 0 outside of the text.
func (s *scanner) at(i int) byte {
	if uint(i) < uint(len(s.text)) {
		return s.text[i]
	}
	return 0
}
