package agent

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"picket"
	"picket/collection"
	"picket/ingest"
)

// start begins to collect, and returns what ends it.
func (a *agent) start(ctx context.Context, sources collection.Sources) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	for _, s := range sources.Syslog {
		group.Go(func() { a.again(ctx, "syslog "+s.Name, a.syslog(s)) })
	}
	for _, f := range sources.LogFiles {
		group.Go(func() { a.again(ctx, "files "+f.Name, a.files(f)) })
	}
	return func() { cancel(); group.Wait() }
}

// again runs run until ctx ends; a failure is logged and tried again later, and
// keeps no other source from being collected.
func (a *agent) again(ctx context.Context, name string, run func(context.Context) error) {
	for ctx.Err() == nil {
		if err := run(ctx); err != nil && ctx.Err() == nil {
			a.opts.Log.Error("not collected for now", "source", name, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(a.opts.Poll):
		}
	}
}

// syslogFiles are where a syslog daemon writes the system's log: Debian's names,
// and where the first of those is not, Red Hat's. Others in the folder repeat them.
func syslogFiles(dir string) []string {
	names := []string{"messages", "secure", "auth.log", "maillog", "cron"}
	if isThere(filepath.Join(dir, "syslog")) {
		names = []string{"syslog", "auth.log"}
	}
	for i, name := range names {
		names[i] = filepath.Join(dir, name)
	}
	return names
}

func isThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// journalSince is where the journal is begun with: it may reach back for months.
const journalSince = "-1d"

// hasJournal reports whether there is a journal to be read: systemd runs, and its
// journalctl is installed.
func (a *agent) hasJournal() bool {
	if !isThere(a.opts.systemd) {
		return false
	}
	_, err := exec.LookPath(a.opts.journalctl)
	if err != nil {
		a.opts.Log.Warn("systemd runs, but its journal cannot be read: the syslog daemon's files are, if there are any", "error", err)
	}
	return err == nil
}

// syslog returns what collects the system's log: from the journal where there is
// one, which has all that a syslog daemon has, else from the daemon's files. That
// none of these is there, is told; those that come are followed.
func (a *agent) syslog(s collection.SyslogSource) func(context.Context) error {
	to, kept := a.into(stream(s.Streams), wanted(s)), a.positions.offsets("syslog "+s.Name)
	if a.hasJournal() {
		a.opts.Log.Info("collecting the journal", "source", s.Name)
		return func(ctx context.Context) error {
			j, err := ingest.NewJournal(to, kept, ingest.JournalOptions{Host: a.host, Since: journalSince, Command: a.opts.journalctl, Log: a.opts.Log})
			if err != nil {
				return err
			}
			return j.Run(ctx)
		}
	}
	files := syslogFiles(a.opts.LogDir)
	if slices.ContainsFunc(files, isThere) {
		a.opts.Log.Info("collecting the files of the syslog daemon", "source", s.Name, "files", files)
	} else {
		a.opts.Log.Warn("there is no system log to collect: neither a journal nor a file of a syslog daemon", "source", s.Name, "waiting_for", files,
			"hint", "install rsyslog, or name the logs of this host in the logFiles of its data collection rule")
	}
	var inputs []ingest.Input
	for _, path := range files {
		inputs = append(inputs, ingest.Input{Path: path})
	}
	return ingest.NewFollower(to, kept, ingest.FollowerOptions{Inputs: inputs, Tail: a.tail()}).Run
}

func (a *agent) tail() ingest.TailOptions {
	return ingest.TailOptions{Host: a.host, Log: a.opts.Log}
}

// files returns what follows the log files of a source.
func (a *agent) files(s collection.FileSource) func(context.Context) error {
	format, err := ingest.NewFormat(ingest.FormatOptions{Name: "text", Table: "Lines_CL"})
	if err != nil {
		return func(context.Context) error { return err }
	}
	to := a.into(stream(s.Streams), nil)
	if strings.EqualFold(s.Format, "json") {
		to = a.intoJSON(stream(s.Streams))
	}
	var inputs []ingest.Input
	for _, p := range s.Patterns {
		inputs = append(inputs, ingest.Input{Path: filepath.Clean(p), Format: format})
	}
	return ingest.NewFollower(to, a.positions.offsets("files "+s.Name), ingest.FollowerOptions{Inputs: inputs, Tail: a.tail()}).Run
}

func stream(names []string) string {
	if len(names) == 0 {
		return "Microsoft-Syslog"
	}
	return names[0]
}

// into returns an Append that puts the rows that are wanted into the spool.
func (a *agent) into(stream string, wanted func(collection.Record) bool) ingest.Append {
	return func(_ context.Context, b picket.Batch) error { return a.put(stream, b.ID, records(b, wanted)) }
}

// intoJSON is into for lines of JSON: their properties are the record's. A line
// that is no object is a record of its text.
func (a *agent) intoJSON(stream string) ingest.Append {
	return func(_ context.Context, b picket.Batch) error {
		list := records(b, nil)
		for _, rec := range list {
			var text string
			var object collection.Record
			if json.Unmarshal(rec["RawData"], &text) == nil && json.Unmarshal([]byte(text), &object) == nil {
				for name, v := range object {
					rec[name] = v
				}
			}
		}
		return a.put(stream, b.ID, list)
	}
}

func (a *agent) put(stream, id string, list []collection.Record) error {
	if len(list) == 0 {
		return nil
	}
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return a.spool.put(batch{Stream: stream, ID: id, Rows: len(list), body: body})
}

// records makes the rows of a batch records, those that are wanted; nil wants all.
func records(b picket.Batch, wanted func(collection.Record) bool) []collection.Record {
	list := make([]collection.Record, 0, len(b.Rows))
	for _, row := range b.Rows {
		rec := make(collection.Record, len(row))
		for i, v := range row {
			if v == nil || v == "" {
				continue
			}
			text, err := json.Marshal(v)
			if err == nil {
				rec[b.Columns[i]] = text
			}
		}
		if wanted == nil || wanted(rec) {
			list = append(list, rec)
		}
	}
	return list
}

// wanted tells the rows of the facilities and levels that a source names.
func wanted(s collection.SyslogSource) func(collection.Record) bool {
	return func(rec collection.Record) bool {
		return names(s.Facilities, rec["Facility"]) && names(levels(s.Levels), rec["SeverityLevel"])
	}
}

// names reports whether a list names a JSON text; an empty one names all.
func names(list []string, raw json.RawMessage) bool {
	var text string
	_ = json.Unmarshal(raw, &text)
	return len(list) == 0 || slices.Contains(list, "*") || slices.ContainsFunc(list, func(n string) bool { return strings.EqualFold(n, text) })
}

// levels turns the names of levels in rules into those of the table (Microsoft
// page "Collect Syslog events with Azure Monitor Agent").
func levels(list []string) []string {
	out := slices.Clone(list)
	for i, n := range out {
		switch strings.ToLower(n) {
		case "error":
			out[i] = "err"
		case "critical":
			out[i] = "crit"
		case "emergency":
			out[i] = "emerg"
		}
	}
	return out
}
