package workspace

import (
	"bytes"
	"net/netip"
	"strings"
	"sync"

	"picket/address"
	"picket/kql"
)

// finder finds the addresses in the texts of rows, see [kql.Addresses]. It looks at
// the texts of many rows at a time, since to begin with a text costs as much as to
// look at some hundred bytes.
type finder struct {
	text  []byte // of some rows, a line for each value
	ends  []int  // of each row in text
	found []address.Match
	buf   []byte
	// known are texts of addresses as they are stored: most rows have those of a
	// row before.
	known map[string]string
	// alone are those of rows with one address.
	alone map[netip.Addr]string
}

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

var finders = sync.Pool{New: func() any { return &finder{known: map[string]string{}, alone: map[netip.Addr]string{}} }}

// findAddresses returns the addresses of n rows with these columns.
func findAddresses(columns []column, n int) column {
	var texts [][]string
	for _, c := range columns {
		if c.texts != nil {
			texts = append(texts, c.texts)
		}
	}
	f := finders.Get().(*finder)
	defer finders.Put(f)
	found := newColumn(kql.String, n)
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
		found.texts = f.append(found.texts)
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

// append appends the addresses of the rows whose texts are f's.
func (f *finder) append(to []string) []string {
	f.found = address.Append(f.found[:0], f.text, address.Options{})
	rest := f.found
	for _, end := range f.ends {
		n := 0
		for n < len(rest) && rest[n].Start < end {
			n++
		}
		to = append(to, f.stored(rest[:n]))
		rest = rest[n:]
	}
	return to
}

// stored is what a row with these addresses holds.
func (f *finder) stored(found []address.Match) string {
	alone := len(found) == 1 && found[0].Bits < 0
	if len(found) == 0 {
		return ""
	} else if alone {
		if v, ok := f.alone[found[0].Addr]; ok {
			return v
		}
	}
	f.buf = append(f.buf[:0], ' ')
	var many map[address.Match]bool
	if len(found) > 16 { // not to compare each with every other
		many = map[address.Match]bool{}
	}
	for _, m := range found {
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
	if !ok {
		if v = string(f.buf); len(v) > longestKept {
			return v
		}
		keep(f.known, v, v)
	}
	if alone {
		keep(f.alone, found[0].Addr, v)
	}
	return v
}

// keep adds to what is known, of which there are not too many.
func keep[K comparable](known map[K]string, k K, v string) {
	if len(known) >= maxAddresses {
		clear(known)
	}
	known[k] = v
}
