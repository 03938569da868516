package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"

	"picket"
	"picket/kql"
	"picket/kql/syntax"
	"picket/workspace"
)

// writeTimeout bounds how long a caller may take for one piece of an answer.
const writeTimeout = time.Minute

// maxQuery bounds a query request's body.
const maxQuery = 10 << 20

// queryRequest is a request of the Log Analytics query API ("Azure Monitor Log
// Analytics API request format").
type queryRequest struct {
	Query    string  `json:"query"`
	Timespan *string `json:"timespan"`
}

func (r queryRequest) span() string {
	if r.Timespan == nil {
		return ""
	}
	return *r.Timespan
}

// query answers GET and POST /v1/workspaces/{workspace}/query. One server is
// one workspace: the path may name it by its id or as "default".
func (s *server) query(w http.ResponseWriter, r *http.Request) error {
	if id := r.PathValue("workspace"); id != "default" && !strings.EqualFold(id, s.Workspace.ID()) {
		return &apiError{http.StatusNotFound, "PathNotFoundError", "There is no workspace " + id + " here; want " + s.Workspace.ID() + " or default", nil}
	}
	req := queryRequest{Query: r.URL.Query().Get("query")}
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
		if err != nil {
			return err
		}
		if err := json.Unmarshal(body, &req); err != nil {
			return picket.Errorf(picket.Invalid, `The body must be JSON such as {"query":"Syslog | take 10"}: %w`, jsonError(err))
		}
	}
	if strings.TrimSpace(req.Query) == "" {
		return picket.Errorf(picket.Invalid, "The request has no query")
	}
	o := kql.Options{Now: kql.TicksOf(s.Now())}
	// Given twice, both hold.
	for _, span := range []string{r.URL.Query().Get("timespan"), req.span()} {
		from, to, err := parseTimespan(span, s.Now())
		if err != nil {
			return picket.Errorf(picket.Invalid, "%w", err)
		}
		if from.IsZero() && to.IsZero() {
			continue
		}
		o.From = max(o.From, kql.TicksOf(from))
		if o.To == 0 || kql.TicksOf(to) < o.To {
			o.To = kql.TicksOf(to)
		}
	}
	res, err := s.Workspace.QueryAs(r.Context(), caller(r), req.Query, o)
	if err != nil {
		var d syntax.Diagnostics
		if errors.As(err, &d) && len(d) > 0 {
			return queryError(d, req.Query)
		}
		return timeout(err)
	}
	defer res.Close()
	return timeout(writeResult(r.Context(), w, res))
}

// caller tells callers apart by what they authenticate with, of which only a
// hash is kept.
func caller(r *http.Request) workspace.Caller {
	sum := sha256.Sum256([]byte(r.Header.Get("Authorization") + "\n" + r.Header.Get("x-api-key")))
	return workspace.Caller{Name: hex.EncodeToString(sum[:8])}
}

// timeout gives a query that took too long the status of the API. Clients would
// repeat a 429 at once.
func timeout(err error) error {
	if picket.CodeOf(err) == picket.Busy && errors.Is(err, context.DeadlineExceeded) {
		return &apiError{http.StatusGatewayTimeout, "GatewayTimeout", err.Error(), nil}
	}
	return err
}

// queryError is the error answer to a query that does not compile: the API's
// nested shape, with every problem and its caret in the innermost message.
func queryError(d syntax.Diagnostics, src string) error {
	kind := "SemanticError"
	message := "A semantic error occurred."
	if strings.HasPrefix(d[0].Code, "SYN") {
		kind, message = "SyntaxError", "A recognition error occurred in the query."
	}
	line, col := syntax.LineCol(src, d[0].Span.Start)
	token := src[min(d[0].Span.Start, len(src)):min(d[0].Span.End, len(src))]
	return &apiError{http.StatusBadRequest, "BadArgumentError", "The request had some invalid properties", map[string]any{
		"code": kind, "message": message,
		"innererror": map[string]any{
			"code": d[0].Code, "message": strings.TrimRight(d.Render(src), "\n"),
			"line": line, "pos": col - 1, "token": token,
		},
	}}
}

// writeResult writes the answer's JSON as rows come. A failure under way is
// reported in the error member, as the API does for partial results.
func writeResult(ctx context.Context, w http.ResponseWriter, res *workspace.Result) error {
	b, err := appendHead([]byte(`{"tables":[`), "PrimaryResult", res.Columns)
	if err != nil {
		return err
	}
	started := false
	var failed error
	for row, err := range res.Rows() {
		if err != nil {
			if !started {
				return err
			}
			failed = err
			break
		}
		if started {
			b = append(b, ',')
		} else {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			started = true
		}
		b = appendRow(b, row, res.Columns)
		if len(b) > 64<<10 {
			// A reader that has gone to sleep must not keep the query's connection.
			_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout)) // none in tests' recorders
			if _, err := w.Write(b); err != nil {
				return nil // the caller is gone
			}
			b = b[:0]
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	b = append(b, "]}"...)
	if failed == nil && res.Truncated != "" {
		failed = errors.New(res.Truncated)
	}
	if failed == nil {
		b, failed = appendTables(ctx, b, res)
	}
	b = append(b, ']')
	if failed != nil {
		detail, err := json.Marshal(map[string]any{
			"code": "PartialError", "message": failed.Error(),
			"details": []any{map[string]string{"code": "EngineError", "message": failed.Error()}},
		})
		if err != nil {
			return err
		}
		b = append(append(b, `,"error":`...), detail...)
	}
	_, _ = w.Write(append(b, '}', '\n')) // a caller that is gone cannot be told
	return nil
}

// appendRow appends one row. A dynamic value is a string that holds JSON, as
// the query API has it.
func appendRow(b []byte, row []any, cols []kql.Column) []byte {
	b = append(b, '[')
	for i, v := range row {
		if i > 0 {
			b = append(b, ',')
		}
		t := cols[i].Type
		if t == kql.Dynamic {
			t = kql.String
			if v == nil {
				b = append(b, "null"...)
				continue
			}
		}
		b = kql.AppendJSON(b, v, t)
	}
	return append(b, ']')
}
