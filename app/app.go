// Package app builds Picket from its parts and says in which order they start
// and stop.
package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"picket"
	"picket/analytics"
	"picket/collection"
	"picket/incident"
	"picket/ingest"
	"picket/library"
	"picket/playbook"
	"picket/reputation"
	"picket/state"
	"picket/workspace"
)

// The files of a data folder.
const (
	WorkspaceFile = "workspace.duckdb"
	StateFile     = "state.db"
)

// Options are what the caller of [New] brings beside the configuration.
type Options struct {
	Logger  *slog.Logger
	Version string
	// HoldRules keeps rules from running until StartRules is called.
	HoldRules bool
	// PlaybookEvent, when set, is told the progress of playbook runs.
	PlaybookEvent func(playbook.Event)
}

// App is a whole Picket.
type App struct {
	Workspace  *workspace.DB
	State      *state.DB
	Reputation *reputation.Service
	Incidents  *incident.Desk
	Rules      *analytics.Scheduler
	Library    *library.Library
	Playbooks  *playbook.Runner
	Intake     *collection.Intake

	cfg     Config
	opts    Options
	log     *slog.Logger
	metrics *prometheus.Registry // parts add theirs when they are made
	sources *Sources
	rules   []*analytics.Rule
	syslog  *ingest.Server // nil when off
	files   *ingest.Follower
	journal *ingest.Journal // nil when off
	beat    *ingest.Heartbeat
	market  []part // tells AWS Marketplace of usage, when that is set up
	http    *http.Server
	silent  silent // connections of http
	listen  net.Listener
	secure  net.Listener   // the same over TLS; nil when off
	closed  []func() error // in reverse order

	launched chan struct{} // closed when durable work can be started
}

// New opens the stores, loads the content and binds the listeners. Nothing runs
// before Run. What is wrong with one rule or playbook stops that one only.
func New(ctx context.Context, cfg Config, o Options) (_ *App, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &App{cfg: cfg, opts: o, log: o.Logger, metrics: newRegistry(o.Version), launched: make(chan struct{})}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := installContent(cfg.Data); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	if err := a.openStores(ctx); err != nil {
		return nil, err
	}
	if err := a.bind(); err != nil {
		return nil, err
	}
	if err := a.wire(ctx); err != nil {
		return nil, err
	}
	return a, nil
}

func (a *App) openStores(ctx context.Context) (err error) {
	data := func(name string) string { return filepath.Join(a.cfg.Data, name) }
	a.Workspace, err = workspace.Open(data(WorkspaceFile), workspace.Options{
		Retention: workspace.Retention{Days: a.cfg.Retention["default"], Tables: a.cfg.Retention},
		Metrics:   a.metrics,
		Logger:    a.component("workspace"), Memory: int64(a.cfg.Queries.Memory) << 20,
		Concurrency: workspace.Concurrency{Running: a.cfg.Queries.Running, PerCaller: a.cfg.Queries.PerCaller, Queue: a.cfg.Queries.Queue, PerPeriod: a.cfg.Queries.Per30s},
	})
	if err != nil {
		return err
	}
	a.closed = append(a.closed, a.Workspace.Close)
	a.State, err = state.Open(ctx, state.Options{Path: data(StateFile), Logger: a.log})
	if err != nil {
		return err
	}
	a.closed = append(a.closed, func() error { return a.State.Close(context.Background()) })
	return nil
}

// bind takes the addresses, so that a taken one is told before anything starts.
func (a *App) bind() (err error) {
	a.listen, err = net.Listen("tcp", a.cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen for HTTP: %w", err)
	}
	a.closed = append(a.closed, func() error { return ignoreClosed(a.listen.Close()) })
	addr, err := a.cfg.secureAddr()
	if err == nil && addr != "" {
		a.secure, err = net.Listen("tcp", addr)
	}
	if err != nil {
		return fmt.Errorf("listen for HTTPS (listen_tls: off does without): %w", err)
	}
	if a.secure != nil {
		a.closed = append(a.closed, func() error { return ignoreClosed(a.secure.Close()) })
	}
	return a.bindSyslog()
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (a *App) component(name string) *slog.Logger { return a.log.With("component", name) }

func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// wire builds every engine and joins them.
func (a *App) wire(ctx context.Context) error {
	sources, err := OpenSources(a.cfg, a.State, a.metrics, a.component("reputation"))
	if err != nil {
		return err
	}
	if err := sources.Engine.LoadOverrides(ctx); err != nil {
		return err
	}
	a.sources = sources
	if err := a.hosts().own(ctx); err != nil {
		return err
	}
	tokenKey, err := secretOf(a.cfg.Data, tokenKeyFile, "")
	if err != nil {
		return fmt.Errorf("key for tokens: %w", err)
	}
	a.Reputation = reputation.New(a.State, reputation.Options{Skip: sources.Skip, Changed: sources.Engine.Changed, TokenKey: tokenKey,
		PriceUSD: a.cfg.Prowl.PriceUSD, FreePerMonth: a.cfg.Prowl.FreePerMonth, Metrics: a.metrics, Logger: a.component("reputation")})

	if a.market, err = a.marketplace(ctx); err != nil {
		return err
	}
	a.Incidents = incident.New(a.State, incident.Options{
		Append: a.Workspace.Append,
		RunPlaybook: func(ctx context.Context, tx *sql.Tx, name, runID string, trigger json.RawMessage) error {
			return a.Playbooks.Enqueue(ctx, tx, playbook.Run{ID: runID, Playbook: name, Trigger: trigger})
		},
		Place:  incident.Place{WorkspaceID: a.Workspace.ID()},
		Logger: a.component("incident"),
	})
	a.Rules = analytics.New(a.Workspace, a.State, analytics.Options{
		Raise: a.Incidents.Raise, Delay: a.cfg.RuleDelay, Logger: a.component("analytics"),
	})
	if err := a.wirePlaybooks(ctx, sources.Skip); err != nil {
		return err
	}
	if err := a.wireLibrary(ctx); err != nil {
		return err
	}
	if err := a.wireLogs(ctx); err != nil {
		return err
	}
	if err := a.loadContent(ctx); err != nil {
		return err
	}
	if err := a.wireIntake(ctx); err != nil {
		return err
	}
	if err := a.wireServer(); err != nil {
		return err
	}
	a.beat = ingest.NewHeartbeat(a.Workspace.Append, ingest.HeartbeatOptions{Host: hostname(), Version: a.opts.Version, Log: a.component("heartbeat")})
	return nil
}

// wireIntake loads the data collection rules. Records of the workspace's own
// tables add no columns to them.
func (a *App) wireIntake(ctx context.Context) error {
	rules, tables, err := collection.Load(os.DirFS(a.cfg.Data), rulesOfCollection, a.Workspace)
	a.report("data collection rule", err)
	a.Intake, err = collection.New(ctx, a.Workspace, rules, tables, collection.Options{Fixed: workspace.Builtin})
	return err
}

// rulesOfCollection is the folder of the data collection rules.
const rulesOfCollection = "dcr"

// loadContent reads the data folder's rules, automation rules and playbooks.
func (a *App) loadContent(ctx context.Context) error {
	dir := os.DirFS(a.cfg.Data)
	playbooks, err := playbook.LoadDir(dir, "playbooks")
	a.report("playbook", err)
	a.Playbooks.Set(playbooks...)
	automation, err := incident.LoadDir(dir, "automation")
	a.report("automation rule", err)
	for _, r := range automation {
		a.remark("automation rule", r.Warnings)
	}
	a.Incidents.SetRules(automation)
	rules, err := analytics.LoadDir(dir, "rules", a.compiles(ctx))
	a.report("analytics rule", err)
	for _, r := range rules {
		a.remark("analytics rule", r.Warnings)
	}
	a.rules = rules
	a.log.Info("content loaded", "rules", len(rules), "automation", len(automation), "playbooks", len(playbooks))
	return nil
}

// report logs what is wrong with content files; the others are loaded.
func (a *App) report(kind string, err error) {
	if err == nil {
		return
	}
	list := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		list = joined.Unwrap()
	}
	for _, e := range list {
		var problems picket.Problems
		if !errors.As(e, &problems) {
			a.log.Error(kind+" not loaded", "err", e)
		}
		for _, p := range problems {
			a.log.Error(kind+" not loaded", "at", p.Place(), "problem", oneLine(p.Msg))
		}
	}
}

// remark logs what is odd in content files that are loaded all the same: mostly
// a misspelt name of something optional.
func (a *App) remark(kind string, warnings picket.Problems) {
	for _, p := range warnings {
		a.log.Warn(kind+" loaded, but", "at", p.Place(), "problem", oneLine(p.Msg))
	}
}

// oneLine is a message without the picture of the line it is about, which a
// log shows badly: what is wrong and the hint.
func oneLine(msg string) string {
	first, rest, _ := strings.Cut(msg, "\n")
	if _, hint, ok := strings.Cut(rest, "hint: "); ok {
		first += " (" + strings.TrimSpace(hint) + ")"
	}
	return first
}

// StartRules lets the rules run, when Options held them.
func (a *App) StartRules() { a.Rules.SetRules(a.rules) }

// Run runs everything until ctx ends or a part fails, and has stopped and
// closed everything when it returns. Call it once.
func (a *App) Run(ctx context.Context) error {
	if err := a.writeLocator(); err != nil {
		return errors.Join(err, a.close())
	}
	if !a.opts.HoldRules {
		a.StartRules()
	}
	sources := []part{{"files", a.files.Run}, {"heartbeat", a.beat.Run}}
	if a.journal != nil {
		sources = append(sources, part{"journal", a.journal.Run})
	}
	if a.syslog != nil {
		sources = append(sources, part{"syslog", a.syslog.Run})
	}
	books := append(a.market, part{"metering", a.Reputation.Run})
	err := runStages(ctx,
		append(books, []part{{"workspace", a.Workspace.Watch}, {"maintenance", a.Workspace.Maintain}, {"lookups", a.sources.Engine.Run}, {"sources", a.watchSources}, {"incidents", a.Incidents.Run}, {"history", a.prune}}...),
		[]part{{"http", a.serve}},
		[]part{{"durable work", a.work}},
		[]part{{"rules", a.runRules}},
		sources,
	)
	return errors.Join(err, a.close())
}

// work runs the durable work until ctx ends; what is not finished then goes on
// at the next start.
func (a *App) work(ctx context.Context) error {
	if err := a.State.Launch(); err != nil {
		return err
	}
	close(a.launched)
	<-ctx.Done()
	return a.State.StopWork(context.WithoutCancel(ctx))
}

// runRules runs the rules once there is durable work for their slots.
func (a *App) runRules(ctx context.Context) error {
	select {
	case <-a.launched:
		return a.Rules.Run(ctx)
	case <-ctx.Done():
		return nil
	}
}

func (a *App) close() error {
	var errs []error
	for i := len(a.closed) - 1; i >= 0; i-- {
		errs = append(errs, a.closed[i]())
	}
	a.closed = nil
	return errors.Join(errs...)
}
