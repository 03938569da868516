package incident

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"picket"
	"picket/state"
)

const (
	// publishEvery is how often the outbox is looked into when nobody says that
	// there is something: Raise cannot know when its transaction commits.
	publishEvery = 250 * time.Millisecond
	publishRetry = 2 * time.Second
	publishBatch = 100
)

// The kinds of rows in the outbox.
const (
	kindIncident = "incident"
	kindHealth   = "health"
)

func (d *Desk) wake() {
	select {
	case d.nudge <- struct{}{}:
	default:
	}
}

// Run tells the workspace of every change until ctx ends: a row of
// SecurityIncident each, in order, exactly once. What is not told yet then is
// told by the next Run.
func (d *Desk) Run(ctx context.Context) error {
	t := time.NewTimer(0)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		case <-d.nudge:
		}
		wait := publishEvery
		if err := d.Publish(ctx); err != nil && ctx.Err() == nil {
			d.log.Error("changes of incidents could not be written to the workspace; they are kept and tried again", "error", err)
			wait = publishRetry
		}
		t.Reset(wait)
	}
}

// Publish tells the workspace of all changes that are still to be told. It is
// for one caller at a time; Run calls it.
func (d *Desk) Publish(ctx context.Context) error {
	for {
		rows, err := d.st.Outbox(ctx, publishBatch)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, r := range rows {
			b, err := d.batch(r)
			if err == nil {
				err = d.o.Append(ctx, b)
			}
			switch code := picket.CodeOf(err); {
			case code == picket.Invalid || code == picket.NotFound:
				// It would be refused for ever, and hold up all that follow.
				d.log.Error("a row for the workspace was refused and is dropped", "batch", r.BatchID, "error", err)
			case err != nil:
				return fmt.Errorf("publish %s: %w", r.BatchID, err)
			}
			// Row by row: a batch whose forgetting fails is appended again under
			// the same ID, which changes nothing.
			if err := d.st.ClearOutbox(ctx, r.Seq); err != nil {
				return err
			}
		}
	}
}

// batch makes the batch of a row in the outbox.
func (d *Desk) batch(r state.OutboxRow) (picket.Batch, error) {
	switch r.Kind {
	case kindIncident:
		var in picket.Incident
		if err := json.Unmarshal(r.Row, &in); err != nil {
			return picket.Batch{}, picket.Errorf(picket.Invalid, "read a change of an incident: %w", err)
		}
		return d.incidentBatch(r.BatchID, in), nil
	case kindHealth:
		var h health
		if err := json.Unmarshal(r.Row, &h); err != nil {
			return picket.Batch{}, picket.Errorf(picket.Invalid, "read a health record: %w", err)
		}
		return h.batch(r.BatchID, d.place.WorkspaceID), nil
	}
	return picket.Batch{}, picket.Errorf(picket.Invalid, "unknown kind %q", r.Kind)
}
