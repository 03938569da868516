package reputation

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
)

// maxRecord bounds one record, in bytes.
const maxRecord = 1 << 20

var errLongRecord = fmt.Errorf("a record has more than %d bytes", maxRecord)

// read reads a file. The error is one of reading or storing it; what is wrong with
// its records are problems.
func (im *importer) read(file io.Reader) error {
	r := bufio.NewReaderSize(file, 1<<16)
	if mark, _ := r.Peek(3); string(mark) == "\xef\xbb\xbf" {
		_, _ = r.Discard(3)
	}
	records, line := im.csv, 1
	first, err := skipBlanks(r, &line)
	switch {
	case errors.Is(err, io.EOF):
		im.problem(1, "", "the file is empty: want JSON objects, one a line, a JSON array, or CSV with a header")
		return nil
	case err != nil:
		return err
	case first == '{':
		records = im.ndjson
	case first == '[':
		records = im.array
	}
	for line, fields := range records(r, line) {
		if im.add(line, fields); im.failed != nil {
			break
		}
	}
	return im.failed
}

// skipBlanks reads up to the first byte that is no blank, which it returns and leaves
// unread, and counts lines.
func skipBlanks(r *bufio.Reader, line *int) (byte, error) {
	for {
		c, err := r.ReadByte()
		if err != nil {
			return 0, err
		}
		switch c {
		case '\n':
			*line++
		case ' ', '\t', '\r':
		default:
			return c, r.UnreadByte()
		}
	}
}

// ndjson yields the records of a file with one JSON object a line.
func (im *importer) ndjson(r *bufio.Reader, first int) iter.Seq2[int, []fieldValue] {
	return func(yield func(int, []fieldValue) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(nil, maxRecord)
		n := first
		for ; lines.Scan(); n++ {
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) == 0 {
				continue
			}
			if fields, ok := im.object(n, line); ok && !yield(n, fields) {
				return
			}
		}
		if err := lines.Err(); errors.Is(err, bufio.ErrTooLong) {
			im.problem(n, "", "the line has more than %d bytes, the rest was not read: want one JSON object a line", maxRecord)
		} else if err != nil {
			im.failed = err
		}
	}
}

// A lineReader knows on which line a byte is that was read from it not long ago. It
// gives up when a record does not end.
type lineReader struct {
	r    io.Reader
	read int64
	from int64   // where the record under way begins
	ends []int64 // offsets of ends of lines that were not asked for yet
	line int     // of the byte that was asked for last
	err  error   // that is none of JSON
}

func (r *lineReader) Read(p []byte) (int, error) {
	if r.read-r.from > 2*maxRecord { // more than what is read ahead
		return 0, errLongRecord
	}
	n, err := r.r.Read(p)
	for i, c := range p[:n] {
		if c == '\n' {
			r.ends = append(r.ends, r.read+int64(i))
		}
	}
	r.read += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return n, err
}

// at returns the line of the byte at an offset, not before that of an earlier call.
func (r *lineReader) at(offset int64) int {
	for len(r.ends) > 0 && r.ends[0] < offset {
		r.ends = r.ends[1:]
		r.line++
	}
	return r.line
}

// array yields the records of a JSON array.
func (im *importer) array(file *bufio.Reader, first int) iter.Seq2[int, []fieldValue] {
	return func(yield func(int, []fieldValue) bool) {
		r := &lineReader{r: file, line: first}
		dec := json.NewDecoder(r)
		_, _ = dec.Token() // the [ that led here
		defer func() { im.failed = cmp.Or(im.failed, r.err) }()
		for dec.More() {
			r.from = dec.InputOffset()
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				line := r.at(dec.InputOffset())
				_, _ = skipBlanks(bufio.NewReader(dec.Buffered()), &line)
				im.problem(line, "", "not JSON, the rest was not read: %v", err)
				return
			}
			n := r.at(dec.InputOffset() - int64(len(raw)))
			if fields, ok := im.object(n, raw); ok && !yield(n, fields) {
				return
			}
		}
		if _, err := dec.Token(); err != nil {
			im.problem(r.at(dec.InputOffset()), "", "the array is not closed by ]")
			return
		}
		line := r.at(dec.InputOffset())
		rest := bufio.NewReader(io.MultiReader(dec.Buffered(), file))
		if _, err := skipBlanks(rest, &line); !errors.Is(err, io.EOF) {
			text, _ := rest.Peek(100)
			im.problem(line, "", "want nothing after the array, found %s", clip(string(bytes.TrimSpace(text))))
		}
	}
}

// object reads one JSON record.
func (im *importer) object(line int, raw []byte) ([]fieldValue, bool) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		im.problem(line, "", "want one whole JSON object a line, or one array of objects, found %s", clip(string(raw)))
		return nil, false
	}
	ok := true
	var fields []fieldValue
	for _, name := range fieldNames() {
		raw, there := members[name]
		if !there {
			continue
		}
		delete(members, name)
		v, err := jsonField(name, raw)
		if err != nil {
			im.problem(line, name, "%v", err)
			ok = false
		}
		fields = append(fields, v)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		im.unknownField(line, name)
		ok = false
	}
	return fields, ok
}

func (im *importer) unknownField(line int, name string) {
	im.problem(line, "", "no field is called %s: want some of %s", clip(name), strings.Join(fieldNames(), ", "))
}

// csv yields the records of a CSV file with a header.
func (im *importer) csv(file *bufio.Reader, first int) iter.Seq2[int, []fieldValue] {
	return func(yield func(int, []fieldValue) bool) {
		lines := &lineReader{r: file, line: first}
		r := csv.NewReader(lines)
		r.ReuseRecord = true
		header, ok := im.csvHeader(r, first)
		if !ok {
			return
		}
		var fields []fieldValue
		for {
			lines.from = r.InputOffset()
			start := lines.at(lines.from)
			cells, err := r.Read()
			if errors.Is(err, errLongRecord) {
				im.problem(start, "", "not CSV, the rest was not read: %v", err)
				return
			}
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil && !errors.Is(err, csv.ErrFieldCount) {
				im.csvProblem(err, first)
				return
			}
			line, _ := r.FieldPos(0)
			line += first - 1
			if err != nil {
				im.problem(line, "", "want %d cells, as the header has, found %d", len(header), len(cells))
				continue
			}
			fields = fields[:0]
			for i, cell := range cells {
				fields = append(fields, csvField(header[i], cell))
			}
			if !yield(line, fields) {
				return
			}
		}
	}
}

func (im *importer) csvHeader(r *csv.Reader, first int) ([]string, bool) {
	header, err := r.Read()
	if err != nil {
		im.csvProblem(err, first)
		return nil, false
	}
	header = slices.Clone(header)
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(fieldNames(), header[i]) {
			im.unknownField(1, name)
			return nil, false
		}
		if slices.Contains(header[:i], header[i]) {
			im.problem(1, header[i], "the header has this column twice")
			return nil, false
		}
	}
	if !slices.Contains(header, "ip") {
		im.problem(1, "ip", "the header has no such column")
		return nil, false
	}
	return header, true
}

func (im *importer) csvProblem(err error, first int) {
	e, ok := errors.AsType[*csv.ParseError](err)
	if !ok {
		im.failed = err
		return
	}
	im.problem(e.Line+first-1, "", "not CSV, the rest was not read: %v", e.Err)
}
