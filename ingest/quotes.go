package ingest

// quotes is how far the quotes of a record of CSV (RFC 4180 §2) were read. A
// quote opens a field at its beginning only, where encoding/csv takes it for
// one: in the middle, as in 19" rack, it is a character.
type quotes struct {
	read  int // bytes of the record
	state fieldState
}

// A fieldState is where in a field a byte of CSV is.
type fieldState uint8

const (
	fieldStart  fieldState = iota
	fieldBare              // outside of quotes
	fieldQuoted            // within them
	fieldQuote             // at one within them: their end, unless another follows
)

// open reads on in a record, which begins as it did before, and reports whether
// its end is within quotes.
func (q *quotes) open(record []byte, comma string) bool {
	if q.read == 0 {
		q.read = len(record) - len(trimHead(record))
	}
	for ; q.read < len(record); q.read++ {
		c, end := record[q.read], q.read+1
		switch {
		case q.state == fieldQuoted:
			if c == '"' {
				q.state = fieldQuote
			}
		case c == '"' && q.state != fieldBare: // a field's first, or the second of two
			q.state = fieldQuoted
		case end >= len(comma) && string(record[end-len(comma):end]) == comma:
			q.state = fieldStart
		default:
			q.state = fieldBare
		}
	}
	return q.state == fieldQuoted
}
