package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"

	"picket/ingest"
	"picket/kql"
	"picket/workspace"
)

// LogConfig is a file to follow, or a pattern of such: in picket.yaml its path
// alone, or a mapping.
type LogConfig struct {
	Path      string        `yaml:"path"`
	Format    string        `yaml:"format"` // empty: told by the first lines
	Table     string        `yaml:"table"`
	Columns   yaml.MapSlice `yaml:"columns"` // of json and csv: name: type, or name: {type, from}
	Fields    []string      `yaml:"fields"`
	Delimiter string        `yaml:"delimiter"`
	Time      string        `yaml:"time"`
	MaxBytes  int           `yaml:"max_bytes"` // of a line; longer ones are cut; default 64 KiB
}

// The limits of max_bytes. A batch of rows has at most a megabyte of lines.
const (
	leastLine = 256
	mostLine  = 1 << 20
)

// UnmarshalYAML reads a path or a mapping.
func (l *LogConfig) UnmarshalYAML(_ context.Context, unmarshal func(any) error) error {
	if err := unmarshal(&l.Path); err == nil {
		return nil
	}
	type plain LogConfig
	return unmarshal((*plain)(l))
}

// checkLogs says what is wrong with logs and journald.
func (r configReader) checkLogs(c Config) error {
	for i, l := range c.Logs {
		if _, err := l.ingestFormat(); err != nil {
			return r.problem(fmt.Sprintf("logs[%d]", i), "%v", err)
		}
	}
	if _, err := ingest.NewJournal(nil, ingest.Offsets{}, c.Journald.options()); err != nil {
		return r.problem("journald", "%v", err)
	}
	return nil
}

// ingestFormat is the format that l asks for, nil if the first lines are to tell.
func (l LogConfig) ingestFormat() (*ingest.Format, error) {
	if l.Path == "" {
		return nil, errors.New("path is empty; want a file or a pattern, for example /var/log/nginx/*.log")
	}
	if l.MaxBytes != 0 && (l.MaxBytes < leastLine || l.MaxBytes > mostLine) {
		return nil, fmt.Errorf("max_bytes is %d; want %d to %d", l.MaxBytes, leastLine, mostLine)
	}
	o := ingest.FormatOptions{Name: l.Format, Table: l.Table, Fields: l.Fields, Delimiter: l.Delimiter, Time: l.Time}
	for _, item := range l.Columns {
		c, err := mappedColumn(item)
		if err != nil {
			return nil, err
		}
		o.Columns = append(o.Columns, c)
	}
	if l.Format == "" {
		if l.Table != "" || len(o.Columns) > 0 || len(l.Fields) > 0 || l.Delimiter != "" || l.Time != "" {
			return nil, fmt.Errorf("format is missing; want one of %v", ingest.FormatNames())
		}
		return nil, nil
	}
	if workspace.Builtin(l.Table) {
		return nil, fmt.Errorf("table %s has columns of its own, which %s has not; want another, for example %[1]s_CL", l.Table, l.Format)
	}
	return ingest.NewFormat(o)
}

// mappedColumn reads one of columns.
func mappedColumn(item yaml.MapItem) (ingest.MappedColumn, error) {
	c := ingest.MappedColumn{Name: fmt.Sprint(item.Key)}
	var name string
	switch v := item.Value.(type) {
	case string:
		name = v
	case map[string]any:
		for k, x := range v {
			s, ok := x.(string)
			switch {
			case ok && k == "type":
				name = s
			case ok && k == "from":
				c.From = s
			default:
				return c, fmt.Errorf("column %s: unknown %s: %v; want type and from, both text", c.Name, k, x)
			}
		}
	default:
		return c, fmt.Errorf("column %s: found %v; want a type, or {type: …, from: …}", c.Name, v)
	}
	t, ok := kql.ParseType(name)
	if !ok {
		return c, fmt.Errorf("column %s: unknown type %q; want string, int, long, real, bool, datetime, dynamic or guid", c.Name, name)
	}
	c.Type = t
	return c, nil
}

// JournalConfig is what of this host's systemd journal is read: in picket.yaml
// true for all of it, a list of units, or a mapping.
type JournalConfig struct {
	On        bool     `yaml:"-"`
	Units     []string `yaml:"units"`
	Matches   []string `yaml:"matches"`
	Directory string   `yaml:"directory"`
	Since     string   `yaml:"since"`
}

// UnmarshalYAML reads true, false, a list or a mapping.
func (j *JournalConfig) UnmarshalYAML(_ context.Context, unmarshal func(any) error) error {
	if unmarshal(&j.On) == nil {
		return nil
	}
	j.On = true
	if unmarshal(&j.Units) == nil {
		return nil
	}
	type plain JournalConfig
	return unmarshal((*plain)(j))
}

// options are those of the journal's reader.
func (j JournalConfig) options() ingest.JournalOptions {
	return ingest.JournalOptions{Units: j.Units, Matches: j.Matches, Directory: j.Directory, Since: j.Since}
}
