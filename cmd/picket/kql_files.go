package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"picket/library"
	"picket/workspace"
)

// fileTable is a table of one file or several.
type fileTable struct {
	name   string
	paths  []string
	format string // as --format-in has it; "" until it is known
}

// expand returns the files a pattern names. What is no pattern, or a file
// itself, is one file, whether it exists or not: opening it tells.
func expand(pattern string) ([]string, error) {
	if pattern == "-" || isFile(pattern) || !strings.ContainsAny(pattern, "*?[") {
		return []string{pattern}, nil
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, misuse("pattern %q: %v", pattern, err)
	}
	if len(paths) == 0 {
		return nil, misuse("no file matches %q", pattern)
	}
	return paths, nil
}

func isFile(path string) bool {
	if path == "-" {
		return true
	}
	_, err := os.Stat(path)
	return err == nil
}

// tableName is the name of a file's table: the file's without its endings, and
// with _ for what no name can have.
func tableName(path string) string {
	if path == "-" {
		return "stdin"
	}
	name := filepath.Base(path)
	if i := strings.IndexByte(name[1:], '.'); i >= 0 {
		name = name[:i+1]
	}
	name = notInName.ReplaceAllString(name, "_")
	if name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name[:min(len(name), 63)]
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9_]`)

// openSession opens a workspace with the tables of the options.
func openSession(ctx context.Context, o *kqlOptions, stdio stdio) (_ *session, err error) {
	s := &session{kqlOptions: o, stdio: stdio}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	opt := workspace.Options{
		SkipBad: o.skipBad,
		// Where tables are given, those are the tables: search and union * would
		// find the columns of the others.
		NoBuiltin: len(o.tables) > 0 || o.schema != "",
		// It is the caller's own machine.
		Limits:      workspace.Limits{Time: 24 * time.Hour, Rows: 1 << 40, Bytes: 1 << 50},
		Concurrency: workspace.Concurrency{PerPeriod: 1 << 40},
	}
	if err := distinct(o.tables); err != nil {
		return nil, err
	}
	var logs []fileTable
	for i := range o.tables {
		t := &o.tables[i]
		if err := s.inspect(t); err != nil {
			return nil, err
		}
		if slices.Contains(logFormats(), t.format) {
			logs = append(logs, *t)
			continue
		}
		opt.Files = append(opt.Files, workspace.File{Table: t.name, Paths: slices.Clone(t.paths), Format: t.format})
	}
	if len(o.tables) == 1 {
		opt.Also = map[string]string{"T": o.tables[0].name}
	}
	if s.ws, err = workspace.Open("", opt); err != nil {
		return nil, err
	}
	if o.functions != "" {
		list, err := library.LoadDir(os.DirFS(o.functions), ".")
		if err != nil {
			return nil, err
		}
		s.ws.SetExtras(workspace.Extras{Functions: library.SetOf(list)})
	}
	for _, skipped := range s.ws.Skipped() {
		fmt.Fprintln(stdio.err, "warning:", skipped)
	}
	for _, t := range logs {
		if err := loadLog(ctx, s.ws, t); err != nil {
			return nil, fmt.Errorf("load table %s: %w", t.name, err)
		}
	}
	if o.schema != "" {
		return s, emptyTables(ctx, s.ws, o.schema)
	}
	return s, nil
}

// distinct refuses two tables of one name.
func distinct(tables []fileTable) error {
	seen := map[string]fileTable{}
	for _, t := range tables {
		key := strings.ToLower(t.name) // DuckDB does not tell them apart
		if other, ok := seen[key]; ok {
			return misuse("%s and %s would both be the table %s: name one of them with --table NAME=FILE, or make one table of both with --table %s=FILE for each",
				other.paths[0], t.paths[0], t.name, t.name)
		}
		seen[key] = t
	}
	return nil
}

// inspect finds the format of a table's files, which must be one, and puts
// standard input into a file.
func (s *session) inspect(t *fileTable) error {
	for i, path := range t.paths {
		if path == "-" {
			spooled, err := s.spool()
			if err != nil {
				return fmt.Errorf("standard input: %w", err)
			}
			path, t.paths[i] = spooled, spooled
		}
		format := s.formatIn
		if format == "" {
			format = workspace.FormatOf(path)
		}
		if format == "" {
			var err error
			if format, err = sniff(path); err != nil {
				return err
			}
		}
		if known := append(workspace.Formats(), logFormats()...); !slices.Contains(known, format) {
			return misuse("unknown format %q of files: want one of %s", format, strings.Join(known, ", "))
		}
		if t.format != "" && t.format != format {
			return fmt.Errorf("table %s: %s is %s and %s is %s: want files of one format, or --format-in", t.name, t.paths[0], t.format, path, format)
		}
		t.format = format
	}
	return nil
}

// spool writes standard input to a file, since it is read more than once.
func (s *session) spool() (string, error) {
	head := make([]byte, 4)
	n, err := io.ReadFull(s.stdio.in, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	ending := ""
	switch {
	case strings.HasPrefix(string(head), "\x1f\x8b"):
		ending = ".gz"
	case string(head) == "\x28\xb5\x2f\xfd":
		ending = ".zst"
	}
	f, err := os.CreateTemp("", "picket-stdin-*"+ending)
	if err != nil {
		return "", err
	}
	s.temp = append(s.temp, f.Name())
	_, err = f.Write(head[:n])
	if err == nil {
		_, err = io.Copy(f, s.stdio.in)
	}
	return f.Name(), errors.Join(err, f.Close())
}
