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
	"sync"
	"time"

	"picket"
	"picket/reputation"
)

const (
	maxAddressLine = 4096            // bytes of one line of POST /v1/ips
	bulkAhead      = 64              // lines that are looked up at a time, or pieces of answers
	bulkPiece      = 32 << 10        // bytes of answers that are passed on together
	bulkIdle       = 2 * time.Minute // how long either side may be silent
)

// lookupIPs is POST /v1/ips: a line of JSON for each line of the body, in order,
// as they come. A line holds an address: as it is, as a JSON string, or as
// {"ip":…}; empty ones are passed over. Each public address is counted. What is no
// address, or is over the key's limit of the day, is answered with
// {"line":…,"input":…,"error":{"code":…,"message":…}}, and the next one follows.
// A key with a limit a second is slowed down to it. A key that is revoked or expires
// meanwhile gets one such line more, and the answer ends.
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

	a.caller.Many = true
	b := bulk{server: s, asker: a, answers: make(chan piece, bulkAhead)}
	go func() {
		defer close(b.answers)
		b.askLines(ctx, idleReader{r.Body, control})
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
	for p := range b.answers {
		lines := p.lines
		if p.later != nil {
			select {
			case lines = <-p.later:
			default: // while it is waited for, the caller gets what there is
				flush()
				lines = <-p.later
			}
		}
		if _, err := out.Write(lines); err != nil {
			cancel()
		}
		if p.later == nil {
			b.buffers.Put(&lines)
		}
		if len(b.answers) == 0 {
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

// A piece is part of the answer: lines, or one that comes later.
type piece struct {
	lines []byte
	later chan []byte
}

// bulk is one call of POST /v1/ips.
type bulk struct {
	*server
	asker   *asker
	answers chan piece // in the order of the lines
	lines   []byte     // answers that are not passed on yet
	buffers sync.Pool  // of *[]byte
}

// pass passes on what is answered. It is false when the caller is gone.
func (b *bulk) pass(ctx context.Context) bool {
	if len(b.lines) == 0 {
		return true
	}
	lines := b.lines
	if b.lines = nil; !b.send(ctx, piece{lines: lines}) {
		return false
	}
	if used, ok := b.buffers.Get().(*[]byte); ok {
		b.lines = (*used)[:0]
	}
	return true
}

func (b *bulk) send(ctx context.Context, p piece) bool {
	select {
	case b.answers <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

// askLines answers each line, at once where nobody has to be waited for.
func (b *bulk) askLines(ctx context.Context, body io.Reader) {
	in := bufio.NewReaderSize(body, maxAddressLine)
	for n := 1; ctx.Err() == nil; n++ {
		waits := in.Buffered() == 0
		line, err := in.ReadSlice('\n')
		tooLong := errors.Is(err, bufio.ErrBufferFull)
		text := string(bytes.TrimSpace(line))
		for errors.Is(err, bufio.ErrBufferFull) {
			_, err = in.ReadSlice('\n')
		}
		if err != nil && !errors.Is(err, io.EOF) {
			// Half a line may be another address than the whole one.
			b.Logger.DebugContext(ctx, "a bulk lookup was cut off", "line", n, "err", err)
			break
		}
		if waits || n%bulkAhead == 0 { // the call may last, and the key may have been revoked
			if gone := b.asker.admitted(ctx); gone != nil {
				b.lines = append(b.lines, b.lineError(ctx, n, text, gone)...)
				break
			}
		}
		if text != "" && !b.askLine(ctx, n, text, tooLong) {
			return
		}
		if err != nil {
			break
		}
		if (len(b.lines) >= bulkPiece || in.Buffered() == 0) && !b.pass(ctx) {
			return
		}
	}
	b.pass(ctx)
}

// askLine answers one line. It is false when the caller is gone.
func (b *bulk) askLine(ctx context.Context, n int, text string, tooLong bool) bool {
	var ip netip.Addr
	var wrong error
	if tooLong {
		wrong = picket.Errorf(picket.Invalid, "the line has more than %d bytes; want one address a line", maxAddressLine)
	} else if ip, wrong = addressOfLine(text); wrong == nil {
		if wrong = b.asker.allow(); errors.Is(wrong, reputation.ErrThrottled) {
			if !b.pass(ctx) {
				return false
			}
			wrong = b.asker.turn(ctx)
		}
	}
	switch {
	case wrong != nil:
		b.lines = append(b.lines, b.lineError(ctx, n, text, wrong)...)
	case b.asker.requestID == "" && b.asker.engine.Instant(ip):
		b.lines = b.appendAnswer(ctx, b.lines, n, text, ip)
	default:
		later := make(chan []byte, 1)
		if !b.pass(ctx) || !b.send(ctx, piece{later: later}) {
			return false
		}
		go func() { later <- b.appendAnswer(ctx, nil, n, text, ip) }()
	}
	return true
}

// admitted is why the caller may ask no more, or nil.
func (a *asker) admitted(ctx context.Context) error {
	if a.admin {
		return nil
	}
	_, err := a.service.KeyByID(ctx, a.key.ID)
	return err
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

// appendAnswer appends the line that answers for an address.
func (b *bulk) appendAnswer(ctx context.Context, lines []byte, n int, text string, ip netip.Addr) (out []byte) {
	defer func() {
		if v := recover(); v != nil { // no handler's goroutine: nobody else would
			b.Logger.Error("lookup panicked", "ip", ip, "panic", v)
			out = append(lines, b.lineError(ctx, n, text, errors.New("the lookup failed"))...)
		}
	}()
	p, err := b.asker.lookup(ctx, ip)
	if err != nil {
		return append(lines, b.lineError(ctx, n, text, err)...)
	}
	lines = append(p.AppendJSON(lines), '\n')
	b.asker.engine.Release(p)
	return lines
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
