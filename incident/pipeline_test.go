package incident_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"testing"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/analytics"
	"picket/incident"
	"picket/kql"
	"picket/state"
	"picket/workspace"
)

const (
	slots   = 60 // of the rule, ten minutes each
	dirEnv  = "PICKET_TEST_PIPELINE_DIR"
	testRun = "^TestPipelineProcess$"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// pipeline is everything from a log row to an incident with a comment on it, as
// a process has it.
type pipeline struct {
	ws    *workspace.DB
	st    *state.DB
	desk  *incident.Desk
	sched *analytics.Scheduler
}

// startPipeline opens the stores in dir and wires the parts. The playbook that
// the shipped automation rule asks for is durable work that writes a comment.
func startPipeline(ctx context.Context, dir string, now time.Time) (*pipeline, error) {
	ws, err := workspace.Open(filepath.Join(dir, "logs.duckdb"), workspace.Options{})
	if err != nil {
		return nil, err
	}
	st, err := state.Open(ctx, state.Options{Path: filepath.Join(dir, "state.db")})
	if err != nil {
		return nil, err
	}
	p := &pipeline{ws: ws, st: st}
	p.desk = incident.New(st, incident.Options{Append: ws.Append, Now: func() time.Time { return now },
		RunPlaybook: func(_ context.Context, tx *sql.Tx, playbook, runID string, trigger json.RawMessage) error {
			_, err := dbos.Enqueue[string](st.Work(), "playbooks", playbook, string(trigger), dbos.WithEnqueueTransaction(tx), dbos.WithEnqueueWorkflowID(runID))
			return err
		}})
	dbos.RegisterWorkflow(st.Work(), func(ctx dbos.Context, trigger string) (string, error) {
		runID, err := dbos.GetWorkflowID(ctx)
		if err != nil {
			return "", err
		}
		return dbos.RunAsStep(ctx, func(ctx context.Context) (string, error) {
			var t struct{ Object struct{ ID string } }
			if err := json.Unmarshal([]byte(trigger), &t); err != nil {
				return "", err
			}
			id := path.Base(t.Object.ID)
			return id, p.desk.Comment(ctx, id, picket.Comment{ID: "summary", Message: "<p>looked up</p>"}, incident.Actor{Kind: incident.Playbook, Name: "prowl-enrich-incident", RunID: runID})
		}, dbos.WithStepMaxRetries(5))
	}, dbos.WithWorkflowName("prowl-enrich-incident"))
	if _, err := dbos.RegisterQueue(st.Work(), "playbooks", dbos.WithQueueBasePollingInterval(20*time.Millisecond)); err != nil {
		return nil, err
	}
	p.sched = analytics.New(ws, st, analytics.Options{Raise: p.desk.Raise, Now: func() time.Time { return now }})
	rules, err := analytics.LoadDir(os.DirFS(".."), "rules", analytics.Compiles(func(query string, o kql.Options) (*kql.Query, error) { return kql.Compile(query, ws, o) }))
	if err != nil {
		return nil, err
	}
	p.sched.SetRules(rules)
	automation, err := incident.LoadDir(os.DirFS(".."), "automation")
	if err != nil {
		return nil, err
	}
	p.desk.SetRules(automation)
	return p, st.Launch()
}

// work runs the pipeline until want incidents are commented and told, or ctx ends.
func (p *pipeline) work(ctx context.Context, want int) error {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan error, 2)
	go func() { done <- p.sched.Run(ctx) }()
	go func() { done <- p.desk.Run(ctx) }()
	for ctx.Err() == nil {
		var commented, waiting int
		if err := p.st.SQL().QueryRow(`SELECT (SELECT count(*) FROM incident_comment), (SELECT count(*) FROM outbox)`).Scan(&commented, &waiting); err != nil {
			break
		}
		if commented == want && waiting == 0 {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	err := ctx.Err()
	cancel()
	<-done
	<-done
	return err
}

func (p *pipeline) close() {
	p.st.Close(context.Background())
	p.ws.Close()
}

// attack appends one failed login for each slot, each from another address.
func attack(t *testing.T, ws *workspace.DB) {
	t.Helper()
	b := picket.Batch{Table: "Syslog", Columns: []string{"TimeGenerated", "EventTime", "HostName", "SyslogMessage"}}
	for i := range slots {
		at := noon.Add(time.Duration(i)*10*time.Minute - time.Minute)
		b.Rows = append(b.Rows, []any{at, at, "web1", fmt.Sprintf("Failed password for root from 203.0.113.%d port 22 ssh2", i+1)})
	}
	if err := ws.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// check looks whether all that was to happen happened once.
func (p *pipeline) check(t *testing.T) {
	t.Helper()
	for query, want := range map[string]int64{
		"SecurityAlert | count":                                                             slots,
		"SecurityAlert | summarize dcount(SystemAlertId)":                                   slots,
		"SecurityIncident | count":                                                          2 * slots,
		"SecurityIncident | summarize dcount(IncidentNumber)":                               slots,
		"SecurityIncident | summarize max(IncidentNumber)":                                  slots,
		"SecurityIncident | where ModifiedBy == 'Incident created from alert' | count":      slots,
		"SecurityIncident | where ModifiedBy == 'Playbook - prowl-enrich-incident' | count": slots,
		"SecurityIncident | summarize arg_max(LastModifiedTime, *) by IncidentNumber | where AdditionalData.commentsCount == 1 | count":                   slots,
		"SentinelHealth | where OperationName == 'Scheduled analytics rule run' and Status == 'Success' | count":                                          slots,
		"SentinelHealth | where OperationName == 'Automation rule run' and Status == 'Success' | count":                                                   slots,
		"SecurityAlert | mv-expand e = todynamic(Entities) | summarize dcount(tostring(e.Address))":                                                       slots,
		"SecurityIncident | mv-expand a = AlertIds | extend a = tostring(a) | join kind=inner (SecurityAlert) on $left.a == $right.SystemAlertId | count": 2 * slots,
	} {
		r, err := p.ws.Query(t.Context(), query, workspace.Window(time.Time{}, time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)))
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		rows, err := r.Collect()
		if err != nil || len(rows) != 1 {
			t.Fatalf("%s: %v %v", query, rows, err)
		}
		if d := cmp.Diff([]any{want}, rows[0]); d != "" {
			t.Errorf("%s: %s", query, d)
		}
	}
}

// From log rows to incidents that a playbook has commented, through the real
// stores, with what the repository ships.
func TestPipeline(t *testing.T) {
	p, err := startPipeline(t.Context(), t.TempDir(), noon)
	if err != nil {
		t.Fatal(err)
	}
	attack(t, p.ws)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	rules, _ := p.sched.Status(t.Context())
	for i := range slots {
		if _, err := p.sched.RunSlot(ctx, rules[0].RuleID, noon.Add(time.Duration(i)*10*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.work(ctx, slots); err != nil {
		t.Fatal(err)
	}
	p.check(t)
	list, err := p.desk.List(t.Context(), state.IncidentFilter{Limit: 1})
	if err != nil || len(list) != 1 || list[0].Number != slots || list[0].Entities[0].Address() != fmt.Sprintf("203.0.113.%d", slots) {
		t.Errorf("%+v %v", list, err)
	}
	p.close()
}

// TestPipelineProcess is not a test of its own: it is the process that
// TestPipelineKilled kills.
func TestPipelineProcess(t *testing.T) {
	dir := os.Getenv(dirEnv)
	if dir == "" {
		t.Skip("runs within TestPipelineKilled")
	}
	p, err := startPipeline(t.Context(), dir, noon.Add((slots-1)*10*time.Minute+time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.work(t.Context(), slots); err != nil {
		t.Fatal(err)
	}
	p.close()
}

// The process is killed at random points, again and again, until it gets to the
// end: no slot, alert, incident, comment or row is lost, none is there twice.
func TestPipelineKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("starts many processes")
	}
	dir := t.TempDir()
	p, err := startPipeline(t.Context(), dir, noon)
	if err != nil {
		t.Fatal(err)
	}
	attack(t, p.ws)
	rules, _ := p.sched.Status(t.Context())
	// The rule's grid began at noon; all later slots are missed ones.
	if err := p.st.SaveRuleSchedule(t.Context(), state.RuleSchedule{RuleID: rules[0].RuleID, Frequency: 10 * time.Minute, First: noon}); err != nil {
		t.Fatal(err)
	}
	p.close()

	const enough = 40
	kills := 0
	for ; ; kills++ {
		cmd := exec.Command(os.Args[0], "-test.run", testRun)
		cmd.Env = append(os.Environ(), dirEnv+"="+dir)
		out := &tail{}
		cmd.Stdout, cmd.Stderr = out, out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// From hardly enough to start to ever a little more, so that one ends.
		life := time.Duration(120+20*kills+rand.IntN(150)) * time.Millisecond
		if kills >= enough { // a machine so slow lets it end at last
			life = 2 * time.Minute
		}
		timer := time.AfterFunc(life, func() { cmd.Process.Kill() })
		err := cmd.Wait()
		if timer.Stop() {
			if err != nil {
				t.Fatalf("the process failed after %d kills: %v\n%s", kills, err, out.data)
			}
			break
		}
		if kills > enough {
			t.Fatalf("not done after %d kills and two minutes", kills)
		}
	}
	if t.Logf("%d kills", kills); kills < 2 {
		t.Error("the process was hardly killed: it proves nothing")
	}
	if p, err = startPipeline(t.Context(), dir, noon); err != nil {
		t.Fatal(err)
	}
	p.check(t)
	p.close()
}

// tail keeps the end of what is written to it.
type tail struct{ data []byte }

func (w *tail) Write(b []byte) (int, error) {
	w.data = append(w.data, b...)
	if n := len(w.data); n > 8192 {
		w.data = w.data[n-8192:]
	}
	return len(b), nil
}
