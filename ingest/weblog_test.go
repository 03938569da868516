package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWebLine(t *testing.T) {
	f := func(text string, want webLine) {
		t.Helper()
		if want.process == 0 {
			want.process = -1
		}
		if want.thread == 0 {
			want.thread = -1
		}
		got, ok := parseWeb(text, time.UTC)
		if !ok {
			t.Errorf("%s: not understood", text)
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(webLine{})); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", text, diff)
		}
	}
	when := time.Date(2026, 11, 25, 12, 44, 24, 0, time.UTC)

	// The common and the combined format, of Apache HTTP Server and of nginx.
	f(`203.0.113.7 - frank [25/Nov/2026:13:44:24 +0100] "GET /a.gif?x=1&y=%2e HTTP/1.0" 200 2326`, webLine{
		time: when, client: "203.0.113.7", user: "frank", method: "GET", target: "/a.gif?x=1&y=%2e", version: "HTTP/1.0", status: "200", bytes: 2326})
	combined := webLine{time: when, client: "2001:db8::7", method: "POST", target: "/wp-login.php", version: "HTTP/1.1", status: "302", bytes: 0,
		referer: "https://a.example/?q=[x]", agent: "Mozilla/5.0 (X11) \"quoted\" \\ end"}
	f(`2001:db8::7 - - [25/Nov/2026:13:44:24 +0100] "POST /wp-login.php HTTP/1.1" 302 0 "https://a.example/?q=[x]" "Mozilla/5.0 (X11) \"quoted\" \\ end"`, combined)
	f(`2001:db8::7 - - [25/Nov/2026:13:44:24 +0100] "POST /wp-login.php HTTP/1.1" 302 0 "https://a.example/?q=[x]" "Mozilla/5.0 (X11) \"quoted\" \\ end" "10.0.0.1" rt=0.1`, combined)
	combined.host, combined.port = "www.example.org", 443
	f(`www.example.org:443 2001:db8::7 - - [25/Nov/2026:13:44:24 +0100] "POST /wp-login.php HTTP/1.1" 302 0 "https://a.example/?q=[x]" "Mozilla/5.0 (X11) \"quoted\" \\ end"`, combined)

	// What clients send that is no request, and names of users with spaces and brackets.
	f(`203.0.113.7 - - [25/Nov/2026:13:44:24 +0100] "-" 408 - "-" "-"`, webLine{time: when, client: "203.0.113.7", status: "408", bytes: -1})
	f(`203.0.113.7 - - [25/Nov/2026:13:44:24 +0100] "\x16\x03\x01 \x02" 400 226 "-" "-"`, webLine{
		time: when, client: "203.0.113.7", target: `\x16\x03\x01 \x02`, status: "400", bytes: 226})
	f(`203.0.113.7 - J. [x] Doe [25/Nov/2026:13:44:24 +0100] "GET /a b HTTP/1.1" 200 1`, webLine{
		time: when, client: "203.0.113.7", user: "J. [x] Doe", method: "GET", target: "/a b", version: "HTTP/1.1", status: "200", bytes: 1})
	f(`203.0.113.7 - [25/Nov/2026:00:00:00 +0000] \"GET / [25/Nov/2026:13:44:24 +0100] "GET / HTTP/1.1" 401 1`, webLine{
		time: when, client: "203.0.113.7", user: `[25/Nov/2026:00:00:00 +0000] \"GET /`, method: "GET", target: "/", version: "HTTP/1.1", status: "401", bytes: 1})
	f(`host.example - - [2026-11-25T13:44:24+01:00] "GET / HTTP/2.0" 200 5 "-" "curl"`, webLine{
		time: when, client: "host.example", method: "GET", target: "/", version: "HTTP/2.0", status: "200", bytes: 5, agent: "curl"})
	f(`203.0.113.7 - - [25/Nov/2026:13:44:24 +0100] "GET / HTTP/1.1" 200 5 "-" "cut off`, webLine{
		time: when, client: "203.0.113.7", method: "GET", target: "/", version: "HTTP/1.1", status: "200", bytes: 5})

	// Error logs.
	f(`2026/11/25 12:44:24 [error] 12#34: *5 open() "/srv/x" failed (2: No such file or directory), client: 203.0.113.7, server: _, request: "GET /x?a HTTP/1.1", host: "www.example.org"`, webLine{
		time: when, level: "error", process: 12, thread: 34, client: "203.0.113.7", method: "GET", target: "/x?a", version: "HTTP/1.1", host: "www.example.org", bytes: -1,
		message: `*5 open() "/srv/x" failed (2: No such file or directory), client: 203.0.113.7, server: _, request: "GET /x?a HTTP/1.1", host: "www.example.org"`})
	f(`2026/11/25 12:44:24 [notice] 1#1: signal process started`, webLine{time: when, level: "notice", process: 1, thread: 1, bytes: -1, message: "signal process started"})
	f(`[Wed Nov 25 12:44:24.000000 2026] [core:error] [pid 12:tid 140] (36)File name too long: [client 2001:db8::7:5555] AH00036: access to /a failed, referer: http://b.example/`, webLine{
		time: when, module: "core", level: "error", process: 12, thread: 140, client: "2001:db8::7", bytes: -1,
		message: "AH00036: access to /a failed, referer: http://b.example/", referer: "http://b.example/"})
	f(`[Wed Nov 25 12:44:24 2026] [error] [client 203.0.113.7] File does not exist: /x`, webLine{
		time: when, level: "error", client: "203.0.113.7", bytes: -1, message: "File does not exist: /x"})
	f(`[Wed Nov 25 12:44:24.000000 2026] [mpm_event:notice] [pid 12:tid 140] AH00489: Apache configured`, webLine{
		time: when, module: "mpm_event", level: "notice", process: 12, thread: 140, bytes: -1, message: "AH00489: Apache configured"})

	for _, text := range []string{
		"", "-", "GET / HTTP/1.1", "Nov 23 03:12:59 web1 sshd[1]: x", `203.0.113.7 - - [25/Foo/2026:13:44:24 +0100] "GET / HTTP/1.1" 200 1`,
		`203.0.113.7 - - [25/Nov/2026:13:44:24 +0100] "GET / HTTP/1.1" 2000 1`, `203.0.113.7 [25/Nov/2026:13:44:24 +0100] "GET / HTTP/1.1" 200 1`,
		"2026/13/25 12:44:24 [error] 1#1: x", "2026/11/25 12:44:24 x", "[Wed Nov 25 12:44:24 2026] x", "[error] [client 203.0.113.7] x",
	} {
		if w, ok := parseWeb(text, time.UTC); ok {
			t.Errorf("%q: understood as %+v", text, w)
		}
	}
}

// TestWebForgedClient holds that no client can put another's address into cIP by
// what it asks for.
func TestWebForgedClient(t *testing.T) {
	for _, text := range []string{
		`2026/11/25 12:44:24 [error] 1#1: *5 open() "/srv/x, client: 198.51.100.1, server: _, request: "GET" failed, client: 203.0.113.7, server: _, request: "GET /x HTTP/1.1"`,
		`2026/11/25 12:44:24 [error] 1#1: *5 no, client: 203.0.113.7, server: _, request: "GET /x HTTP/1.1", referrer: "a, client: 198.51.100.1, server: _"`,
		`[Wed Nov 25 12:44:24.000000 2026] [core:error] [pid 12:tid 140] AH: no [client 198.51.100.1:1] x`,
	} {
		if w, ok := parseWeb(text, time.UTC); !ok || w.client != "" {
			t.Errorf("%s: client %q, %v", text, w.client, ok)
		}
	}
}

func TestDetectFormat(t *testing.T) {
	f := func(path, text, want string) {
		t.Helper()
		if got := DetectFormat(path, []byte(text)); got != want {
			t.Errorf("%s %.40q: %s, want %s", path, text, got, want)
		}
	}
	access := "203.0.113.7 - - [25/Nov/2026:13:44:24 +0100] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\"\n"
	f("/var/log/apache2/access.log", access, "apache")
	f("/var/log/nginx/access.log", access, "nginx")
	f("/var/log/nginx/access.log", access+"\x16\x03\n"+strings.Repeat(access, 9), "nginx")
	f("/srv/error.log", "2026/11/25 12:44:24 [notice] 1#1: x\n", "nginx")
	f("/srv/nginx-front/error.log", "[Wed Nov 25 12:44:24 2026] [error] x\n", "apache")
	f("auth.log", "Nov 23 03:12:59 web1 sshd[1]: "+access, "syslog")
	f("a.log", access+"x\ny\n", "syslog")
	f("a.log", "\n\n", "syslog")
	f("a.log", "CEF:0|V|P|1|100|n|5|src=203.0.113.7\nNov 23 03:12:59 fw CEF:0|V|P|1|100|n|5|src=203.0.113.7\n", "cef")
	f("a.json", "{\"a\":1}\n", "syslog")
}

func FuzzAccessLog(f *testing.F) {
	for _, s := range []string{
		`203.0.113.7 - frank [25/Nov/2026:13:44:24 +0100] "GET /a.gif?x=1 HTTP/1.0" 200 2326 "-" "a\"b"`,
		`h:443 2001:db8::7 - - [2026-11-25T13:44:24Z] "-" 408 - "-" "-"`,
		`2026/11/25 12:44:24 [error] 12#34: *5 x, client: 203.0.113.7, server: _, request: "GET /x?a HTTP/1.1", host: "h"`,
		`[Wed Nov 25 12:44:24.000000 2026] [core:error] [pid 12:tid 140] (36)x: [client 2001:db8::7:5555] AH00036: y, referer: z`,
	} {
		f.Add([]byte(s))
	}
	format, err := NewFormat(FormatOptions{Name: "apache"})
	if err != nil {
		f.Fatal(err)
	}
	rows := format.reader(source{host: "here", path: "access.log", loc: time.UTC})
	f.Fuzz(func(t *testing.T, text []byte) {
		row, odd := rows(line{text, testNow})
		if len(row) != len(format.Columns) {
			t.Fatalf("%d values", len(row))
		}
		raw, ok := row[4].(string)
		if !ok || raw != clean(text) {
			t.Fatalf("RawData is %q", row[4])
		}
		for i, v := range row[5:] {
			s, ok := v.(string)
			if ok && odd && s != "" {
				t.Fatalf("%s is %q of a line that is not understood", format.Columns[5+i].Name, s)
			}
			// Nothing is made up: but for escapes, what is found is in the line.
			if ok && !strings.Contains(raw, s) && !strings.Contains(webEscapes.Replace(raw), s) {
				t.Fatalf("%s is %q, which is not in %q", format.Columns[5+i].Name, s, raw)
			}
		}
		DetectFormat("x", text)
	})
}
