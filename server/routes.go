package server

import (
	"net/http"

	"github.com/google/uuid"

	"picket/reputation"
)

// queryRoutes adds the routes of the query APIs.
func (s *server) queryRoutes() {
	// Log Analytics query API. Clients differ in how often they write /v1.
	for _, prefix := range []string{"", "/v1", "/v1/v1"} {
		for _, method := range []string{"GET ", "POST "} {
			s.handle(method+prefix+"/workspaces/{workspace}/query", scopeQuery, s.query)
			s.handle(method+prefix+"/workspaces/{workspace}/metadata", scopeQuery, s.metadata)
			s.handle(method+prefix+"/subscriptions/{rest...}", scopeQuery, s.resourceQuery)
		}
		s.handle("POST "+prefix+"/$batch", scopeQuery, s.batch)
	}

	// Kusto.
	for _, method := range []string{"GET ", "POST "} {
		s.handleKusto(method+"/v1/rest/query", s.kustoQuery)
		s.handleKusto(method+"/v2/rest/query", s.kustoQuery)
	}
	s.handleKusto("POST /v1/rest/mgmt", s.kustoMgmt)
	s.mux.HandleFunc("GET /v1/rest/auth/metadata", s.authMetadata)
}

// metricsRoute adds the server's own metrics, in the text format of Prometheus or
// that of OpenMetrics, as the caller accepts.
func (s *server) metricsRoute() {
	switch {
	case s.Metrics == nil:
	case s.OpenMetrics:
		s.mux.Handle("GET /metrics", s.Metrics)
	default:
		s.handle("GET /metrics", reputation.ScopeMetrics, func(w http.ResponseWriter, r *http.Request) error {
			s.Metrics.ServeHTTP(w, r)
			return nil
		})
	}
}

// identify answers a request with its ids: the caller's own, and one of ours that
// the log has, too.
func identify(w http.ResponseWriter, r *http.Request) (activity string) {
	if id := r.Header.Get(requestIDHeader); id != "" && len(id) <= 256 {
		w.Header().Set(requestIDHeader, id)
	}
	activity = uuid.NewString()
	w.Header().Set(activityHeader, activity)
	return activity
}

// handleKusto adds a route of Kusto's, whose errors have Kusto's shape.
func (s *server) handleKusto(pattern string, h func(http.ResponseWriter, *http.Request) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		identify(w, r)
		r, err := s.admit(r, scopeQuery)
		if err == nil {
			err = h(w, r)
		}
		if err != nil {
			s.failKusto(w, r, err)
		}
	})
}
