package workspace

import (
	"bytes"
	"encoding/binary"
	"strings"
	"sync"

	"picket/address"
	"picket/kql"
)

// finder finds the addresses in the texts of rows, see [kql.Addresses]. It looks at
// the texts of many rows at a time, since to begin with a text costs as much as to
// look at some hundred bytes.
type finder struct {
	text   []byte // of some rows, a line for each value
	ends   []int  // of each row in text
	found  []address.Match
	others []address.Match // of a row, those that are stored as text
	buf    []byte
	// known are texts of addresses as they are stored: most rows have those of a
	// row before.
	known map[string]string
}

// addressColumns are the hidden columns of what is found.
var addressColumns = []kql.Column{{Name: kql.FirstAddress, Type: kql.Long}, {Name: kql.SecondAddress, Type: kql.Long}, {Name: kql.Addresses, Type: kql.String}}

// addresses are the values of addressColumns.
type addresses struct{ first, second, others column }

const (
	// findSize is how much text is looked at together: it stays in the processor's
	// second cache.
	findSize = 256 << 10
	// maxAddresses is how many texts of addresses a finder keeps.
	maxAddresses = 4096
	// longestKept is the longest of them, in bytes.
	longestKept = 128
	// shortText is up to which length of a text it costs less to see that it has no
	// dot and no colon than to scan it with the others.
	shortText = 24
)

var finders = sync.Pool{New: func() any { return &finder{known: map[string]string{}} }}

// findAddresses returns the addresses of n rows with these columns.
func findAddresses(columns []column, n int) addresses {
	var texts [][]string
	for _, c := range columns {
		if c.texts != nil {
			texts = append(texts, c.texts)
		}
	}
	f := finders.Get().(*finder)
	defer finders.Put(f)
	found := addresses{newColumn(kql.Long, n), newColumn(kql.Long, n), newColumn(kql.String, n)}
	for row := 0; row < n; {
		f.text, f.ends = f.text[:0], f.ends[:0]
		for ; row < n && len(f.text) < findSize; row++ {
			for _, t := range texts {
				if s := t[row]; mayHoldAddress(s) {
					f.text = append(append(f.text, s...), '\n')
				}
			}
			f.ends = append(f.ends, len(f.text))
		}
		f.appendTo(&found)
	}
	if cap(f.text) > 4*findSize { // of rows as long as few are
		f.text = nil
	}
	return found
}

// mayHoldAddress reports false for a short text, such as a name, that has surely none.
func mayHoldAddress(s string) bool {
	return len(s) > shortText || strings.IndexByte(s, '.') >= 0 || strings.IndexByte(s, ':') >= 0
}

// appendTo appends the addresses of the rows whose texts are f's.
func (f *finder) appendTo(to *addresses) {
	f.found = address.Append(f.found[:0], f.text, address.Options{})
	rest := f.found
	for _, end := range f.ends {
		var first, second int64
		f.others = f.others[:0]
		for ; len(rest) > 0 && rest[0].Start < end; rest = rest[1:] {
			switch n := number(rest[0]); {
			case n == 0:
				f.others = append(f.others, rest[0])
			case first == 0:
				first = n
			case n == first || n == second:
			case second == 0:
				second = n
			default:
				f.others = append(f.others, rest[0])
			}
		}
		to.first.numbers = append(to.first.numbers, first)
		to.second.numbers = append(to.second.numbers, second)
		to.others.texts = append(to.others.texts, f.stored())
	}
}

// number is an IPv4 address as a number, 0 for what is none.
func number(m address.Match) int64 {
	if !m.Addr.Is4() || m.Bits >= 0 && m.Bits < 32 {
		return 0
	}
	four := m.Addr.As4()
	return int64(binary.BigEndian.Uint32(four[:]))
}

// stored is the text of the others, each once.
func (f *finder) stored() string {
	if len(f.others) == 0 {
		return ""
	}
	f.buf = append(f.buf[:0], ' ')
	var many map[address.Match]bool
	if len(f.others) > 16 { // not to compare each with every other
		many = map[address.Match]bool{}
	}
	for _, m := range f.others {
		start := len(f.buf)
		if m.Bits >= 0 && int(m.Bits) < m.Addr.BitLen() {
			f.buf = m.Prefix().AppendTo(f.buf)
		} else {
			m.Bits = -1
			f.buf = m.Addr.AppendTo(f.buf)
		}
		f.buf = append(f.buf, ' ')
		same := address.Match{Addr: m.Addr, Bits: m.Bits}
		if many != nil && many[same] || many == nil && start > 1 && bytes.Contains(f.buf[:start], f.buf[start-1:]) {
			f.buf = f.buf[:start]
		} else if many != nil {
			many[same] = true
		}
	}
	v, ok := f.known[string(f.buf)]
	if ok {
		return v
	}
	if v = string(f.buf); len(v) <= longestKept {
		if len(f.known) >= maxAddresses {
			clear(f.known)
		}
		f.known[v] = v
	}
	return v
}
