package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"picket"
	"picket/kql"
)

// kustoDatabase is the name under which Kusto's clients find the workspace: the
// one that they take when none is set.
const kustoDatabase = "NetDefaultDB"

// kustoRequest is a request of Kusto's REST API (Microsoft pages "Query/management
// HTTP request" and "Request properties").
type kustoRequest struct {
	DB         string          `json:"db"`
	CSL        string          `json:"csl"`
	Properties json.RawMessage `json:"properties"` // an object, or a string that holds one

	props struct {
		Options         map[string]any
		Parameters      map[string]any
		ClientRequestID string `json:"ClientRequestId"`
	}
}

func readKusto(w http.ResponseWriter, r *http.Request) (kustoRequest, error) {
	form := r.URL.Query()
	req := kustoRequest{DB: form.Get("db"), CSL: form.Get("csl"), Properties: json.RawMessage(form.Get("properties"))}
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
		if err != nil {
			return req, err
		}
		if err := json.Unmarshal(body, &req); err != nil {
			return req, picket.Errorf(picket.Invalid, `The body must be JSON such as {"db":"NetDefaultDB","csl":"Syslog | take 10"}: %w`, jsonError(err))
		}
	}
	if strings.TrimSpace(req.CSL) == "" {
		return req, picket.Errorf(picket.Invalid, "The request has no query (csl)")
	}
	return req, req.readProperties()
}

func (q *kustoRequest) readProperties() error {
	text := bytes.TrimSpace(q.Properties)
	var inner string
	if len(text) > 0 && text[0] == '"' {
		if err := json.Unmarshal(text, &inner); err != nil {
			return picket.Errorf(picket.Invalid, "properties: %w", jsonError(err))
		}
		text = []byte(inner)
	}
	if len(text) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // a long has more digits than a float
	if err := d.Decode(&q.props); err != nil {
		return picket.Errorf(picket.Invalid, `properties must be JSON such as {"Options":{"servertimeout":"00:04:00"}}: %w`, jsonError(err))
	}
	return nil
}

func (q *kustoRequest) on(option string) bool {
	for name, v := range q.props.Options {
		if strings.EqualFold(name, option) {
			return strings.EqualFold(optionText(v), "true")
		}
	}
	return false
}

// database checks that a request is for the one database there is.
func (s *server) database(name string) error {
	switch {
	case name == "", strings.EqualFold(name, kustoDatabase), strings.EqualFold(name, s.Workspace.ID()), name == "default":
		return nil
	}
	return &kustoError{status: http.StatusBadRequest, code: "BadRequest_EntityNotFound", kind: "Kusto.Data.Exceptions.EntityNotFoundException",
		message: "Entity ID '" + name + "' of kind 'Database' was not found; want " + kustoDatabase, permanent: true}
}

// kustoQuery answers /v1/rest/query and /v2/rest/query. A request for progressive
// frames is answered with others, as the protocol allows.
func (s *server) kustoQuery(w http.ResponseWriter, r *http.Request) error {
	req, err := readKusto(w, r)
	if err != nil {
		return err
	}
	if err := s.database(req.DB); err != nil {
		return err
	}
	v2 := strings.HasPrefix(r.URL.Path, "/v2/")
	if strings.HasPrefix(strings.TrimSpace(req.CSL), ".") {
		return s.runCommand(w, r, req, v2)
	}
	patience(w, maxTimeout)
	out := newWire(w, r)
	if err := s.runKusto(r.Context(), out, req, s.kustoAnswer(w, r, req, v2)); err != nil {
		return err
	}
	out.end()
	return nil
}

// kustoAnswer is how the request wants its result.
func (s *server) kustoAnswer(w http.ResponseWriter, r *http.Request, req kustoRequest, v2 bool) kustoAnswer {
	ids := kustoIDs{
		request: w.Header().Get("x-ms-client-request-id"), activity: w.Header().Get("x-ms-activity-id"),
		at: s.Now().UTC(), deferred: req.on("deferpartialqueryfailures"),
	}
	if ids.request == "" {
		ids.request = req.props.ClientRequestID
	}
	if v2 {
		return &kustoV2{ids: ids, fragmented: req.on("results_v2_fragment_primary_tables")}
	}
	return &kustoV1{ids: ids}
}

// kustoAnswer is an answer that also says what render asked for.
type kustoAnswer interface {
	answer
	setRender(*kql.Render)
}

func (s *server) runKusto(ctx context.Context, out *wire, req kustoRequest, a kustoAnswer) error {
	began := time.Now()
	who := callerOf(ctx)
	o := kql.Options{Now: kql.TicksOf(s.Now()), Parameters: map[string]any{}}
	if req.props.Parameters != nil {
		o.Parameters = req.props.Parameters
	}
	who.Limits.Time = 4 * time.Minute // Kusto's default
	for name, v := range req.props.Options {
		if v == nil {
			continue
		}
		if err := errors.Join(setting(&who.Limits, name, optionText(v)), scopeOption(&o, name, optionText(v))); err != nil {
			return picket.Errorf(picket.Invalid, "%w", err)
		}
	}
	q, err := s.Workspace.Compile(ctx, who, req.CSL, o)
	if err != nil {
		return kustoCompileError(err, req.CSL)
	}
	if err := settings(&who.Limits, q.Settings); err != nil {
		return err
	}
	res, err := s.Workspace.Run(ctx, who, q)
	if err != nil {
		return err
	}
	defer res.Close()
	a.setRender(res.Render)
	return s.send(ctx, out, res, a, began)
}

// scopeOption applies the options that say what now() is and which time is looked at.
func scopeOption(o *kql.Options, name, value string) error {
	var to *kql.Ticks
	switch strings.ToLower(name) {
	case "query_now":
		to = &o.Now
	case "query_datetimescope_from":
		to = &o.From
	case "query_datetimescope_to":
		to = &o.To
	default:
		return nil
	}
	t, err := kql.ParseDateTime(value)
	if err != nil {
		return picket.Errorf(picket.Invalid, "The request property %s is %q; want a datetime such as 2026-01-02T03:04:05Z", name, value)
	}
	*to = t
	return nil
}

// authMetadata is GET /v1/rest/auth/metadata, which clients ask before they have a
// token. The login endpoint is this server: see clientCredentials.
func (s *server) authMetadata(w http.ResponseWriter, r *http.Request) {
	login := "https://" + r.Host
	writeJSON(w, http.StatusOK, map[string]any{"AzureAD": map[string]any{
		"LoginEndpoint": login, "LoginMfaRequired": false,
		// The ids of Kusto's public client and service, as everywhere.
		"KustoClientAppId": "db662dc1-0cfe-4e1c-a843-19a68e65be58", "KustoClientRedirectUri": "https://microsoft/kustoclient",
		"KustoServiceResourceId": "https://kusto.kusto.windows.net", "FirstPartyAuthorityUrl": login + "/picket",
	}, "dSTS": nil})
}
