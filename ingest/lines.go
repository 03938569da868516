package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A span is a range of a file to read lines from, and how far to go.
type span struct {
	from int64
	// skip is set inside of a line whose head was taken already because it is
	// longer than maxLine: what is left of it is passed over.
	skip bool
	// until, if not 0, is where to end exactly; the limits do not count then.
	until int64
	// last takes an unfinished line at the end for a whole one: nothing will follow.
	last bool

	maxLine, maxRows int
	maxBytes         int64

	// comma parts the fields of CSV, whose records may span lines: then a "line" is
	// a record here. "" is for lines.
	comma string
}

// readChunk is how much of a file is read at a time.
const readChunk = 64 << 10

// readLines calls each for every line that s has in r, without its LF, and
// returns where the next span starts. An unfinished line is left for later,
// unless it is longer than maxLine: then its head is taken now, however long
// the rest may yet become. Memory is bounded by maxLine;
// buf is for reading.
//
// A record of CSV that is not complete is left for later likewise. One that does not
// end within maxLine, or at all, is none: its first line is taken alone, and what
// follows is read as if that quote had not been.
func readLines(r io.ReaderAt, s span, buf []byte, each func(line []byte, cut bool)) (end int64, skip bool, err error) {
	c := lineCutter{span: s, each: each, end: s.from, pos: s.from}
	for {
		want := int64(len(buf))
		if s.until > 0 {
			want = min(want, s.until-c.pos)
		}
		n, err := r.ReadAt(buf[:want], c.pos)
		if err != nil && !errors.Is(err, io.EOF) {
			return s.from, s.skip, fmt.Errorf("read at offset %d: %w", c.pos, err)
		}
		if c.take(buf[:n]) {
			return c.end, c.skip, nil
		}
		if n == 0 || s.until > 0 && c.pos >= s.until {
			if c.finish() && !c.limited() {
				continue
			}
			return c.end, c.skip, nil
		}
	}
}

// A lineCutter is the state of readLines.
type lineCutter struct {
	span
	each func(line []byte, cut bool)

	pos  int64  // of what was seen
	end  int64  // of what was taken
	rows int    // lines given to each
	line []byte // an unfinished line, at most maxLine of it
	over bool   // there is more of it

	// Of a record that spans lines: where its first line ends in the file, 0 for
	// others, and in line; and what is known of its quotes.
	firstEnd int64
	firstLen int
	quotes   quotes
}

// take goes through the next bytes of the file and reports whether a limit is reached.
func (c *lineCutter) take(chunk []byte) (full bool) {
	for len(chunk) > 0 {
		n := bytes.IndexByte(chunk, '\n')
		if n < 0 {
			c.add(chunk)
			c.pos += int64(len(chunk))
			if c.over && c.retreat() {
				return c.limited()
			}
			break
		}
		c.add(chunk[:n])
		chunk = chunk[n+1:]
		c.pos += int64(n) + 1
		open := c.goesOn()
		if c.over && c.retreat() {
			return c.limited()
		}
		if open {
			continue
		}
		c.emit()
		c.skip, c.end = false, c.pos
		if c.limited() {
			return true
		}
	}
	if (c.over || c.skip) && c.limited() {
		c.finish()
		return true
	}
	return false
}

func (c *lineCutter) limited() bool {
	return c.until == 0 && (c.rows >= c.maxRows || c.pos-c.from >= c.maxBytes)
}

func (c *lineCutter) add(part []byte) {
	if c.skip {
		return
	}
	room := c.maxLine - len(c.line)
	c.line = append(c.line, part[:min(room, len(part))]...)
	c.over = c.over || len(part) > room
}

// emit gives away the line, unless it is the rest of one that was cut.
func (c *lineCutter) emit() {
	if !c.skip {
		if c.over {
			c.line = markCut(c.line)
		}
		c.rows++
		c.each(c.line, c.over)
	}
	c.line, c.over = c.line[:0], false
	c.firstEnd, c.quotes = 0, quotes{}
}

// goesOn reports at the end of a line whether it is within a record of CSV, to
// which the line end belongs then.
func (c *lineCutter) goesOn() bool {
	if c.comma == "" || c.skip || c.over || !c.quotes.open(c.line, c.comma) {
		return false
	}
	if c.firstEnd == 0 {
		c.firstEnd, c.firstLen = c.pos, len(c.line)
	}
	c.add([]byte{'\n'})
	return true
}

// retreat takes only the first line of what seemed to be a record of several, and
// goes back to the second. It reports whether there was one.
func (c *lineCutter) retreat() bool {
	if c.firstEnd == 0 {
		return false
	}
	c.pos, c.line, c.over = c.firstEnd, c.line[:c.firstLen], false
	c.emit()
	c.end = c.pos
	return true
}

// finish decides about what is left without a line end. It reports whether there
// is more to be read, because it went back.
func (c *lineCutter) finish() (more bool) {
	switch {
	case c.firstEnd > 0 && (c.last || c.until > 0) && c.quotes.open(c.line, c.comma):
		return c.retreat()
	case c.skip:
		c.end = c.pos
	case c.over:
		c.emit()
		c.skip, c.end = true, c.pos
	case len(c.line) > 0 && (c.last || c.until > 0):
		c.emit()
		c.end = c.pos
	}
	return false
}

// firstRecord returns the line that text begins with, or the record of CSV if
// comma parts its fields; whole is false for one that is not complete in text,
// of which the first line is returned.
func firstRecord(text []byte, comma string) (first []byte, whole bool) {
	var q quotes
	for end := 0; ; end++ {
		n := bytes.IndexByte(text[end:], '\n')
		if n < 0 {
			first, _, found := bytes.Cut(text, []byte("\n"))
			return first, found && comma == ""
		}
		if end += n; comma == "" || !q.open(text[:end], comma) {
			return text[:end], true
		}
	}
}
