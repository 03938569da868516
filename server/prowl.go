package server

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"picket"
	"picket/reputation"
)

// ProwlOptions configure [Prowl].
type ProwlOptions struct {
	Reputation *reputation.Service // keys and their metering
	Engine     *reputation.Engine
	// Cause says for which playbook and incident a playbook run asks, or "" when the
	// run is not known; nil knows none.
	Cause  func(ctx context.Context, runID string) (playbook, incident string)
	Logger *slog.Logger // nil discards
}

// Prowl answers the calls of Lupovis Prowl's clients, GET /GetIPReputation?ip=
// and the same under /live, as the original behind Amazon API Gateway does, so
// that they work unchanged. The header x-api-key holds a key with the scope
// lookup. A call with x-ms-client-request-id is counted once for each address,
// however often it is repeated.
//
//	200 {"ip":"1.2.3.4","ttps":["known-ssh-attack"],…}   the address is canonical
//	400 {"message":"Invalid IP address"}
//	403 {"message":"Forbidden"}                          no key, or not a valid one
//	403 {"message":"Missing Authentication Token"}       no such route or method
//	429 {"message":"Limit Exceeded"}                     the key's lookups of today
//	429 {"message":"Too Many Requests"}                  the key's lookups a second
//	500 {"message":"Internal server error"}
//
// Clients read more into the body than its type: any entry of ttps makes them
// block, one shows only the first, and one evaluates the body as Python, which
// has no true, false and null. Further fields are there only when they are known.
// An address that is not public has no labels and is not counted.
func Prowl(o ProwlOptions) http.Handler {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return prowl(o)
}

type prowl ProwlOptions

// prowlPatience is how long a lookup waits for the turn of a provider that is
// asked in its place. Clients give up after ten seconds.
const prowlPatience = 3 * time.Second

// prowlAnswer has only types that are the same text in JSON and in Python.
type prowlAnswer struct {
	IP   string   `json:"ip"`
	Ttps []string `json:"ttps"`

	Verdict                 string   `json:"verdict,omitempty"`
	Confidence              int      `json:"confidence,omitempty"`
	Techniques              []string `json:"techniques,omitempty"`
	IndicatorOfIntelligence string   `json:"indicator_of_intelligence,omitempty"`
	CountryCode             string   `json:"country_code,omitempty"`
	Asn                     int64    `json:"asn,omitempty"`
	AsOrganization          string   `json:"as_organization,omitempty"`
	FirstSeen               string   `json:"first_seen,omitempty"`
	LastSeen                string   `json:"last_seen,omitempty"`
	Sources                 []string `json:"sources,omitempty"`

	// Status, which the original does not have, is partial or stale when more may be
	// known later, and Reason says why. WaitingUntil is when sources that are over
	// their limit may be asked.
	Status       string `json:"status,omitempty"`
	Reason       string `json:"reason,omitempty"`
	WaitingUntil string `json:"waiting_until,omitempty"`
}

// prowlRefusal is an error answer of API Gateway, which names its kind in the
// header x-amzn-errortype.
type prowlRefusal struct {
	status     int
	kind, text string
}

// ServeHTTP implements [http.Handler].
func (p prowl) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, refusal := p.answer(r)
	w.Header().Set("Content-Type", "application/json")
	if refusal == nil {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = w.Write(body)
		return
	}
	if refusal.kind != "" {
		w.Header().Set("x-amzn-errortype", refusal.kind)
	}
	w.WriteHeader(refusal.status)
	text, _ := json.Marshal(map[string]string{"message": refusal.text}) // always encodes
	_, _ = w.Write(text)
}

func (p prowl) answer(r *http.Request) ([]byte, *prowlRefusal) {
	route := r.URL.Path == "/GetIPReputation" || r.URL.Path == "/live/GetIPReputation"
	if !route || (r.Method != http.MethodGet && r.Method != http.MethodHead) {
		return nil, &prowlRefusal{http.StatusForbidden, "MissingAuthenticationTokenException", "Missing Authentication Token"}
	}
	ctx := r.Context()
	key, err := p.Reputation.VerifyKey(ctx, picket.Secret(r.Header.Get(apiKeyHeader)), reputation.ScopeLookup)
	if err == nil {
		err = p.Reputation.Allow(key)
	}
	if err != nil {
		return nil, p.refuse(ctx, err)
	}
	ip, err := reputation.ParseIPQuery(r.URL.RawQuery)
	if err != nil {
		return nil, &prowlRefusal{status: http.StatusBadRequest, text: "Invalid IP address"}
	}
	a := &asker{service: p.Reputation, engine: p.Engine, key: key, requestID: r.Header.Get(requestIDHeader),
		caller: reputation.Caller{Patience: prowlPatience}}
	a.caller.Playbook, a.caller.Incident = causeOf(r, p.Cause)
	profile, err := a.lookup(ctx, ip)
	if err != nil {
		return nil, p.refuse(ctx, err)
	}
	return profile.Form(formProwl, prowlForm).Body, nil
}

// refuse chooses the answer for an error, and logs those that are ours.
func (p prowl) refuse(ctx context.Context, err error) *prowlRefusal {
	switch {
	case picket.CodeOf(err) == picket.Denied:
		p.Logger.DebugContext(ctx, "lookup refused", "err", err)
		return &prowlRefusal{http.StatusForbidden, "ForbiddenException", "Forbidden"}
	case errors.Is(err, reputation.ErrQuota):
		return &prowlRefusal{http.StatusTooManyRequests, "LimitExceededException", "Limit Exceeded"}
	case errors.Is(err, reputation.ErrThrottled):
		return &prowlRefusal{http.StatusTooManyRequests, "TooManyRequestsException", "Too Many Requests"}
	}
	if ctx.Err() == nil {
		p.Logger.ErrorContext(ctx, "lookup failed", "err", err)
	}
	return &prowlRefusal{http.StatusInternalServerError, "InternalServerErrorException", "Internal server error"}
}

// prowlForm is a profile as a Prowl answer.
func prowlForm(p *reputation.Profile) reputation.Form {
	body, _ := json.Marshal(answerOf(p)) // texts and numbers always encode
	return reputation.Form{Body: body}
}

func answerOf(p *reputation.Profile) prowlAnswer {
	a := prowlAnswer{
		IP: p.IP.String(), Ttps: p.Labels, Verdict: string(p.Verdict), Confidence: p.Confidence, Techniques: p.Techniques,
		IndicatorOfIntelligence: p.Indicator, CountryCode: p.CountryCode, Asn: p.ASN, AsOrganization: p.ASOrg,
		FirstSeen: prowlTime(p.FirstSeen), LastSeen: prowlTime(p.LastSeen),
	}
	if p.Verdict == reputation.Unknown {
		a.Verdict = ""
	}
	if p.Indicator == reputation.Undetermined {
		a.IndicatorOfIntelligence = ""
	}
	switch {
	case p.Status == reputation.StatusPartial:
		a.Status, a.Reason, a.WaitingUntil = p.Status, p.Reason, prowlTime(p.WaitsUntil())
	case p.Stale():
		a.Status, a.Reason = reputation.StatusStale, p.Reason
	}
	for _, f := range p.Sources {
		if f.Verdict != "" && f.Title != "" {
			a.Sources = append(a.Sources, f.Title)
		}
	}
	return a
}

// prowlTime is a time as RFC 3339, or "" for none.
func prowlTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
