package playbook

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"

	"picket"
)

// Incidents is what the azuresentinel connector changes.
type Incidents interface {
	// Comment adds a comment, or replaces the one with the same ID. incident
	// is the incident's GUID.
	Comment(ctx context.Context, by By, incident string, c picket.Comment) error
	// Update changes what u sets. Repeating it changes nothing more.
	Update(ctx context.Context, by By, incident string, u IncidentUpdate) error
}

// By says which run of which playbook makes a change, so that the change does
// not start the same playbook again.
type By struct{ Playbook, RunID string }

// IncidentUpdate is a change of an incident; empty fields leave things as they are.
type IncidentUpdate struct {
	Severity              picket.Severity
	Status                string // New, Active or Closed
	Owner                 string // of an Assign
	Unassign              bool
	Classification        string // TruePositive, FalsePositive, BenignPositive or Undetermined
	ClassificationReason  string
	ClassificationComment string
	AddTags, RemoveTags   []string
}

// maxComment is how many characters a comment may have in Microsoft Sentinel.
const maxComment = 30_000

// operation is one thing the connector can do: method and path in the definition.
type operation struct {
	method, path string
	run          func(ctx context.Context, x *step, body any) *outcome
}

// sentinelOperations are the operations of the azuresentinel connector.
func sentinelOperations() []operation {
	return []operation{
		{"POST", "/entities/ip", getIPs},
		{"POST", "/Incidents/Comment", addComment},
		{"PUT", "/Incidents", updateIncident},
	}
}

// apiConnection is the ApiConnection action.
type apiConnection struct {
	op   operation
	body template
}

func (l *loader) apiConnection(a *action, _, in *node) *apiConnection {
	if in == nil {
		l.missing(a, a.line, "inputs")
		return nil
	}
	s := &apiConnection{}
	api := l.connection("action '"+a.name+"'", in)
	if api == "" {
		return s
	}
	method, path := in.get("method").str(), in.get("path").str()
	var known []string
	for _, op := range sentinelOperations() {
		if api == "azuresentinel" && strings.EqualFold(op.method, method) && strings.EqualFold(op.path, path) {
			s.op, s.body = op, l.required(a, in, "body")
			return s
		}
		known = append(known, op.method+" "+op.path)
	}
	l.bad(a.line, "action '%s': operation %s %s of connection %s is not supported; azuresentinel has %s", a.name, strings.ToUpper(method), cut(path, 120), api, strings.Join(known, ", "))
	return s
}

func (s *apiConnection) run(ctx context.Context, x *step) *outcome {
	body, bad := x.value(s.body)
	if bad != nil {
		return bad
	}
	o := s.op.run(ctx, x, body)
	o.Inputs = map[string]any{"method": s.op.method, "path": s.op.path, "body": body}
	o.Message = x.env.mask.hide(o.Message)
	return o
}

// getIPs is Entities - Get IPs: the addresses among entities, in canonical
// form, each once. SkipReason says why an address must not be looked up; on
// Azure there is no such property.
func getIPs(_ context.Context, x *step, body any) *outcome {
	if t, ok := body.(string); ok {
		v, err := decodeJSON([]byte(t))
		if err != nil {
			return fail("BadRequest", "the entities are text that is not JSON")
		}
		body = v
	}
	entities, ok := body.([]any)
	if !ok && body != nil {
		return fail("BadRequest", "the entities must be an array, not "+kindOf(body).String())
	}
	seen := map[netip.Addr]bool{}
	ips := []any{}
	for _, e := range entities {
		addr, ok := entityAddr(e)
		if !ok || seen[addr] {
			continue
		}
		seen[addr] = true
		reason := ""
		if x.runner.o.SkipReason != nil {
			reason = x.runner.o.SkipReason(By{x.playbook, x.runID}, addr)
		}
		ips = append(ips, map[string]any{"Address": addr.String(), "Type": "ip", "SkipReason": reason})
	}
	return done(map[string]any{"statusCode": int64(200), "body": map[string]any{"IPs": ips}})
}

// entityAddr reads the address of an IP entity, of an incident or of an alert.
func entityAddr(e any) (netip.Addr, bool) {
	kind := text(path(e, "kind"))
	if kind == "" {
		kind = text(path(e, "Type"))
	}
	if !strings.EqualFold(kind, "ip") {
		return netip.Addr{}, false
	}
	at := path(e, "properties", "address")
	if at == nil {
		at = path(e, "Address")
	}
	addr, err := netip.ParseAddr(strings.TrimSpace(text(at)))
	return addr.Unmap().WithZone(""), err == nil
}

// addComment is Add comment to incident (V3). The comment's ID is the step's,
// so that a repeated step leaves one comment.
func addComment(ctx context.Context, x *step, body any) *outcome {
	id, bad := incidentID(body)
	if bad != nil {
		return bad
	}
	msg := text(path(body, "message"))
	if n := utf8.RuneCountInString(msg); n > maxComment {
		return fail("BadRequest", fmt.Sprintf("the comment has %d characters; at most %d are allowed", n, maxComment))
	}
	if msg == "" {
		return fail("BadRequest", "the comment is empty")
	}
	if x.runner.o.Incidents == nil {
		return fail("ServiceUnavailable", "no incidents are connected")
	}
	c := picket.Comment{ID: x.requestID, Message: msg, Author: "Playbook " + x.playbook, Created: x.env.now}
	if err := x.runner.o.Incidents.Comment(ctx, By{x.playbook, x.runID}, id, c); err != nil {
		return fail(failureCode(err), "the comment was not added: "+err.Error())
	}
	return done(map[string]any{"statusCode": int64(200), "body": map[string]any{"name": c.ID, "properties": map[string]any{"message": msg}}})
}

// updateIncident is Update incident.
func updateIncident(ctx context.Context, x *step, body any) *outcome {
	id, bad := incidentID(body)
	if bad != nil {
		return bad
	}
	u := IncidentUpdate{Severity: picket.Severity(text(path(body, "severity"))), Status: text(path(body, "status")),
		AddTags: tags(path(body, "tagsToAdd", "TagsToAdd")), RemoveTags: tags(path(body, "tagsToRemove", "TagsToRemove"))}
	if u.Severity != "" && u.Severity.Rank() < 0 {
		return fail("BadRequest", "severity must be High, Medium, Low or Informational, not '"+cut(string(u.Severity), 40)+"'")
	}
	if u.Status != "" && u.Status != "New" && u.Status != "Active" && u.Status != "Closed" {
		return fail("BadRequest", "status must be New, Active or Closed, not '"+cut(u.Status, 40)+"'")
	}
	switch text(path(body, "ownerAction")) {
	case "Assign":
		u.Owner = text(path(body, "owner"))
	case "Unassign":
		u.Unassign = true
	}
	// "FalsePositive - IncorrectAlertLogic"
	class, reason, _ := strings.Cut(text(path(body, "classification", "ClassificationAndReason")), " - ")
	u.Classification, u.ClassificationReason = class, reason
	u.ClassificationComment = text(path(body, "classification", "ClassificationReasonText"))
	if x.runner.o.Incidents == nil {
		return fail("ServiceUnavailable", "no incidents are connected")
	}
	if err := x.runner.o.Incidents.Update(ctx, By{x.playbook, x.runID}, id, u); err != nil {
		return fail(failureCode(err), "the incident was not updated: "+err.Error())
	}
	return done(map[string]any{"statusCode": int64(200), "body": map[string]any{"name": id}})
}

// incidentID reads the GUID at the end of incidentArmId.
func incidentID(body any) (string, *outcome) {
	arm := text(path(body, "incidentArmId"))
	id := arm[strings.LastIndex(arm, "/")+1:]
	if id == "" {
		return "", fail("BadRequest", "'incidentArmId' is empty; expected @triggerBody()?['object']?['id']")
	}
	return id, nil
}

func tags(v any) []string {
	var out []string
	l, _ := v.([]any)
	for _, t := range l {
		if s := text(path(t, "Tag")); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// failureCode names an error as a status would be.
func failureCode(err error) string {
	switch picket.CodeOf(err) {
	case picket.Invalid:
		return "BadRequest"
	case picket.Denied:
		return "Forbidden"
	case picket.NotFound:
		return "NotFound"
	case picket.Conflict:
		return "Conflict"
	case picket.Busy:
		return "TooManyRequests"
	}
	return "ServiceUnavailable"
}
