package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"picket"
	"picket/kql/syntax"
)

// kustoError is an error in the shape of Kusto's (OneApiErrors, Microsoft page
// "Query/management HTTP response").
type kustoError struct {
	status        int
	code, message string
	kind          string // of the exception: @type
	permanent     bool   // the same request will fail again
	inner         []map[string]any
}

func (e *kustoError) Error() string { return e.message }

// body is the value of the error member.
func (e *kustoError) body(request, activity string) map[string]any {
	b := map[string]any{
		"code": e.code, "message": "Request is invalid and cannot be executed.", "@type": e.kind, "@message": e.message, "@permanent": e.permanent,
		"@context": map[string]any{
			"timestamp": time.Now().UTC().Format(time.RFC3339Nano), "serviceAlias": "PICKET", "machineName": "", "processName": "picket",
			"clientRequestId": request, "activityId": activity, "subActivityId": activity, "activityType": "", "parentActivityId": activity, "activityStack": "",
		},
	}
	if e.status >= 500 || e.status == http.StatusTooManyRequests {
		b["message"] = "Request could not be executed."
	}
	if len(e.inner) > 0 {
		b["innererror"] = e.inner[0]
	}
	if len(e.inner) > 1 {
		b["details"] = e.inner
	}
	return b
}

// kustoCompileError is the error answer to a query that does not compile.
func kustoCompileError(err error, src string) error {
	var d syntax.Diagnostics
	if !errors.As(err, &d) || len(d) == 0 {
		return err
	}
	e := &kustoError{status: http.StatusBadRequest, code: "General_BadRequest", kind: "Kusto.Data.Exceptions.SemanticException", permanent: true}
	prefix := "Semantic error: "
	if strings.HasPrefix(d[0].Code, "SYN") {
		e.kind, prefix = "Kusto.Data.Exceptions.SyntaxException", "Syntax error: "
	}
	e.message = prefix + d[0].Code + ": " + strings.TrimRight(d.Render(src), "\n")
	for _, x := range d {
		line, col := syntax.LineCol(src, x.Span.Start)
		e.inner = append(e.inner, map[string]any{
			"code": x.Code, "message": x.Msg, "@type": e.kind, "@message": strings.TrimRight(x.Render(src), "\n"), "@permanent": true,
			"line": line, "pos": col - 1, "token": src[min(x.Span.Start, len(src)):min(x.Span.End, len(src))],
		})
	}
	return e
}

// kustoErrorOf is what the caller of a Kusto route is told of err.
func kustoErrorOf(err error) *kustoError {
	var known *kustoError
	if errors.As(err, &known) {
		return known
	}
	if tooLong(err) {
		return &kustoError{status: http.StatusGatewayTimeout, code: "General_Timeout", kind: "Kusto.Data.Exceptions.KustoServiceTimeoutException", message: upperFirst(err.Error())}
	}
	api := apiErrorOf(err)
	e := &kustoError{status: api.status, message: api.message, permanent: api.status < 500}
	switch api.status {
	case http.StatusTooManyRequests:
		e.code, e.kind, e.permanent = "TooManyRequests", "Kusto.Data.Exceptions.KustoServicePartialQueryFailureThrottledException", false
	case http.StatusUnauthorized:
		e.code, e.kind = "Unauthorized", "Kusto.Data.Exceptions.KustoServiceAuthenticationException"
	case http.StatusForbidden:
		e.code, e.kind = "Forbidden", "Kusto.Data.Exceptions.KustoServiceAuthorizationException"
	case http.StatusServiceUnavailable:
		e.code, e.kind = "ServiceUnavailable", "Kusto.Data.Exceptions.KustoServiceException"
	case http.StatusInternalServerError:
		e.code, e.kind = "General_InternalServerError", "Kusto.Data.Exceptions.KustoServiceException"
	default:
		e.code, e.kind = "General_BadRequest", "Kusto.Data.Exceptions.KustoBadRequestException"
	}
	return e
}

// failKusto writes err. What is our fault is logged and not shown.
func (s *server) failKusto(w http.ResponseWriter, r *http.Request, err error) {
	e := kustoErrorOf(err)
	id := s.note(w, r, e.status, err)
	writeJSON(w, e.status, map[string]any{"error": e.body(w.Header().Get("x-ms-client-request-id"), id)})
}

// cutError is the error of a result that is not whole.
func cutError(c *cut) *kustoError {
	if c.limit {
		return &kustoError{status: http.StatusOK, code: "LimitsExceeded", kind: "Kusto.Data.Exceptions.KustoServicePartialQueryFailureLimitsExceededException", permanent: true,
			message: "Query execution has exceeded the allowed limits (80DA0003): " + tooLargeText(c)}
	}
	return &kustoError{status: http.StatusOK, code: "Internal", kind: "Kusto.Data.Exceptions.KustoServicePartialQueryFailureException", message: upperFirst(c.msg)}
}

// badCommand refuses a control command.
func badCommand(format string, args ...any) error {
	return picket.Errorf(picket.Invalid, format, args...)
}
