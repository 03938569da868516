package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/reputation"
	"picket/state"
)

const (
	ipPatience = 10 * time.Second // how long a lookup waits for a provider's turn
	// maxProfileAge bounds how long a caller may keep a profile: what is known
	// locally changes without notice.
	maxProfileAge = time.Hour
	// maxWorkflowName is how long the name of a Logic Apps workflow may be.
	maxWorkflowName = 80
)

// Headers in the form in which a request has them: looked for in another, each is
// brought into this one first.
const (
	apiKeyHeader    = "X-Api-Key"
	requestIDHeader = "X-Ms-Client-Request-Id"
	workflowHeader  = "X-Ms-Workflow-Name"
	runHeader       = "X-Ms-Workflow-Run-Id"
	activityHeader  = "X-Ms-Activity-Id"
)

// The forms that are kept with an answer.
const (
	formProfile = iota // of GET /v1/ip
	formProwl
)

// An asker is who pays for lookups: a key, or the local administrator, who does not.
type asker struct {
	service   *reputation.Service
	engine    *reputation.Engine
	key       state.Key
	admin     bool   // the local administrator
	requestID string // x-ms-client-request-id
	caller    reputation.Caller
}

func (s *server) asker(r *http.Request) (*asker, error) {
	a := &asker{
		service: s.Reputation, engine: s.Engine, requestID: r.Header.Get(requestIDHeader),
		caller: reputation.Caller{Patience: ipPatience},
	}
	a.caller.Playbook, a.caller.Incident = causeOf(r, s.Cause)
	id, _ := r.Context().Value(callerKey{}).(string)
	if a.admin = id == ""; !a.admin {
		var err error
		if a.key, err = s.Reputation.KeyByID(r.Context(), id); err != nil {
			return nil, err
		}
	}
	a.caller.Analyst = a.admin || slices.Contains(a.key.Scopes, reputation.ScopeAdmin)
	return a, nil
}

// causeOf says for which playbook and incident a request asks, from the headers that
// Logic Apps sends. Of a playbook that runs on Azure only the name is known.
func causeOf(r *http.Request, known func(context.Context, string) (playbook, incident string)) (playbook, incident string) {
	if id := r.Header.Get(runHeader); id != "" && known != nil {
		if playbook, incident = known(r.Context(), id); playbook != "" {
			return playbook, incident
		}
	}
	if name := r.Header.Get(workflowHeader); len(name) <= maxWorkflowName {
		return name, ""
	}
	return "", ""
}

// allow takes one lookup from the key's rate limit.
func (a *asker) allow() error {
	if a.admin {
		return nil
	}
	return a.service.Allow(a.key)
}

// lookup looks an address up and counts it. What is not public is free. A key
// that has nothing left for today makes nobody be asked; the repeat of a request
// id is free and may go on.
func (a *asker) lookup(ctx context.Context, ip netip.Addr) (*reputation.Answer, error) {
	if !a.admin && a.requestID == "" && a.key.PerDay > 0 && !a.engine.Skips(ip) {
		q, err := a.service.Quota(ctx, a.key)
		if err == nil && q.Remaining == 0 {
			err = reputation.ErrQuota
		}
		if err != nil {
			return nil, err
		}
	}
	p := a.engine.Answer(ctx, ip, a.caller)
	if p.Status == reputation.StatusSkipped {
		return p, nil
	}
	err := p.Err()
	if err == nil {
		err = ctx.Err() // its sources were broken off
	}
	if err == nil && !a.admin {
		err = a.service.Charge(ctx, a.key, a.requestID, ip)
	}
	return p, err
}

// rateLimit sets the headers that say what is left of the key's day, and after a
// refusal when to come again.
func (a *asker) rateLimit(ctx context.Context, h http.Header, refused error) {
	q, err := a.service.Quota(ctx, a.key)
	if err == nil && q.Limit > 0 {
		h.Set("X-RateLimit-Limit", strconv.FormatInt(q.Limit, 10))
		h.Set("X-RateLimit-Remaining", strconv.FormatInt(q.Remaining, 10))
		h.Set("X-RateLimit-Reset", strconv.FormatInt(q.Reset.Unix(), 10))
	}
	switch {
	case errors.Is(refused, reputation.ErrQuota) && q.Limit > 0:
		h.Set("Retry-After", seconds(time.Until(q.Reset)))
	case errors.Is(refused, reputation.ErrThrottled):
		h.Set("Retry-After", seconds(a.pause()))
	}
}

// pause is how long a throttled key waits for its next lookup.
func (a *asker) pause() time.Duration {
	return time.Duration(float64(time.Second) / max(a.key.PerSecond, 1e-6))
}

// seconds is a time of one second or more, rounded up.
func seconds(d time.Duration) string {
	return strconv.FormatInt(max(1, int64(math.Ceil(d.Seconds()))), 10)
}

func addressOf(text string) (netip.Addr, error) {
	ip, err := reputation.ParseIP(text)
	if err != nil {
		return ip, picket.Errorf(picket.Invalid, "%s is no IP address; %w", shown(text), err)
	}
	return ip, nil
}

// shown is a caller's text, quoted and not too long.
func shown(text string) string {
	if len(text) > 100 {
		text = strings.ToValidUTF8(text[:100], "") + "…"
	}
	return strconv.Quote(text)
}

// lookupIP is GET /v1/ip/{address}: the profile. It is counted once, also when the
// caller has it already and is told so (304); the repeat of a request id is free.
//
// X-RateLimit-Reset is in seconds since 1970. The entity tag is a weak one: it
// leaves out what differs between two answers that say the same, such as costs.
func (s *server) lookupIP(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	ip, err := addressOf(r.PathValue("address"))
	if err != nil {
		return err
	}
	a, err := s.asker(r)
	if err != nil {
		return err
	}
	if r.URL.RawQuery != "" {
		if err := a.refresh(r.URL.Query().Get("refresh")); err != nil {
			return err
		}
	}
	var p *reputation.Answer
	if err = a.allow(); err == nil {
		p, err = a.lookup(ctx, ip)
	}
	a.rateLimit(ctx, w.Header(), err)
	if err != nil {
		return err
	}
	form := p.Form(formProfile, profileForm)
	header := w.Header()
	header.Set("Etag", form.Tag)
	header.Set("Cache-Control", "private, max-age="+strconv.FormatInt(maxAge(form.Good, s.Now()), 10))
	if sameTag(r.Header["If-None-Match"], form.Tag) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Content-Length", strconv.Itoa(len(form.Body)))
	_, _ = w.Write(form.Body) // a caller that is gone cannot be told
	return nil
}

// refresh reads the parameter refresh.
func (a *asker) refresh(text string) (err error) {
	if text == "" {
		return nil
	}
	if a.caller.Refresh, err = strconv.ParseBool(text); err != nil {
		return picket.Errorf(picket.Invalid, "refresh is %s; want true or false", shown(text))
	}
	if a.caller.Refresh && !a.caller.Analyst {
		return picket.Errorf(picket.Denied, "refresh=true asks every provider again, which may cost: it needs a key with the scope admin")
	}
	return nil
}

// profileForm is a profile as GET /v1/ip sends it.
func profileForm(p *reputation.Profile) reputation.Form {
	return reputation.Form{Body: append(p.AppendJSON(nil), '\n'), Tag: entityTag(*p), Good: goodUntil(p)}
}

// entityTag is the weak entity tag (RFC 9110, section 8.8.3) of a profile.
func entityTag(p reputation.Profile) string {
	p.At, p.CostUSD, p.Sources = time.Time{}, 0, slices.Clone(p.Sources)
	for i := range p.Sources {
		p.Sources[i].Cached, p.Sources[i].CostUSD = false, 0
	}
	sum := sha256.Sum256(p.AppendJSON(nil))
	return `W/"` + hex.EncodeToString(sum[:16]) + `"`
}

// sameTag compares weakly (RFC 9110, section 13.1.2).
func sameTag(fields []string, tag string) bool {
	for _, field := range fields {
		for one := range strings.SplitSeq(field, ",") {
			if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == strings.TrimPrefix(tag, "W/") {
				return true
			}
		}
	}
	return false
}

// goodUntil is until when a profile says what would be said again: until the first of
// its sources expires, or may be asked. It is the zero time when one has failed, and
// far away when nothing ends it.
func goodUntil(p *reputation.Profile) time.Time {
	first := p.At.AddDate(100, 0, 0)
	until := func(t time.Time) {
		if !t.IsZero() && t.Before(first) {
			first = t
		}
	}
	for _, f := range p.Sources {
		until(f.Expires)
		until(f.Until)
		if f.State == reputation.Failed {
			return time.Time{}
		}
	}
	if p.Override != nil {
		until(p.Override.Expires)
	}
	return first
}

// maxAge is for how many seconds a caller may keep a profile.
func maxAge(good, now time.Time) int64 {
	return int64(min(max(0, good.Sub(now)), maxProfileAge).Seconds())
}

// historyOfIP is GET /v1/ip/{address}/history: the changes of its verdict, the
// newest first. Nobody is asked, and it is not counted.
func (s *server) historyOfIP(w http.ResponseWriter, r *http.Request) error {
	ip, err := addressOf(r.PathValue("address"))
	if err != nil {
		return err
	}
	a, err := s.asker(r)
	if err != nil {
		return err
	}
	if err := a.allow(); err != nil {
		a.rateLimit(r.Context(), w.Header(), err)
		return err
	}
	changes, err := s.Engine.History(r.Context(), ip)
	if err != nil {
		return err
	}
	type row struct {
		At         time.Time `json:"at"`
		Verdict    string    `json:"verdict"`
		Confidence int       `json:"confidence"`
		Reason     string    `json:"reason,omitempty"`
	}
	rows := make([]row, len(changes))
	for i, c := range changes {
		rows[i] = row{c.At, c.Verdict, c.Confidence, c.Reason}
	}
	writeJSON(w, http.StatusOK, map[string]any{"ip": ip, "value": rows})
	return nil
}
