package workspace

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

const (
	maxHeader = 1 << 20  // how much of a file may be its record of column names
	maxLine   = 32 << 20 // bytes of one record of CSV
)

// csvSource reads CSV and TSV as text and finds the columns' types.
func (l *loader) csvSource(ctx context.Context, f File) (*source, error) {
	headers := make([]*csvHeader, len(f.Paths))
	var names []string
	index := map[string]int{}
	for i, path := range f.Paths {
		h, err := readHeader(path, f.Format == "tsv")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		headers[i] = h
		for _, n := range h.names {
			if _, ok := index[n]; !ok {
				index[n] = len(names)
				names = append(names, n)
			}
		}
	}
	// In the raw text columns are known by number: their names may be anything.
	parts := make([]string, len(f.Paths))
	for i, path := range f.Paths {
		cols := make([]string, len(names))
		for j := range cols {
			cols[j] = fmt.Sprintf("NULL::VARCHAR AS c%d", j)
		}
		own := make([]string, len(headers[i].names))
		for j, n := range headers[i].names {
			cols[index[n]] = fmt.Sprintf("f%d AS c%d", j, index[n])
			own[j] = fmt.Sprintf("'f%d': 'VARCHAR'", j)
		}
		options := fmt.Sprintf(`header=true, auto_detect=false, delim='%s', quote='"', escape='"', columns={%s}, max_line_size=%d, buffer_size=%d`,
			headers[i].delim, strings.Join(own, ", "), maxLine, 2*maxLine)
		if headers[i].utf16 {
			options += ", encoding='utf-16'"
		}
		if l.skipBad {
			options += ", ignore_errors=true, store_rejects=true"
		}
		parts[i] = "SELECT " + strings.Join(cols, ", ") + " FROM read_csv(" + sqlPath(path) + ", " + options + ")"
	}
	src := &source{sql: "(" + strings.Join(parts, " UNION ALL ") + ")"}
	cols := make([]*textColumn, len(names))
	for i := range names {
		cols[i] = &textColumn{ref: "c" + strconv.Itoa(i), candidates: textTypes()}
	}
	err := l.typed(ctx, src, names, cols)
	if err == nil && l.skipBad {
		err = l.countRejects(ctx, f)
	}
	return src, err
}

// countRejects notes how many records were left out and where the first is.
func (l *loader) countRejects(ctx context.Context, f File) error {
	var n, line int64
	var why string
	// A record can be wrong in several columns, and the file was read twice.
	err := l.conn.QueryRowContext(ctx, `SELECT count(DISTINCT line), coalesce(min(line), 0), coalesce(arg_min(error_message, line), '') FROM reject_errors`).Scan(&n, &line, &why)
	if err != nil {
		return err
	}
	if n > 0 {
		l.db.skipped = append(l.db.skipped, Skipped{Table: f.Table, Records: n, Line: line, Why: csvReason(why)})
	}
	_, err = l.conn.ExecContext(ctx, `DELETE FROM reject_errors`)
	return err
}

// Skipped says how many records of a table's files were left out because they
// are none, with the line of the first one and what is wrong with it.
type Skipped struct {
	Table   string
	Records int64
	Line    int64 // 0 when it is not known
	Why     string
}

// String says it as a sentence.
func (s Skipped) String() string {
	first, records := "", "records"
	if s.Records == 1 {
		records = "record"
	}
	if s.Line > 0 {
		first = fmt.Sprintf(", the first in line %d", s.Line)
	}
	return fmt.Sprintf("table %s: %d %s left out%s: %s", s.Table, s.Records, records, first, s.Why)
}

// Skipped tells what was left out of the files, when Options.SkipBad was set.
func (db *DB) Skipped() []Skipped { return db.skipped }

// csvHeader is what the first record of a CSV file tells.
type csvHeader struct {
	names []string
	delim string
	utf16 bool
}

// readHeader reads the names of the columns. What divides them is a comma (RFC
// 4180) where there is one, else a tab or the semicolon of some spreadsheets.
func readHeader(path string, tabs bool) (*csvHeader, error) {
	in, wide, err := OpenText(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	h := &csvHeader{utf16: wide}
	head := bufio.NewReaderSize(io.LimitReader(in, maxHeader), 64<<10)
	line, err := peekLine(head)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(line) == "" {
		return nil, errors.New("line 1: the first line is empty: want the names of the columns")
	}
	if h.delim = divider(line); tabs {
		h.delim = "\t"
	}
	r := csv.NewReader(head)
	r.Comma = rune(h.delim[0])
	record, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("the names of the columns: %w", err)
	}
	h.names = columnNames(record)
	return h, nil
}

// peekLine returns the first line, or as much of it as the buffer holds.
func peekLine(r *bufio.Reader) (string, error) {
	b, err := r.Peek(r.Size())
	if err != nil && !errors.Is(err, io.EOF) && len(b) == 0 {
		return "", err
	}
	line, _, _ := bytes.Cut(b, []byte("\n"))
	return string(line), nil
}

func divider(line string) string {
	unquoted := quoted.ReplaceAllString(line, "")
	for _, d := range []string{",", "\t", ";"} {
		if strings.Contains(unquoted, d) {
			return d
		}
	}
	return ","
}

var quoted = regexp.MustCompile(`"[^"]*"`)

// columnNames makes the fields of a header names: none is empty, and none is
// there twice. The additions are KQL's own.
func columnNames(fields []string) []string {
	taken := map[string]bool{}
	names := make([]string, len(fields))
	for i, n := range fields {
		if n = cleanText(strings.ReplaceAll(n, "\x00", "\uFFFD")); strings.TrimSpace(n) == "" {
			n = fmt.Sprintf("Column%d", i+1)
		}
		base := n
		for k := 1; taken[n]; k++ {
			n = base + strconv.Itoa(k)
		}
		taken[n] = true
		names[i] = n
	}
	return names
}

// OpenText opens a file of text for reading: uncompressed, without a byte order
// mark, in UTF-8. wide tells that the file has it in UTF-16, as its mark says.
func OpenText(path string) (text io.ReadCloser, wide bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	var in io.Reader = f
	switch strings.ToLower(filepath.Ext(path)) {
	case ".gz":
		in, err = gzip.NewReader(f)
	case ".zst":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(f, zstd.WithDecoderConcurrency(1)); err == nil {
			in = z.IOReadCloser()
		}
	}
	if err != nil {
		f.Close()
		return nil, false, err
	}
	b := bufio.NewReaderSize(in, 64<<10)
	mark, err := b.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		f.Close()
		return nil, false, err
	}
	wide = bytes.Equal(mark, []byte{0xff, 0xfe}) || bytes.Equal(mark, []byte{0xfe, 0xff})
	return textFile{transform.NewReader(b, unicode.BOMOverride(transform.Nop)), f}, wide, nil
}

// textFile reads from one place what is closed at another.
type textFile struct {
	io.Reader
	io.Closer
}

// readError leaves DuckDB's advice about its options out of an error, and says
// which line of a file is not as it should be.
func readError(err error) error {
	msg := err.Error()
	if m := csvError.FindStringSubmatch(msg); m != nil {
		where := "line " + m[1]
		if file := csvFile.FindStringSubmatch(msg); file != nil {
			where = file[1] + ": " + where
		}
		return fmt.Errorf("%s: %s; mend it, or leave such records out with --skip-bad", where, csvReason(m[2]))
	}
	if m := jsonError.FindStringSubmatch(msg); m != nil {
		return fmt.Errorf("%s: %s: %s", m[1], m[2], strings.TrimSuffix(strings.TrimSpace(m[3]), "."))
	}
	first, _, _ := strings.Cut(msg, "\n")
	return errors.New(first)
}

var (
	csvError  = regexp.MustCompile(`(?s)CSV Error on Line: (\d+)\n(?:Original Line:.*?\n)?([^\n]*(?:Expected Number|unterminated|[Uu]nicode|utf-8|[Mm]aximum line|value)[^\n]*)`)
	csvFile   = regexp.MustCompile(`(?m)^  file = (.*)$`)
	csvCount  = regexp.MustCompile(`Expected Number of Columns: (\d+) Found: (\d+)`)
	jsonError = regexp.MustCompile(`(?s)Malformed JSON in file "(.*?)", (at byte .*?): (.*)`)
)

// csvReason says in words what DuckDB found wrong with a record.
func csvReason(why string) string {
	switch m := csvCount.FindStringSubmatch(why); {
	case m != nil:
		return fmt.Sprintf("wrong number of fields: %s, and the header has %s", m[2], m[1])
	case strings.Contains(why, "unterminated"):
		return "a quoted field does not end"
	case strings.Contains(why, "nicode"):
		return "the text is not UTF-8"
	}
	first, _, _ := strings.Cut(strings.TrimSpace(why), "\n")
	return first
}
