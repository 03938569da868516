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
}

// readChunk is how much of a file is read at a time.
const readChunk = 64 << 10

// readLines calls each for every line that s has in r, without its LF, and
// returns where the next span starts. An unfinished line is left for later,
// unless it is longer than maxLine: then its head is taken now, however long
// the rest may yet become. Memory is bounded by maxLine;
// buf is for reading.
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
			c.finish()
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
}

// take goes through the next bytes of the file and reports whether a limit is reached.
func (c *lineCutter) take(chunk []byte) (full bool) {
	for len(chunk) > 0 {
		n := bytes.IndexByte(chunk, '\n')
		if n < 0 {
			c.add(chunk)
			c.pos += int64(len(chunk))
			break
		}
		c.add(chunk[:n])
		chunk = chunk[n+1:]
		c.pos += int64(n) + 1
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
}

// finish decides about what is left without a line end.
func (c *lineCutter) finish() {
	switch {
	case c.skip:
		c.end = c.pos
	case c.over:
		c.emit()
		c.skip, c.end = true, c.pos
	case len(c.line) > 0 && (c.last || c.until > 0):
		c.emit()
		c.end = c.pos
	}
}
