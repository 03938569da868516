package ingest

import (
	"bufio"
	"bytes"
	"io"
	"unicode/utf8"
)

// CutMarker ends a message that was cut at the size limit.
const CutMarker = " …[cut]"

const (
	readBuffer = 64 << 10

	// maxCountDigits bounds how far the framer looks for the end of an octet count.
	maxCountDigits = 10

	// believedCount is how many times the message limit an octet count may
	// be. A larger one would make the connection swallow everything that
	// follows for nothing but a broken or hostile number.
	believedCount = 16
)

// A Framer cuts a byte stream into syslog messages as RFC 6587 has them, and
// decides for each frame anew: "LEN SP <PRI>…" is octet counting (§3.4.1),
// anything else ends at LF, CRLF or NUL (§3.4.2). A number that is not followed
// by " <", or is too large to believe, is text.
//
// It holds at most one message plus 64 KiB. A longer message is cut at the
// limit, ends with [CutMarker], and the rest of it is skipped.
type Framer struct {
	r   *bufio.Reader
	max int
	buf []byte // a message that spans reads
	err error  // sticky; from r
}

// NewFramer returns a Framer that reads from r. Messages longer than max bytes
// are cut; 0 means 64 KiB.
func NewFramer(r io.Reader, max int) *Framer {
	if max <= 0 {
		max = defaultMaxMessage
	}
	return &Framer{r: bufio.NewReaderSize(r, readBuffer), max: max}
}

// Next returns the next message without its framing; the slice is valid until
// the next call. Empty frames are passed over. truncated reports a message that
// was cut at the limit, or whose octet count promised more than the stream had.
//
// The error is the reader's own, io.EOF at the end, and comes alone: a message
// that the stream broke off in is returned first.
func (f *Framer) Next() (line []byte, truncated bool, err error) {
	for {
		n, width := f.count()
		if n > 0 {
			f.discard(width)
			line, truncated = f.counted(n)
		} else {
			line, truncated = f.delimited()
		}
		if line = trimFrame(line); len(line) > 0 {
			return line, truncated, nil
		}
		if f.err != nil {
			return nil, false, f.err
		}
	}
}

// count returns the octet count at the head of the stream and how many bytes
// it takes with its space, or 0 if the next frame is not octet-counted. It
// reads no further than it must to tell.
func (f *Framer) count() (n, width int) {
	for i := 0; i < maxCountDigits; i++ {
		b, ok := f.peek(i + 1)
		if !ok {
			return 0, 0
		}
		c := b[i]
		switch {
		case c >= '1' && c <= '9', c == '0' && i > 0:
			n = n*10 + int(c-'0')
		case c == ' ' && i > 0 && n <= believedCount*f.max:
			if b, ok = f.peek(i + 2); !ok || b[i+1] != '<' {
				return 0, 0
			}
			return n, i + 1
		default:
			return 0, 0
		}
	}
	return 0, 0
}

// peek returns the next n bytes without consuming them.
func (f *Framer) peek(n int) ([]byte, bool) {
	if f.err != nil && f.r.Buffered() < n {
		return nil, false
	}
	b, err := f.r.Peek(n)
	if err != nil {
		f.err = err
		return nil, false
	}
	return b, true
}

// ahead returns what is buffered, reading once if that is nothing. It is empty
// only at the end of the stream.
func (f *Framer) ahead() []byte {
	if f.r.Buffered() == 0 {
		if _, ok := f.peek(1); !ok {
			return nil
		}
	}
	b, _ := f.r.Peek(f.r.Buffered())
	return b
}

// discard consumes n bytes that are known to be buffered, which cannot fail.
func (f *Framer) discard(n int) { _, _ = f.r.Discard(n) }

// delimited reads up to LF, NUL or the end of the stream.
func (f *Framer) delimited() (line []byte, cut bool) {
	f.buf = f.buf[:0]
	for {
		chunk := f.ahead()
		if len(chunk) == 0 {
			return f.finish(cut)
		}
		end := bytes.IndexByte(chunk, '\n')
		if end < 0 {
			end = len(chunk)
		}
		if nul := bytes.IndexByte(chunk[:end], 0); nul >= 0 {
			end = nul
		}
		found := end < len(chunk)
		if found && len(f.buf) == 0 && end <= f.max {
			f.discard(end + 1)
			return chunk[:end], false // the common case copies nothing
		}
		cut = f.keep(chunk[:end]) || cut
		if found {
			f.discard(end + 1)
			return f.finish(cut)
		}
		f.discard(end)
	}
}

// counted reads a message of n octets.
func (f *Framer) counted(n int) (line []byte, cut bool) {
	f.buf = f.buf[:0]
	for n > 0 {
		chunk := f.ahead()
		if len(chunk) == 0 {
			return f.buf, true
		}
		chunk = chunk[:min(n, len(chunk))]
		n -= len(chunk)
		if n == 0 && len(f.buf) == 0 && len(chunk) <= f.max {
			f.discard(len(chunk))
			return chunk, false
		}
		cut = f.keep(chunk) || cut
		f.discard(len(chunk))
	}
	return f.finish(cut)
}

// trimFrame removes what senders put at the end of a message out of habit.
func trimFrame(line []byte) []byte { return bytes.TrimRight(line, "\r\n\x00") }

// keep adds part to the message as far as the limit allows and reports whether
// some of it was left out.
func (f *Framer) keep(part []byte) (cut bool) {
	room := f.max - len(f.buf)
	f.buf = append(f.buf, part[:min(room, len(part))]...)
	return len(part) > room
}

func (f *Framer) finish(cut bool) ([]byte, bool) {
	if cut {
		f.buf = markCut(f.buf)
	}
	return f.buf, cut
}

// markCut appends the marker to a message that was cut, without leaving half a
// character before it.
func markCut(line []byte) []byte {
	for i := len(line) - 1; i >= 0 && i >= len(line)-utf8.UTFMax; i-- {
		if utf8.RuneStart(line[i]) {
			if !utf8.FullRune(line[i:]) {
				line = line[:i]
			}
			break
		}
	}
	return append(line, CutMarker...)
}
