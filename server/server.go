// Package server is Picket's HTTP face: the Log Analytics query API, the Logs
// Ingestion API, the Prowl reputation API, and what the command line needs.
package server

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"picket"
	"picket/incident"
	"picket/reputation"
	"picket/workspace"
)

// Options are the parts the server speaks for.
type Options struct {
	Workspace  *workspace.DB
	Incidents  *incident.Desk
	Reputation *reputation.Service
	Prowl      http.Handler // serves /GetIPReputation

	// Admin is the token of the local administrator; it may do everything.
	Admin picket.Secret
	// Verify accepts an API key for a scope (query, ingest, admin), or says why not.
	Verify func(ctx context.Context, key picket.Secret, scope string) error

	// Token exchanges an API key for a bearer token that Verify takes until it ends.
	Token func(ctx context.Context, key picket.Secret) (token picket.Secret, expires time.Time, err error)

	Version string
	Now     func() time.Time // nil means time.Now
	Logger  *slog.Logger
}

type server struct {
	Options
	mux *http.ServeMux
}

// New returns the handler with every route.
func New(o Options) http.Handler {
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &server{Options: o, mux: http.NewServeMux()}

	// The Prowl contract answers for its paths alone, errors included.
	s.mux.Handle("/GetIPReputation", o.Prowl)
	s.mux.Handle("/live/GetIPReputation", o.Prowl)
	s.mux.Handle("/GetIPReputation/", o.Prowl)
	s.mux.Handle("/live/", o.Prowl)

	// Log Analytics query API. Clients differ in how often they write /v1.
	for _, prefix := range []string{"", "/v1", "/v1/v1"} {
		s.handle("GET "+prefix+"/workspaces/{workspace}/query", scopeQuery, s.query)
		s.handle("POST "+prefix+"/workspaces/{workspace}/query", scopeQuery, s.query)
	}

	// Logs Ingestion API.
	s.handle("POST /dataCollectionRules/{rule}/streams/{stream}", scopeIngest, s.ingest)

	// Picket's own.
	s.handle("GET /v1/keys", scopeAdmin, s.listKeys)
	s.handle("POST /v1/keys", scopeAdmin, s.createKey)
	s.handle("DELETE /v1/keys/{id}", scopeAdmin, s.revokeKey)
	s.handle("POST /v1/reputation", scopeAdmin, s.importReputation)
	s.handle("GET /v1/incidents", scopeQuery, s.listIncidents)
	s.mux.HandleFunc("GET /msi", func(w http.ResponseWriter, r *http.Request) {
		if err := s.managedIdentity(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
	s.mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, map[string]string{"status": "ok", "version": s.Version})
	})
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if s.tenant(w, r) { // its pattern would take Prowl's paths, too
			return
		}
		s.fail(w, r, &apiError{http.StatusNotFound, "PathNotFoundError", "The requested path does not exist", nil})
	})
	return s.recovered(s.mux)
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
		err := s.authorize(r, scope)
		if err == nil {
			err = h(w, r)
		}
		if err != nil {
			s.fail(w, r, err)
		}
	})
}

// authorize checks the bearer token or x-api-key of a request.
func (s *server) authorize(r *http.Request, scope string) error {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		token = r.Header.Get("x-api-key")
	}
	if token == "" {
		return &apiError{http.StatusUnauthorized, "AuthenticationFailed", "Valid authentication was not provided: send Authorization: Bearer KEY or x-api-key: KEY", nil}
	}
	if s.Admin != "" && subtle.ConstantTimeCompare([]byte(token), []byte(s.Admin.Reveal())) == 1 {
		return nil
	}
	if err := s.Verify(r.Context(), picket.Secret(token), scope); err != nil {
		if code := picket.CodeOf(err); code == picket.Denied || code == picket.NotFound {
			return &apiError{http.StatusForbidden, "InsufficientAccessError", "The key is unknown, revoked, or has not the scope " + scope, nil}
		}
		return err
	}
	return nil
}

// apiError is an error in the shape of Azure's APIs.
type apiError struct {
	status        int
	code, message string
	inner         any // innererror, or nil
}

func (e *apiError) Error() string { return e.message }

// statusOf maps Picket's codes to HTTP's.
func statusOf(c picket.Code) (int, string) {
	switch c {
	case picket.Invalid:
		return http.StatusBadRequest, "BadArgumentError"
	case picket.Denied:
		return http.StatusForbidden, "InsufficientAccessError"
	case picket.NotFound:
		return http.StatusNotFound, "NotFoundError"
	case picket.Conflict:
		return http.StatusConflict, "Conflict"
	case picket.Busy:
		return http.StatusTooManyRequests, "ThrottledError"
	case picket.Unavailable:
		return http.StatusServiceUnavailable, "ServiceUnavailable"
	}
	return http.StatusInternalServerError, "InternalServerError"
}

// fail writes err. What is our fault is logged and not shown.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	var api *apiError
	var known *picket.Error
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &api):
	case errors.As(err, &known):
		status, code := statusOf(known.Code)
		api = &apiError{status, code, known.Msg, nil}
	case errors.As(err, &tooBig):
		api = tooLarge(tooBig.Limit)
	case errors.Is(err, context.Canceled):
		// The caller is gone, or we are: never the 200 that saying nothing would be.
		api = &apiError{http.StatusServiceUnavailable, "ServiceUnavailable", "The request was cut off", nil}
	default:
		api = &apiError{http.StatusInternalServerError, "InternalServerError", "An internal error occurred; the server's log says more", nil}
	}
	var throttled *workspace.Throttled
	if errors.As(err, &throttled) {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(throttled.RetryAfter.Seconds()))))
	}
	id := uuid.NewString()
	if api.status >= 500 && r.Context().Err() == nil {
		s.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "correlation", id, "err", err)
	}
	body := map[string]any{"code": api.code, "message": api.message, "correlationId": id}
	if api.inner != nil {
		body["innererror"] = api.inner
	}
	if api.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, api.status, map[string]any{"error": body})
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
