package address

import (
	"bytes"
	"errors"
	"io"
)

const (
	// readSize is how much is read at a time: it stays in the processor's second
	// cache while it is scanned, and what is found in it is written at once; half of
	// the time that is not spent on scanning goes into calls of the system.
	readSize = 512 << 10
	// maxLine is the longest line that is not cut, in bytes.
	maxLine = 1 << 20
	// longest is more than the longest form of an address.
	longest = 256
)

// Each reads all of r and calls f with pieces of it, each of whole lines, and the
// addresses in it. Text and found are f's until it returns. A line longer than
// a mebibyte is cut, where possible not within an address. Each returns the first
// error of f's, or one of reading.
func Each(r io.Reader, o Options, f func(text []byte, found []Match) error) error {
	var (
		buf   = make([]byte, readSize)
		kept  int // bytes of buf that belong to the next piece
		found []Match
	)
	for {
		n, err := r.Read(buf[kept:])
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		text := buf[:kept+n]
		end := len(text)
		if err == nil {
			end = bytes.LastIndexByte(text, '\n') + 1
		}
		if end == 0 && len(text) == len(buf) {
			if len(buf) < maxLine {
				buf = append(buf, make([]byte, len(buf))...)
				kept = len(text)
				continue
			}
			end = cut(text)
		}
		found = Append(found[:0], text[:end], o)
		if ferr := f(text[:end], found); ferr != nil {
			return ferr
		}
		kept = copy(buf, text[end:])
		if err != nil {
			return nil
		}
	}
}

// cut returns where to cut a text that is no whole line: behind a byte that is
// in no address, if there is one near the end.
func cut(text []byte) int {
	for i := len(text); i > len(text)-longest && i > 0; i-- {
		switch b := text[i-1]; {
		case word(b), bytes.IndexByte([]byte(`.:%/[](){}\-`), b) >= 0:
		default:
			return i
		}
	}
	return len(text)
}
