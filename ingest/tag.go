package ingest

import "strings"

// A tag is the program's name at the head of a message (RFC 3164 §4.1.3).
type tag struct {
	name   string
	pid    int32
	hasPID bool
	colon  bool
	rest   string // what follows
}

const (
	maxTag    = 128 // RFC 3164 says 32; unit and container names are longer
	maxSpaces = 3   // in the name of a program: "Microsoft Defender for X[7]:"
)

// readTag reads "name: ", "name[123]: " or "name[123] " at the head of s.
//
// A name has no spaces, or, if spaces is set, a few, but then only a process id
// and a colon show that it is one. Brackets around something else than a
// number are part of the name.
func readTag(s string, spaces bool) (t tag, ok bool) {
	letters, words := 0, 0
	for i := 0; i < len(s) && i < maxTag; i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0x80:
			letters++
		case isDigit(c), strings.IndexByte("._-/()@+#*\\", c) >= 0:
		case c == ' ' && words == 0 && vendorTag(s[:i]):
			return tag{name: s[:i], rest: s[i:]}, true
		case c == ' ' && i > 0 && spaces && words < maxSpaces:
			words++
		case c == ':' && strings.HasPrefix(s[i+1:], ":"): // Perl::Module
			i++
		case c == ':' && letters > 0 && words == 0 && ends(s[i+1:]):
			return tag{name: s[:i], colon: true, rest: s[i+1:]}, true
		case c == '[' && letters > 0:
			return bracketTag(s, i, words > 0)
		default:
			return t, false
		}
	}
	return t, false
}

// bracketTag reads a tag whose bracket opens at s[i].
func bracketTag(s string, i int, spaced bool) (t tag, ok bool) {
	n := strings.IndexByte(s[i:min(len(s), i+maxTag)], ']')
	if n < 0 {
		return t, false
	}
	rest, colon := strings.CutPrefix(s[i+n+1:], ":")
	id, isID := pid(s[i+1 : i+n])
	switch {
	case isID && (colon || !spaced && ends(rest)):
		return tag{name: s[:i], pid: id, hasPID: true, colon: colon, rest: rest}, true
	case !isID && colon && !spaced && ends(rest):
		return tag{name: s[:i+n+1], colon: true, rest: rest}, true
	}
	return t, false
}

// vendorTag reports whether a first word without a colon is a tag. Cisco's ISE
// and ACS are known to send such; from others it is just a word.
func vendorTag(word string) bool {
	return strings.HasPrefix(word, "CISE_") || strings.HasPrefix(word, "CSCOacs_")
}

// ends reports whether the message begins here: with white space, or not at all.
func ends(s string) bool { return s == "" || s[0] == ' ' || s[0] == '\t' }
