package playbook

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	// maxBody bounds a response body after decompression, in bytes.
	maxBody = 10 << 20
	// defaultTimeout is the time one attempt may take, as in Logic Apps.
	defaultTimeout = 2 * time.Minute
	maxRedirects   = 5
)

// httpCall is the Http action.
type httpCall struct {
	method, uri, headers, queries, body template
	auth                                httpAuth
	retry                               retryPolicy
	timeout                             time.Duration
}

// httpAuth is the authentication of a request.
type httpAuth struct {
	typ                                 string // "", basic, raw, managedserviceidentity
	username, password, value, audience template
}

func (l *loader) httpCall(a *action, n, in *node) *httpCall {
	s := &httpCall{method: l.required(a, in, "method"), uri: l.required(a, in, "uri"), headers: l.optional(a, in, "headers"),
		queries: l.optional(a, in, "queries"), body: l.optional(a, in, "body"), timeout: defaultTimeout}
	if in == nil {
		return s
	}
	for i, key := range in.keys {
		switch strings.ToLower(key) {
		case "method", "uri", "headers", "queries", "body", "authentication", "retrypolicy":
		default:
			l.bad(in.values[i].line, "action '%s': input '%s' of Http is not supported", a.name, key)
		}
	}
	s.retry = l.retryPolicy(a, in.get("retryPolicy"))
	if t := n.get("limit").get("timeout"); t != nil {
		d, ok := isoDuration(t.str())
		if !ok || d <= 0 {
			l.bad(t.line, "action '%s': limit.timeout must be an ISO 8601 duration such as PT30S, not %q", a.name, t.str())
		}
		s.timeout = d
	}
	if au := in.get("authentication"); au != nil {
		s.auth.typ = strings.ToLower(au.get("type").str())
		switch s.auth.typ {
		case "managedserviceidentity":
			s.auth.audience = l.optional(a, au, "audience")
		case "basic":
			s.auth.username, s.auth.password = l.required(a, au, "username"), l.required(a, au, "password")
		case "raw":
			s.auth.value = l.required(a, au, "value")
		default:
			l.bad(au.line, "action '%s': authentication type '%s' is not supported; there are ManagedServiceIdentity, Basic and Raw", a.name, au.get("type").str())
		}
	}
	return s
}

// request holds the evaluated inputs.
type request struct {
	method string
	url    *url.URL
	header http.Header
	body   string
	inputs map[string]any // for the history
}

func (s *httpCall) run(ctx context.Context, x *step) *outcome {
	req, bad := s.evaluate(x)
	if bad != nil {
		return bad
	}
	o := s.authenticate(ctx, x, req)
	if o == nil {
		o = s.send(ctx, x, req)
	}
	o.Inputs = req.inputs
	o.Message = x.env.mask.hide(o.Message)
	return o
}

func (s *httpCall) evaluate(x *step) (*request, *outcome) {
	r := &request{header: http.Header{}, inputs: map[string]any{}}
	for _, in := range []struct {
		name string
		t    template
	}{{"method", s.method}, {"uri", s.uri}, {"headers", s.headers}, {"queries", s.queries}, {"body", s.body}} {
		if in.t == nil {
			continue
		}
		v, bad := x.value(in.t)
		if bad != nil {
			return nil, bad
		}
		r.inputs[in.name] = v
	}
	r.method = strings.ToUpper(text(r.inputs["method"]))
	u, err := url.Parse(text(r.inputs["uri"]))
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fail("BadRequest", x.env.mask.hide("'uri' is not an http or https URL: "+cut(text(r.inputs["uri"]), 200)))
	}
	if q, ok := r.inputs["queries"].(map[string]any); ok {
		values := u.Query()
		for k, v := range q {
			values.Set(k, text(v))
		}
		u.RawQuery = values.Encode()
	}
	r.url = u
	if h, ok := r.inputs["headers"].(map[string]any); ok {
		for _, k := range sortedKeys(h) {
			r.header.Set(k, text(h[k]))
		}
	}
	switch b := r.inputs["body"].(type) {
	case nil:
	case string:
		r.body = b
	default:
		r.body = encodeJSON(b)
		if r.header.Get("Content-Type") == "" {
			r.header.Set("Content-Type", "application/json; charset=utf-8")
		}
	}
	r.header.Set("X-Ms-Client-Request-Id", x.requestID)
	// As Logic Apps has them: who is asked knows for whom.
	r.header.Set("X-Ms-Workflow-Run-Id", x.runID)
	r.header.Set("X-Ms-Workflow-Name", x.playbook)
	r.header.Set("X-Ms-Client-Tracking-Id", x.runID)
	return r, nil
}

func (s *httpCall) authenticate(ctx context.Context, x *step, r *request) *outcome {
	switch s.auth.typ {
	case "basic":
		user, bad := x.value(s.auth.username)
		if bad != nil {
			return bad
		}
		pass, bad := x.value(s.auth.password)
		if bad != nil {
			return bad
		}
		token := base64.StdEncoding.EncodeToString([]byte(text(user) + ":" + text(pass)))
		x.env.mask.add("", token)
		r.header.Set("Authorization", "Basic "+token)
	case "raw":
		v, bad := x.value(s.auth.value)
		if bad != nil {
			return bad
		}
		x.env.mask.add("", text(v))
		r.header.Set("Authorization", text(v))
	case "managedserviceidentity":
		if x.runner.o.Token == nil {
			return nil
		}
		aud, bad := x.value(s.auth.audience)
		if bad != nil {
			return bad
		}
		token, err := x.runner.o.Token(ctx, text(aud))
		if err != nil {
			return fail("AuthenticationFailed", "no token for "+text(aud)+": "+err.Error())
		}
		if token != "" {
			x.env.mask.add("", token.Reveal())
			r.header.Set("Authorization", "Bearer "+token.Reveal())
		}
	}
	return nil
}

// send makes the attempts that the retry policy allows.
func (s *httpCall) send(ctx context.Context, x *step, r *request) *outcome {
	for n := 1; ; n++ {
		o, again, after := s.attempt(ctx, x, r)
		if ctx.Err() != nil || !again || n > s.retry.count {
			if n > 1 && o.Status != Succeeded {
				o.Message += fmt.Sprintf(", after %d attempts", n)
			}
			return o
		}
		wait := s.retry.wait(n, after)
		x.runner.log.DebugContext(ctx, "request is tried again", "run", x.runID, "action", x.action.path, "attempt", n, "code", o.Code, "wait", wait)
		if sleep(ctx, wait) != nil {
			return o // the run is being stopped: nothing of this step is kept
		}
	}
}

// attempt makes one request. again says that repeating it may help.
func (s *httpCall) attempt(ctx context.Context, x *step, r *request) (o *outcome, again bool, after time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, r.method, r.url.String(), strings.NewReader(r.body))
	if err != nil {
		return fail("BadRequest", "the request cannot be made: "+err.Error()), false, 0
	}
	if r.body == "" {
		req.Body, req.GetBody, req.ContentLength = nil, nil, 0
	}
	req.Header = r.header.Clone()
	if h := r.header.Get("Host"); h != "" {
		req.Host = h
	}
	res, err := x.runner.http.Do(req)
	if err != nil {
		return s.broken(ctx, r, err), true, 0
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxBody+1))
	if err != nil {
		return s.broken(ctx, r, err), true, 0
	}
	if len(body) > maxBody {
		return fail("ResponseTooLarge", fmt.Sprintf("the response of %s is larger than %d bytes", r.url.Host, maxBody)), false, 0
	}
	header := map[string]any{}
	for k := range res.Header {
		header[k] = strings.Join(res.Header[k], ", ")
	}
	outputs := map[string]any{"statusCode": int64(res.StatusCode), "headers": header, "body": decodeBody(res.Header.Get("Content-Type"), body)}
	name := strings.ReplaceAll(http.StatusText(res.StatusCode), " ", "")
	if res.StatusCode >= 200 && res.StatusCode < 300 {
		return &outcome{Status: Succeeded, Code: quoteOr(name, "OK"), Outputs: outputs}, false, 0
	}
	o = fail(quoteOr(name, "ActionFailed"), strings.TrimSpace(fmt.Sprintf("HTTP %d %s", res.StatusCode, http.StatusText(res.StatusCode))))
	o.Outputs = outputs
	if res.StatusCode >= 300 && res.StatusCode < 400 {
		o.Message += "; a redirect to another host is not followed"
	}
	return o, retryStatus(res.StatusCode), retryAfter(res.Header, x.runner.o.Now())
}

// broken is the outcome of a request that got no whole response.
func (s *httpCall) broken(ctx context.Context, r *request, err error) *outcome {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &outcome{Status: TimedOut, Code: "ActionTimedOut", Message: fmt.Sprintf("no answer from %s within %s", r.url.Host, s.timeout)}
	}
	var ue *url.Error // its text has the URL with all queries
	if errors.As(err, &ue) {
		err = ue.Err
	}
	return fail("ServiceUnavailable", fmt.Sprintf("no good answer from %s: %v", r.url.Host, err))
}

// decodeBody turns a response body into a value: JSON, text, or base64 of bytes.
func decodeBody(contentType string, body []byte) any {
	if len(body) == 0 {
		return nil
	}
	mt, _, _ := mime.ParseMediaType(contentType)
	if mt == "application/json" || mt == "text/json" || strings.HasSuffix(mt, "+json") {
		if v, err := decodeJSON(body); err == nil {
			return v
		}
	}
	if (mt == "" || strings.HasPrefix(mt, "text/") || strings.Contains(mt, "json") || strings.Contains(mt, "xml")) && utf8.Valid(body) {
		return string(body)
	}
	return map[string]any{"$content-type": quoteOr(mt, "application/octet-stream"), "$content": base64.StdEncoding.EncodeToString(body)}
}

// sameOrigin follows a redirect only to where the request went: headers with
// keys must not be carried to another host.
func sameOrigin(req *http.Request, via []*http.Request) error {
	if first := via[0].URL; len(via) > maxRedirects || req.URL.Scheme != first.Scheme || req.URL.Host != first.Host {
		return http.ErrUseLastResponse
	}
	return nil
}
