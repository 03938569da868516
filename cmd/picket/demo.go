package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"picket"
	"picket/app"
	"picket/playbook"
	"picket/state"
)

// demoTimeout bounds how long the demo waits for any one step of its job.
const demoTimeout = 10 * time.Minute

// enriched is the query at the end of the demo: what was learned, beside what happened.
const enriched = `ProwlEnrich_CL
| join kind=inner (
    Syslog
    | where SyslogMessage startswith "Failed password"
    | extend IPAddress = extract(@"from (\S+) port", 1, SyslogMessage)
    | summarize FailedLogons = count() by IPAddress
  ) on IPAddress
| extend Why = iff(isempty(Reason), strcat_array(Ttps, ", "), Reason)
| project IPAddress, FailedLogons, Status, Verdict, Confidence, Intelligence = IndicatorOfIntelligence, Country = CountryCode, AsOrganization, Why
| sort by Confidence desc, FailedLogons desc`

// demo is "picket demo": the whole job, here and now.
func demo(ctx context.Context, args []string, stdio stdio) (err error) {
	fs := flag.NewFlagSet("demo", flag.ContinueOnError)
	logFile := fs.String("log", "", "do it on this log `file` instead of the sample")
	once := fs.Bool("once", false, "stop when the job is done")
	format := fs.String("format", "table", "table, or json: the ProwlEnrich_CL rows alone on standard output")
	config := fs.String("config", "", "configuration `file` (picket.yaml), for example to ask the real Prowl")
	operands, err := parse(fs, args, stdio)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return misuse("demo takes no operand, such as %q; a log is named with --log", operands[0])
	}
	if *format != "table" && *format != "json" {
		return misuse("demo: unknown format %q: want table or json", *format)
	}
	d := &demonstration{stdio: stdio, log: *logFile, json: *format == "json"}
	// In a script nobody could try anything with the sample afterwards, nor press Ctrl-C.
	d.stay = !*once && !d.json && (d.log != "" || isTerminal(stdio.out))
	if d.log != "" {
		if err := readable(d.log); err != nil {
			return err
		}
	}
	cfg := app.DefaultConfig()
	if *config != "" {
		if cfg, err = app.LoadConfig(*config); err != nil {
			return err
		}
	}
	// A reader that is gone, as in "picket demo | head", ends the demo in order:
	// the signal would leave the folder with the log's lines behind.
	signal.Ignore(syscall.SIGPIPE)
	dir, err := os.MkdirTemp("", "picket-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return d.run(ctx, d.configure(cfg, dir))
}

// demonstration is one run of the demo.
type demonstration struct {
	stdio stdio
	log   string // the user's file, or "" for the sample
	json  bool
	stay  bool  // go on until a signal
	mute  error // why the story cannot be told any more

	app   *app.App
	stop  context.CancelFunc // ends the demo
	asked atomic.Int64       // addresses the playbook is done with
	runs  atomic.Int64       // playbook runs that ended
}

// configure fits the configuration to a demo in a temporary folder.
func (d *demonstration) configure(cfg app.Config, dir string) app.Config {
	cfg.Data = dir
	cfg.Listen, cfg.Syslog = "127.0.0.1:0", "127.0.0.1:0"
	cfg.Logs = nil
	cfg.RuleDelay = 0 // the demo waits for its lines itself
	if d.log == "" {
		// The sample's addresses are those reserved for documentation, which
		// would never be looked up.
		for _, p := range []string{"192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32"} {
			cfg.ForcePublic = append(cfg.ForcePublic, netip.MustParsePrefix(p))
		}
	}
	return cfg
}

// run starts Picket, tells the story and stops.
func (d *demonstration) run(ctx context.Context, cfg app.Config) error {
	a, err := app.New(ctx, cfg, app.Options{
		Logger:        slog.New(slog.NewTextHandler(d.stdio.err, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Version:       version(),
		HoldRules:     true,
		PlaybookEvent: d.event,
	})
	if err != nil {
		return interrupted(ctx, err)
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	d.app, d.stop = a, stop
	stopped := make(chan error, 1)
	go func() {
		stopped <- a.Run(running)
		stop() // a part that failed ends the story too
	}()
	err = d.story(running)
	if d.mute != nil {
		err = fmt.Errorf("nobody listens any more: %w", d.mute)
	}
	if err == nil && d.stay {
		if d.log != "" {
			if ferr := d.app.FollowLog(running, d.log); ferr != nil {
				d.say("What is added to the log is not seen any more: %v", ferr)
			}
		}
		<-running.Done()
		d.say("Stopping …")
	}
	stop()
	if rerr := <-stopped; rerr != nil {
		return rerr
	}
	return interrupted(ctx, err)
}

// interrupted says in plain words that a signal came before the job was done:
// a script must not take what there is for the answer.
func interrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return errors.New("stopped before the job was done")
	}
	return err
}

// event counts what playbooks finish.
func (d *demonstration) event(e playbook.Event) {
	switch {
	case e.Action == "" && e.Status != playbook.Running:
		d.runs.Add(1)
	case e.Type == "Http" && strings.Contains(strings.ToLower(e.Action), "prowl") && e.Status != playbook.Running && e.Status != playbook.Skipped:
		d.asked.Add(1)
	}
}

// say prints a line of the story; with --format json it goes to standard
// error, which holds the story then.
func (d *demonstration) say(format string, args ...any) {
	if _, err := fmt.Fprintf(d.tale(), format+"\n", args...); err != nil && d.mute == nil {
		d.mute = err
		d.stop()
	}
}

func (d *demonstration) tale() io.Writer {
	if d.json {
		return d.stdio.err
	}
	return d.stdio.out
}

// done prints a finished step.
func (d *demonstration) done(what, format string, args ...any) {
	d.say("  %s %s %s", d.style(green, "✓"), d.style(bold, fmt.Sprintf("%-9s", what)), fmt.Sprintf(format, args...))
}

// story runs the job and tells each step when it has happened.
func (d *demonstration) story(ctx context.Context) error {
	d.say("Picket demo. Everything happens on this machine, in a temporary folder that is removed at the end.")
	if d.log == "" {
		d.say("The attackers are made up: their addresses are reserved for documentation, and what is \"known\" of them is a sample.")
	}
	d.say("")
	beats, err := d.await(ctx, "Heartbeat | summarize n = count(), host = take_any(Computer)", func(r []any) bool { return r[0].(int64) > 0 })
	if err != nil {
		return err
	}
	d.done("Enrolled", "this host, %s: its first Heartbeat is in the workspace", beats[1])
	if err := d.feed(ctx); err != nil {
		return err
	}
	failed, err := d.one(ctx, `Syslog | summarize n = count(), failed = countif(SyslogMessage startswith "Failed password")`)
	if err != nil {
		return err
	}
	d.app.StartRules()
	found, err := d.rulesRan(ctx)
	if err != nil {
		return err
	}
	if found == 0 {
		d.done("Detected", "nothing: no rule found anything in %d lines", failed[0])
		return d.finish(ctx)
	}
	d.done("Detected", "%d failed logins: the rule raised %d alert%s", failed[1], found, plural(int(found)))
	if err := d.enrich(ctx); err != nil {
		return err
	}
	return d.finish(ctx)
}

// feed brings the lines in: the sample over syslog, or the user's file.
func (d *demonstration) feed(ctx context.Context) error {
	if d.log != "" {
		n, err := d.app.ReadLog(ctx, d.log)
		if err != nil {
			return err
		}
		d.done("Received", "%d lines of %s → Syslog", n, d.log)
		return nil
	}
	lines, err := d.sample(ctx)
	if err != nil {
		return err
	}
	addr := d.app.SyslogAddr()
	if err := send(ctx, addr, lines); err != nil {
		return fmt.Errorf("send the sample over syslog: %w", err)
	}
	_, err = d.await(ctx, "Syslog | count", func(r []any) bool { return r[0].(int64) >= int64(len(lines)) })
	if err != nil {
		return err
	}
	d.done("Received", "%d sshd lines over syslog, tcp %s → Syslog", len(lines), addr)
	return nil
}

// sample teaches the reputation store the sample and returns its log lines,
// as the sshd of a host called web1 would send them.
func (d *demonstration) sample(ctx context.Context) ([]string, error) {
	known, err := picket.Content.Open("demo/reputation.ndjson")
	if err != nil {
		return nil, err
	}
	defer known.Close()
	if _, err := d.app.Reputation.Import(ctx, known, "the demo's sample"); err != nil {
		return nil, err
	}
	text, err := picket.Content.ReadFile("demo/auth.log")
	if err != nil {
		return nil, err
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	start := time.Now().Add(-time.Duration(len(lines)) * time.Second)
	for i, l := range lines {
		lines[i] = fmt.Sprintf("<86>%s web1 %s", start.Add(time.Duration(i)*time.Second).Format(time.Stamp), l)
	}
	return lines, nil
}

// rulesRan waits until every rule has run once and returns how many alerts they raised.
func (d *demonstration) rulesRan(ctx context.Context) (alerts int64, err error) {
	err = poll(ctx, func() (bool, error) {
		all, err := d.app.Rules.Status(ctx)
		if err != nil {
			return false, err
		}
		alerts = 0
		for _, r := range all {
			if r.Last.Finished.IsZero() {
				return false, nil
			}
			if r.Last.Error != "" {
				return false, fmt.Errorf("rule %s: %s", r.Name, r.Last.Error)
			}
			alerts += int64(r.Last.Alerts)
		}
		return true, nil
	})
	return alerts, err
}

// enrich follows the incident and its playbook run to their end.
func (d *demonstration) enrich(ctx context.Context) error {
	var number int64
	var title, severity string
	var addresses int
	err := poll(ctx, func() (bool, error) {
		list, err := d.app.Incidents.List(ctx, state.IncidentFilter{})
		if err != nil || len(list) == 0 {
			return false, err
		}
		number, title, severity = list[0].Number, list[0].Title, string(list[0].Severity)
		addresses = 0
		for _, e := range list[0].Entities {
			if e.Kind == "IP" {
				addresses++
			}
		}
		return true, nil
	})
	if err != nil {
		return err
	}
	d.done("Raised", "incident #%d, %s, severity %s: %d addresses; an automation rule starts the playbook", number, title, severity, addresses)
	show := d.progress(addresses)
	for err == nil && d.runs.Load() == 0 {
		// Thousands of addresses take as long as they take, while they come.
		before := d.asked.Load()
		err = poll(ctx, func() (bool, error) {
			show(int(d.asked.Load()))
			return d.runs.Load() > 0 || d.asked.Load() != before, nil
		})
	}
	show(-1)
	if err != nil {
		return err
	}
	if err := d.drained(ctx); err != nil {
		return err
	}
	row, err := d.one(ctx, `ProwlEnrich_CL | summarize n = count(), asked = countif(Status in ("found", "not_found")), skipped = countif(Status == "skipped"), failed = countif(Status == "failed"), cost = sum(CostUsd)`)
	if err != nil {
		return err
	}
	d.done("Asked", "the Prowl API about %d address%s: %d skipped (never asked), %d failed; metered: $%.2f", row[1], es(row[1]), row[2], row[3], row[4])
	d.done("Wrote", "%d rows to ProwlEnrich_CL, and one comment on the incident", row[0])
	return nil
}

// drained waits until nothing is under way between the stores.
func (d *demonstration) drained(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		rows, err := d.app.State.Outbox(ctx, 1)
		return len(rows) == 0, err
	})
}

// finish prints the result.
func (d *demonstration) finish(ctx context.Context) error {
	if d.json {
		r, err := d.query(ctx, "ProwlEnrich_CL | sort by IPAddress asc")
		if err != nil {
			return err
		}
		return r.print(d.stdio.out, "json")
	}
	r, err := d.query(ctx, enriched)
	if err != nil {
		return err
	}
	d.say("\n%s\n", d.style(dim, enriched))
	if err := r.print(d.stdio.out, "table"); err != nil {
		return err
	}
	d.next()
	return nil
}

// next says what to try next.
func (d *demonstration) next() {
	me := os.Args[0]
	d.say("\n%s", d.style(bold, "Try next:"))
	if d.stay {
		d.say("  %s query --data %s 'SecurityIncident | project IncidentNumber, Title, Severity, Status, ModifiedBy'", me, d.app.Data())
	} else {
		d.say("  %s demo", me)
	}
	if d.log == "" {
		d.say("  %s demo --log /var/log/auth.log", me)
	} else {
		d.say("  %s demo --log %s --once --format json", me, d.log)
	}
	d.say("  %s serve --data %s", me, filepath.Join(".", "picket-data"))
	if d.stay {
		d.say("\nPicket is still running: syslog on %s, APIs on %s. Ctrl-C stops it.", d.app.SyslogAddr(), d.app.URL())
	}
}
