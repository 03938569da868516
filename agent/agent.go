// Package agent is what runs on a host that has enrolled: it collects the logs
// that the host's data collection rule names, keeps them on disk until the server
// has them, and sends a heartbeat a minute.
//
// Each line reaches the server's tables exactly once. What is read has a place in
// its file or journal ([ingest.Tail], [ingest.Journal]), and goes on to the
// spool under a name made of that place; the server takes a name once.
package agent

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"time"

	"picket"
	"picket/collection"
	"picket/ingest"
)

// Options configure [Run]. Server is required, Token until the host has enrolled.
type Options struct {
	Server string        // URL of the server's HTTP APIs
	Token  picket.Secret // key of the scope enrol
	Rule   string        // name of the data collection rule to enrol with; "" is the built-in one
	CA     string        // file with the certificate of the server's authority; "" is the system's
	Dir    string        // for the identity, the positions and the spool

	Host    string // name to enrol with; default the host's own
	Version string

	// SpoolBytes bounds what is kept while the server is away; default 1 GiB. When
	// it is full the oldest batches make room for new ones.
	SpoolBytes int64

	LogDir string // where a syslog daemon's files are; default /var/log

	Poll time.Duration // how often the rule is asked for; default 1 min
	Log  *slog.Logger  // default: none

	systemd    string // there where systemd runs (sd_booted(3))
	journalctl string // its program
}

// ErrRevoked says that the server no longer knows the host's key.
var ErrRevoked = errors.New("the server has revoked this host; to enrol it again, start the agent with a new token and --re-enrol")

// An identity is what the host has from its enrolment. It is in identity.json of
// the folder, mode 0600.
type identity struct {
	Server   string `json:"server"`
	ID       string `json:"id"`
	Computer string `json:"computer"`
	Key      string `json:"key"`
}

const identityFile = "identity.json"

// Forget removes the host's identity, so that it can enrol again. Positions and
// what is not sent stay.
func Forget(dir string) error {
	err := os.Remove(filepath.Join(dir, identityFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// Run enrols the host, the first time, and then collects and sends until ctx
// ends; it returns nil then. The error is [ErrRevoked], or says what of the
// options is wrong: what may mend itself, such as a server that is away, is
// waited for.
func Run(ctx context.Context, o Options) error {
	o.Poll = cmp.Or(max(0, o.Poll), time.Minute)
	o.SpoolBytes = cmp.Or(max(0, o.SpoolBytes), 1<<30)
	o.LogDir = cmp.Or(o.LogDir, "/var/log")
	if o.LogDir == "/var/log" {
		o.systemd, o.journalctl = "/run/systemd/system", "journalctl"
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Host == "" {
		name, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("name of this host: %w", err)
		}
		o.Host = name
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return fmt.Errorf("agent's folder: %w", err)
	}
	c, err := newClient(o)
	if err != nil {
		return err
	}
	id, err := enrolled(ctx, o, c)
	if err != nil || ctx.Err() != nil {
		return err
	}
	c.key = picket.Secret(id.Key)
	sp, err := openSpool(filepath.Join(o.Dir, "spool"), o.SpoolBytes, o.Log)
	if err != nil {
		return err
	}
	pos, err := openPositions(filepath.Join(o.Dir, "positions.json"))
	if err != nil {
		return err
	}
	a := &agent{opts: o, client: c, spool: sp, positions: pos, host: id.Computer}
	return a.run(ctx)
}

type agent struct {
	opts      Options
	client    *client
	spool     *spool
	positions *positions
	host      string
}

// run sends, beats and collects; the first that fails for good ends all.
func (a *agent) run(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var group sync.WaitGroup
	part := func(f func(context.Context) error) {
		group.Go(func() {
			if err := f(ctx); err != nil && ctx.Err() == nil {
				stop(err)
			}
		})
	}
	part(a.send)
	part(a.beat)
	part(a.collect)
	group.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}

// send sends what the spool holds, the oldest first.
func (a *agent) send(ctx context.Context) error {
	for {
		b, err := a.spool.next(ctx)
		if err != nil {
			return err
		}
		if b == nil { // ctx ended
			return nil
		}
		err = a.client.retry(ctx, a.opts.Log, "send", func() error { return a.client.post(ctx, b.Stream, b.ID, b.body) })
		switch {
		case err == nil:
			err = a.spool.done(b)
		case ctx.Err() != nil:
			return nil
		case final(err):
			// It would be refused for ever, and what is behind it wait.
			a.opts.Log.Error("the server refuses a batch, which is kept aside", "stream", b.Stream, "file", b.name, "error", err)
			err = a.spool.refuse(b)
		}
		if err != nil {
			return err
		}
	}
}

// beat sends a heartbeat a minute. One that cannot be sent is not made up for: a
// heartbeat says that the server heard of the host.
func (a *agent) beat(ctx context.Context) error {
	var revoked error
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	beat := ingest.NewHeartbeat(func(ctx context.Context, b picket.Batch) error {
		body, err := json.Marshal(records(b, nil))
		if err == nil {
			err = a.client.post(ctx, collection.HeartbeatStream, "", body)
		}
		if errors.Is(err, ErrRevoked) {
			revoked = err
			stop()
		}
		return err
	}, ingest.HeartbeatOptions{Host: a.host, Version: a.opts.Version, Log: a.opts.Log})
	err := beat.Run(ctx)
	return cmp.Or(revoked, err)
}

// collect collects what the rule says, and begins anew when that changes.
func (a *agent) collect(ctx context.Context) error {
	var now collection.Sources
	stop := func() {}
	defer func() { stop() }()
	for first := true; ; first = false {
		sources, err := a.client.sources(ctx)
		switch {
		case errors.Is(err, ErrRevoked):
			return err
		case err != nil && first:
			// What it was last time, so that nothing is missed while the server is away.
			if sources, err = a.positions.sources(); err != nil {
				return err
			}
		case err != nil:
			a.opts.Log.Warn("the data collection rule could not be asked for", "error", err)
			sources = now
		}
		if first || !reflect.DeepEqual(sources, now) {
			if err := a.positions.setSources(sources); err != nil {
				return err
			}
			stop()
			now, stop = sources, a.start(ctx, sources)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(a.opts.Poll):
		}
	}
}

// enrolled returns the host's identity, after enrolling it if it has none.
func enrolled(ctx context.Context, o Options, c *client) (identity, error) {
	path := filepath.Join(o.Dir, identityFile)
	text, err := os.ReadFile(path)
	var id identity
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &id); err != nil || id.Key == "" {
			return id, fmt.Errorf("%s is damaged; remove it and enrol with a new token: %w", path, err)
		}
		if id.Server != c.url {
			return id, fmt.Errorf("this host has enrolled at %s, not at %s; to enrol it there, give a token and --re-enrol", id.Server, c.url)
		}
		return id, nil
	case !errors.Is(err, os.ErrNotExist):
		return id, err
	case o.Token == "":
		return id, errors.New("this host has not enrolled: give --token, which \"picket host token\" makes on the server")
	}
	err = c.retry(ctx, o.Log, "enrol", func() (err error) {
		id, err = c.enrol(ctx, o)
		return err
	})
	if err != nil {
		return id, fmt.Errorf("enrol at %s: %w", c.url, err)
	}
	if text, err = json.Marshal(id); err == nil {
		err = picket.WriteFile(path, text, 0o600)
	}
	o.Log.Info("enrolled", "server", c.url, "computer", id.Computer, "id", id.ID)
	return id, err
}
