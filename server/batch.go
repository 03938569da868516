package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"picket"
)

// maxBatch is how many queries a batch may hold.
const maxBatch = 100

// batchRequest is one query of a batch ("Batch queries").
type batchRequest struct {
	ID        string            `json:"id"`
	Workspace string            `json:"workspace"`
	Method    string            `json:"method"`
	Path      string            `json:"path"`
	Headers   map[string]string `json:"headers"`
	Body      logQuery          `json:"body"`
}

// batch is POST /v1/$batch. The queries run one after the other: the engine uses
// every processor for each, and a batch is one caller's one query to the others.
func (s *server) batch(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
	if err != nil {
		return err
	}
	var req struct {
		Requests []batchRequest `json:"requests"`
	}
	if err := json.Unmarshal(body, &req); err != nil {
		return &apiError{status: http.StatusBadRequest, code: "InvalidJsonBody", message: `The body must be JSON such as {"requests":[{"id":"1","workspace":"…","body":{"query":"…"}}]}: ` + jsonError(err).Error()}
	}
	if n := len(req.Requests); n == 0 || n > maxBatch {
		return picket.Errorf(picket.Invalid, "The batch has %d requests; want 1 to %d", n, maxBatch)
	}
	seen := map[string]bool{}
	for _, q := range req.Requests {
		if q.ID == "" || seen[q.ID] {
			return picket.Errorf(picket.Invalid, "The batch has the id %q twice, or a request without one; want a different id for each", q.ID)
		}
		seen[q.ID] = true
	}
	out := newWire(w, r)
	out.buf = append(out.buf, `{"responses":[`...)
	for i, q := range req.Requests {
		if i > 0 {
			out.buf = append(out.buf, ',')
		}
		patience(w, maxWait)
		s.batchResponse(r, out, q)
		if out.gone != nil || r.Context().Err() != nil {
			return r.Context().Err()
		}
	}
	out.buf = append(out.buf, "]}\n"...)
	out.end()
	return nil
}

// batchResponse writes the response to one request of a batch.
func (s *server) batchResponse(r *http.Request, out *wire, q batchRequest) {
	start := len(out.buf)
	head := func(status int) {
		out.buf = appendText(append(out.buf, `{"id":`...), q.ID)
		out.buf = fmt.Appendf(out.buf, `,"status":%d,"headers":{},"body":`, status)
	}
	head(http.StatusOK)
	// Only while nothing of it has left is a failure returned.
	if err := s.batchQuery(r, out, q); err != nil {
		out.buf = out.buf[:start]
		e := apiErrorOf(err)
		head(e.status)
		out.buf = appendValue(out.buf, map[string]any{"error": e.body(uuid.NewString())})
	}
	out.buf = append(out.buf, '}')
}

func (s *server) batchQuery(r *http.Request, out *wire, q batchRequest) error {
	if q.Path != "" && !strings.EqualFold(strings.Trim(q.Path, "/"), "query") {
		return &apiError{status: http.StatusNotFound, code: "PathNotFoundError", message: fmt.Sprintf("There is no %s in a batch; want /query", q.Path)}
	}
	if err := s.known(q.Workspace); err != nil {
		return err
	}
	for name, value := range q.Headers {
		if strings.EqualFold(name, "Prefer") {
			q.Body.prefer = parsePrefer([]string{value})
		}
	}
	q.Body.span(url.Values{})
	return s.runLogQuery(r.Context(), out, q.Body)
}
