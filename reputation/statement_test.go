package reputation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/state"
)

func TestMicroUSD(t *testing.T) {
	for m, want := range map[MicroUSD]string{
		0: "0.00", 1: "0.000001", 20_000: "0.02", 12_500: "0.0125", 1_000_000: "1.00", 1_234_567_890_000: "1234567.89", -20_000: "-0.02", -1_500_000: "-1.50",
	} {
		text, err := json.Marshal(m)
		if err != nil || string(text) != want {
			t.Errorf("%d: %s, %v; want %s", int64(m), text, err, want)
		}
		var back MicroUSD
		if err := json.Unmarshal(text, &back); err != nil || back != m {
			t.Errorf("%s: %d, %v", text, int64(back), err)
		}
	}
	for _, text := range []string{"0.0000001", `"x"`, "1e3", "null", "[]"} {
		if err := json.Unmarshal([]byte(text), new(MicroUSD)); err == nil && text != "null" {
			t.Errorf("%s: no error", text)
		}
	}
}

// meter charges lookups at given times and prices.
type meter struct {
	*testing.T
	path  string
	clock *clock
	o     Options
	n     int
}

// charge counts lookups of a key at a time, in a process of their own.
func (m *meter) charge(at, keyID string, priceUSD float64, lookups int) {
	m.Helper()
	var err error
	if m.clock.t, err = time.Parse(time.RFC3339Nano, at); err != nil {
		m.Fatal(err)
	}
	m.o.PriceUSD, m.o.Now = &priceUSD, m.clock.now
	s := newService(m.T, m.path, m.o)
	stop := run(m, s)
	for i := range lookups {
		id := "" // every other with an id, and its repeat
		if i%2 == 1 {
			m.n++
			id = fmt.Sprint(m.n)
		}
		for range 1 + i%2 {
			if err := s.Charge(m.Context(), state.Key{ID: keyID}, id, addr); err != nil {
				m.Fatal(err)
			}
		}
	}
	stop()
}

func newMeter(t *testing.T, o Options) *meter {
	return &meter{T: t, path: filepath.Join(t.TempDir(), "state.db"), clock: startOfDay(), o: o}
}

// csv returns the statements of a month as CSV without its header.
func (m *meter) csv(month, key string) string {
	m.Helper()
	all, err := newService(m.T, m.path, m.o).Statements(m.Context(), month, key)
	if err != nil {
		m.Fatal(err)
	}
	var out bytes.Buffer
	if err := WriteStatementsCSV(&out, all); err != nil {
		m.Fatal(err)
	}
	_, rows, _ := strings.Cut(out.String(), "\n")
	return rows
}

// A lookup belongs to the month in which it was answered, in UTC, at the price of
// then.
func TestStatementBoundaries(t *testing.T) {
	m := newMeter(t, Options{})
	m.charge("2026-10-31T23:59:59.999999999Z", "pk_a", 0.02, 3)
	m.charge("2026-11-01T00:00:00Z", "pk_a", 0.02, 2)
	m.charge("2026-11-30T23:30:00-01:00", "pk_a", 0.02, 1) // December in UTC
	m.charge("2026-11-15T12:00:00Z", "pk_a", 0.02, 4)
	m.charge("2026-11-15T13:00:00Z", "pk_a", 0.0125, 5) // the price falls
	m.charge("2026-11-15T14:00:00Z", "pk_b", 0, 6)
	m.charge("2026-11-15T15:00:00Z", "pk_a", 0.02, 1) // and rises again
	m.charge("2028-02-29T23:00:00Z", "pk_a", 0.02, 1)
	for month, want := range map[string]string{
		"2026-09": "",
		"2026-10": "pk_a,,2026-10-31,3,0,3,0.02,0.06,USD\n",
		"2026-11": "pk_a,,2026-11-01,2,0,2,0.02,0.04,USD\n" +
			"pk_a,,2026-11-15,5,0,5,0.0125,0.0625,USD\n" +
			"pk_a,,2026-11-15,5,0,5,0.02,0.10,USD\n" +
			"pk_b,,2026-11-15,6,0,6,0.00,0.00,USD\n",
		"2026-12": "pk_a,,2026-12-01,1,0,1,0.02,0.02,USD\n",
		"2028-02": "pk_a,,2028-02-29,1,0,1,0.02,0.02,USD\n",
	} {
		for range 2 { // the same each time
			if diff := cmp.Diff(want, m.csv(month, "")); diff != "" {
				t.Errorf("%s: %s", month, diff)
			}
		}
	}
}

// The first lookups of a month are free: over restarts, and a key that replaces
// another does not get them again.
func TestStatementFreeTier(t *testing.T) {
	m := newMeter(t, Options{FreePerMonth: 10})
	s := newService(t, m.path, Options{Now: m.clock.now})
	old, _, err := s.CreateKey(t.Context(), NewKey{Name: "siem", Scopes: []string{ScopeLookup}})
	if err != nil {
		t.Fatal(err)
	}
	rotated, _, err := s.RotateKey(t.Context(), old.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := s.RotateKey(t.Context(), rotated.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := s.CreateKey(t.Context(), NewKey{Name: "other, \"quoted\"", Scopes: []string{ScopeLookup}})
	if err != nil {
		t.Fatal(err)
	}
	m.charge("2026-11-24T10:00:00Z", old.ID, 0.02, 4)
	m.charge("2026-11-24T11:00:00Z", rotated.ID, 0.02, 5)
	m.charge("2026-11-25T10:00:00Z", again.ID, 0.02, 3)
	m.charge("2026-11-25T10:00:00Z", again.ID, 0.03, 2)
	m.charge("2026-11-25T10:00:00Z", other.ID, 0.02, 11)
	m.charge("2026-12-01T00:00:00Z", again.ID, 0.02, 10)
	for id, want := range map[string]string{
		old.ID:     "siem,2026-11-24,4,4,0,0.02,0.00,USD\n",
		rotated.ID: "siem,2026-11-24,5,5,0,0.02,0.00,USD\n",
		again.ID:   "siem,2026-11-25,3,1,2,0.02,0.04,USD\n" + again.ID + ",siem,2026-11-25,2,0,2,0.03,0.06,USD\n",
		other.ID:   "\"other, \"\"quoted\"\"\",2026-11-25,11,10,1,0.02,0.02,USD\n",
	} {
		if diff := cmp.Diff(id+","+want, m.csv("2026-11", id)); diff != "" {
			t.Error(diff)
		}
	}
	if got, want := m.csv("2026-12", again.ID), again.ID+",siem,2026-12-01,10,10,0,0.02,0.00,USD\n"; got != want {
		t.Errorf("a month later: %s, want %s", got, want)
	}

	// As JSON; the month is over.
	all, err := newService(t, m.path, m.o).Statements(t.Context(), "2026-11", again.ID)
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	got, err := json.MarshalIndent(all[0], "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`{
 "key_id": "KEY",
 "name": "siem",
 "month": "2026-11",
 "final": true,
 "currency": "USD",
 "requests": 5,
 "free": 1,
 "priced": 4,
 "amount": 0.10,
 "days": [
  {
   "day": "2026-11-25",
   "requests": 3,
   "free": 1,
   "priced": 2,
   "unit_price": 0.02,
   "amount": 0.04
  },
  {
   "day": "2026-11-25",
   "requests": 2,
   "free": 0,
   "priced": 2,
   "unit_price": 0.03,
   "amount": 0.06
  }
 ]
}`, "KEY", again.ID)
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Error(diff)
	}
}

// What is in memory only is in a statement, too, and the month that has not ended
// is not final.
func TestStatementOfNow(t *testing.T) {
	c := startOfDay()
	s := newService(t, "", Options{Now: c.now})
	key, _, err := s.CreateKey(t.Context(), NewKey{Name: "siem", Scopes: []string{ScopeLookup}})
	if err != nil {
		t.Fatal(err)
	}
	statement := func() Statement {
		t.Helper()
		all, err := s.Statements(t.Context(), "2026-11", key.ID)
		if err != nil || len(all) != 1 {
			t.Fatal(all, err)
		}
		return all[0]
	}
	if got := statement(); got.Requests != 0 || got.Final || got.Days == nil {
		t.Errorf("before any use: %+v", got)
	}
	if err := s.chargeLater(t.Context(), key, c.now()); err != nil {
		t.Fatal(err)
	}
	if got := statement(); got.Requests != 1 || got.Amount != 20_000 || got.Final {
		t.Errorf("after one lookup: %+v", got)
	}
	c.forward(8 * 24 * time.Hour) // December
	if got := statement(); got.Requests != 1 || !got.Final {
		t.Errorf("after the month: %+v", got)
	}
	for _, month := range []string{"", "2026", "2026-13", "2026-11-01", "11/2026"} {
		if _, err := s.Statements(t.Context(), month, ""); picket.CodeOf(err) != picket.Invalid {
			t.Errorf("%q: %v", month, err)
		}
	}
	if _, err := s.Statements(t.Context(), "2026-11", "pk_absent"); picket.CodeOf(err) != picket.NotFound {
		t.Errorf("a key that is not there: %v", err)
	}
}
