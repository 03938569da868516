package ingest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/workspace"
)

// parsedCEF is an event with its keys and values, for comparing.
type parsedCEF struct {
	Vendor, Product, Version, Class, Name, Severity string
	Extensions                                      []string
	Rest                                            string
	Odd                                             bool
}

func parseCEF(text string) (p parsedCEF, ok bool) {
	e, ok := ParseCEF(text)
	p = parsedCEF{e.Vendor, e.Product, e.Version, e.Class, e.Name, e.Severity, nil, e.Rest, e.Odd}
	for key, value := range e.Extensions() {
		p.Extensions = append(p.Extensions, key, value)
	}
	return p, ok
}

func TestParseCEF(t *testing.T) {
	f := func(text string, want parsedCEF) {
		t.Helper()
		got, ok := parseCEF(text)
		if !ok {
			t.Errorf("ParseCEF(%q): not taken for an event", text)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("ParseCEF(%q): (-want +got)\n%s", text, diff)
		}
	}
	header := parsedCEF{Vendor: "V", Product: "P", Version: "1.0", Class: "100", Name: "worm stopped", Severity: "10"}
	event := func(change func(e *parsedCEF), pairs ...string) parsedCEF {
		e := header
		e.Extensions = pairs
		if change != nil {
			change(&e)
		}
		return e
	}
	const head = "CEF:0|V|P|1.0|100|worm stopped|10|"
	// The example of the specification.
	f(`CEF:0|Security|threatmanager|1.0|100|worm successfully stopped|10|src=10.0.0.1 dst=2.1.2.2 spt=1232`,
		parsedCEF{Vendor: "Security", Product: "threatmanager", Version: "1.0", Class: "100", Name: "worm successfully stopped", Severity: "10",
			Extensions: []string{"src", "10.0.0.1", "dst", "2.1.2.2", "spt", "1232"}})
	f("CEF:1|V|P|1.0|100|worm stopped|10|src=10.0.0.1", event(nil, "src", "10.0.0.1"))
	f("CEF:0.1|V|P|1.0|100|worm stopped|10|src=10.0.0.1", event(nil, "src", "10.0.0.1"))
	f("CEF: 0|V|P|1.0|100|worm stopped|10|src=10.0.0.1", event(nil, "src", "10.0.0.1"))
	f("CEF:0| V | P |1.0|100|worm stopped| 10 | src=10.0.0.1 ", event(nil, "src", "10.0.0.1"))
	f(head, event(nil))
	f("CEF:0|V|P|1.0|100|worm stopped|10", event(nil)) // the last bar is often left out
	// Escapes in the header: bar and backslash only.
	f(`CEF:0|V|P|1.0|100|detected a \| in \\ message \= \n|10|src=10.0.0.1 act=blocked a | dst=1.1.1.1`,
		event(func(e *parsedCEF) { e.Name = `detected a | in \ message \= \n` }, "src", "10.0.0.1", "act", "blocked a |", "dst", "1.1.1.1"))
	f(`CEF:0|V\\|P\||1.0|100|worm stopped|10|`, event(func(e *parsedCEF) { e.Vendor, e.Product = `V\`, "P|" }))
	// Escapes in values: equals sign, backslash, ends of lines; nothing else.
	f(head+`act=blocked a \= dst=1.1.1.1`, event(nil, "act", "blocked a =", "dst", "1.1.1.1"))
	f(head+`act=blocked a \\ dst=1.1.1.1`, event(nil, "act", `blocked a \`, "dst", "1.1.1.1"))
	f(head+`msg=Detected a threat.\nNo action\r\nneeded. cs1=a\|b`, event(nil, "msg", "Detected a threat.\nNo action\r\nneeded.", "cs1", `a\|b`))
	f(head+`filePath=C:\Windows\system32\x.exe fname=x`, event(nil, "filePath", `C:\Windows\system32\x.exe`, "fname", "x"))
	f(head+`a=\`, event(nil, "a", `\`))
	f(head+`a=\ b=c`, event(nil, "a", `\`, "b", "c"))
	f(head+`a=x\=y=z b=\\=`, event(nil, "a", "x=y=z", "b", `\=`))
	// Spaces in values, none, and equals signs that nobody escaped.
	f(head+`msg=a value  with spaces   src=10.0.0.1`, event(nil, "msg", "a value  with spaces", "src", "10.0.0.1"))
	f(head+`cs1= cs1Label=Rule cs2=`, event(nil, "cs1", "", "cs1Label", "Rule", "cs2", ""))
	f(head+`request=http://x.example/?a=b&c=d dst=1.1.1.1`, event(nil, "request", "http://x.example/?a=b&c=d", "dst", "1.1.1.1"))
	f(head+`msg=1=2 3=4 (x=5) cs1=y=z`, event(nil, "msg", "1=2 3=4 (x=5)", "cs1", "y=z"))
	f(head+`msg== cs1==`, event(nil, "msg", "=", "cs1", "="))
	// Keys as devices have them.
	f(head+`_cefVer=0.1 ad.field[0]=a PanOSRule-Name=b FTNTFGTpoluuid=c`,
		event(nil, "_cefVer", "0.1", "ad.field[0]", "a", "PanOSRule-Name", "b", "FTNTFGTpoluuid", "c"))
	f(head+`src=1.1.1.1 src=2.2.2.2`, event(nil, "src", "1.1.1.1", "src", "2.2.2.2"))
	// What is not as it should be is kept, and marked.
	odd := func(e *parsedCEF) { e.Odd = true }
	f(head+"no key src=1.1.1.1", event(func(e *parsedCEF) { e.Odd, e.Rest = true, "no key" }, "src", "1.1.1.1"))
	f(head+"no key at all", event(func(e *parsedCEF) { e.Odd, e.Rest = true, "no key at all" }))
	f("CEF:0|V|P|1.0|100|worm stopped|10 src=1.1.1.1", event(odd, "src", "1.1.1.1"))
	f("CEF:0|V|P|1.0|100|worm stopped", event(func(e *parsedCEF) { e.Odd, e.Severity = true, "" }))
	f("CEF:0|V|P|1.0|100|src=1.1.1.1 dst=2.2.2.2", event(func(e *parsedCEF) { e.Odd, e.Name, e.Severity = true, "", "" }, "src", "1.1.1.1", "dst", "2.2.2.2"))
	f("CEF:0|V", parsedCEF{Vendor: "V", Odd: true})
	f("CEF:0|", parsedCEF{Odd: true})
	f(head+strings.Repeat("k", maxKey)+"=a "+strings.Repeat("k", maxKey+1)+"=b", event(nil, strings.Repeat("k", maxKey), "a "+strings.Repeat("k", maxKey+1)+"=b"))

	for _, text := range []string{"", "CEF", "CEF:", "CEF:|V|P|1|1|n|1|", "CEF:0", "CEF: no event", "cef:0|V", "CEF:x|V", "CEF:0123456789012345|V", " CEF:0|V", "LEEF:1.0|V|P|1|1|"} {
		if _, ok := ParseCEF(text); ok {
			t.Errorf("ParseCEF(%q): taken for an event", text)
		}
	}
}

// cefRowOf returns the columns that a message over syslog fills.
func cefRowOf(t *testing.T, line string) map[string]any {
	t.Helper()
	o := &origin{collector: "collector", host: "192.0.2.1", address: "192.0.2.1"}
	m := Parse([]byte(line), testNow, time.UTC)
	row, _, ok := o.cefEvent(&m, testNow, time.UTC)
	if !ok {
		t.Fatalf("%s: not taken for an event: %+v", line, m)
	}
	got := map[string]any{}
	for i, v := range row {
		if v != nil && v != "" {
			got[cefColumns[i]] = v
		}
	}
	return got
}

func TestCEFRow(t *testing.T) {
	fixed := map[string]any{
		"TimeGenerated": testNow, "DeviceVendor": "V", "DeviceProduct": "P", "DeviceVersion": "1", "DeviceEventClassID": "100",
		"Activity": "n", "LogSeverity": "5", "Computer": "fw1", "SourceSystem": "OpsManager", "CollectorHostName": "collector", "Type": "CommonSecurityLog",
	}
	f := func(extension string, want map[string]any) {
		t.Helper()
		got := cefRowOf(t, "<134>Nov 23 03:12:59 fw1 CEF:0|V|P|1|100|n|5|"+extension)
		for c, v := range fixed {
			if got[c] != v {
				t.Errorf("column %s: %v, want %v", c, got[c], v)
			}
			delete(got, c)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", extension, diff)
		}
	}
	f("", map[string]any{})
	f("src=203.0.113.7 spt=51022 dst=192.0.2.9 dpt=22 proto=TCP act=Denied app=ssh suser=root outcome=failure reason=Bad password cat=/Auth",
		map[string]any{"SourceIP": "203.0.113.7", "SourcePort": int32(51022), "DestinationIP": "192.0.2.9", "DestinationPort": int32(22),
			"Protocol": "TCP", "DeviceAction": "Denied", "SimplifiedDeviceAction": "Deny", "ApplicationProtocol": "ssh", "SourceUserName": "root",
			"EventOutcome": "failure", "Reason": "Bad password", "DeviceEventCategory": "/Auth"})
	// The side that is not ours.
	f("deviceDirection=0 src=203.0.113.7 spt=1 dst=192.0.2.9 dpt=22", map[string]any{"CommunicationDirection": "0", "RemoteIP": "203.0.113.7", "RemotePort": "1",
		"SourceIP": "203.0.113.7", "SourcePort": int32(1), "DestinationIP": "192.0.2.9", "DestinationPort": int32(22)})
	f("deviceDirection=Outbound dst=203.0.113.7 act=allow", map[string]any{"CommunicationDirection": "Outbound", "RemoteIP": "203.0.113.7",
		"DestinationIP": "203.0.113.7", "DeviceAction": "allow", "SimplifiedDeviceAction": "allow"})
	// Numbers, and the int columns that long and text ones replace.
	f("in=4294967296 out=1 cnt=3 fsize=10 type=0 cn1=4294967296 cn1Label=Session cn2=-7 flexNumber1=5 externalId=17 cfp1=0.5 cfp1Label=Score",
		map[string]any{"ReceivedBytes": int64(1 << 32), "SentBytes": int64(1), "EventCount": int32(3), "FileSize": int32(10), "EventType": int32(0),
			"FieldDeviceCustomNumber1": int64(1 << 32), "DeviceCustomNumber1Label": "Session", "FieldDeviceCustomNumber2": int64(-7), "DeviceCustomNumber2": int32(-7),
			"FlexNumber1": int32(5), "ExtID": "17", "ExternalID": int32(17), "DeviceCustomFloatingPoint1": 0.5, "DeviceCustomFloatingPoint1Label": "Score"})
	f("externalId=a-17", map[string]any{"ExtID": "a-17"})
	// Custom fields.
	f("cs1=web to db cs1Label=Rule cs6=x c6a2=2001:db8::7 c6a2Label=Source IPv6 flexString2=y flexString2Label=z deviceCustomDate1=1795404600000 flexDate1=Nov 23 2026",
		map[string]any{"DeviceCustomString1": "web to db", "DeviceCustomString1Label": "Rule", "DeviceCustomString6": "x",
			"DeviceCustomIPv6Address2": "2001:db8::7", "DeviceCustomIPv6Address2Label": "Source IPv6", "FlexString2": "y", "FlexString2Label": "z",
			"DeviceCustomDate1": "1795404600000", "FlexDate1": "Nov 23 2026"})
	// Times.
	f("rt=Nov 23 2026 03:12:59 start=1795403579250 end=Nov 23 2026 03:12:59.250 GMT",
		map[string]any{"ReceiptTime": "Nov 23 2026 03:12:59", "StartTime": at(3, 12, 59, 250_000_000), "EndTime": at(3, 12, 59, 250_000_000)})
	f("start=Nov 23 03:12:59 end=2026-11-23T04:12:59+01:00", map[string]any{"StartTime": at(3, 12, 59, 0), "EndTime": at(3, 12, 59, 0)})
	f("start=1795403579 end=1795403579000000000", map[string]any{"StartTime": at(3, 12, 59, 0), "EndTime": at(3, 12, 59, 0)})
	// What has no place is not lost: unknown keys, wrong types, repeats.
	f("cs1= PanOSDGl1=12 PanOSContainer= spt=none dpt=99999999999 cfp1=NaN start=yesterday end=Nov 23 2026 03:12:59 CET src=1.1.1.1 src=2.2.2.2 cn1=1.5",
		map[string]any{"SourceIP": "1.1.1.1",
			"AdditionalExtensions": "PanOSDGl1=12;PanOSContainer=;spt=none;dpt=99999999999;cfp1=NaN;start=yesterday;end=Nov 23 2026 03:12:59 CET;src=2.2.2.2;cn1=1.5"})
	f("strange text src=1.1.1.1", map[string]any{"SourceIP": "1.1.1.1", "AdditionalExtensions": "strange text"})
	// Capital letters are not agreed upon.
	f("Request=/x deviceExternalID=7 CS1label=Rule", map[string]any{"RequestURL": "/x", "DeviceExternalID": "7", "DeviceCustomString1Label": "Rule"})
}

// TestCEFOverSyslog holds the headers that devices put before the event.
func TestCEFOverSyslog(t *testing.T) {
	f := func(header, computer string) {
		t.Helper()
		got := cefRowOf(t, header+"0|Check Point|VPN-1 & FireWall-1|R81|Log|Drop|Very-High|src=203.0.113.7")
		if got["Computer"] != computer || got["SourceIP"] != "203.0.113.7" || got["DeviceVendor"] != "Check Point" || got["LogSeverity"] != "Very-High" {
			t.Errorf("%s: %v", header, got)
		}
	}
	f("CEF:", "192.0.2.1")
	f("<134>CEF:", "192.0.2.1")
	f("<134>CEF: ", "192.0.2.1")
	f("<134>Nov 23 03:12:59 fw1 CEF:", "fw1")
	f("<134>Nov 23 03:12:59 fw1 CEF: ", "fw1")
	f("<134>Nov  3 2026 03:12:59 fw1.example.org CEF:", "fw1.example.org")
	f("<134>Nov 23 03:12:59 192.0.2.77 CEF:", "192.0.2.77")
	f("<134>Nov 23 03:12:59 CEF:", "192.0.2.1")
	f("<134>2026-11-23T03:12:59Z fw1 CEF:", "fw1")
	f("<134>2026-11-23T03:12:59.123+01:00 fw1 CEF:", "fw1")
	f("<134>Nov 23 03:12:59 fw1 agent[77]: CEF:", "fw1")
	f("<134>Nov 23 03:12:59 fw1 agent: CEF:", "fw1")
	f("<134>1 2026-11-23T03:12:59Z fw1 - - - - CEF:", "fw1")
	f("<134>1 2026-11-23T03:12:59Z fw1 CEF 1 x [meta sequenceId=\"1\"] \ufeffCEF:", "fw1")
	f("<134>1 - - - - - - CEF:", "192.0.2.1")
	f("Nov 23 03:12:59 fw1 CEF:", "fw1")

	for _, line := range []string{"<134>Nov 23 03:12:59 fw1 CEF: is the format", "<134>Nov 23 03:12:59 fw1 app: x CEF:0|V|P|1|1|n|5|", "<134>Nov 23 03:12:59 fw1 CEF: 0 events"} {
		m := Parse([]byte(line), testNow, time.UTC)
		if _, _, ok := (&origin{}).cefEvent(&m, testNow, time.UTC); ok {
			t.Errorf("%s: taken for an event", line)
		}
	}
}

// TestCEFColumns appends an event with every key to a real workspace: every
// column must be there, of the type that its values have.
func TestCEFColumns(t *testing.T) {
	var line strings.Builder
	line.WriteString("CEF:0|V|P|1|100|n|5|")
	for key, c := range cefKeys {
		value := "17"
		if c.kind == cefMoment {
			value = "1795403579250"
		}
		line.WriteString(" " + key + "=" + value)
	}
	e, ok := ParseCEF(line.String())
	row := (&origin{collector: "c", host: "h"}).cefRow(&e, "", testNow, time.UTC)
	if !ok || e.Odd {
		t.Fatalf("not understood: %s", line.String())
	}
	for i, v := range row {
		empty := i == cefAdditional || i == cefRemoteIP || i == cefRemotePort // no direction is told
		if (v == nil) != empty {
			t.Errorf("column %s: %v", cefColumns[i], v)
		}
	}
	db, err := workspace.Open("", workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Append(t.Context(), picket.Batch{Table: cefTable, Columns: cefColumns, Rows: [][]any{row}}); err != nil {
		t.Error(err)
	}
	// The columns that no key fills are Sentinel's own.
	table, _ := db.Table(cefTable)
	ours := map[string]bool{}
	for _, c := range cefColumns {
		ours[c] = true
	}
	for _, c := range table.Columns {
		other := c.Name == "TenantId" || c.Name == "OriginalLogSeverity" || strings.HasPrefix(c.Name, "_") || strings.HasPrefix(c.Name, "Malicious") ||
			strings.HasPrefix(c.Name, "Threat") || c.Name == "IndicatorThreatType" || c.Name == "ReportReferenceLink"
		if ours[c.Name] == other {
			t.Errorf("column %s: filled %t", c.Name, ours[c.Name])
		}
	}
}

// TestServerCEF holds that events go to their own table, whatever carries them.
func TestServerCEF(t *testing.T) {
	s := newStore()
	events := newStore()
	server, stop := startServerFunc(t, func(ctx context.Context, b picket.Batch) error {
		if b.Table == cefTable {
			return events.Append(ctx, b)
		}
		return s.Append(ctx, b)
	}, Options{})
	const event = "<134>Nov 23 03:12:59 fw1 CEF:0|V|P|1|100|n|5|src=203.0.113.7 msg="
	tcp, udp := dial(t, "tcp", server), dial(t, "udp", server)
	send(t, tcp, event+"newline\n<13>Nov 23 03:12:59 h a: text\n"+strconv.Itoa(len(event+"counted"))+" "+event+"counted")
	send(t, tcp, event+"odd =\nCEF:0|V|P\n")
	send(t, udp, event+"datagram")
	await(t, events, 5)
	await(t, s, 1)
	if err := stop(); err != nil {
		t.Error(err)
	}
	var got []string
	for i, v := range events.column("Message") {
		got = append(got, fmt.Sprint(events.column("Computer")[i], " ", v))
	}
	slices.Sort(got)
	if diff := cmp.Diff([]string{"127.0.0.1 <nil>", "fw1 counted", "fw1 datagram", "fw1 newline", "fw1 odd ="}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{"text"}, s.column("SyslogMessage")); diff != "" {
		t.Error(diff)
	}
	if got := server.Stats(); got != (Stats{Received: 6, Committed: 6, Odd: 1}) {
		t.Errorf("stats: %+v", got)
	}
}

// encodeCEF writes an event down again.
func encodeCEF(e parsedCEF) string {
	header := strings.NewReplacer(`\`, `\\`, `|`, `\|`)
	value := strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
	var b strings.Builder
	b.WriteString("CEF:0")
	for _, s := range []string{e.Vendor, e.Product, e.Version, e.Class, e.Name, e.Severity} {
		b.WriteString("|" + header.Replace(s))
	}
	b.WriteString("|" + e.Rest)
	for i := 0; i < len(e.Extensions); i += 2 {
		b.WriteString(" " + e.Extensions[i] + "=" + value.Replace(e.Extensions[i+1]))
	}
	return b.String()
}

func FuzzCEF(f *testing.F) {
	for _, s := range []string{
		`CEF:0|Security|threatmanager|1.0|100|worm \| stopped|10|src=10.0.0.1 dst=2.1.2.2 msg=a \= b\nc spt=1232`,
		`CEF: 1|V|P|1.0|100|name|High|rt=Nov 23 2026 03:12:59 start=1795403579250 cn1=5 cn1Label=x y cfp1=1e9 cs1= c6a1=::1`,
		"CEF:0|V", "CEF:0|V|P|1|1|n|src=1", `CEF:0|a\\|b|c|d|e|f| rest a\=b=c d=\`, "CEF:0|||||||=", "CEF:0|||||||a==b= c", "CEF:0|1|2|3|4|5|6 a=b",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, ok := ParseCEF(s)
		if !ok {
			return
		}
		// Written down again it is the same event. Rest is not escaped, so it may
		// hold what is none of its own then; and a header that was not whole is now.
		if !strings.ContainsAny(e.Rest, `=\`) {
			want, _ := parseCEF(s)
			again, ok := parseCEF(encodeCEF(want))
			again.Odd = e.Odd
			if diff := cmp.Diff(want, again); !ok || diff != "" {
				t.Fatalf("%q, again: %s", s, diff)
			}
		}
		// Nothing is lost: the letters of the event are in the row, in whatever column.
		row := (&origin{collector: "c", host: "h"}).cefRow(&e, "", testNow, time.UTC)
		if len(row) != len(cefColumns) {
			t.Fatalf("%d values for %d columns", len(row), len(cefColumns))
		}
		additional, _ := row[cefAdditional].(string)
		for key, value := range e.Extensions() {
			c, known := cefKey(key)
			if value != "" && !strings.Contains(additional, key+"="+value) && (!known || row[c.at] == nil) {
				t.Fatalf("%s=%s is lost", key, value)
			}
		}
		for i, v := range row {
			if text, ok := v.(string); ok && utf8.ValidString(s) && !utf8.ValidString(text) {
				t.Fatalf("column %s: %q is no text", cefColumns[i], text)
			}
		}
	})
}

func BenchmarkCEF(b *testing.B) {
	line := []byte(`<134>Nov 23 03:12:59 fw1 CEF:0|Palo Alto Networks|PAN-OS|10.1|end|TRAFFIC|1|rt=Nov 23 2026 03:12:59 deviceExternalId=0123 src=203.0.113.7 dst=192.0.2.9 sourceTranslatedAddress=198.51.100.4 cs1Label=Rule cs1=allow out suser=ann app=ssl cs3Label=Virtual System cs3=vsys1 deviceInboundInterface=ethernet1/2 cn1Label=SessionID cn1=25596 cnt=1 spt=51022 dpt=443 proto=tcp act=allow in=1200 out=5200 PanOSDGl1=12 PanOSVsysName=main`)
	o := &origin{collector: "c", host: "h", address: "h"}
	b.SetBytes(int64(len(line)))
	b.ReportAllocs()
	for b.Loop() {
		m := Parse(line, testNow, time.UTC)
		if _, _, ok := o.cefEvent(&m, testNow, time.UTC); !ok {
			b.Fatal("no event")
		}
	}
}
