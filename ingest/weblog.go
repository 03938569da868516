package ingest

import (
	"net/netip"
	"strings"
	"time"

	"picket/kql"
)

// webColumns are the columns of rows of web servers' logs. RawData is what
// Microsoft Sentinel's parsers ApacheHTTPServer and NGINXHTTPServer read; the
// others have the names that Azure Monitor's table W3CIISLog gives the same
// things, of which those parsers use none: a column of their own with another
// type would break them.
var webColumns = []kql.Column{
	{Name: "TimeGenerated", Type: kql.DateTime},
	{Name: "EventTime", Type: kql.DateTime},
	{Name: "Computer", Type: kql.String},
	{Name: "FilePath", Type: kql.String},
	{Name: "RawData", Type: kql.String},

	{Name: "cIP", Type: kql.String},
	{Name: "csUserName", Type: kql.String},
	{Name: "csMethod", Type: kql.String},
	{Name: "csUriStem", Type: kql.String},
	{Name: "csUriQuery", Type: kql.String},
	{Name: "csVersion", Type: kql.String},
	{Name: "csHost", Type: kql.String},
	{Name: "sPort", Type: kql.Int},
	{Name: "scStatus", Type: kql.String},
	{Name: "scBytes", Type: kql.Long},
	{Name: "csReferer", Type: kql.String},
	{Name: "csUserAgent", Type: kql.String},

	// Of error logs.
	{Name: "Level", Type: kql.String},
	{Name: "Module", Type: kql.String},
	{Name: "ProcessID", Type: kql.Int},
	{Name: "ThreadID", Type: kql.Long},
	{Name: "Message", Type: kql.String},
}

// The tables that Sentinel's solutions for these servers read.
const (
	apacheTable = "ApacheHTTPServer_CL"
	nginxTable  = "NGINX_CL"
)

// webFormat is that of the access and the error logs of Apache HTTP Server or nginx.
func webFormat(name, table string) *Format {
	if table == "" {
		table = apacheTable
		if name == "nginx" {
			table = nginxTable
		}
	}
	return &Format{Name: name, Table: table, Custom: true, Columns: webColumns, reader: func(s source) rowFunc {
		return func(l line) ([]any, bool) {
			raw := clean(l.text)
			w, ok := parseWeb(raw, s.loc)
			return w.row(raw, s, l.received), !ok
		}
	}}
}

// A webLine is what a line of a web server's log says.
type webLine struct {
	time time.Time

	// Of an access log.
	client, user            string
	method, target, version string
	host                    string // of the request, where the log has it
	port                    int32  // of the server, 0 if not known
	status                  string
	bytes                   int64 // -1 if not known
	referer, agent          string

	// Of an error log.
	level, module, message string
	process                int32 // -1 if not known
	thread                 int64 // -1 if not known
}

// parseWeb reads a line of an access log or of an error log. What it does not
// find stays empty.
func parseWeb(s string, loc *time.Location) (webLine, bool) {
	w := webLine{bytes: -1, process: -1, thread: -1}
	if w.access(s, loc) || w.nginxError(s, loc) || w.apacheError(s, loc) {
		return w, true
	}
	return webLine{bytes: -1, process: -1, thread: -1}, false
}

func (w *webLine) row(raw string, s source, received time.Time) []any {
	event := w.time
	if event.IsZero() {
		event = received
	}
	stem, query, _ := strings.Cut(w.target, "?")
	var port, bytes, process, thread any
	if w.port > 0 {
		port = w.port
	}
	if w.bytes >= 0 {
		bytes = w.bytes
	}
	if w.process >= 0 {
		process = w.process
	}
	if w.thread >= 0 {
		thread = w.thread
	}
	return []any{
		received, event, s.host, s.path, raw,
		w.client, w.user, w.method, stem, query, w.version, w.host, port, w.status, bytes, w.referer, w.agent,
		w.level, w.module, process, thread, w.message,
	}
}

// access reads the common and the combined log format, which Apache HTTP Server
// and nginx share ("Log Files" of Apache's documentation), both also with the
// virtual host before them (vhost_combined of Debian and others). More fields
// may follow. It changes nothing and returns false for another line.
func (w *webLine) access(s string, loc *time.Location) bool {
	head, rest, ok := strings.Cut(s, "] \"") // before the request quotes are escaped
	open := strings.LastIndex(head, " [")
	if !ok || open < 0 {
		return false
	}
	head, when := head[:open], head[open+2:]
	t, ok := webTime(when, loc)
	if !ok {
		return false
	}
	request, rest, ok := quoted(rest)
	if !ok || len(rest) < 4 || rest[0] != ' ' {
		return false
	}
	status, rest, _ := strings.Cut(rest[1:], " ")
	if _, ok := number(status); !ok || len(status) != 3 {
		return false
	}
	if !w.client3(head) {
		return false
	}
	w.time, w.status = t, status
	w.request(request)
	size, rest, _ := strings.Cut(rest, " ")
	if n, end := digits(size, 0, 18); end > 0 && end == len(size) {
		w.bytes = int64(n)
	}
	for _, field := range []*string{&w.referer, &w.agent} {
		text, ok := strings.CutPrefix(rest, `"`)
		if !ok {
			break
		}
		if text, rest, ok = quoted(text); !ok {
			break
		}
		rest = strings.TrimPrefix(rest, " ")
		*field = dash(text)
	}
	return true
}

// client3 reads what stands before the time: the client, its name by RFC 1413,
// the user's name; and before these perhaps the virtual host.
func (w *webLine) client3(s string) bool {
	first, rest, ok := strings.Cut(s, " ")
	if !ok || first == "" {
		return false
	}
	if host, port, ok := hostPort(first); ok && strings.Count(rest, " ") >= 2 {
		w.host, w.port = host, port
		first, rest, _ = strings.Cut(rest, " ")
	}
	ident, user, ok := strings.Cut(rest, " ")
	if _, err := netip.ParseAddr(first); !ok || err != nil && ident != "-" { // else a time may be taken for a host
		return false
	}
	w.client, w.user = first, dash(user)
	return true
}

// hostPort reads "name:443". An IPv6 address is none.
func hostPort(s string) (host string, port int32, ok bool) {
	i := strings.LastIndexByte(s, ':')
	if i <= 0 || len(s)-i > 6 {
		return "", 0, false
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return "", 0, false
	}
	n, ok := number(s[i+1:])
	return s[:i], int32(n), ok && n < 1<<16
}

// request reads a request line. What is none, as of those who speak TLS to a
// plain port, is all target.
func (w *webLine) request(s string) {
	if s = dash(s); s == "" {
		return
	}
	method, rest, ok := strings.Cut(s, " ")
	if !ok || !isToken(method) {
		w.target = s
		return
	}
	w.method, w.target = method, rest
	if i := strings.LastIndexByte(rest, ' '); i >= 0 && strings.HasPrefix(rest[i+1:], "HTTP/") {
		w.target, w.version = rest[:i], rest[i+1:]
	}
}

// isToken reports whether s can be a method (RFC 9110 §9.1). All that are used are letters, - and _.
func isToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '-' && c != '_' && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return s != ""
}

// quoted reads up to the closing quote and returns what follows it. Quotes and
// backslashes within are escaped by a backslash; other escapes, such as \x16,
// stay as they are.
func quoted(s string) (text, rest string, ok bool) {
	escaped := false
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			if i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\') {
				escaped = true
				i++
			}
		case '"':
			if text = s[:i]; escaped {
				text = webEscapes.Replace(text)
			}
			return text, s[i+1:], true
		}
	}
	return "", s, false
}

var webEscapes = strings.NewReplacer(`\"`, `"`, `\\`, `\`)

// dash is s, or "" for the - that stands for nothing.
func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}

// webTime reads 25/Nov/2026:13:44:24 +0100, or the time of ISO 8601 that some
// servers are told to write.
func webTime(s string, loc *time.Location) (time.Time, bool) {
	if len(s) < len("25/Nov/2026:13:44:24") || s[2] != '/' || s[6] != '/' || s[11] != ':' {
		t, rest, _, ok := isoTime(s, loc)
		return t, ok && rest == ""
	}
	day, ok1 := number(s[:2])
	year, ok2 := number(s[7:11])
	c, rest, ok3 := readClock(s[12:])
	if !ok1 || !ok2 || !ok3 || year < firstYear || year > lastYear {
		return time.Time{}, false
	}
	z, rest, ok := numericZone(strings.TrimPrefix(rest, " "), loc)
	if !ok || rest != "" {
		return time.Time{}, false
	}
	return c.on(year, month(s[3:6]), day, z)
}
