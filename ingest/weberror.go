package ingest

import (
	"net/netip"
	"strings"
	"time"
)

// nginxError reads a line of nginx's error log:
//
//	2026/11/25 13:44:24 [error] 12#34: *5 open() "…" failed (…), client: 203.0.113.7, server: _, request: "GET / HTTP/1.1", host: "…"
//
// The message, the request and what follows it are what a client likes, so it
// can write ", client: " of its own. Where there is more than one, none is
// believed: cIP stays empty, and RawData has them.
func (w *webLine) nginxError(s string, loc *time.Location) bool {
	const stamp = "2026/11/25 13:44:24"
	if len(s) < len(stamp)+4 || s[4] != '/' || s[7] != '/' || s[10] != ' ' {
		return false
	}
	year, ok1 := number(s[:4])
	m, ok2 := number(s[5:7])
	day, ok3 := number(s[8:10])
	c, rest, ok4 := readClock(s[11:])
	if !ok1 || !ok2 || !ok3 || !ok4 || year < firstYear || year > lastYear {
		return false
	}
	t, ok := c.on(year, time.Month(m), day, zone{loc: loc})
	if !ok {
		return false
	}
	rest, ok = strings.CutPrefix(rest, " [")
	if !ok {
		return false
	}
	level, rest, ok := strings.Cut(rest, "] ")
	if !ok || !isToken(level) {
		return false
	}
	w.time, w.level, w.message = t, level, rest
	ids, message, ok := strings.Cut(rest, ": ")
	if process, thread, both := strings.Cut(ids, "#"); ok && both {
		if id, ok := pid(process); ok {
			w.process, w.message = id, message
			w.thread = wide(thread)
		}
	}
	w.nginxRequest(w.message)
	return true
}

// nginxRequest reads what nginx says of the request behind an error.
func (w *webLine) nginxRequest(s string) {
	if strings.Count(s, ", client: ") != 1 {
		return
	}
	_, rest, _ := strings.Cut(s, ", client: ")
	client, rest, _ := strings.Cut(rest, ",")
	if _, err := netip.ParseAddr(client); err != nil {
		return
	}
	w.client = client
	if _, r, ok := strings.Cut(rest, ` request: "`); ok {
		request, more, ok := strings.Cut(r, `"`)
		if !ok {
			return
		}
		w.request(request)
		if _, h, ok := strings.Cut(more, ` host: "`); ok {
			w.host, _, _ = strings.Cut(h, `"`)
		}
	}
}

// apacheError reads a line of Apache HTTP Server's error log, of 2.4 or, with
// less in it, of 2.2:
//
//	[Wed Nov 25 13:44:24.123456 2026] [core:error] [pid 12:tid 34] [client 203.0.113.7:5555] AH00037: …, referer: …
//
// The client is believed only where the server itself writes it, for the message
// is what a client likes.
func (w *webLine) apacheError(s string, loc *time.Location) bool {
	when, rest, ok := bracket(s)
	if !ok || len(when) < len("Wed Nov 25 13:44:24 2026") || when[3] != ' ' {
		return false
	}
	t, after, ok := bsdTime(when[4:]+" ", 0, time.Time{}, loc)
	if !ok || strings.TrimSpace(after) != "" {
		return false
	}
	level, rest, ok := bracket(rest)
	if !ok || level == "" {
		return false
	}
	w.time, w.level = t, level
	if module, l, ok := strings.Cut(level, ":"); ok {
		w.module, w.level = module, l
	}
	recent := false // 2.4
	if ids, r, ok := bracket(rest); ok && strings.HasPrefix(ids, "pid ") {
		process, thread, _ := strings.Cut(ids[len("pid "):], ":tid ")
		if id, ok := pid(process); ok {
			w.process = id
		}
		w.thread = wide(thread)
		rest, recent = r, true
	}
	if strings.HasPrefix(rest, "(") { // "(2)No such file or directory: [client …"
		_, n := digits(rest, 1, 6)
		if i := strings.Index(rest, ": [client "); i >= 0 && strings.HasPrefix(rest[n:], ")") {
			rest = rest[i+2:]
		}
	}
	if client, r, ok := bracket(rest); ok && strings.HasPrefix(client, "client ") {
		client = client[len("client "):]
		if i := strings.LastIndexByte(client, ':'); recent && i >= 0 {
			client = client[:i]
		}
		if _, err := netip.ParseAddr(client); err == nil {
			w.client = client
		}
		rest = r
	}
	w.message = rest
	if i := strings.LastIndex(rest, ", referer: "); i >= 0 {
		w.referer = rest[i+len(", referer: "):]
	}
	return true
}

// bracket reads "[text] " at the head of s.
func bracket(s string) (text, rest string, ok bool) {
	if !strings.HasPrefix(s, "[") {
		return "", s, false
	}
	text, rest, ok = strings.Cut(s[1:], "]")
	return text, strings.TrimPrefix(rest, " "), ok
}

// wide reads a number of up to 18 digits, -1 if it is none. Thread ids of Apache
// are addresses.
func wide(s string) int64 {
	n, end := digits(s, 0, 18)
	if end == 0 || end != len(s) {
		return -1
	}
	return int64(n)
}
