package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"picket"
	"picket/ingest"
	"picket/kql"
	"picket/workspace"
)

// sniffSize is how much of a file tells what it is.
const sniffSize = 64 << 10

// sniff tells a file's format by its beginning: text unless it is surely more.
func sniff(path string) (string, error) {
	f, _, err := workspace.OpenText(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, sniffSize))
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	whole := len(head) < sniffSize
	if i := bytes.LastIndexByte(head, '\n'); i >= 0 && !whole {
		head = head[:i+1] // whole lines
	}
	switch {
	case bytes.HasPrefix(head, []byte("PAR1")):
		return "parquet", nil
	case isJSON(head):
		return "json", nil
	}
	switch format := ingest.DetectFormat(path, head); {
	case format != "syslog" || isSyslog(head):
		return format, nil
	case isDivided(head, ','):
		return "csv", nil
	case isDivided(head, '\t'):
		return "tsv", nil
	}
	return "text", nil
}

// isJSON reports whether text begins with an object, or an array of them.
func isJSON(head []byte) bool {
	dec := json.NewDecoder(bytes.NewReader(head))
	var v json.RawMessage
	err := dec.Decode(&v)
	if err == nil {
		return v[0] == '{' || v[0] == '[' && bytes.HasPrefix(bytes.TrimSpace(v[1:]), []byte("{"))
	}
	head = bytes.TrimSpace(head)
	head = bytes.TrimSpace(bytes.TrimPrefix(head, []byte("[")))
	return errors.Is(err, io.ErrUnexpectedEOF) && bytes.HasPrefix(head, []byte("{"))
}

// isSyslog reports whether most lines have a time and a host or a program.
func isSyslog(head []byte) bool {
	var lines, good int
	for line := range bytes.Lines(head) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		m := ingest.Parse(line, time.Now(), time.UTC)
		lines++
		if !m.Time.IsZero() && (m.Priority || m.ProcessName != "") {
			good++
		}
	}
	return lines > 0 && good*5 >= lines*4
}

var columnName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_ .()/#%-]{0,63}$`)

// isDivided reports whether text is a table: names in the first line, and as
// many fields in all others. Log lines, too, have commas.
func isDivided(head []byte, by rune) bool {
	r := csv.NewReader(bytes.NewReader(head))
	r.Comma = by
	names, err := r.Read()
	if err != nil || len(names) < 2 {
		return false
	}
	for _, n := range names {
		if !columnName.MatchString(n) {
			return false
		}
	}
	for rows := 0; rows < 20; rows++ {
		if _, err := r.Read(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return false
		}
	}
	return true
}

const (
	logBatch   = 5000    // rows
	maxLogLine = 1 << 20 // bytes; the rest of a longer line is left out, and marked so
)

// logFormats are the formats of files that are read line by line; the others
// are DuckDB's to read.
func logFormats() []string { return []string{"syslog", "cef", "apache", "nginx", "text"} }

// loadLog makes a table of the lines of log files, with the columns that they
// have when a server follows such a file.
func loadLog(ctx context.Context, ws *workspace.DB, t fileTable) error {
	o := ingest.FormatOptions{Name: t.format}
	if t.format == "text" {
		o.Table = "Text_CL" // its rows go to t.name all the same
	}
	format, err := ingest.NewFormat(o)
	if err != nil {
		return err
	}
	table := kql.Table{Name: t.name, Columns: format.Columns}
	if err := ws.CreateTable(ctx, table); err != nil {
		return err
	}
	batch := picket.Batch{Table: t.name}
	for _, c := range table.Columns {
		batch.Columns = append(batch.Columns, c.Name)
	}
	for _, path := range t.paths {
		if err := appendLog(ctx, ws, batch, path, format); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// appendLog appends the lines of one file to a table.
func appendLog(ctx context.Context, ws *workspace.DB, batch picket.Batch, path string, format *ingest.Format) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, _, err := workspace.OpenText(path)
	if err != nil {
		return err
	}
	defer f.Close()
	row := format.FileRows(path, info.ModTime(), time.Local)
	r := bufio.NewReaderSize(f, 1<<20)
	for done := false; !done; {
		line, err := readLine(r)
		if done = errors.Is(err, io.EOF); err != nil && !done {
			return err
		}
		if len(bytes.TrimSpace(line)) > 0 {
			batch.Rows = append(batch.Rows, row(line))
		}
		if len(batch.Rows) == logBatch || done {
			if err := ws.Append(ctx, batch); err != nil {
				return err
			}
			batch.Rows = nil
		}
	}
	return nil
}

// readLine returns the next line, cut at maxLogLine.
func readLine(r *bufio.Reader) ([]byte, error) {
	var line []byte
	for {
		part, err := r.ReadSlice('\n')
		if room := maxLogLine - len(line); len(part) > room {
			if room > 0 {
				line = append(append(line, part[:room]...), ingest.CutMarker...)
			}
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
