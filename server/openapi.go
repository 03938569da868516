package server

import (
	_ "embed"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/goccy/go-yaml"
)

// openapi is the description of Picket's own API (OpenAPI 3.1). A test holds it to
// the routes, and real answers to its schemas.
//
//go:embed openapi.yaml
var openapi string

// document returns the description with the version of this server.
func (s *server) document() string {
	return strings.Replace(openapi, "version: VERSION", "version: "+strconv.Quote(s.Version), 1)
}

// docsRoutes adds the description of the API, for programs and for people. Both
// take no key: they say nothing that the repository does not.
func (s *server) docsRoutes() {
	s.mux.HandleFunc("GET /openapi.json", s.serve("application/json; charset=utf-8", func() ([]byte, error) {
		return yaml.YAMLToJSON([]byte(s.document()))
	}))
	page := s.serve("text/html; charset=utf-8", func() ([]byte, error) { return docsPage([]byte(s.document())) })
	s.mux.HandleFunc("GET /docs", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		page(w, r)
	})
}

// serve answers with a text that is made when somebody first asks for it.
func (s *server) serve(contentType string, text func() ([]byte, error)) http.HandlerFunc {
	made := sync.OnceValues(text)
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := made()
		if err != nil {
			s.fail(w, r, fmt.Errorf("the description of the API: %w", err))
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(body) // a caller that is gone cannot be told
	}
}
