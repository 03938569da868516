package agent

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/collection"
	"picket/ingest"
)

// client speaks to the server.
type client struct {
	url  string
	key  picket.Secret
	http *http.Client
}

func newClient(o Options) (*client, error) {
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("the server is %q; want its URL, for example https://picket.example:8481", o.Server)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, fmt.Errorf("%s would show the host's key to everybody on the way; want https", o.Server)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	if o.CA != "" {
		text, err := os.ReadFile(o.CA)
		if err != nil {
			return nil, fmt.Errorf("certificate of the authority: %w", err)
		}
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("%s has no certificate in PEM; \"picket ca --export\" on the server prints it", o.CA)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	return &client{url: strings.TrimRight(o.Server, "/"), http: &http.Client{Transport: transport, Timeout: time.Minute}}, nil
}

// loopback reports whether a URL's host is this one.
func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// A refusal is an answer that is no success.
type refusal struct {
	status int
	msg    string
	after  time.Duration // Retry-After
}

func (r *refusal) Error() string { return r.msg }

// final reports whether trying again cannot help.
func final(err error) bool {
	var r *refusal
	return errors.Is(err, ErrRevoked) || errors.As(err, &r) && r.status/100 == 4 &&
		r.status != http.StatusTooManyRequests && r.status != http.StatusRequestTimeout
}

const (
	retryFirst = 500 * time.Millisecond
	retryMost  = 30 * time.Second
)

// retry calls do until it succeeds, fails for good or ctx ends, with pauses that
// double, or as long as the server says.
func (c *client) retry(ctx context.Context, log *slog.Logger, what string, do func() error) error {
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		err := do()
		if err == nil || final(err) || ctx.Err() != nil {
			return err
		}
		var r *refusal
		if errors.As(err, &r) && r.after > pause {
			pause = r.after
		}
		log.Warn("will try again", "what", what, "in", pause, "error", err)
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// do sends a request with a body, which may be nil, and decodes the answer into
// out, which may be nil, too.
func (c *client) do(ctx context.Context, method, path string, header http.Header, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	for name, v := range header {
		req.Header[name] = v
	}
	req.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		var unknown x509.UnknownAuthorityError
		if errors.As(err, &unknown) {
			return fmt.Errorf("%w; give the server's authority with --ca, which \"picket ca --export\" prints there", err)
		}
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return err
	}
	if res.StatusCode/100 == 2 {
		if out == nil {
			return nil
		}
		return json.Unmarshal(text, out)
	}
	var a struct{ Error struct{ Message string } }
	_ = json.Unmarshal(text, &a) // the status says enough
	after, _ := strconv.Atoi(res.Header.Get("Retry-After"))
	return &refusal{res.StatusCode, cmp.Or(a.Error.Message, res.Status), time.Duration(min(max(after, 0), 3600)) * time.Second}
}

// ofHost tells a revoked key from other refusals.
func ofHost(err error) error {
	var r *refusal
	if errors.As(err, &r) && (r.status == http.StatusForbidden || r.status == http.StatusUnauthorized) {
		return ErrRevoked
	}
	return err
}

// enrol exchanges the token for an identity.
func (c *client) enrol(ctx context.Context, o Options) (identity, error) {
	body, err := json.Marshal(map[string]string{"computer": o.Host, "vm_uuid": ingest.MachineUUID(), "version": o.Version, "rule": o.Rule})
	if err != nil {
		return identity{}, err
	}
	with := *c
	with.key = o.Token
	var id identity
	err = with.do(ctx, "POST", "/v1/hosts", nil, body, &id)
	id.Server = c.url
	return id, err
}

// sources asks what to collect.
func (c *client) sources(ctx context.Context) (s collection.Sources, err error) {
	return s, ofHost(c.do(ctx, "GET", "/v1/host/sources", nil, nil, &s))
}

// post sends records of a stream; id names them, so that they are taken once.
func (c *client) post(ctx context.Context, stream, id string, body []byte) error {
	header := http.Header{}
	if id != "" {
		header.Set("x-ms-client-request-id", id)
	}
	if len(body) > 1<<10 {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := z.Write(body)
		if err := errors.Join(err, z.Close()); err != nil {
			return err
		}
		body = b.Bytes()
		header.Set("Content-Encoding", "gzip")
	}
	return ofHost(c.do(ctx, "POST", "/v1/host/streams/"+url.PathEscape(stream), header, body, nil))
}
