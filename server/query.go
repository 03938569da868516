package server

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/kql"
	"picket/kql/syntax"
)

// maxQuery bounds a query request's body.
const maxQuery = 10 << 20

// logQuery is a request of the Log Analytics query API (Microsoft page "Azure
// Monitor Log Analytics API request format").
type logQuery struct {
	Query      string   `json:"query"`
	Timespan   *string  `json:"timespan"`
	Workspaces []string `json:"workspaces"`

	spans    []string // every timespan that was given: all of them hold
	resource string   // of a resource-centric query, else ""
	prefer   preference
}

// preference is what the header Prefer asks for ("Prefer options").
type preference struct {
	wait               time.Duration // 0 is the default
	statistics, render bool
}

func parsePrefer(headers []string) preference {
	var p preference
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		on := strings.EqualFold(value, "true")
		switch strings.ToLower(name) {
		case "wait":
			if n, err := strconv.Atoi(value); err == nil && n > 0 {
				p.wait = min(time.Duration(min(n, 1<<20))*time.Second, maxWait)
			}
		case "include-statistics":
			p.statistics = on
		case "include-render":
			p.render = on
		}
	}
	return p
}

// query answers GET and POST /v1/workspaces/{workspace}/query.
func (s *server) query(w http.ResponseWriter, r *http.Request) error {
	if err := s.known(r.PathValue("workspace")); err != nil {
		return err
	}
	return s.answerLogQuery(w, r, "")
}

// resourceQuery answers /v1/{resource id}/query: rows of that resource, or of
// those within a resource group or subscription, and of the workspace when it is
// the resource.
func (s *server) resourceQuery(w http.ResponseWriter, r *http.Request) error {
	id, ok := strings.CutSuffix(r.URL.Path, "/query")
	if !ok {
		return &apiError{status: http.StatusNotFound, code: "PathNotFoundError", message: "The requested path does not exist"}
	}
	id = id[strings.Index(strings.ToLower(id), "/subscriptions/"):]
	if name, ok := workspaceOf(id); ok {
		if err := s.known(name); err != nil {
			return err
		}
		id = ""
	}
	return s.answerLogQuery(w, r, strings.ToLower(id))
}

// workspaceOf is the name in the resource id of a workspace.
func workspaceOf(id string) (string, bool) {
	const kind = "/providers/microsoft.operationalinsights/workspaces/"
	i := strings.Index(strings.ToLower(id), kind)
	if i < 0 {
		return "", false
	}
	name := strings.Trim(id[i+len(kind):], "/")
	return name, !strings.Contains(name, "/")
}

// known says whether a workspace of that name is here. One server is one
// workspace: by its id or as "default", or either in a resource id.
func (s *server) known(name string) error {
	full := name
	if inner, ok := workspaceOf(name); ok {
		name = inner
	}
	if name != "default" && !strings.EqualFold(name, s.Workspace.ID()) {
		return &apiError{status: http.StatusNotFound, code: "PathNotFoundError", message: "There is no workspace " + full + " here; want " + s.Workspace.ID() + " or default"}
	}
	return nil
}

func (s *server) answerLogQuery(w http.ResponseWriter, r *http.Request, resource string) error {
	req, err := readLogQuery(w, r)
	if err != nil {
		return err
	}
	req.resource = resource
	patience(w, maxWait)
	out := newWire(w, r)
	if err := s.runLogQuery(r.Context(), out, req); err != nil {
		return err
	}
	out.end()
	return nil
}

func readLogQuery(w http.ResponseWriter, r *http.Request) (logQuery, error) {
	form := r.URL.Query()
	req := logQuery{Query: form.Get("query"), prefer: parsePrefer(r.Header.Values("Prefer"))}
	if list := form.Get("workspaces"); list != "" {
		req.Workspaces = strings.Split(list, ",")
	}
	if r.Method == http.MethodPost {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuery))
		if err != nil {
			return req, err
		}
		if err := json.Unmarshal(body, &req); err != nil {
			return req, picket.Errorf(picket.Invalid, `The body must be JSON such as {"query":"Syslog | take 10"}: %w`, jsonError(err))
		}
	}
	req.span(form)
	return req, nil
}

// span collects the timespans of the URL and of the body.
func (q *logQuery) span(form url.Values) {
	q.spans = []string{form.Get("timespan")}
	if q.Timespan != nil {
		q.spans = append(q.spans, *q.Timespan)
	}
}

// options checks a request and returns how its query is to be compiled.
func (s *server) options(req logQuery) (kql.Options, error) {
	o := kql.Options{Now: kql.TicksOf(s.Now()), Resource: req.resource}
	if strings.TrimSpace(req.Query) == "" {
		return o, picket.Errorf(picket.Invalid, "The request has no query")
	}
	for _, name := range req.Workspaces {
		if err := s.known(strings.TrimSpace(name)); err != nil {
			return o, &apiError{status: http.StatusBadRequest, code: "BadArgumentError", message: "The request had some invalid properties",
				inner: map[string]any{"code": "FailedToResolveResource", "message": err.Error()}}
		}
	}
	for _, span := range req.spans {
		from, to, err := parseTimespan(span, s.Now())
		if err != nil {
			return o, picket.Errorf(picket.Invalid, "%w", err)
		}
		if from.IsZero() && to.IsZero() {
			continue
		}
		o.From = max(o.From, kql.TicksOf(from))
		if o.To == 0 || kql.TicksOf(to) < o.To {
			o.To = kql.TicksOf(to)
		}
	}
	return o, nil
}

// runLogQuery runs a query and writes its answer.
func (s *server) runLogQuery(ctx context.Context, out *wire, req logQuery) error {
	began := time.Now()
	o, err := s.options(req)
	if err != nil {
		return err
	}
	who := callerOf(ctx)
	who.Limits.Time = req.prefer.wait
	q, err := s.Workspace.Compile(ctx, who, req.Query, o)
	if err != nil {
		return compileError(err, req.Query)
	}
	if err := settings(&who.Limits, q.Settings); err != nil {
		return err
	}
	who.Limits.Time = min(who.Limits.Time, maxWait)
	res, err := s.Workspace.Run(ctx, who, q)
	if err != nil {
		return timeout(err)
	}
	defer res.Close()
	return timeout(s.send(ctx, out, res, &logAnswer{prefer: req.prefer, render: res.Render}, began))
}

// timeout gives a query that took too long the status of the API. Clients would
// repeat a 429 at once.
func timeout(err error) error {
	if tooLong(err) {
		return &apiError{status: http.StatusGatewayTimeout, code: "GatewayTimeout", message: err.Error()}
	}
	return err
}

func tooLong(err error) bool {
	return picket.CodeOf(err) == picket.Busy && errors.Is(err, context.DeadlineExceeded)
}

// compileError is the error answer to a query that does not compile: the API's
// nested shape for the first problem, with every problem and its caret in the
// innermost message, and each by itself among the details.
func compileError(err error, src string) error {
	var d syntax.Diagnostics
	if !errors.As(err, &d) || len(d) == 0 {
		return timeout(err)
	}
	kind, message := "SemanticError", "A semantic error occurred."
	if strings.HasPrefix(d[0].Code, "SYN") {
		kind, message = "SyntaxError", "A recognition error occurred in the query."
	}
	e := &apiError{status: http.StatusBadRequest, code: "BadArgumentError", message: "The request had some invalid properties"}
	place := func(x syntax.Diagnostic, text string) map[string]any {
		line, col := syntax.LineCol(src, x.Span.Start)
		return map[string]any{
			"code": x.Code, "message": strings.TrimRight(text, "\n"), "line": line, "pos": col - 1,
			"token": src[min(x.Span.Start, len(src)):min(x.Span.End, len(src))],
		}
	}
	e.inner = map[string]any{"code": kind, "message": message, "innererror": place(d[0], d.Render(src))}
	for _, x := range d {
		e.details = append(e.details, map[string]any{"code": x.Code, "message": x.Msg, "innererror": place(x, x.Render(src))})
	}
	return e
}
