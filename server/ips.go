package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"time"

	"picket"
	"picket/reputation"
)

const (
	maxAddressLine = 4096            // bytes of one line of POST /v1/ips
	bulkAhead      = 64              // lines that are looked up at a time
	bulkIdle       = 2 * time.Minute // how long either side may be silent
)

// lookupIPs is POST /v1/ips: a line of JSON for each line of the body, in order,
// as they come. A line holds an address: as it is, as a JSON string, or as
// {"ip":…}; empty ones are passed over. Each public address is counted. What is no
// address, or is over the key's limit of the day, is answered with
// {"line":…,"input":…,"error":{"code":…,"message":…}}, and the next one follows.
// A key with a limit a second is slowed down to it.
func (s *server) lookupIPs(w http.ResponseWriter, r *http.Request) error {
	a, err := s.asker(r)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	control := http.NewResponseController(w)
	// HTTP/2 has both directions at once anyway, and says that it knows no such switch.
	if err := control.EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	a.rateLimit(ctx, w.Header(), nil)
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)

	answers := make(chan chan []byte, bulkAhead)
	go func() {
		defer close(answers)
		s.askLines(ctx, a, idleReader{r.Body, control}, answers)
	}()
	out := bufio.NewWriterSize(w, 32<<10)
	flush := func() {
		// Where there is no deadline to set, none is over.
		_ = control.SetWriteDeadline(time.Now().Add(bulkIdle))
		if out.Flush() != nil || control.Flush() != nil {
			cancel() // the caller is gone
		}
	}
	flush() // some callers send nothing before they have the headers
	for answer := range answers {
		var line []byte
		select {
		case line = <-answer:
		default: // while it is waited for, the caller gets what there is
			flush()
			line = <-answer
		}
		if _, err := out.Write(line); err != nil {
			cancel()
		}
		if len(answers) == 0 {
			flush()
		}
	}
	flush()
	return nil
}

// idleReader gives up on a body of which nothing comes for a while.
type idleReader struct {
	io.Reader
	control *http.ResponseController
}

func (r idleReader) Read(p []byte) (int, error) {
	_ = r.control.SetReadDeadline(time.Now().Add(bulkIdle)) // where there is none to set, none is over
	return r.Reader.Read(p)
}

// askLines starts the lookup of each line, and sends where its answer will be.
func (s *server) askLines(ctx context.Context, a *asker, body io.Reader, answers chan<- chan []byte) {
	in := bufio.NewReaderSize(body, maxAddressLine)
	for n := 1; ctx.Err() == nil; n++ {
		line, err := in.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		text := string(bytes.TrimSpace(line))
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			// Half a line may be another address than the whole one.
			s.Logger.DebugContext(ctx, "a bulk lookup was cut off", "line", n, "err", err)
			return
		}
		if text != "" {
			answer := make(chan []byte, 1)
			select {
			case answers <- answer:
			case <-ctx.Done():
				return
			}
			var ip netip.Addr
			var wrong error
			if tooLong {
				wrong = picket.Errorf(picket.Invalid, "the line has more than %d bytes; want one address a line", maxAddressLine)
			} else if ip, wrong = addressOfLine(text); wrong == nil {
				wrong = a.turn(ctx)
			}
			if wrong != nil {
				answer <- s.lineError(ctx, n, text, wrong)
			} else {
				go func() { answer <- s.lineAnswer(ctx, a, n, text, ip) }()
			}
		}
		if err != nil {
			return
		}
	}
}

// turn waits until the key's rate limit allows a lookup.
func (a *asker) turn(ctx context.Context) error {
	for {
		err := a.allow()
		if !errors.Is(err, reputation.ErrThrottled) {
			return err
		}
		select {
		case <-time.After(a.pause()):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// addressOfLine reads a line of POST /v1/ips.
func addressOfLine(text string) (netip.Addr, error) {
	var err error
	switch text[0] {
	case '"':
		err = json.Unmarshal([]byte(text), &text)
	case '{':
		var o struct {
			IP *string `json:"ip"`
		}
		if err = json.Unmarshal([]byte(text), &o); err == nil && o.IP == nil {
			err = errors.New("there is no ip")
		}
		if err == nil {
			text = *o.IP
		}
	}
	if err != nil {
		return netip.Addr{}, picket.Errorf(picket.Invalid, `the line is no address: %w; want 203.0.113.7, "203.0.113.7" or {"ip":"203.0.113.7"}`, jsonError(err))
	}
	return addressOf(text)
}

// lineAnswer is the line that answers for an address.
func (s *server) lineAnswer(ctx context.Context, a *asker, n int, text string, ip netip.Addr) (line []byte) {
	defer func() {
		if v := recover(); v != nil { // no handler's goroutine: nobody else would
			s.Logger.Error("lookup panicked", "ip", ip, "panic", v)
			line = s.lineError(ctx, n, text, errors.New("the lookup failed"))
		}
	}()
	p, err := a.lookup(ctx, ip)
	if err != nil {
		return s.lineError(ctx, n, text, err)
	}
	return append(p.AppendJSON(make([]byte, 0, 1024)), '\n')
}

// lineError is the line that answers for one that has no profile.
func (s *server) lineError(ctx context.Context, n int, text string, err error) []byte {
	api := apiErrorOf(err)
	if api.status >= 500 && ctx.Err() == nil {
		s.Logger.ErrorContext(ctx, "bulk lookup failed", "line", n, "err", err)
	}
	line, _ := json.Marshal(map[string]any{ // always encodes
		"line": n, "input": text[:min(len(text), 100)], "error": map[string]string{"code": api.code, "message": api.message},
	})
	return append(line, '\n')
}
