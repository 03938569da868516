package state

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var compareAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

func TestProfiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, path)
	full := Profile{
		IP: netip.MustParseAddr("2a01:4f8::7"), Ttps: []string{"known-bot"}, Techniques: []string{"T1110"}, Sources: []string{"a", "b"},
		Verdict: "malicious", Confidence: 85, IndicatorOfIntelligence: "bot", CountryCode: "NL", Asn: 4294967295, AsOrganization: "Söhne",
		FirstSeen: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.UTC), LastSeen: time.Date(2026, 2, 2, 3, 4, 5, 0, time.UTC),
	}
	bare := Profile{IP: netip.MustParseAddr("8.8.8.8"), Verdict: "unknown"}
	put := func(want int, profiles ...Profile) {
		t.Helper()
		if added, err := putProfiles(t, db, profiles...); err != nil || added != want {
			t.Fatalf("added %d, %v; want %d", added, err, want)
		}
	}
	get := func(want Profile) {
		t.Helper()
		got, ok, err := db.Profile(t.Context(), want.IP)
		if err != nil || !ok {
			t.Fatalf("%s: %v %v", want.IP, ok, err)
		}
		if diff := cmp.Diff(want, got, compareAddr); diff != "" {
			t.Error(diff)
		}
	}
	put(2, full, bare)
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	db = open(t, path)
	defer db.Close(t.Context())
	get(full)
	get(bare)
	replaced := Profile{IP: full.IP, Verdict: "benign"}
	put(0, replaced)
	get(replaced)
	if _, ok, err := db.Profile(t.Context(), netip.MustParseAddr("1.1.1.1")); ok || err != nil {
		t.Errorf("an address nobody stored: %v %v", ok, err)
	}
}

// putProfiles stores profiles.
func putProfiles(t testing.TB, db *DB, list ...Profile) (added int, err error) {
	t.Helper()
	w, err := db.WriteProfiles()
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if err := w.Put(&list[i], i); err != nil {
			t.Fatal(err)
		}
	}
	return w.Commit(t.Context())
}

func TestKeys(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	at := time.Date(2026, 11, 23, 1, 2, 3, 4e6, time.UTC)
	k := Key{ID: "pk_a", Name: "one", Scopes: []string{"lookup", "query"}, PerDay: 10, PerSecond: 0.25, Created: at}
	if err := db.AddKey(t.Context(), k, [32]byte{1, 2, 3}); err != nil {
		t.Fatal(err)
	}
	if err := db.AddKey(t.Context(), k, [32]byte{}); err == nil {
		t.Error("a second key of the same id was stored")
	}
	if err := db.KeyUsed(t.Context(), k.ID, at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := db.KeyUsed(t.Context(), k.ID, at); err != nil { // late news
		t.Fatal(err)
	}
	for _, when := range []time.Duration{2 * time.Hour, 3 * time.Hour} { // the first counts
		if found, err := db.RevokeKey(t.Context(), k.ID, at.Add(when)); !found || err != nil {
			t.Fatal(found, err)
		}
	}
	k.LastUsed, k.Revoked = at.Add(time.Hour), at.Add(2*time.Hour)
	got, hash, ok, err := db.Key(t.Context(), k.ID)
	if err != nil || !ok || hash != [32]byte{1, 2, 3} {
		t.Fatal(ok, err, hash)
	}
	if diff := cmp.Diff(k, got); diff != "" {
		t.Error(diff)
	}
	if found, err := db.RevokeKey(t.Context(), "pk_b", at); found || err != nil {
		t.Error(found, err)
	}
	if _, _, ok, err := db.Key(t.Context(), "pk_b"); ok || err != nil {
		t.Error(ok, err)
	}
}

func TestUsageIsAllOrNothing(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	day := UsageDay{KeyID: "k", Day: "2026-11-23", UnitMicroUSD: 20_000, Requests: 2, CostMicroUSD: 40_000}
	req := CountedRequest{KeyID: "k", RequestID: "r", IP: "8.8.8.8", At: time.UnixMilli(1)}
	if _, err := db.AddUsage(t.Context(), time.UnixMilli(1), []UsageDay{day}, 0, []CountedRequest{req}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SQL().Exec(`CREATE TRIGGER broken BEFORE INSERT ON usage_request BEGIN SELECT raise(ABORT, 'no'); END`); err != nil {
		t.Fatal(err)
	}
	other := req
	other.RequestID = "s"
	if _, err := db.AddUsage(t.Context(), time.UnixMilli(1), []UsageDay{day}, 0, []CountedRequest{other}); err == nil {
		t.Fatal("want an error")
	}
	got, err := db.Usage(t.Context(), "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]UsageDay{day}, got); diff != "" {
		t.Error(diff)
	}
	for r, want := range map[CountedRequest]bool{req: true, other: false} {
		if got, err := db.Counted(t.Context(), r); err != nil || got != want {
			t.Errorf("%s: %v %v", r.RequestID, got, err)
		}
	}
}

func TestCachedAnswers(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	at := time.UnixMilli(1_800_000_000_000).UTC()
	put := func(ip, id string, expires, forget time.Time) CachedAnswer {
		t.Helper()
		a := CachedAnswer{Base: "https://prowl/GetIPReputation", IP: netip.MustParseAddr(ip), Body: []byte("{}"), RequestID: id, Stored: at, Expires: expires}
		if err := db.PutCachedAnswer(t.Context(), a, forget); err != nil {
			t.Fatal(err)
		}
		return a
	}
	has := func(a CachedAnswer, want bool) {
		t.Helper()
		got, ok, err := db.CachedAnswer(t.Context(), a.Base, a.IP)
		if err != nil || ok != want {
			t.Fatalf("%s: %v %v", a.IP, ok, err)
		}
		if diff := cmp.Diff(a, got, compareAddr); want && diff != "" {
			t.Error(diff)
		}
	}
	old := put("8.8.8.8", "a", at.Add(time.Hour), time.Time{})
	has(old, true)
	put("2a01::1", "b", at.Add(3*time.Hour), at.Add(time.Hour))
	has(old, true) // expires at that time, not before it
	fresh := put("2a01::1", "c", at.Add(4*time.Hour), at.Add(time.Hour+time.Millisecond))
	has(old, false)
	has(fresh, true)
	fresh.Base = "https://other/GetIPReputation"
	has(fresh, false)
}
