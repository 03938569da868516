package playbook

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"picket"
	"picket/state"
)

// Names under which durable work is stored: they must not change.
const (
	queueName         = "playbook"
	runWorkflow       = "playbook.run"
	iterationWorkflow = "playbook.iteration"
)

const (
	// concurrentRuns is how many runs may be under way; others wait.
	concurrentRuns = 8
	// queuePolling is the longest an enqueued run waits when nothing else does.
	queuePolling = 100 * time.Millisecond
	// maxRecoveries is how often a run that was under way at a crash is taken up again.
	maxRecoveries = 1000
	// waitPolling is how often Wait looks.
	waitPolling = 50 * time.Millisecond
)

// Options configure [New].
type Options struct {
	Logger *slog.Logger // nil discards

	// HTTP sends the requests of Http actions; nil is a transport with
	// connection limits.
	HTTP http.RoundTripper

	// Parameters returns the values of a playbook's parameters by name. Values
	// are as encoding/json gives them, or a [picket.Secret], which stays out of
	// history, errors and logs whatever the parameter's type. It is asked at
	// the start of a run and when a run is taken up after a crash.
	Parameters func(playbook string) map[string]any

	Incidents Incidents // nil: actions on incidents fail

	// SkipReason says why an address must not be looked up for a run, or "". After a
	// crash it may be asked again.
	SkipReason func(By, netip.Addr) string

	// Token returns a bearer token for requests that authenticate with the
	// managed identity; nil sends them without.
	Token func(ctx context.Context, audience string) (picket.Secret, error)

	// Event is told what became of every run and action, as it happens. It must
	// not block. After a crash it may hear of a thing again.
	Event func(Event)

	Now func() time.Time // nil is time.Now
}

// Event is a step of a run's progress.
type Event struct {
	Run, Playbook string
	Action        string // path of the action; "" is the run itself
	Iteration     string // of the loops around it: "", "3", "3.0"
	Type          string // of the action
	Status        Status
	Code          string
	Message       string // why it failed; no secret in it
	Time          time.Time
}

// Run is a request to run a playbook.
type Run struct {
	// ID identifies the run; enqueueing the same ID again does nothing.
	ID       string
	Playbook string // its name
	// Trigger is the body of the trigger: for an incident, what Microsoft
	// Sentinel's incident trigger delivers.
	Trigger []byte
}

// Runner runs playbooks. Make it with New before the state database is launched.
type Runner struct {
	db    *state.DB
	o     Options
	log   *slog.Logger
	http  *http.Client
	loops loops

	mu        sync.RWMutex
	playbooks map[string]*Playbook // by lower-case name
	loaded    map[string]*Playbook // by hash: what runs under way use
}

// New registers the durable work of playbooks on db, which must not be launched yet.
func New(db *state.DB, o Options) (*Runner, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.HTTP == nil {
		o.HTTP = &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: maxRepetitions, IdleConnTimeout: time.Minute,
			TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 1 << 20}
	}
	r := &Runner{db: db, o: o, log: o.Logger, http: &http.Client{Transport: o.HTTP, CheckRedirect: sameOrigin},
		loops: loops{active: map[string]*activeLoop{}, opened: make(chan struct{})}, playbooks: map[string]*Playbook{}, loaded: map[string]*Playbook{}}
	dbos.RegisterWorkflow(db.Work(), r.run, dbos.WithWorkflowName(runWorkflow), dbos.WithMaxRecoveryAttempts(maxRecoveries))
	dbos.RegisterWorkflow(db.Work(), r.iteration, dbos.WithWorkflowName(iterationWorkflow), dbos.WithMaxRecoveryAttempts(maxRecoveries))
	_, err := dbos.RegisterQueue(db.Work(), queueName, dbos.WithWorkerConcurrency(concurrentRuns), dbos.WithQueueBasePollingInterval(queuePolling),
		dbos.WithQueueOnConflict(dbos.QueueConflictAlwaysUpdate))
	if err != nil {
		return nil, fmt.Errorf("register the queue of playbook runs: %w", err)
	}
	return r, nil
}

// Set replaces the playbooks there are. Runs under way keep theirs.
func (r *Runner) Set(playbooks ...*Playbook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.playbooks = map[string]*Playbook{}
	for _, p := range playbooks {
		r.playbooks[strings.ToLower(p.Name)] = p
	}
}

// Add adds a playbook, or replaces the one of the same name.
func (r *Runner) Add(p *Playbook) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.playbooks[strings.ToLower(p.Name)] = p
}

// Playbook returns the playbook of a name.
func (r *Runner) Playbook(name string) (*Playbook, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	p, ok := r.playbooks[strings.ToLower(name)]
	return p, ok
}

// Enqueue starts a run within tx: it happens if, and only if, tx is committed.
// The error has code not_found when there is no such playbook, and invalid
// when the trigger body is not a JSON object.
func (r *Runner) Enqueue(ctx context.Context, tx *sql.Tx, run Run) error {
	p, ok := r.Playbook(run.Playbook)
	if !ok {
		return picket.Errorf(picket.NotFound, "there is no playbook named '%s'", run.Playbook)
	}
	if run.ID == "" || strings.Contains(run.ID, "/") {
		return picket.Errorf(picket.Invalid, "the ID of a playbook run must not be empty or contain '/': %q", run.ID)
	}
	body, err := decodeJSON(run.Trigger)
	if err != nil || kindOf(body) != kObject {
		return picket.Errorf(picket.Invalid, "the trigger body of playbook '%s' is not a JSON object", run.Playbook)
	}
	added, err := state.AddPlaybookRun(ctx, tx, state.PlaybookRun{ID: run.ID, Playbook: p.Name, Definition: p.hash, Incident: text(path(body, "object", "name")),
		Body: string(run.Trigger), Nonce: rand.Text(), Status: string(Waiting), Created: r.o.Now()}, p.file, p.source)
	if err != nil || !added {
		return err
	}
	_, err = dbos.Enqueue[string](r.db.Work(), queueName, runWorkflow, run.ID, dbos.WithEnqueueTransaction(tx), dbos.WithEnqueueWorkflowID(run.ID))
	if err != nil {
		return fmt.Errorf("enqueue playbook run %s: %w", run.ID, err)
	}
	return nil
}

// Wait returns the run once it has ended, in this process or another.
func (r *Runner) Wait(ctx context.Context, id string) (state.PlaybookRun, error) {
	t := time.NewTicker(waitPolling)
	defer t.Stop()
	for {
		run, err := r.db.PlaybookRun(ctx, id)
		if err != nil || !run.Ended.IsZero() {
			return run, err
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return run, ctx.Err()
		}
	}
}

// over reports whether a run has ended or is gone.
func (r *Runner) over(ctx context.Context, id string) bool {
	run, err := r.db.PlaybookRun(ctx, id)
	return picket.CodeOf(err) == picket.NotFound || err == nil && !run.Ended.IsZero()
}

func (r *Runner) tell(e Event) {
	if r.o.Event != nil {
		r.o.Event(e)
	}
}

// run is the workflow of one run.
func (r *Runner) run(ctx dbos.Context, id string) (string, error) {
	row, err := r.db.PlaybookRun(ctx, id)
	if err != nil {
		return "", err
	}
	if err := r.db.StartPlaybookRun(ctx, id, r.o.Now()); err != nil {
		return "", err
	}
	r.tell(Event{Run: id, Playbook: row.Playbook, Status: Running, Time: r.o.Now()})
	var end *outcome
	x, err := r.prepare(ctx, row)
	if err != nil {
		end = fail("InvalidTemplate", err.Error())
	} else {
		f := &frame{execution: x, ctx: ctx, workflowID: id, outcomes: map[*action]*outcome{}, looped: map[*action][]any{}, vars: &variables{values: map[string]any{}}}
		if err := f.block(x.playbook.root); err != nil {
			if ctx.Err() != nil {
				return "", err // stopped: the run goes on at the next start
			}
			r.log.ErrorContext(ctx, "a playbook run broke off", "run", id, "playbook", row.Playbook, "error", x.mask.hide(err.Error()))
			end = fail("InternalError", x.mask.hide(err.Error()))
		} else if f.ended != nil {
			end = &outcome{Status: Status(text(path(f.ended.Outputs, "runStatus"))), Code: quoteOr(text(path(f.ended.Outputs, "code")), "Terminated"), Message: text(path(f.ended.Outputs, "message"))}
		} else {
			end = f.sum(x.playbook.root)
		}
		end.Message = x.mask.hide(end.Message)
	}
	if err := r.db.EndPlaybookRun(ctx, id, string(end.Status), end.Code, end.Message, r.o.Now()); err != nil {
		return "", err
	}
	r.tell(Event{Run: id, Playbook: row.Playbook, Status: end.Status, Code: end.Code, Message: end.Message, Time: r.o.Now()})
	return string(end.Status), nil
}

// prepare readies a run: its definition, parameters and trigger.
func (r *Runner) prepare(ctx context.Context, row state.PlaybookRun) (*execution, error) {
	p, err := r.load(ctx, row.Definition)
	if err != nil {
		return nil, err
	}
	x := &execution{runner: r, id: row.ID, playbook: p, mask: newMask(row.Nonce)}
	var given map[string]any
	if r.o.Parameters != nil {
		given = r.o.Parameters(p.Name)
	}
	if x.params, err = p.bind(given, x.mask); err != nil {
		return nil, err
	}
	body, err := decodeJSON([]byte(row.Body))
	if err != nil {
		return nil, fmt.Errorf("read the trigger body: %w", err)
	}
	at := formatTime(row.Created, "o")
	x.trigger = map[string]any{"name": p.trigger, "status": string(Succeeded), "code": "OK", "startTime": at, "endTime": at, "outputs": map[string]any{"body": body}}
	x.workflow = map[string]any{"id": p.Name, "name": p.Name, "type": "Microsoft.Logic/workflows", "location": "", "tags": map[string]any{},
		"run": map[string]any{"id": row.ID, "name": row.ID, "type": "Microsoft.Logic/workflows/runs"}}
	return x, nil
}

// load returns the definition of a hash.
func (r *Runner) load(ctx context.Context, hash string) (*Playbook, error) {
	r.mu.RLock()
	p := r.loaded[hash]
	r.mu.RUnlock()
	if p != nil {
		return p, nil
	}
	file, source, err := r.db.PlaybookDefinition(ctx, hash)
	if err != nil {
		return nil, err
	}
	if p, err = Load(file, source); err != nil {
		return nil, fmt.Errorf("the definition this run began with is not supported any more: %w", err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.loaded[hash] = p
	return p, nil
}

// Prune forgets the runs that ended before a time, with their history and
// durable steps, and returns how many it were. A run's ID may then be used again.
func (r *Runner) Prune(ctx context.Context, before time.Time) (int, error) {
	ids, err := r.db.PrunePlaybookRuns(ctx, before)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	if err := dbos.DeleteWorkflows(r.db.Work(), ids, dbos.WithDeleteChildren()); err != nil {
		return len(ids), fmt.Errorf("delete the steps of %d playbook runs: %w", len(ids), err)
	}
	return len(ids), nil
}
