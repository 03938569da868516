package reputation

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/netip"
	"reflect"
	"testing"
	"time"
)

// standardJSON is a profile as encoding/json writes it.
func standardJSON(t *testing.T, p Profile) string {
	t.Helper()
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(p); err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func TestProfileJSON(t *testing.T) {
	var full Profile
	fill(reflect.ValueOf(&full).Elem(), bytes.NewReader(bytes.Repeat([]byte{3, 1, 4, 1, 5, 9, 2, 6, 5, 35, 89, 79, 32, 38}, 4000)))
	for name, p := range map[string]Profile{
		"empty": {}, "full": full, "zone": {IP: netip.MustParseAddr("fe80::1%a\"\n")},
		"no sources of a country": {Labels: []string{}, Countries: []Said{{Value: "DE"}, {"FR", []string{"a", "b"}}}},
		"numbers":                 {Latitude: math.Copysign(0, -1), Longitude: 1e-9, CostUSD: 1e22, Sources: []Finding{{Latitude: -1e21, Longitude: 123456.789}}},
		"texts":                   {Reason: "\x00\x1f\x7f\b\f\n\r\t\"\\/<>&\u2028\u2029é🦊\xff\xc3 \ufffd", Labels: []string{""}},
		"times":                   {At: time.Date(2026, 1, 2, 3, 4, 5, 120, time.FixedZone("", -5400)), FirstSeen: time.Unix(0, 0)},
		"override":                {Override: &Override{Verdict: Benign, Author: "me"}},
	} {
		if want, got := standardJSON(t, p), string(p.AppendJSON(nil)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
	for _, p := range []Profile{{Latitude: math.NaN(), CostUSD: math.Inf(1)}, {At: time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)}} {
		if got := p.AppendJSON(nil); !json.Valid(got) {
			t.Errorf("%s", got)
		}
	}
}

// FuzzProfileJSON makes a profile of the input and compares with encoding/json.
func FuzzProfileJSON(f *testing.F) {
	f.Add([]byte("1"))
	f.Add(bytes.Repeat([]byte{2, 'a', '"', 0xe2, 0x80, 0xa8, 1, 0, 7, 255}, 300))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Profile
		fill(reflect.ValueOf(&p).Elem(), bytes.NewReader(data))
		if want, got := standardJSON(t, p), string(p.AppendJSON(nil)); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	})
}

// fill sets every field of a value from bytes, as long as there are some; so a new
// field of a profile is tested by itself.
func fill(v reflect.Value, data *bytes.Reader) {
	next := func() int { c, _ := data.ReadByte(); return int(c) }
	word := func() uint64 {
		var b [8]byte
		_, _ = data.Read(b[:])
		return binary.LittleEndian.Uint64(b[:])
	}
	switch p := v.Addr().Interface().(type) {
	case *netip.Addr:
		var b [16]byte
		_, _ = data.Read(b[:])
		*p = netip.AddrFrom16(b)
		return
	case *time.Time:
		*p = time.Unix(int64(word()%250_000_000_000), int64(next())).UTC()
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), data)
		}
	case reflect.Pointer:
		if next()%2 == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), data)
		}
	case reflect.Slice:
		if n := next() % 4; n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n-1, n-1))
		}
		for i := range v.Len() {
			fill(v.Index(i), data)
		}
	case reflect.String:
		b := make([]byte, next()%20)
		n, _ := data.Read(b)
		v.SetString(string(b[:n]))
	case reflect.Float64:
		if f := math.Float64frombits(word()); !math.IsNaN(f) && !math.IsInf(f, 0) {
			v.SetFloat(f)
		}
	case reflect.Bool:
		v.SetBool(next()%2 == 1)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(word()))
	default:
		panic("no such field yet: " + v.Kind().String())
	}
}
