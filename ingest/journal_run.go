package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// A journalRun is one run of journalctl.
type journalRun struct {
	entries <-chan *journalEntry // closed when it has ended
	cancel  context.CancelFunc
	failure error // why it ended, nil if all was well; valid when entries is closed
}

// start runs journalctl from the position on, with more arguments.
func (j *Journal) start(ctx context.Context, more ...string) *journalRun {
	ctx, cancel := context.WithCancel(ctx)
	entries := make(chan *journalEntry, 64)
	r := &journalRun{entries: entries, cancel: cancel}
	go func() {
		defer close(entries)
		r.failure = j.print(ctx, entries, j.arguments(more...))
	}()
	return r
}

// stop ends journalctl and returns when it has ended.
func (r *journalRun) stop() {
	r.cancel()
	for range r.entries {
	}
}

// stopDelay is how long journalctl has to end after it was told to.
const stopDelay = 5 * time.Second

// print gives away what journalctl prints, until it ends or ctx does.
func (j *Journal) print(ctx context.Context, entries chan<- *journalEntry, args []string) error {
	cmd := exec.CommandContext(ctx, j.opts.Command, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = stopDelay
	var said lastLines
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("%w: install systemd, whose program it is, or set journald to false", err)
	}
	if err != nil {
		return err
	}
	reader := newEntryReader(out, j.opts.MaxLine)
	for err == nil {
		var e *journalEntry
		if e, err = reader.next(); err != nil {
			break
		}
		select {
		case entries <- e:
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	if !errors.Is(err, io.EOF) { // it may be waiting for somebody to read
		_ = cmd.Cancel() // it has ended already, or will be killed
	} else {
		err = nil
	}
	end := cmd.Wait()
	if err == nil {
		err = end
	}
	if text := said.String(); err == nil && text != "" {
		j.opts.Log.Warn("journalctl says", "text", text)
	} else if err != nil && text != "" {
		err = fmt.Errorf("journalctl: %w: %s", err, text)
	} else if err != nil {
		err = fmt.Errorf("journalctl: %w", err)
	}
	return err
}

// lastLines keeps the end of what a program says.
type lastLines struct{ text []byte }

func (l *lastLines) Write(p []byte) (int, error) {
	const most = 1000
	l.text = append(l.text, p[max(0, len(p)-most):]...)
	l.text = l.text[max(0, len(l.text)-most):]
	return len(p), nil
}

func (l *lastLines) String() string {
	return strings.ReplaceAll(clean(bytes.TrimSpace(l.text)), "\n", "; ")
}

// An entryReader reads the objects that journalctl prints, one a line
// (systemd's "Journal JSON Format"). Of a value it keeps so many bytes and passes
// over the rest, so that its memory is bounded by the fields that are asked for.
type entryReader struct {
	r       *bufio.Reader
	maxLine int
}

func newEntryReader(r io.Reader, maxLine int) *entryReader {
	return &entryReader{bufio.NewReaderSize(r, 64<<10), maxLine}
}

// next returns the next entry. What is no object with a cursor is an error: the
// position would be unknown.
func (r *entryReader) next() (*journalEntry, error) {
	fields, err := r.fields()
	if err != nil {
		return nil, err
	}
	return newJournalEntry(fields, r.maxLine)
}

// rawField is a value as JSON, perhaps not all of it.
type rawField struct {
	text []byte
	cut  bool
}

var errNoEntry = errors.New("what it printed is no journal entry; is it journalctl of systemd 236 or later?")

// fields reads one line. Values nest: of arrays, binary fields are those of numbers.
func (r *entryReader) fields() (map[string]*rawField, error) {
	fields := map[string]*rawField{}
	first, err := r.skipSpace()
	if err != nil {
		return nil, err
	}
	if first != '{' {
		return nil, errNoEntry
	}
	for {
		c, err := r.skipSpace()
		switch {
		case err != nil:
			return nil, broken(err)
		case c == '}':
			return fields, nil
		case c == ',':
			continue
		case c != '"':
			return nil, errNoEntry
		}
		name := &rawField{}
		if err := r.text(name, 256); err != nil {
			return nil, broken(err)
		}
		if c, err = r.skipSpace(); err != nil || c != ':' {
			return nil, broken(err)
		}
		value := &rawField{}
		if err := r.value(value, 6*r.maxLine); err != nil { // as many bytes as one may take: \u00ff
			return nil, broken(err)
		}
		if len(fields) >= maxJournalFields {
			return nil, errNoEntry
		}
		fields[strings.Trim(string(name.text), `"`)] = value
	}
}

// maxJournalFields is more than are asked for, and what addresses the entry.
const maxJournalFields = 64

// broken is the error of a line that ends early.
func broken(err error) error {
	if err == nil {
		return errNoEntry
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *entryReader) skipSpace() (byte, error) {
	for {
		c, err := r.r.ReadByte()
		if err != nil || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, err
		}
	}
}

// value reads any JSON value.
func (r *entryReader) value(f *rawField, most int) error {
	for depth := 0; ; {
		c, err := r.skipSpace()
		if err != nil {
			return err
		}
		switch c {
		case '"':
			if err := r.text(f, most); err != nil {
				return err
			}
		case '[', '{':
			depth++
			f.add(c, most)
		case ']', '}':
			depth--
			f.add(c, most)
		case ',', ':':
			f.add(c, most)
		default: // a number, true, false or null, up to what cannot be of it
			for err == nil && strings.IndexByte(",]}: \n\r\t", c) < 0 {
				f.add(c, most)
				c, err = r.r.ReadByte()
			}
			if err == nil {
				err = r.r.UnreadByte()
			}
			if err != nil {
				return err
			}
		}
		if depth < 0 {
			return errNoEntry
		}
		if depth == 0 {
			return nil
		}
	}
}

// text reads a string after its opening quote.
func (r *entryReader) text(f *rawField, most int) error {
	f.add('"', most)
	for escaped := false; ; {
		c, err := r.r.ReadByte()
		if err != nil {
			return err
		}
		f.add(c, most)
		switch {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = true
		case c == '"':
			return nil
		}
	}
}

func (f *rawField) add(c byte, most int) {
	if len(f.text) >= most {
		f.cut = true
		return
	}
	f.text = append(f.text, c)
}
