package ingest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/kql"
	"picket/workspace"
)

// rowsOf runs a format over lines and returns the rows by column, without the
// values that are empty.
func rowsOf(t *testing.T, o FormatOptions, lines ...string) (rows []map[string]any, odd int) {
	t.Helper()
	f, err := NewFormat(o)
	if err != nil {
		t.Fatal(err)
	}
	s := source{host: "here", path: "/var/log/x", loc: time.UTC}
	if f.header {
		s.header, lines = []byte(lines[0]), lines[1:]
	}
	read := f.reader(s)
	for _, l := range lines {
		row, o := read(line{[]byte(l), testNow})
		if o {
			odd++
		}
		m := map[string]any{}
		for i, v := range row {
			switch v := v.(type) {
			case nil:
			case json.RawMessage:
				m[f.Columns[i].Name] = string(v)
			default:
				if v != "" {
					m[f.Columns[i].Name] = v
				}
			}
		}
		for name, want := range map[string]any{"TimeGenerated": testNow, "Computer": "here", "FilePath": "/var/log/x"} {
			if _, ok := m[name]; ok && m[name] != want {
				t.Errorf("%s is %v", name, m[name])
			}
			delete(m, name)
		}
		rows = append(rows, m)
	}
	return rows, odd
}

func TestFormatJSON(t *testing.T) {
	o := FormatOptions{Name: "json", Table: "App_CL", Time: "ts", Columns: []MappedColumn{
		{Name: "User", Type: kql.String, From: "user.name"}, {Name: "Status", Type: kql.Int, From: "status"}, {Name: "Bytes", Type: kql.Long, From: "b"},
		{Name: "Took", Type: kql.Real, From: "took"}, {Name: "Ok", Type: kql.Bool, From: "ok"}, {Name: "Tags", Type: kql.Dynamic, From: "tags"},
		{Name: "Id", Type: kql.Guid, From: "id"}, {Name: "At", Type: kql.DateTime, From: "at"},
	}}
	f := func(text string, want map[string]any, wantOdd int) {
		t.Helper()
		rows, odd := rowsOf(t, o, text)
		if diff := cmp.Diff([]map[string]any{want}, rows); diff != "" || odd != wantOdd {
			t.Errorf("%s: odd %d, (-want +got)\n%s", text, odd, diff)
		}
	}
	when := time.Date(2026, 11, 25, 12, 44, 24, 0, time.UTC)
	f(`{"ts":"2026-11-25T13:44:24+01:00","user":{"name":"ann"},"status":200,"b":5000000000,"took":0.5,"ok":true,"tags":["a",{"b":1}],"id":"6F9619FF-8B86-D011-B42D-00CF4FC964FF","at":1795610664}`,
		map[string]any{"EventTime": when, "User": "ann", "Status": int32(200), "Bytes": int64(5e9), "Took": 0.5, "Ok": true, "Tags": `["a",{"b":1}]`,
			"Id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff", "At": when, "AdditionalFields": `{"user":{"name":"ann"}}`}, 0)
	// What has no column, or does not fit its own, is kept as it was.
	f(`{"x":1,"user.name":"literal","status":"200","b":"many","took":1e999,"ok":"maybe","id":"1","at":"yesterday","ts":"never"}`,
		map[string]any{"User": "literal", "Status": int32(200),
			"AdditionalFields": `{"at":"yesterday","b":"many","id":"1","ok":"maybe","took":1e999,"ts":"never","x":1}`}, 1)
	f(`{"status":200.5,"b":12345678901234567890,"user":{"name":{"a":"<b>"}}}`,
		map[string]any{"User": `{"a":"<b>"}`, "AdditionalFields": `{"b":12345678901234567890,"status":200.5,"user":{"name":{"a":"<b>"}}}`}, 1)
	f(`{"status":null,"ts":null}`, map[string]any{}, 0)
	f("\ufeff {\"status\":5}\r", map[string]any{"Status": int32(5)}, 0)
	// What is no record is kept whole.
	for _, text := range []string{"no JSON", `{"a":1`, `[1,2]`, `"x"`, `null`, `{"a":1} {"b":2}`, strings.Repeat("[", 20000)} {
		f(text, map[string]any{"RawData": text}, 1)
	}
	f("{\"a\":\"\x00\xff\"}", map[string]any{"RawData": `{"a":"\x00\xff"}`}, 1)
	f(`{"user.name":"a\u0000b\ud800"}`, map[string]any{"User": "a\\x00b\ufffd"}, 0)
}

func TestFormatCSV(t *testing.T) {
	o := FormatOptions{Name: "csv", Table: "App_CL", Time: "when", Columns: []MappedColumn{{Name: "Address", Type: kql.String, From: "ip"}, {Name: "n", Type: kql.Long}}}
	rows, odd := rowsOf(t, o, "\ufeffwhen,ip,n,note,note",
		`2026-11-25 12:44:24,203.0.113.7,5,"a ""b"", c",d`, `,,,,`, `x,198.51.100.1,many,,`, `too,few`, `a,b,"c`, "25/Nov/2026:13:44:24 +0100,,,,")
	when := time.Date(2026, 11, 25, 12, 44, 24, 0, time.UTC)
	want := []map[string]any{
		{"EventTime": when, "Address": "203.0.113.7", "n": int64(5), "AdditionalFields": `{"note":"a \"b\", c","note (5)":"d"}`},
		{},
		{"Address": "198.51.100.1", "AdditionalFields": `{"n":"many","when":"x"}`},
		{"RawData": "too,few"},
		{"RawData": `a,b,"c`},
		{"EventTime": when},
	}
	if diff := cmp.Diff(want, rows); diff != "" || odd != 3 {
		t.Errorf("odd %d, (-want +got)\n%s", odd, diff)
	}
	o.Fields, o.Delimiter = []string{"ip", "n"}, "|"
	rows, odd = rowsOf(t, o, "203.0.113.7|5", "203.0.113.7,5")
	want = []map[string]any{{"Address": "203.0.113.7", "n": int64(5)}, {"RawData": "203.0.113.7,5"}}
	if diff := cmp.Diff(want, rows); diff != "" || odd != 1 {
		t.Errorf("odd %d, (-want +got)\n%s", odd, diff)
	}
}

func TestFormatCEFAndText(t *testing.T) {
	rows, odd := rowsOf(t, FormatOptions{Name: "cef"}, "CEF:0|V|P|1|100|n|5|src=203.0.113.7", "no event")
	if odd != 1 || rows[0]["SourceIP"] != "203.0.113.7" || rows[0]["DeviceVendor"] != "V" || rows[1]["Message"] != "no event" {
		t.Errorf("%d odd, %v", odd, rows)
	}
	rows, odd = rowsOf(t, FormatOptions{Name: "text", Table: "App_CL"}, "any\x00thing \xff\r\n")
	if diff := cmp.Diff([]map[string]any{{"RawData": `any\x00thing \xff`}}, rows); diff != "" || odd != 0 {
		t.Errorf("odd %d, %s", odd, diff)
	}
}

// TestFormatTables appends rows of every format to a real workspace.
func TestFormatTables(t *testing.T) {
	db, err := workspace.Open("", workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lines := map[string]string{
		"syslog": "Nov 23 03:12:59 web1 sshd[1]: x", "cef": "CEF:0|V|P|1|100|n|5|src=203.0.113.7 cnt=5 in=7 cn1=9 cfp1=1.5 externalId=7 rt=1795403579250",
		"apache": `h:443 203.0.113.7 - u [25/Nov/2026:13:44:24 +0100] "GET /?a HTTP/1.1" 200 5 "r" "a"`,
		"nginx":  `2026/11/25 12:44:24 [error] 12#34: *5 x, client: 203.0.113.7, server: _, request: "GET /x?a HTTP/1.1", host: "h"`,
		"json":   `{"a":"x","d":{"e":[1]},"more":1e400}`, "csv": "x,{}", "text": "x",
	}
	for _, name := range FormatNames() {
		o := FormatOptions{Name: name}
		switch name {
		case "json", "csv":
			o.Columns = []MappedColumn{{Name: "a", Type: kql.String}, {Name: "d", Type: kql.Dynamic}}
			fallthrough
		case "text":
			o.Table = "My" + name + "_CL"
		}
		if name == "csv" {
			o.Fields = []string{"a", "d"}
		}
		f, err := NewFormat(o)
		if err != nil {
			t.Fatal(err)
		}
		if f.Custom {
			if err := db.CreateTable(t.Context(), f.Definition()); err != nil {
				t.Fatal(err)
			}
		}
		table, ok := db.Table(f.Table)
		if !ok {
			t.Fatalf("%s: no table %s", name, f.Table)
		}
		types := map[string]kql.Type{}
		for _, c := range table.Columns {
			types[c.Name] = c.Type
		}
		for _, c := range f.Columns {
			if types[c.Name] != c.Type {
				t.Errorf("%s: column %s is %s in the table, %s in the format", name, c.Name, types[c.Name], c.Type)
			}
		}
		row, odd := f.reader(source{host: "here", path: "p", loc: time.UTC})(line{[]byte(lines[name]), testNow})
		if odd {
			t.Errorf("%s: not understood", name)
		}
		if err := db.Append(t.Context(), picket.Batch{Table: f.Table, Columns: f.columnNames(), Rows: [][]any{row}}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFileRows(t *testing.T) {
	f, err := NewFormat(FormatOptions{Name: "csv", Table: "X_CL", Time: "t"})
	if err != nil {
		t.Fatal(err)
	}
	row := f.FileRows("x.csv", testNow, time.UTC)
	if r := row([]byte("t,a")); r != nil {
		t.Errorf("the header is a row: %v", r)
	}
	when := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		text string
		want time.Time
	}{{",1", testNow}, {"2026-01-02T03:04:05Z,2", when}, {"?,3", when}} {
		if r := row([]byte(c.text)); r[0] != c.want || r[1] != c.want {
			t.Errorf("%s: TimeGenerated %v, EventTime %v", c.text, r[0], r[1])
		}
	}
}

// FuzzJSONLines holds that nothing of a record is lost or made up.
func FuzzJSONLines(f *testing.F) {
	for _, s := range []string{`{"a":1,"b":{"c":"x"},"t":"2026-11-25T13:44:24Z"}`, `{"a":"5","b":[]}`, `{"b.c":null,"a":1e5}`, "x", `{"t":1795610664.5}`, `{"a":true,"b":{"c":{"d":1}}}`} {
		f.Add([]byte(s))
	}
	format, err := NewFormat(FormatOptions{Name: "json", Table: "X_CL", Time: "t", Columns: []MappedColumn{
		{Name: "A", Type: kql.Long, From: "a"}, {Name: "C", Type: kql.String, From: "b.c"}, {Name: "B", Type: kql.Dynamic, From: "b"}}})
	if err != nil {
		f.Fatal(err)
	}
	read := format.reader(source{host: "h", path: "p", loc: time.UTC})
	f.Fuzz(func(t *testing.T, text []byte) {
		row, odd := read(line{text, testNow})
		if len(row) != len(format.Columns) {
			t.Fatalf("%d values", len(row))
		}
		var record map[string]json.RawMessage
		if row[4] != nil { // no record
			if row[4] != clean(text) || !odd || row[5] != nil || row[1] != nil {
				t.Fatalf("raw row %v", row)
			}
			return
		}
		if err := json.Unmarshal([]byte(strings.TrimPrefix(strings.Trim(string(text), " \t\r\n\x00"), bom)), &record); err != nil {
			t.Fatalf("%q is no record, and not in RawData", text)
		}
		rest := map[string]json.RawMessage{}
		if row[5] != nil {
			if err := json.Unmarshal(row[5].(json.RawMessage), &rest); err != nil {
				t.Fatal(err)
			}
		}
		for name, v := range record {
			_, kept := rest[strings.ToValidUTF8(name, "\ufffd")]
			taken := string(v) == "null" || name == "t" && row[1] != nil || name == "a" && row[6] != nil || name == "b.c" && row[7] != nil || name == "b" && row[8] != nil
			if !kept && !taken {
				t.Fatalf("%q of %q is lost", name, text)
			}
		}
	})
}

// FuzzCSVLines does the same for CSV.
func FuzzCSVLines(f *testing.F) {
	for _, s := range []string{"2026-11-25,1,x", `"a ""b""",c,d`, `a,"b`, ",,", "1795610664,5,,"} {
		f.Add("t,a,b", s)
	}
	f.Add("", "x")
	f.Add("a,a,a,a", "1,2,3,4")
	format, err := NewFormat(FormatOptions{Name: "csv", Table: "X_CL", Time: "t", Columns: []MappedColumn{{Name: "A", Type: kql.Long, From: "a"}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header, text string) {
		read := format.reader(source{host: "h", path: "p", loc: time.UTC, header: []byte(header)})
		row, odd := read(line{[]byte(text), testNow})
		if row[4] != nil {
			if row[4] != clean([]byte(text)) || !odd || row[5] != nil {
				t.Fatalf("raw row %v", row)
			}
			return
		}
		fields, ok := splitRecord(clean([]byte(text)), ',')
		if !ok {
			t.Fatalf("%q is no record, and not in RawData", text)
		}
		rest := map[string]string{}
		if row[5] != nil {
			if err := json.Unmarshal(row[5].(json.RawMessage), &rest); err != nil {
				t.Fatal(err)
			}
		}
		values := 0
		for _, s := range fields {
			if s != "" {
				values++
			}
		}
		taken := 0
		for _, i := range []int{1, 6} {
			if row[i] != nil {
				taken++
			}
		}
		if len(rest)+taken != values {
			t.Fatalf("%d of %d values of %q under %q", len(rest)+taken, values, text, header)
		}
	})
}
