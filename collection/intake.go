package collection

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"picket"
	"picket/kql"
)

// Workspace is where rows go, and what transforms them.
type Workspace interface {
	Schema
	CreateTable(ctx context.Context, t kql.Table) error
	Append(ctx context.Context, b picket.Batch) error
	Transform(ctx context.Context, src string, columns []kql.Column, rows [][]any) ([]kql.Column, [][]any, error)
}

// Options configure an [Intake].
type Options struct {
	// Fixed tells the tables whose columns are given: records add none.
	Fixed func(table string) bool
	Now   func() time.Time // nil means time.Now
}

// An Intake takes the records that are posted to the workspace.
type Intake struct {
	ws    Workspace
	opts  Options
	rules map[string]*Rule // by immutable id; without the built-in one
	list  []*Rule
	loads loads

	growing sync.Mutex // adds columns one call after the other
}

// New returns an Intake of the rules, after the tables they need were made.
func New(ctx context.Context, ws Workspace, rules []*Rule, tables []kql.Table, o Options) (*Intake, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	in := &Intake{ws: ws, opts: o, rules: map[string]*Rule{}, list: rules, loads: loads{now: o.Now}}
	for _, t := range tables {
		if err := ws.CreateTable(ctx, t); err != nil {
			return nil, fmt.Errorf("data collection rules: %w", err)
		}
	}
	for _, r := range rules {
		in.rules[r.ID] = r
	}
	return in, nil
}

// Rules returns the rules, without the built-in one.
func (in *Intake) Rules() []*Rule { return in.list }

// Rule returns the rule of that name, and whether there is one.
func (in *Intake) Rule(name string) (*Rule, bool) {
	for _, r := range in.list {
		if r.Name == name {
			return r, true
		}
	}
	return nil, false
}

// FromHost takes the records of a stream from an enrolled host, whose rule has
// that name; "" is the built-in one, which takes the system's log only. A batch
// with an ID that was taken before writes nothing.
func (in *Intake) FromHost(ctx context.Context, rule, stream string, c Call) error {
	id := BuiltinID(in.ws.ID())
	if rule == "" && strings.HasPrefix(stream, "Custom-") {
		return &StreamError{stream, "Microsoft-Syslog: this host enrolled without a data collection rule"}
	}
	if r, ok := in.Rule(rule); ok && stream != HeartbeatStream {
		id = r.ID
	} else if rule != "" && !ok {
		return picket.Errorf(picket.NotFound, "the data collection rule %s, which this host enrolled with, is not loaded", rule)
	}
	return in.Upload(ctx, id, stream, c)
}

// HeartbeatStream is the stream of what hosts say of themselves.
const HeartbeatStream = "Microsoft-Heartbeat"

// A StreamError says that a rule has not the stream it was sent.
type StreamError struct{ Stream, Want string }

// Error says what the rule takes.
func (e *StreamError) Error() string {
	return fmt.Sprintf("Stream '%s' is not one of the rule's streams: want %s", e.Stream, e.Want)
}

// A Record is one object of a call: its properties by name.
type Record = map[string]json.RawMessage

// A Call is the records of one call.
type Call struct {
	Records []Record
	Size    int // of the body, in bytes
	// ID, when set, makes the call one that is repeated without effect: that of the
	// request, and the body's hash.
	ID string
}

// CallID is the id of a call that its sender may repeat: one of the same request
// id and body is the same call.
func CallID(requestID string, body []byte) string {
	if requestID == "" {
		return ""
	}
	sum := sha256.Sum256(body)
	return requestID + ":" + hex.EncodeToString(sum[:8])
}

// Upload takes the records of a stream of a rule. When it returns nil their rows
// are committed. An error that is a [StreamError], or a picket.Error of code
// invalid or not found, is the sender's fault; one of code busy tells a limit.
func (in *Intake) Upload(ctx context.Context, ruleID, stream string, c Call) error {
	builtin := ruleID == BuiltinID(in.ws.ID())
	rule := in.rules[ruleID]
	if rule == nil && !builtin {
		return picket.Errorf(picket.NotFound, "Data collection rule with immutable Id '%s' not found.", ruleID)
	}
	if err := in.loads.add(ruleID, c.Size); err != nil {
		return err
	}
	if c.ID != "" {
		c.ID = "dcr:" + c.ID
	}
	if builtin {
		return in.uploadBuiltin(ctx, stream, c)
	}
	s := rule.Streams[stream]
	if s == nil {
		return &StreamError{stream, "one that is declared in " + rule.File}
	}
	rows := rowsOf(s.Columns, c.Records)
	for n, f := range s.Flows {
		if err := in.flow(ctx, s, f, rows, c.ID, n); err != nil {
			return err
		}
	}
	return nil
}

// flow transforms the rows of a stream and appends them.
func (in *Intake) flow(ctx context.Context, s *Stream, f Flow, rows [][]any, id string, n int) (err error) {
	columns := s.Columns
	if f.Transform != "" {
		if columns, rows, err = in.ws.Transform(ctx, f.Transform, columns, rows); err != nil {
			return err
		}
	}
	if id != "" {
		id = fmt.Sprintf("%s:%s:%d", id, s.Name, n)
	}
	return in.ws.Append(ctx, batchOf(f.Table, id, columns, rows, in.opts.Now()))
}

// rowsOf makes rows of records. Properties that are not declared are dropped, as
// the Logs Ingestion API does; a value that its column cannot hold is left out.
func rowsOf(columns []kql.Column, records []Record) [][]any {
	rows := make([][]any, len(records))
	for i, rec := range records {
		row := make([]any, len(columns))
		for j, c := range columns {
			if v, ok := valueOf(rec[c.Name], c.Type); ok {
				row[j] = v
			}
		}
		rows[i] = row
	}
	return rows
}

// batchOf is a batch of rows; now is the time of those without one.
func batchOf(table, id string, columns []kql.Column, rows [][]any, now time.Time) picket.Batch {
	b := picket.Batch{Table: table, ID: id}
	keep := make([]int, 0, len(columns))
	at := -1
	for i, c := range columns {
		if reserved(c.Name) {
			continue
		}
		if c.Name == "TimeGenerated" {
			at = len(keep)
		}
		keep, b.Columns = append(keep, i), append(b.Columns, c.Name)
	}
	for _, row := range rows {
		out := make([]any, len(keep))
		for j, i := range keep {
			out[j] = row[i]
		}
		if at >= 0 && out[at] == nil {
			out[at] = now
		}
		b.Rows = append(b.Rows, out)
	}
	return b
}

// uploadBuiltin takes the records of the built-in rule, which has a stream for
// every table that takes records. The first records of a _CL table make it, and
// later ones add the columns it lacks; tables with Azure's names have the columns
// that are built in or that a rule has given them.
func (in *Intake) uploadBuiltin(ctx context.Context, stream string, c Call) error {
	name, ok := Table(stream)
	t, exists := in.ws.Table(name)
	custom := customTable.MatchString(name)
	switch {
	case !ok || !exists && !custom:
		return &StreamError{stream, "Custom- and the name of a table that ends in _CL, Microsoft-Syslog, Microsoft-CommonSecurityLog, or Microsoft- and a table that a rule has made"}
	case exists && (!custom || in.opts.Fixed(name)):
		columns := ownColumns(t.Columns)
		return in.ws.Append(ctx, batchOf(name, c.ID, columns, rowsOf(columns, c.Records), in.opts.Now()))
	}
	return in.grow(ctx, name, c)
}

// grow appends records to a table that gets the columns they need.
func (in *Intake) grow(ctx context.Context, name string, c Call) error {
	b, err := in.shape(ctx, name, c.Records, nil)
	if err != nil {
		return err
	}
	b.ID = c.ID
	return in.ws.Append(ctx, b)
}

// shape makes records rows of a table and the table such that it holds them. p is
// the post they come from, or nil.
func (in *Intake) shape(ctx context.Context, name string, records []Record, p *Post) (picket.Batch, error) {
	// One call after the other: two that add a column of the same name would
	// differ on its type.
	in.growing.Lock()
	defer in.growing.Unlock()
	t, exists := in.ws.Table(name)
	if !exists {
		t = newTable(name)
	}
	now := in.opts.Now()
	s := newShape(t, p != nil, records)
	err := s.place()
	if err == nil && p != nil {
		err = s.stamp(p, now)
	}
	if err != nil {
		return picket.Batch{}, err
	}
	if s.grown || !exists {
		if err := in.ws.CreateTable(ctx, *s.table); err != nil {
			return picket.Batch{}, err
		}
	}
	return s.batch(now), nil
}
