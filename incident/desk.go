// Package incident keeps cases for analysts: it groups alerts into incidents,
// takes comments and changes, starts what automation rules ask for, and tells
// every change to the workspace as a row of SecurityIncident. It does not know
// how a playbook runs.
package incident

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"sort"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"picket"
	"picket/state"
)

// Limits of Microsoft Sentinel ("Service limits for Microsoft Sentinel").
const (
	maxAlerts       = 150
	maxComments     = 100
	maxCommentChars = 30_000
	maxTitle        = 5_000
)

// cutMark ends a comment that was too long.
const cutMark = " … (cut: too long)"

// incidentSpace is the namespace of the IDs made here (UUID version 5, RFC 9562 §5.5).
var incidentSpace = uuid.MustParse("a4f3a1d1-7a1e-4b0b-9d7f-1b1f3f3a2c55")

func newID(parts ...string) string {
	return uuid.NewSHA1(incidentSpace, []byte(strings.Join(parts, "\x00"))).String()
}

// Options configure [New].
type Options struct {
	// Append appends rows to the workspace. Batches have IDs: one that was
	// appended before must change nothing.
	Append func(ctx context.Context, b picket.Batch) error

	// RunPlaybook has a playbook run within the transaction of the change that
	// asks for it: the run begins when and only if the transaction commits.
	// runID names the run; a second request with it is the same run. An error
	// of code picket.NotFound says there is no such playbook; any other undoes
	// the change. ctx may be that of a durable step, in which DBOS enqueues
	// nothing in a transaction: enqueue through the state's Work().
	RunPlaybook func(ctx context.Context, tx *sql.Tx, playbook, runID string, trigger json.RawMessage) error

	Place  Place
	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil discards
}

// Place is where incidents are, in Azure's terms: it makes up the resource IDs
// that playbooks see. Empty fields get stand-ins.
type Place struct {
	SubscriptionID string // GUID
	ResourceGroup  string
	Workspace      string // name
	WorkspaceID    string // GUID
	URL            string // of the console, without a slash at its end; empty leaves links empty
}

// Desk is where incidents are kept.
type Desk struct {
	st    *state.DB
	o     Options
	place Place
	now   func() time.Time
	log   *slog.Logger
	rules atomic.Pointer[[]*Rule]
	nudge chan struct{} // there may be something to publish
}

// New returns a desk without automation rules.
func New(st *state.DB, o Options) *Desk {
	d := &Desk{st: st, o: o, place: o.Place, now: o.Now, log: o.Logger, nudge: make(chan struct{}, 1)}
	if d.now == nil {
		d.now = time.Now
	}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}
	for _, f := range []struct{ field, or *string }{
		{&d.place.SubscriptionID, ptr("00000000-0000-0000-0000-000000000000")}, {&d.place.ResourceGroup, ptr("picket")},
		{&d.place.Workspace, ptr("picket")}, {&d.place.WorkspaceID, ptr("00000000-0000-0000-0000-000000000000")},
	} {
		if *f.field == "" {
			*f.field = *f.or
		}
	}
	d.SetRules(nil)
	return d
}

func ptr[T any](v T) *T { return &v }

// SetRules replaces all automation rules.
func (d *Desk) SetRules(rules []*Rule) {
	sorted := append([]*Rule{}, rules...)
	sort.SliceStable(sorted, func(i, j int) bool { return sorted[i].Order < sorted[j].Order })
	d.rules.Store(&sorted)
}

// Get returns an incident; an error of code [picket.NotFound] when there is none of that ID.
func (d *Desk) Get(ctx context.Context, id string) (picket.Incident, error) {
	return d.st.Incident(ctx, id)
}

// ByNumber returns the incident of a number; an error of code [picket.NotFound] when there is none.
func (d *Desk) ByNumber(ctx context.Context, number int64) (picket.Incident, error) {
	id, err := d.st.IncidentID(ctx, number)
	if err != nil {
		return picket.Incident{}, err
	}
	return d.st.Incident(ctx, id)
}

// List returns incidents, newest first.
func (d *Desk) List(ctx context.Context, f state.IncidentFilter) ([]picket.Incident, error) {
	return d.st.Incidents(ctx, f)
}
