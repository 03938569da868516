// Package server is Picket's HTTP face: the Log Analytics query API, the Logs
// Ingestion API, the Prowl reputation API, and what the command line needs.
package server

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"picket"
	"picket/collection"
	"picket/incident"
	"picket/library"
	"picket/reputation"
	"picket/workspace"
)

// Options are the parts the server speaks for.
type Options struct {
	Workspace  *workspace.DB
	Incidents  *incident.Desk
	Reputation *reputation.Service
	Library    *library.Library
	Engine     *reputation.Engine
	Prowl      http.Handler // serves /GetIPReputation
	// Cause is as in ProwlOptions.
	Cause  func(ctx context.Context, runID string) (playbook, incident string)
	Intake *collection.Intake
	Hosts  Hosts
	// SharedKey signs the calls of the HTTP Data Collector API, in base64.
	SharedKey picket.Secret

	// Admin is the token of the local administrator; it may do everything.
	Admin picket.Secret
	// Verify accepts an API key, or a token for one, for a scope (query, ingest,
	// admin, …; "" is any) and returns the key's id, or says why not.
	Verify func(ctx context.Context, key picket.Secret, scope string) (id string, err error)
	// Token exchanges an API key for a bearer token that Verify takes until it ends.
	Token func(ctx context.Context, key picket.Secret) (token picket.Secret, expires time.Time, err error)

	// Metrics answers GET /metrics; nil when there are none. Without OpenMetrics it
	// takes a key with the scope metrics.
	Metrics     http.Handler
	OpenMetrics bool

	Version string
	Now     func() time.Time // nil means time.Now
	Logger  *slog.Logger
}

type server struct {
	Options
	mux routes
}

// routes is a mux that remembers its patterns: the description of the API is held
// to them.
type routes struct {
	*http.ServeMux
	patterns []string
}

func (m *routes) Handle(pattern string, h http.Handler) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.Handle(pattern, h)
}

func (m *routes) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(h))
}

// New returns the handler with every route.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := newServer(o)
	return s.recovered(s.mux)
}

func newServer(o Options) *server {
	s := &server{Options: o, mux: routes{ServeMux: http.NewServeMux()}}

	// The Prowl contract answers for its paths alone, errors included.
	s.mux.Handle("/GetIPReputation", o.Prowl)
	s.mux.Handle("/live/GetIPReputation", o.Prowl)
	s.mux.Handle("/GetIPReputation/", o.Prowl)
	s.mux.Handle("/live/", o.Prowl)

	s.queryRoutes()

	// Logs Ingestion API.
	s.handle("POST /dataCollectionRules/{rule}/streams/{stream}", scopeIngest, s.upload)
	// HTTP Data Collector API. Its errors have a shape of their own.
	s.mux.HandleFunc("POST /api/logs", s.collect)
	s.handle("POST /subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.OperationalInsights/workspaces/{workspace}/sharedKeys", scopeAdmin, s.sharedKeys)
	s.handle("GET /v1/dataCollectionRules", scopeQuery, s.listRules)

	// Picket's own.
	s.libraryRoutes()
	s.handle("GET /v1/keys", scopeAdmin, s.listKeys)
	s.handle("POST /v1/keys", scopeAdmin, s.createKey)
	s.handle("POST /v1/keys/{id}/rotate", scopeAdmin, s.rotateKey)
	s.handle("DELETE /v1/keys/{id}", scopeAdmin, s.revokeKey)
	s.handle("GET /v1/usage/statement", "", s.usageStatement)
	s.handle("POST /v1/reputation", scopeAdmin, s.importReputation)
	s.handle("GET /v1/ip/{address}", reputation.ScopeLookup, s.lookupIP)
	s.handle("GET /v1/ip/{address}/exposure", scopeQuery, s.exposure)
	s.handle("GET /v1/ip/{address}/history", reputation.ScopeLookup, s.historyOfIP)
	s.handle("POST /v1/ips", reputation.ScopeBulk, s.lookupIPs)
	s.handle("POST /v1/hosts", reputation.ScopeEnrol, s.enrolHost)
	s.handle("GET /v1/hosts", scopeAdmin, s.listHosts)
	s.handle("DELETE /v1/hosts/{id}", scopeAdmin, s.revokeHost)
	s.handle("GET /v1/host/sources", reputation.ScopeHost, s.hostSources)
	s.handle("POST /v1/host/streams/{stream}", reputation.ScopeHost, s.takeFromHost)
	s.handle("GET /v1/incidents", scopeQuery, s.listIncidents)
	s.mux.HandleFunc("GET /msi", func(w http.ResponseWriter, r *http.Request) {
		if err := s.managedIdentity(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
	s.metricsRoute()
	s.docsRoutes()
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "version": s.Version})
	})
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if s.tenant(w, r) { // its pattern would take Prowl's paths, too
			return
		}
		s.fail(w, r, &apiError{status: http.StatusNotFound, code: "PathNotFoundError", message: "The requested path does not exist"})
	})
	return s
}

// The scopes of API keys that routes ask for.
const (
	scopeQuery  = "query"
	scopeIngest = "ingest"
	scopeAdmin  = "admin"
)

// handle adds a route whose handler returns its error instead of writing it.
func (s *server) handle(pattern, scope string, h func(http.ResponseWriter, *http.Request) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		identify(w, r)
		r, err := s.admit(r, scope)
		if err == nil {
			err = h(w, r)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

// admit authorizes a request and returns it with the caller in its context.
func (s *server) admit(r *http.Request, scope string) (*http.Request, error) {
	id, err := s.authorize(r, scope)
	if err != nil {
		return r, err
	}
	return r.WithContext(context.WithValue(r.Context(), callerKey{}, id)), nil
}

// callerKey is where a request's context has the id of its key.
type callerKey struct{}

// callerOf is who asks, for the limits of a caller.
func callerOf(ctx context.Context) workspace.Caller {
	id, _ := ctx.Value(callerKey{}).(string)
	return workspace.Caller{Name: cmp.Or(id, "admin")}
}

// authorize checks the bearer token or x-api-key of a request and returns the id
// of the key, which is "" for the local administrator.
func (s *server) authorize(r *http.Request, scope string) (id string, err error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = r.Header.Get(apiKeyHeader)
	}
	if token == "" {
		return "", &apiError{status: http.StatusUnauthorized, code: "AuthenticationFailed", message: "Valid authentication was not provided: send Authorization: Bearer KEY or x-api-key: KEY"}
	}
	if s.Admin != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.Admin.Reveal())) == 1 {
		return "", nil
	}
	id, err = s.Verify(r.Context(), picket.Secret(token), scope)
	if err != nil {
		if code := picket.CodeOf(err); code == picket.Denied || code == picket.NotFound {
			return "", &apiError{status: http.StatusForbidden, code: "InsufficientAccessError", message: "The key is unknown, revoked, expired, or has not the scope " + scope}
		}
		return "", err
	}
	return id, nil
}

// jsonError leaves Go's types out of an error of encoding/json.
func jsonError(err error) error {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("there is a JSON %s at byte %d", wrong.Value, wrong.Offset)
	}
	return err
}

// recovered turns a panic of a handler into a 500 and a line in the log.
func (s *server) recovered(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if v := recover(); v != nil {
				if err, ok := v.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(v)
				}
				s.Logger.Error("handler panicked", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
				writeJSON(w, http.StatusInternalServerError, map[string]any{"error": map[string]string{"code": "InternalServerError", "message": "An internal error occurred; the server's log says more"}})
			}
		}()
		h.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v) // a caller that is gone cannot be told
}
