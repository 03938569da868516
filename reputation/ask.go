package reputation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"picket"
)

// maxProviderAnswer bounds the body of a provider's answer, in bytes.
const maxProviderAnswer = 4 << 20

// ask sends one request for an address and makes a finding of what comes back.
// It never returns an error: what went wrong is the finding's state and reason.
// Neither holds the key.
func (p *Provider) ask(ctx context.Context, client *http.Client, key picket.Secret, ip netip.Addr, now func() time.Time) Finding {
	f := p.exchange(ctx, client, key, ip, now)
	f.Source, f.Title, f.Reliability = p.Name, p.Title, p.Reliability
	f.Fetched = now()
	if f.State.Kept() {
		f.Expires = f.Fetched.Add(p.TTL.of(f.State))
	}
	return f
}

func failed(format string, args ...any) Finding {
	return Finding{State: Failed, Reason: fmt.Sprintf(format, args...)}
}

func (p *Provider) exchange(ctx context.Context, client *http.Client, key picket.Secret, ip netip.Addr, now func() time.Time) Finding {
	timeout := p.timeout()
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	req, err := p.request(ctx, key, ip)
	if err != nil {
		return failed("the request cannot be made") // err holds the URL, and that may hold the key
	}
	resp, err := client.Do(req)
	if err != nil {
		return failed("%s", transportProblem(err, timeout))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxProviderAnswer+1))
	switch meaning := p.meaning(resp.StatusCode); {
	case meaning == "limited":
		until := retryAfter(resp.Header.Get("Retry-After"), now(), cmp.Or(time.Duration(p.Limits.Pause), time.Minute))
		return Finding{State: Waiting, Until: until, Reason: "its limit is reached"}
	case meaning == "refused":
		return Finding{State: Refused, Reason: fmt.Sprintf("it refuses the key (HTTP %d)", resp.StatusCode)}
	case resp.StatusCode/100 == 3:
		return failed("it redirects elsewhere (HTTP %d), which is not followed", resp.StatusCode)
	case meaning == "error":
		return failed("it answers HTTP %d", resp.StatusCode)
	case err != nil:
		return failed("its answer breaks off: %s", transportProblem(err, timeout))
	case len(body) > maxProviderAnswer:
		return failed("its answer is larger than %d MiB", maxProviderAnswer>>20)
	default:
		return p.read(ctx, meaning, resp.StatusCode, resp.Header.Get("Content-Type"), body, ip)
	}
}

func (p *Provider) timeout() time.Duration {
	return cmp.Or(time.Duration(p.Request.Timeout), 10*time.Second)
}

// request writes the request for an address.
func (p *Provider) request(ctx context.Context, key picket.Secret, ip netip.Addr) (*http.Request, error) {
	inURL := strings.NewReplacer("{ip}", ip.String(), "{key}", url.QueryEscape(key.Reveal()))
	inText := strings.NewReplacer("{ip}", ip.String(), "{key}", key.Reveal())
	req, err := http.NewRequestWithContext(ctx, p.Request.Method, inURL.Replace(p.Request.URL), strings.NewReader(inText.Replace(p.Request.Body)))
	if err != nil {
		return nil, err
	}
	sendOnce(req)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "picket")
	if p.Request.Body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for name, value := range p.Request.Headers {
		if strings.Contains(value, "{key}") && key == "" {
			continue
		}
		req.Header.Set(name, inText.Replace(value))
	}
	return req, nil
}

// sendOnce keeps net/http from sending a request again by itself when a connection
// that it has used before breaks: whether the request was taken, and is to be paid
// for, it cannot know. It repeats those that have no body, or one to be had again.
func sendOnce(req *http.Request) {
	if req.GetBody = nil; req.Body == nil || req.Body == http.NoBody {
		req.Body = io.NopCloser(strings.NewReader(""))
	}
}

// meaning is what a status stands for.
func (p *Provider) meaning(status int) string {
	if s, ok := p.Status[status]; ok {
		return s
	}
	switch status {
	case http.StatusOK:
		return "answer"
	case http.StatusNotFound:
		return "not_found"
	case http.StatusUnauthorized, http.StatusForbidden:
		return "refused"
	case http.StatusTooManyRequests:
		return "limited"
	}
	return "error"
}

// read makes a finding of an answer that may be kept.
func (p *Provider) read(ctx context.Context, meaning string, status int, contentType string, body []byte, ip netip.Addr) Finding {
	if kind, _, _ := mime.ParseMediaType(contentType); kind == "text/html" {
		return failed("it answers a web page (HTTP %d) instead of JSON", status)
	}
	if meaning == string(NotFound) || meaning == string(Clean) {
		return Finding{State: State(meaning)}
	}
	var value any
	d := json.NewDecoder(bytes.NewReader(body))
	if err := d.Decode(&value); err != nil {
		return failed("its answer is not JSON")
	}
	made, err := p.run(ctx, value, status, ip)
	if err != nil {
		return failed("its answer is not understood: %v", err)
	}
	return made
}

// run runs the jq program over an answer.
func (p *Provider) run(ctx context.Context, value any, status int, ip netip.Addr) (Finding, error) {
	var f Finding
	v, ok := p.program.RunWithContext(ctx, value, status, ip.String()).Next()
	if !ok {
		return f, errors.New("the program yields nothing")
	}
	if err, isErr := v.(error); isErr {
		return f, err
	}
	text, err := json.Marshal(v)
	if err != nil {
		return f, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return Finding{}, fmt.Errorf("what the program yields is no finding: %w", err)
	}
	switch {
	case f.State == "" && (f.Verdict == Malicious || f.Verdict == Suspicious):
		f.State = Hit
	case f.State == "":
		f.State = Clean
	case !f.State.Kept():
		return Finding{}, fmt.Errorf("the program yields the state %q; want hit, clean or not_found", f.State)
	}
	if f.Verdict != "" && !f.Verdict.Valid() {
		return Finding{}, fmt.Errorf("the program yields the verdict %q", f.Verdict)
	}
	return f, nil
}

// transportProblem tells what went wrong without the URL, which may hold a key.
func transportProblem(err error, timeout time.Duration) string {
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err
	}
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("no answer within %s", timeout)
	case errors.Is(err, context.Canceled):
		return "broken off"
	case errors.As(err, &dns):
		return "its name cannot be looked up"
	case errors.As(err, &op):
		return fmt.Sprintf("no connection: %v", op.Err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "the connection ends too early"
	}
	return "the connection fails"
}

// maxPause bounds how long a provider may have Picket wait: its quotas are of a month
// at the most.
const maxPause = 31 * 24 * time.Hour

// retryAfter reads the header Retry-After, seconds or a date (RFC 9110 section
// 10.2.3). A date that is over tells of a clock that goes wrong, not of when to come.
func retryAfter(header string, now time.Time, otherwise time.Duration) time.Time {
	pause := otherwise
	if n, err := strconv.ParseInt(strings.TrimSpace(header), 10, 32); err == nil && n >= 0 {
		pause = time.Duration(n) * time.Second
	} else if t, err := http.ParseTime(header); err == nil && t.After(now) {
		pause = t.Sub(now)
	}
	return now.Add(min(pause, maxPause))
}

// NewClient returns the client that providers are asked with. It follows no
// redirect: whoever answers for a provider is not to be sent its key elsewhere.
func NewClient(transport http.RoundTripper) *http.Client {
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}
