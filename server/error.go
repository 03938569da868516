package server

import (
	"context"
	"errors"
	"math"
	"net/http"
	"strconv"

	"github.com/google/uuid"

	"picket"
	"picket/workspace"
)

// apiError is an error in the shape of Azure's APIs.
type apiError struct {
	status        int
	code, message string
	inner         any   // innererror, or nil
	details       []any // one for each of several problems
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

// body is the error as JSON.
func (e *apiError) body(correlation string) map[string]any {
	b := map[string]any{"code": e.code, "message": e.message, "correlationId": correlation}
	if e.inner != nil {
		b["innererror"] = e.inner
	}
	if e.details != nil {
		b["details"] = e.details
	}
	return b
}

// apiErrorOf is what the caller is told of err.
func apiErrorOf(err error) *apiError {
	var api *apiError
	var known *picket.Error
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &api):
		return api
	case errors.As(err, &known):
		status, code := statusOf(known.Code)
		return &apiError{status: status, code: code, message: known.Msg}
	case errors.As(err, &tooBig):
		return tooLarge(tooBig.Limit)
	case errors.Is(err, context.Canceled):
		// The caller is gone, or we are: never the 200 that saying nothing would be.
		return &apiError{status: http.StatusServiceUnavailable, code: "ServiceUnavailable", message: "The request was cut off"}
	}
	return &apiError{status: http.StatusInternalServerError, code: "InternalServerError", message: "An internal error occurred; the server's log says more"}
}

// note logs what is our fault, and sets the headers that errors have.
func (s *server) note(w http.ResponseWriter, r *http.Request, status int, err error) (id string) {
	if id = w.Header().Get("x-ms-activity-id"); id == "" {
		id = uuid.NewString()
	}
	var throttled *workspace.Throttled
	if errors.As(err, &throttled) {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(throttled.RetryAfter.Seconds()))))
	}
	if status >= 500 && r.Context().Err() == nil {
		s.Logger.Error("request failed", "method", r.Method, "path", r.URL.Path, "correlation", id, "err", err)
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	return id
}

// fail writes err. What is our fault is logged and not shown.
func (s *server) fail(w http.ResponseWriter, r *http.Request, err error) {
	api := apiErrorOf(err)
	id := s.note(w, r, api.status, err)
	writeJSON(w, api.status, map[string]any{"error": api.body(id)})
}
