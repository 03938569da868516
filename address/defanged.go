package address

import (
	"bytes"
	"cmp"
	"slices"
)

// maxDefanged bounds the text that is looked at around a defanged separator.
// The longest address, with every separator in brackets, is shorter.
const maxDefanged = 256

// separators are the defanged forms of a dot or colon.
var separators = []struct {
	text  string
	plain byte
}{
	{"[.]", '.'}, {"(.)", '.'}, {"{.}", '.'}, {`\.`, '.'}, {"[dot]", '.'}, {"(dot)", '.'}, {"{dot}", '.'},
	{"[:]", ':'}, {"(:)", ':'},
}

// defanged adds the defanged addresses to the matches from base on.
func (s *scanner) defanged() {
	plain := len(*s.dst)
	for at := 0; at < len(s.text); {
		i := bytes.IndexAny(s.text[at:], `[({\`)
		if i < 0 {
			break
		}
		at = s.refang(at + i)
	}
	if len(*s.dst) == plain {
		return
	}
	// What was found plain within a defanged one was a part of it.
	all := (*s.dst)[s.base:]
	slices.SortStableFunc(all, func(a, b Match) int { return cmp.Compare(a.Start, b.Start) })
	kept := all[:0]
	for _, m := range all {
		switch n := len(kept); {
		case n == 0 || kept[n-1].End <= m.Start:
			kept = append(kept, m)
		case m.Defanged && !kept[n-1].Defanged:
			kept[n-1] = m
		}
	}
	*s.dst = (*s.dst)[:s.base+len(kept)]
}

// separator returns the plain form of the defanged separator at i and its
// length, 0 when there is none.
func (s *scanner) separator(i int) (plain byte, n int) {
	rest := s.text[i:]
	for _, sep := range separators {
		if len(rest) >= len(sep.text) && bytes.EqualFold(rest[:len(sep.text)], []byte(sep.text)) {
			return sep.plain, len(sep.text)
		}
	}
	return 0, 0
}

// refang reads the address around the bracket or backslash at i with its
// separators made plain, and returns from where to go on.
func (s *scanner) refang(i int) int {
	_, n := s.separator(i)
	if n == 0 || i == 0 || !isHex(s.text[i-1]) && s.text[i-1] != ':' {
		return i + 1
	}
	start := i
	for start > s.refanged && i-start < 16 && (isHex(s.text[start-1]) || s.text[start-1] == '.' || s.text[start-1] == ':') {
		start--
	}
	var (
		buf   [maxDefanged]byte
		place [maxDefanged + 1]int // where in the text each byte stands
		size  int
	)
	if start > 0 { // the byte before decides whether an address may begin
		start--
	}
	at := start
	for at < len(s.text) && size < maxDefanged {
		place[size] = at
		if plain, n := s.separator(at); n > 0 {
			buf[size] = plain
			at += n
		} else if b := s.text[at]; at <= i || word(b) || b == '.' || b == ':' || b == '/' || b == '%' || b == ']' {
			buf[size] = b
			at++
		} else {
			break
		}
		size++
	}
	place[size] = at
	inner := scanner{text: buf[:size], o: Options{Doubtful: s.o.Doubtful}, dst: s.dst, base: len(*s.dst)}
	inner.scan()
	for k := range (*s.dst)[inner.base:] {
		m := &(*s.dst)[inner.base+k]
		m.Start, m.End, m.Defanged = place[m.Start], place[m.End], true
		if m.Zone > 0 {
			m.Zone = place[m.Zone]
		}
	}
	s.refanged = at
	return max(at, i+1)
}
