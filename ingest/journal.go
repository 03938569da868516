package ingest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"picket"
)

// JournalOptions configures a [Journal]. Zero values mean the defaults.
type JournalOptions struct {
	// Units are the systemd units whose entries are read, by name or pattern;
	// default all. Matches are FIELD=VALUE, as journalctl(1) has them: entries
	// must match both the units and the matches.
	Units, Matches []string

	// Directory holds the journal files, if they are not those of this host.
	Directory string

	// Since is where to begin at the first run, as journalctl's --since takes it;
	// default is with the oldest entry there is.
	Since string

	Host     string // this host's name: CollectorHostName, and HostName of entries without one
	Command  string // default journalctl
	MaxLine  int    // bytes of a message; longer ones are cut; default 64 KiB
	MaxRows  int    // of a batch; default 1,000
	MaxBytes int    // of messages in a batch; default 1 MiB

	MaxDelay time.Duration    // how long the first row of a batch may wait; default 1 s
	Now      func() time.Time // default time.Now
	Log      *slog.Logger     // default: none

	Metrics prometheus.Registerer // nil: nobody reads them
}

// A Journal follows the systemd journal through journalctl(1) and appends its
// entries to the Syslog table, each exactly once over restarts and crashes, of
// journalctl's, too. The position is kept as [Tail] keeps it: before a batch is
// appended its first and last entry are saved, and the batch has an ID made of
// them. TimeGenerated is the time of receipt, EventTime the entry's own.
type Journal struct {
	append  Append
	offsets Offsets
	opts    JournalOptions
	key     string
	origin  origin
	at      journalPosition
	loaded  bool // at is what was kept, or what came after

	received, committed, odd, truncated atomic.Uint64
}

// A journalPosition is what is kept of a journal.
type journalPosition struct {
	After string `json:"after,omitempty"` // cursor of the last entry that is committed; "" for none
	End   string `json:"end,omitempty"`   // cursor of the last entry that may be committed
	Count int    `json:"count,omitempty"` // of entries from After to End
}

// batchID names the batch of the intent. Cursors are unique in the world
// (systemd's "Journal File Format").
func (p *journalPosition) batchID() string {
	return fmt.Sprintf("journal:%s:%s:%d", p.After, p.End, p.Count)
}

// NewJournal returns a Journal that keeps its position in offsets. The error
// says which of the units or matches is none.
func NewJournal(append Append, offsets Offsets, opts JournalOptions) (*Journal, error) {
	for _, u := range opts.Units {
		if !unitName.MatchString(u) {
			return nil, fmt.Errorf("%q is no unit; want for example sshd.service or nginx*", u)
		}
	}
	for _, m := range opts.Matches {
		if !fieldMatch.MatchString(m) {
			return nil, fmt.Errorf("%q is no match; want FIELD=VALUE, for example _TRANSPORT=kernel", m)
		}
	}
	opts.Command = cmp.Or(opts.Command, "journalctl")
	opts.MaxLine = cmp.Or(max(0, opts.MaxLine), defaultMaxMessage)
	opts.MaxRows = cmp.Or(max(0, opts.MaxRows), 1000)
	opts.MaxBytes = cmp.Or(max(0, opts.MaxBytes), 1<<20)
	opts.MaxDelay = cmp.Or(max(0, opts.MaxDelay), time.Second)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	opts.Log = orDiscard(opts.Log)
	j := &Journal{
		append: append, offsets: offsets, opts: opts, key: "journal:" + opts.Directory,
		origin: origin{collector: opts.Host, host: opts.Host, address: "", facility: Daemon, severity: Info},
	}
	statsMetrics(opts.Metrics, "journal", "entries", j.Stats)
	return j, nil
}

var (
	unitName   = regexp.MustCompile(`^[A-Za-z0-9_*?\[:][A-Za-z0-9_.:@\\*?\[\]!-]{0,254}$`)
	fieldMatch = regexp.MustCompile(`^[A-Z0-9_]{1,64}=`)
)

// Stats returns the counters so far. After a crash the entries of one batch may
// be counted though they were committed before it.
func (j *Journal) Stats() Stats {
	return Stats{Received: j.received.Load(), Committed: j.committed.Load(), Odd: j.odd.Load(), Truncated: j.truncated.Load()}
}

// How long to wait after trouble: at first, and at the most.
const (
	journalFirst = time.Second
	journalMost  = time.Minute
)

// Run follows the journal until ctx ends, and returns nil then. Trouble is
// logged, and it goes on where it stood: when journalctl ends or cannot be run,
// when the workspace refuses rows.
func (j *Journal) Run(ctx context.Context) error {
	for pause := journalFirst; ; pause = min(2*pause, journalMost) {
		began := time.Now()
		err := j.follow(ctx)
		if ctx.Err() != nil {
			return nil // what was under way is repeated by the next run
		}
		if time.Since(began) > journalMost {
			pause = journalFirst // it went well for a while
		}
		j.opts.Log.Error("the journal is not followed for now", "err", err, "again_in", pause)
		if wait(ctx, pause) != nil {
			return nil
		}
	}
}

// load takes over the position of the last run, once.
func (j *Journal) load(ctx context.Context) error {
	if j.offsets.Load == nil || j.loaded {
		return nil
	}
	var value []byte
	err := retry(ctx, j.opts.Log, "load the position in the journal", func() (err error) {
		value, err = j.offsets.Load(ctx, j.key)
		return err
	})
	if err == nil && value != nil {
		if err = json.Unmarshal(value, &j.at); err == nil && (j.at.Count < 0 || (j.at.Count > 0) != (j.at.End != "")) {
			err = errors.New("its fields make no sense")
		}
		if err != nil {
			err = fmt.Errorf("the saved value %q is no position; delete it to read the journal from its beginning: %w", value, err)
		}
	}
	if err != nil {
		j.at = journalPosition{}
		return fmt.Errorf("load the position in the journal: %w", err)
	}
	j.loaded = true
	return nil
}

func (j *Journal) save(ctx context.Context) error {
	if j.offsets.Save == nil {
		return nil
	}
	value, err := json.Marshal(j.at)
	if err == nil {
		err = retry(ctx, j.opts.Log, "save the position in the journal", func() error { return j.offsets.Save(ctx, j.key, value) })
	}
	if err != nil {
		return fmt.Errorf("save the position in the journal: %w", err)
	}
	return nil
}

// arguments are journalctl's. Of each entry only the fields that rows are made
// of are asked for: a core dump is a field, too.
func (j *Journal) arguments(more ...string) []string {
	args := append(more, "--all", "--quiet", "--no-pager", "--output=json", "--output-fields="+strings.Join(journalFields, ","))
	if j.opts.Directory != "" {
		args = append(args, "--directory="+j.opts.Directory)
	}
	for _, u := range j.opts.Units {
		args = append(args, "--unit="+u)
	}
	switch {
	case j.at.After != "":
		args = append(args, "--after-cursor="+j.at.After)
	case j.opts.Since != "":
		args = append(args, "--since="+j.opts.Since)
	}
	return append(args, j.opts.Matches...)
}

// follow runs journalctl once and appends what it prints.
func (j *Journal) follow(ctx context.Context) error {
	if err := j.load(ctx); err != nil {
		return err
	}
	if err := j.repeat(ctx); err != nil {
		return err
	}
	r := j.start(ctx, "--follow", "--no-tail")
	defer r.stop()
	for {
		batch, open := j.gather(ctx, r.entries)
		if err := j.commit(ctx, batch); err != nil {
			return err
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case !open:
			return cmp.Or(r.failure, errors.New("journalctl ended by itself"))
		}
	}
}

// gather takes the entries of the next batch. open is false when there are no more.
func (j *Journal) gather(ctx context.Context, entries <-chan *journalEntry) (batch []*journalEntry, open bool) {
	var due <-chan time.Time
	size := 0
	for len(batch) < j.opts.MaxRows && size < j.opts.MaxBytes {
		select {
		case e, ok := <-entries:
			if !ok {
				return batch, false
			}
			if due == nil {
				timer := time.NewTimer(j.opts.MaxDelay)
				defer timer.Stop()
				due = timer.C
			}
			batch = append(batch, e)
			size += e.size
		case <-due:
			return batch, true
		case <-ctx.Done():
			return nil, false
		}
	}
	return batch, true
}

// repeat carries out the intent that the last run may not have finished.
func (j *Journal) repeat(ctx context.Context) error {
	if j.at.End == "" {
		return nil
	}
	r := j.start(ctx)
	defer r.stop()
	var batch []*journalEntry
	for len(batch) < j.at.Count {
		e, ok := <-r.entries
		if !ok {
			if err := cmp.Or(ctx.Err(), r.failure); err != nil {
				return err
			}
			break
		}
		batch = append(batch, e)
	}
	if len(batch) == j.at.Count && batch[len(batch)-1].cursor == j.at.End {
		return j.write(ctx, batch)
	}
	j.opts.Log.Warn("the journal has other entries than when it was last read, or others are asked for: some may be in the table twice",
		"after", j.at.After, "until", j.at.End)
	j.at.End, j.at.Count = "", 0
	return j.commit(ctx, batch)
}

// commit saves the intent to append a batch, and appends it.
func (j *Journal) commit(ctx context.Context, batch []*journalEntry) error {
	if len(batch) == 0 {
		return nil
	}
	j.at.End, j.at.Count = batch[len(batch)-1].cursor, len(batch)
	if err := j.save(ctx); err != nil {
		j.at.End, j.at.Count = "", 0 // nothing may be appended of it
		return err
	}
	return j.write(ctx, batch)
}

// write appends the rows of the batch that is the intent.
func (j *Journal) write(ctx context.Context, batch []*journalEntry) error {
	b := picket.Batch{Table: syslogTable, ID: j.at.batchID(), Columns: syslogColumns}
	now := j.opts.Now()
	for _, e := range batch {
		b.Rows = append(b.Rows, j.origin.row(&e.message, now))
		if e.message.Odd {
			j.odd.Add(1)
		}
		if e.cut {
			j.truncated.Add(1)
		}
	}
	j.received.Add(uint64(len(batch)))
	if err := retry(ctx, j.opts.Log, "append to Syslog", func() error { return j.append(ctx, b) }); err != nil {
		return fmt.Errorf("append entries of the journal: %w", err)
	}
	j.committed.Add(uint64(len(batch)))
	j.at = journalPosition{After: j.at.End}
	return nil
}
