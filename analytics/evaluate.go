package analytics

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"

	"picket"
	"picket/kql"
	"picket/workspace"
)

const (
	// maxAlerts is how many alerts one run of an AlertPerResult rule raises;
	// the last stands for all rows from there on ("Scheduled analytics rules in
	// Microsoft Sentinel").
	maxAlerts = 150

	// maxEntities bounds the entities of one alert. Sentinel keeps 500 and says
	// nothing of the rest; an attacker more is an attacker nobody looks up, so
	// the limit here is one for memory alone, and what it cuts is counted.
	maxEntities = 10_000

	// maxValues and maxValueBytes bound the values of one custom detail ("Service limits for Microsoft Sentinel").
	maxValues     = 50
	maxValueBytes = 2 << 10
)

// Window is what one slot of a rule looks at.
type Window struct {
	Now      time.Time // what now() answers: the window's end
	From, To time.Time // rows with From <= TimeGenerated < To
}

// Query runs KQL over a window.
type Query func(ctx context.Context, kql string, w Window) (*Result, error)

// Result is the answer to a query. Its rows are read once.
type Result struct {
	Columns   []kql.Column
	Rows      iter.Seq2[[]any, error]
	Truncated func() string // asked after the rows: which limit cut them off, or ""
}

// Over returns the queries of a workspace.
func Over(ws *workspace.DB) Query {
	return func(ctx context.Context, src string, w Window) (*Result, error) {
		o := workspace.Window(w.From, w.To)
		o.Now = kql.TicksOf(w.Now)
		r, err := ws.Query(ctx, src, o)
		if err != nil {
			return nil, err
		}
		return &Result{r.Columns, r.Rows(), func() string { return r.Truncated }}, nil
	}
}

// Stats tell of one evaluation.
type Stats struct {
	Rows             int           // rows the query returned
	InvalidAddresses int           // values mapped to IP Address that are no addresses, left out
	DroppedEntities  int           // entities beyond the limit, left out
	Truncated        string        // which limit of the workspace cut the rows off, or ""
	Duration         time.Duration // of the query with the reading of its rows
	From, To         time.Time     // the window
}

// Slot returns the window of the slot at t: rows may take delay to arrive, so
// it ends that much before, and nothing between two slots is left out.
func (r *Rule) Slot(t time.Time, delay time.Duration) Window {
	end := t.UTC().Add(-delay)
	return Window{Now: end, From: end.Add(-r.Period), To: end}
}

// Evaluate runs the rule's query over the window of the slot at t and makes
// alerts of the rows when there are as many as the rule wants. The alerts' IDs
// follow from rule and slot: evaluating again gives the same alerts.
func Evaluate(ctx context.Context, r *Rule, t time.Time, delay time.Duration, query Query) ([]picket.Alert, Stats, error) {
	w := r.Slot(t, delay)
	stats := Stats{From: w.From, To: w.To}
	began := time.Now()
	res, err := query(ctx, r.Query, w)
	if err != nil {
		return nil, stats, fmt.Errorf("query: %w", err)
	}
	c := newCollector(r, res.Columns, t, w)
	for row, err := range res.Rows {
		if err != nil {
			return nil, stats, fmt.Errorf("read the query's rows: %w", err)
		}
		c.add(row)
	}
	stats.Duration = time.Since(began)
	stats.Rows, stats.InvalidAddresses, stats.Truncated = c.rows, c.invalid, res.Truncated()
	if !r.Operator.Holds(c.rows, r.Threshold) {
		return nil, stats, nil
	}
	if len(c.alerts) == 0 {
		c.open(nil) // "fewer than" holds of no rows too
	}
	alerts := make([]picket.Alert, len(c.alerts))
	for i, a := range c.alerts {
		alerts[i] = a.finish(w)
		stats.DroppedEntities += a.dropped
	}
	return alerts, stats, nil
}

// alertSpace is the namespace of alert IDs (UUID version 5, RFC 9562 §5.5).
var alertSpace = uuid.MustParse("6f1bb05a-5d4c-4cf0-8b0e-6d0c9f0e4a61")

// collector makes alerts of rows as they come.
type collector struct {
	rule    *Rule
	slot    time.Time
	window  Window
	columns []kql.Column
	index   map[string]int
	maps    []EntityMapping // of the rule and, where the columns are there, of old
	time    [2]int          // columns of a row's first and last event; -1 when absent
	alerts  []*draft
	rows    int
	invalid int
}

func newCollector(r *Rule, columns []kql.Column, slot time.Time, w Window) *collector {
	c := &collector{rule: r, slot: slot.UTC(), window: w, columns: columns, index: map[string]int{}, time: [2]int{-1, -1}}
	for i, col := range columns {
		c.index[col.Name] = i
	}
	c.maps = append(c.maps, r.Entities...)
	mapped := map[string]bool{}
	for _, m := range r.Entities {
		for _, f := range m.Fields {
			mapped[f.Column] = true
		}
	}
	for _, m := range oldColumns() {
		if _, ok := c.index[m.Fields[0].Column]; ok && !mapped[m.Fields[0].Column] {
			c.maps = append(c.maps, m)
		}
	}
	if i, ok := c.datetime("TimeGenerated"); ok {
		c.time = [2]int{i, i}
		return c
	}
	start, ok1 := c.datetime("StartTime")
	end, ok2 := c.datetime("EndTime")
	if ok1 && ok2 {
		c.time = [2]int{start, end}
	}
	return c
}

func (c *collector) datetime(name string) (int, bool) {
	i, ok := c.index[name]
	return i, ok && c.columns[i].Type == kql.DateTime
}

// add takes one row: into the one alert, or into one of its own.
func (c *collector) add(row []any) {
	c.rows++
	if len(c.alerts) == 0 || c.rule.PerResult && len(c.alerts) < maxAlerts {
		c.open(row)
	}
	c.alerts[len(c.alerts)-1].add(row)
}

// open begins an alert, whose details come from its first row.
func (c *collector) open(row []any) {
	r := c.rule
	id := fmt.Sprintf("%s %s %d", r.ID, c.slot.Format(time.RFC3339Nano), len(c.alerts))
	d := &draft{c: c, seen: map[string]bool{}, alert: picket.Alert{
		ID: uuid.NewSHA1(alertSpace, []byte(id)).String(), RuleID: r.ID, RuleName: r.Name,
		Name: r.Name, Description: r.Description, Severity: r.Severity, Tactics: r.Tactics, Techniques: r.Techniques,
		Time: c.slot, Query: r.Query, QueryStart: c.window.From, QueryEnd: c.window.To, Grouping: r.Incident,
	}}
	if row != nil {
		d.override(row)
	}
	c.alerts = append(c.alerts, d)
}
