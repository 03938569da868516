package workspace

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"picket/kql"
)

// What a transformation reads is what was given, of every type, and what it
// yields can be appended.
func TestTransform(t *testing.T) {
	db := open(t, "", Options{})
	at := time.Date(2026, 11, 23, 12, 0, 0, 123456700, time.UTC)
	columns := []kql.Column{{Name: "s", Type: kql.String}, {Name: "S", Type: kql.String}, {Name: "n", Type: kql.Int}, {Name: "l", Type: kql.Long}, {Name: "r", Type: kql.Real},
		{Name: "b", Type: kql.Bool}, {Name: "t", Type: kql.DateTime}, {Name: "d", Type: kql.Dynamic}, {Name: "g", Type: kql.Guid}}
	row := []any{"it's \"é\" \x00\n", "B", int64(-3), int64(1) << 62, 0.1, true, at, json.RawMessage(`{"a":[1,"'"]}`), "0e984725-c51c-4bf4-9960-e1c80e27aba0"}
	blank := make([]any, len(columns))
	got, rows, err := db.Transform(context.Background(), "source", columns, [][]any{row, blank})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, columns) {
		t.Errorf("columns %v", got)
	}
	blank[0], blank[1] = "", ""
	if want := [][]any{row, blank}; !reflect.DeepEqual(rows, want) {
		t.Errorf("rows %v\nwant %v", rows, want)
	}
	got, rows, err = db.Transform(context.Background(), `source | where b | extend x = toupper(S), w = d.a[0], TimeGenerated = now() | project x, w, r, TimeGenerated`, columns, [][]any{row, blank})
	if err != nil || len(rows) != 1 || rows[0][0] != "B" || string(rows[0][1].(json.RawMessage)) != "1" || rows[0][2] != 0.1 || rows[0][3].(time.Time).IsZero() || got[3].Type != kql.DateTime {
		t.Errorf("%v %v %v", got, rows, err)
	}
	for src, want := range map[string]string{
		"source | where nope == 1": "nope", "Syslog": "Syslog", "source | union Syslog": "Syslog", "source |": "expected", "source | where d.x == toscalar(Syslog | count)": "Syslog",
	} {
		if _, err := db.TransformColumns(src, columns); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", src, err)
		}
	}
	if _, rows, err = db.Transform(context.Background(), "source", columns, nil); err != nil || len(rows) != 0 {
		t.Errorf("no rows: %v %v", rows, err)
	}
}

// The cost of a call: 2,000 records of a megabyte.
func BenchmarkTransform(b *testing.B) {
	db, err := Open("", Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	columns := []kql.Column{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "RawData", Type: kql.String}, {Name: "n", Type: kql.Long}}
	var rows [][]any
	for i := range 2000 {
		rows = append(rows, []any{time.Unix(int64(i), 0), fmt.Sprintf("%d %s", i, strings.Repeat("text of a line ", 30)), int64(i)})
	}
	for b.Loop() {
		_, out, err := db.Transform(context.Background(), `source | where n % 2 == 0 | extend Word = extract(@"(\w+) of", 1, RawData)`, columns, rows)
		if err != nil || len(out) != 1000 {
			b.Fatal(len(out), err)
		}
	}
}
