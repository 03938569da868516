package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"picket"
)

// querier is what a database and a transaction have in common for reading.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Incident returns an incident with its alerts and comments; an error of code
// [picket.NotFound] when there is none of that ID.
func (db *DB) Incident(ctx context.Context, id string) (picket.Incident, error) {
	return incident(ctx, db.sql, id)
}

// LoadIncident is [DB.Incident] within a transaction.
func LoadIncident(ctx context.Context, tx *sql.Tx, id string) (picket.Incident, error) {
	return incident(ctx, tx, id)
}

// IncidentID returns the ID of the incident of a number; an error of code
// [picket.NotFound] when there is none.
func (db *DB) IncidentID(ctx context.Context, number int64) (string, error) {
	var id string
	err := db.sql.QueryRowContext(ctx, `SELECT id FROM incident WHERE number = ?`, number).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return "", picket.Errorf(picket.NotFound, "there is no incident %d", number)
	}
	if err != nil {
		return "", fmt.Errorf("find incident %d: %w", number, err)
	}
	return id, nil
}

// An IncidentFilter chooses incidents. Zero values choose all.
type IncidentFilter struct {
	Status  string // New, Active or Closed
	Address string // only those that an alert names this address in
	Before  int64  // only numbers below this; for the next page
	Limit   int    // at most so many; 0 means 50
}

// Incidents returns incidents with their alerts and comments, newest first.
func (db *DB) Incidents(ctx context.Context, f IncidentFilter) ([]picket.Incident, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	rows, err := db.sql.QueryContext(ctx, `SELECT id FROM incident WHERE (?1 = '' OR status = ?1) AND (?2 = 0 OR number < ?2)
		AND (?4 = '' OR id IN (SELECT incident_id FROM incident_address WHERE address = ?4)) ORDER BY number DESC LIMIT ?3`,
		f.Status, f.Before, f.Limit, f.Address)
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	ids, err := column[string](rows)
	if err != nil {
		return nil, fmt.Errorf("list incidents: %w", err)
	}
	list := make([]picket.Incident, len(ids))
	for i, id := range ids {
		if list[i], err = incident(ctx, db.sql, id); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// column reads the one column of rows, and closes them.
func column[T any](rows *sql.Rows) ([]T, error) {
	defer rows.Close()
	var list []T
	for rows.Next() {
		var v T
		if err := rows.Scan(&v); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, rows.Err()
}

func incident(ctx context.Context, q querier, id string) (picket.Incident, error) {
	in := picket.Incident{ID: id}
	var labels string
	var created, firstModified, modified, closed int64
	err := q.QueryRowContext(ctx, `SELECT number, revision, title, description, severity, status, classification, classification_reason,
		classification_comment, owner, labels, created, first_modified, modified, closed, modified_by FROM incident WHERE id = ?`, id).
		Scan(&in.Number, &in.Revision, &in.Title, &in.Description, &in.Severity, &in.Status, &in.Classification, &in.ClassificationReason,
			&in.ClassificationComment, &in.Owner, &labels, &created, &firstModified, &modified, &closed, &in.ModifiedBy)
	if errors.Is(err, sql.ErrNoRows) {
		return in, picket.Errorf(picket.NotFound, "there is no incident %s", id)
	}
	if err != nil {
		return in, fmt.Errorf("read incident %s: %w", id, err)
	}
	in.Created, in.FirstModified, in.Modified, in.Closed = fromMillis(created), fromMillis(firstModified), fromMillis(modified), fromMillis(closed)
	if err := json.Unmarshal([]byte(labels), &in.Labels); err != nil {
		return in, fmt.Errorf("read incident %s: labels: %w", id, err)
	}
	if err := readAlerts(ctx, q, &in); err != nil {
		return in, fmt.Errorf("read incident %s: alerts: %w", id, err)
	}
	if err := readComments(ctx, q, &in); err != nil {
		return in, fmt.Errorf("read incident %s: comments: %w", id, err)
	}
	return in, nil
}

// readAlerts reads the incident's alerts and what follows from them.
func readAlerts(ctx context.Context, q querier, in *picket.Incident) error {
	rows, err := q.QueryContext(ctx, `SELECT alert FROM incident_alert WHERE incident_id = ? ORDER BY position`, in.ID)
	if err != nil {
		return err
	}
	docs, err := column[string](rows)
	if err != nil {
		return err
	}
	for _, doc := range docs {
		var a picket.Alert
		if err := json.Unmarshal([]byte(doc), &a); err != nil {
			return err
		}
		in.Alerts = append(in.Alerts, a)
	}
	in.Summarize()
	return nil
}

func readComments(ctx context.Context, q querier, in *picket.Incident) error {
	rows, err := q.QueryContext(ctx, `SELECT id, author, message, created FROM incident_comment WHERE incident_id = ? ORDER BY position`, in.ID)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var c picket.Comment
		var created int64
		if err := rows.Scan(&c.ID, &c.Author, &c.Message, &created); err != nil {
			return err
		}
		c.Created = fromMillis(created)
		in.Comments = append(in.Comments, c)
	}
	return rows.Err()
}

// NextIncidentNumber returns the number the next incident gets. Incidents are
// not deleted, so there are no gaps.
func NextIncidentNumber(ctx context.Context, tx *sql.Tx) (int64, error) {
	var n int64
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(number), 0) + 1 FROM incident`).Scan(&n); err != nil {
		return 0, fmt.Errorf("number an incident: %w", err)
	}
	return n, nil
}

// InsertIncident writes a new incident without its alerts and comments.
// groupKey is what later alerts are found to belong to it by, or empty.
func InsertIncident(ctx context.Context, tx *sql.Tx, in *picket.Incident, ruleID, groupKey string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO incident (id, number, revision, title, description, severity, status, classification, classification_reason,
		classification_comment, owner, labels, created, first_modified, modified, closed, modified_by, rule_id, group_key, alerts, last_alert)
		VALUES (?, ?, 0, '', '', '', '', '', '', '', '', '[]', 0, 0, 0, 0, '', ?, ?, 0, 0)`, in.ID, in.Number, ruleID, groupKey)
	if err != nil {
		return fmt.Errorf("write incident %d: %w", in.Number, err)
	}
	return UpdateIncident(ctx, tx, in)
}

// UpdateIncident writes the incident's own fields; alerts and comments are
// written by [AddIncidentAlert] and [PutComment].
func UpdateIncident(ctx context.Context, tx *sql.Tx, in *picket.Incident) error {
	labels, err := json.Marshal(append([]string{}, in.Labels...))
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE incident SET revision = ?, title = ?, description = ?, severity = ?, status = ?, classification = ?,
			classification_reason = ?, classification_comment = ?, owner = ?, labels = ?, created = ?, first_modified = ?, modified = ?, closed = ?,
			modified_by = ? WHERE id = ?`,
			in.Revision, in.Title, in.Description, string(in.Severity), in.Status, in.Classification, in.ClassificationReason, in.ClassificationComment,
			in.Owner, string(labels), millis(in.Created), millis(in.FirstModified), millis(in.Modified), millis(in.Closed), in.ModifiedBy, in.ID)
	}
	if err != nil {
		return fmt.Errorf("write incident %d: %w", in.Number, err)
	}
	return nil
}

// HasAlert reports whether an alert is part of an incident.
func HasAlert(ctx context.Context, tx *sql.Tx, alertID string) (bool, error) {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM incident_alert WHERE alert_id = ?`, alertID).Scan(&n); err != nil {
		return false, fmt.Errorf("look for alert %s: %w", alertID, err)
	}
	return n > 0, nil
}

// AddIncidentAlert makes an alert part of an incident.
func AddIncidentAlert(ctx context.Context, tx *sql.Tx, incidentID string, a *picket.Alert) error {
	doc, err := json.Marshal(a)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO incident_alert (alert_id, incident_id, position, alert)
			SELECT ?1, id, alerts, ?2 FROM incident WHERE id = ?3`, a.ID, string(doc), incidentID)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `UPDATE incident SET alerts = alerts + 1, last_alert = max(last_alert, ?) WHERE id = ?`, millis(a.Time), incidentID)
	}
	if err != nil {
		return fmt.Errorf("add alert %s to an incident: %w", a.ID, err)
	}
	return nil
}

// FindIncident returns the newest incident of a rule that an alert with this
// group key joins: its latest alert is not older than since and it has fewer
// than maxAlerts. "" when there is none.
func FindIncident(ctx context.Context, tx *sql.Tx, ruleID, groupKey string, since time.Time, maxAlerts int, closedToo bool) (string, error) {
	var id string
	err := tx.QueryRowContext(ctx, `SELECT id FROM incident WHERE rule_id = ? AND group_key = ? AND group_key <> '' AND last_alert >= ? AND alerts < ?
		AND (? OR status <> 'Closed') ORDER BY number DESC LIMIT 1`, ruleID, groupKey, millis(since), maxAlerts, closedToo).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("look for an incident to join: %w", err)
	}
	return id, nil
}

// PutComment writes a comment; one of the same ID is replaced in its place.
func PutComment(ctx context.Context, tx *sql.Tx, incidentID string, c picket.Comment) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO incident_comment (incident_id, id, position, author, message, created)
		VALUES (?1, ?2, (SELECT coalesce(max(position), 0) + 1 FROM incident_comment WHERE incident_id = ?1), ?3, ?4, ?5)
		ON CONFLICT (incident_id, id) DO UPDATE SET message = excluded.message, author = excluded.author`,
		incidentID, c.ID, c.Author, c.Message, millis(c.Created))
	if err != nil {
		return fmt.Errorf("write a comment: %w", err)
	}
	return nil
}

// SaveAutomationRun remembers the rules that led to a playbook run.
func SaveAutomationRun(ctx context.Context, tx *sql.Tx, runID, incidentID string, rules []string) error {
	list, err := json.Marshal(rules)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO automation_run (run_id, incident_id, rules) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, runID, incidentID, string(list))
	}
	if err != nil {
		return fmt.Errorf("remember playbook run %s: %w", runID, err)
	}
	return nil
}

// AutomationRun returns the rules that led to a playbook run, and whether it is known.
func AutomationRun(ctx context.Context, tx *sql.Tx, runID string) (rules []string, ok bool, err error) {
	var list string
	err = tx.QueryRowContext(ctx, `SELECT rules FROM automation_run WHERE run_id = ?`, runID).Scan(&list)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err == nil {
		err = json.NewDecoder(strings.NewReader(list)).Decode(&rules)
	}
	if err != nil {
		return nil, false, fmt.Errorf("read playbook run %s: %w", runID, err)
	}
	return rules, true, nil
}
