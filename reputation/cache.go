package reputation

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"picket"
	"picket/state"
)

const (
	maxAnswer = 1 << 20 // bytes of a reputation answer
	// keepExpired is how long an expired answer stays for the request that paid for it.
	keepExpired = 7 * 24 * time.Hour
	// requestIDHeader names a call so that its repeat is known as one.
	requestIDHeader = "x-ms-client-request-id"
)

// Answered says how a call of the Prowl contract was answered.
type Answered int

// The ways in which a call is answered.
const (
	AnsweredPaid    Answered = iota // it was sent, and answered with 200
	AnsweredFree                    // it was sent, and not answered with 200, or not at all
	AnsweredCached                  // from what is kept, or by another call that was under way
	AnsweredSkipped                 // not to be asked
)

// CacheOptions configure [NewCache].
type CacheOptions struct {
	HitTTL   time.Duration    // how long an answer with labels is good; 0 is 24 h
	EmptyTTL time.Duration    // how long one without is; 0 is 6 h
	Timeout  time.Duration    // of one call; 0 is 30 s
	Skip     *Skipper         // nil skips what is not public
	Now      func() time.Time // nil is time.Now
	Logger   *slog.Logger     // nil discards

	// Answered, when not nil, is told how a call was answered.
	Answered func(req *http.Request, ip netip.Addr, how Answered)
}

// A Cache is an [http.RoundTripper] that stands before calls of the Prowl
// contract, GET …/GetIPReputation?ip=…, and passes on all others untouched.
//
// It is the second wall around addresses that must not be asked about (see
// [Skipper.Reason]): a call for one is not sent but answered 409 with
// {"ip":…,"message":"not asked: private-use (RFC 1918)"} and x-cache: SKIP, and
// one for no address, or for several, 400 as Prowl does. Neither is a status
// that clients repeat.
//
// A 200 whose body is not what Prowl answers is an error. Answers with status
// 200 and a valid body, that are not partial or stale ones of Picket's, are kept in the state database by
// URL and address, whoever asked: the API key is neither part of that nor kept.
// The answer of a call has the header x-cache: HIT, with its Age in seconds, or
// MISS when the call was sent. Calls for one address that come at the same time
// with the same key are sent once. A call that is repeated with the same
// x-ms-client-request-id after a crash gets the kept answer, however old, and
// MISS: it is the one that paid for it.
type Cache struct {
	db      *state.DB
	next    http.RoundTripper
	o       CacheOptions
	flights singleflight.Group
}

// NewCache returns a Cache that sends its calls through next.
func NewCache(db *state.DB, next http.RoundTripper, o CacheOptions) *Cache {
	if o.HitTTL == 0 {
		o.HitTTL = 24 * time.Hour
	}
	if o.EmptyTTL == 0 {
		o.EmptyTTL = 6 * time.Hour
	}
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Skip == nil {
		o.Skip = NewSkipper(SkipOptions{})
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Cache{db: db, next: next, o: o}
}

// RoundTrip implements [http.RoundTripper].
func (c *Cache) RoundTrip(req *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(strings.ToLower(strings.TrimRight(req.URL.Path, "/")), "/getipreputation") {
		return c.next.RoundTrip(req)
	}
	if req.Body != nil {
		defer req.Body.Close() // RoundTrip closes it always; such a call has none to send
	}
	ip, err := ParseIPQuery(req.URL.RawQuery)
	if err != nil {
		return local(req, http.StatusBadRequest, map[string]string{"message": "Invalid IP address"}), nil
	}
	if why := c.o.Skip.Reason(ip); why != "" {
		c.tell(req, ip, AnsweredSkipped)
		return local(req, http.StatusConflict, map[string]string{"ip": ip.String(), "message": "not asked: " + why}), nil
	}
	if req.Method != http.MethodGet || strings.Contains(req.URL.RawQuery, "&") {
		return c.next.RoundTrip(req) // not the contract: it may mean something else
	}
	base := url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host, Path: req.URL.Path}
	return c.answer(req, base.String(), ip)
}

// An answer is what one call brought, for all who wait for it.
type answer struct {
	status    int
	header    http.Header
	body      []byte
	requestID string // of the call that was sent
}

// answer finds the kept answer, or has the call sent and keeps what it brings.
func (c *Cache) answer(req *http.Request, base string, ip netip.Addr) (*http.Response, error) {
	id := req.Header.Get(requestIDHeader)
	a, ok, err := c.kept(req.Context(), base, ip, id)
	if err != nil {
		return nil, err
	}
	if ok {
		hit := id == "" || a.requestID != id
		if hit {
			c.tell(req, ip, AnsweredCached)
		}
		return a.response(req, hit), nil
	}
	sent := false
	flight := strings.Join([]string{base, ip.String(), req.Header.Get("x-api-key")}, "\n")
	arrived := c.flights.DoChan(flight, func() (any, error) {
		// An earlier flight may have landed since.
		ctx := context.WithoutCancel(req.Context())
		if a, ok, err := c.kept(ctx, base, ip, id); ok || err != nil {
			return a, err
		}
		sent = true
		a, err := c.send(ctx, req, base, ip)
		how := AnsweredFree
		if err == nil && a.status == http.StatusOK {
			how = AnsweredPaid
		}
		c.tell(req, ip, how)
		return a, err
	})
	select {
	case <-req.Context().Done():
		return nil, req.Context().Err()
	case r := <-arrived:
		if r.Err != nil {
			return nil, r.Err
		}
		a := r.Val.(answer)
		hit := !sent && (id == "" || a.requestID != id)
		if hit {
			c.tell(req, ip, AnsweredCached)
		}
		return a.response(req, hit), nil
	}
}

func (c *Cache) tell(req *http.Request, ip netip.Addr, how Answered) {
	if c.o.Answered != nil {
		c.o.Answered(req, ip, how)
	}
}

// kept returns the answer that is kept for an address, if it is still good or
// was paid for by the request with this id.
func (c *Cache) kept(ctx context.Context, base string, ip netip.Addr, id string) (answer, bool, error) {
	k, ok, err := c.db.CachedAnswer(ctx, base, ip)
	now := c.o.Now()
	if err != nil || !ok || !now.Before(k.Expires) && (id == "" || k.RequestID != id) {
		return answer{}, false, err
	}
	age := max(0, int64(now.Sub(k.Stored)/time.Second))
	header := http.Header{"Content-Type": {"application/json"}, "Age": {strconv.FormatInt(age, 10)}}
	return answer{status: http.StatusOK, header: header, body: k.Body, requestID: k.RequestID}, true, nil
}

// send makes the call. It goes on when its caller leaves: others may wait for
// it, and what it costs is spent.
func (c *Cache) send(ctx context.Context, req *http.Request, base string, ip netip.Addr) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	out := req.Clone(ctx)
	sendOnce(out)
	resp, err := c.next.RoundTrip(out)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, fmt.Errorf("read the answer for %s: %w", ip, err)
	}
	if len(body) > maxAnswer {
		return answer{}, picket.Errorf(picket.Unavailable, "the answer for %s is larger than %d bytes", ip, maxAnswer)
	}
	a := answer{status: resp.StatusCode, header: resp.Header.Clone(), body: body, requestID: req.Header.Get(requestIDHeader)}
	a.header.Del("Age")
	if resp.StatusCode != http.StatusOK {
		return a, nil
	}
	labels, whole, err := readAnswer(body, ip)
	if err != nil {
		// Passed on, it would be an answer that says nothing; as an error it is
		// tried again, like any other failure of a service.
		return answer{}, fmt.Errorf("the answer for %s is not understood: %w", ip, err)
	}
	if !whole {
		return a, nil
	}
	ttl := c.o.HitTTL
	if labels == 0 {
		ttl = c.o.EmptyTTL
	}
	now := c.o.Now()
	kept := state.CachedAnswer{Base: base, IP: ip, Body: body, RequestID: a.requestID, Stored: now, Expires: now.Add(ttl)}
	if err := c.db.PutCachedAnswer(ctx, kept, now.Add(-keepExpired)); err != nil {
		// The answer is good, and paid for.
		c.o.Logger.ErrorContext(ctx, "an answer is not kept", "url", base, "ip", ip, "err", err)
	}
	return a, nil
}

// readAnswer returns how many labels a body has, and whether it is the whole answer:
// Picket's own says when more may be known later. Or it says why it is none for ip.
func readAnswer(body []byte, ip netip.Addr) (labels int, whole bool, err error) {
	var found struct {
		IP     *string
		Ttps   *[]string
		Status any // which only Picket has
	}
	if err := json.Unmarshal(body, &found); err != nil {
		return 0, false, fmt.Errorf("the body is not what Prowl answers: %w", err)
	}
	if found.Ttps == nil {
		return 0, false, errors.New(`the body lacks "ttps"`)
	}
	if found.IP != nil {
		if of, err := netip.ParseAddr(*found.IP); err != nil || of.WithZone("").Unmap() != ip {
			return 0, false, fmt.Errorf("the body is for %s", clip(*found.IP))
		}
	}
	return len(*found.Ttps), found.Status != StatusPartial && found.Status != StatusStale, nil
}

// response makes the answer one for req. hit says that req cost nothing.
func (a answer) response(req *http.Request, hit bool) *http.Response {
	header := a.header.Clone()
	if hit {
		header.Set("X-Cache", "HIT")
		header.Set("Age", cmp.Or(header.Get("Age"), "0"))
	} else {
		header.Set("X-Cache", "MISS")
		header.Del("Age")
	}
	// The body is whole and plain here, however it travelled.
	header.Del("Transfer-Encoding")
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	return &http.Response{
		Status:     strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode: a.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       req,
	}
}

// local answers a call that is not sent.
func local(req *http.Request, status int, body map[string]string) *http.Response {
	text, _ := json.Marshal(body) // a map of strings always encodes
	a := answer{status: status, header: http.Header{"Content-Type": {"application/json"}}, body: text}
	r := a.response(req, false)
	r.Header.Set("X-Cache", "SKIP")
	return r
}
