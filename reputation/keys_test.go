package reputation

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/state"
)

// clock is a time that tests move.
type clock struct{ t time.Time }

func (c *clock) now() time.Time          { return c.t }
func (c *clock) forward(d time.Duration) { c.t = c.t.Add(d) }

func startOfDay() *clock { return &clock{time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)} }

func mustCreate(t testing.TB, s *Service, k NewKey) (state.Key, picket.Secret) {
	t.Helper()
	key, text, err := s.CreateKey(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	return key, text
}

func TestKeyLife(t *testing.T) {
	c := startOfDay()
	path := filepath.Join(t.TempDir(), "state.db")
	s := newService(t, path, Options{Now: c.now})
	key, text := mustCreate(t, s, NewKey{Name: " playbook ", Scopes: []string{"query", "lookup", "query"}, PerDay: 5, PerSecond: 0.5})
	if !regexp.MustCompile(`^pk_[a-z2-7]{62}$`).MatchString(text.Reveal()) {
		t.Errorf("the key is not what secret scanners look for: %d characters", len(text.Reveal()))
	}
	if !strings.HasPrefix(text.Reveal(), key.ID) || len(key.ID) != 13 {
		t.Errorf("id %q is not the start of the key", key.ID)
	}
	want := state.Key{ID: key.ID, Name: "playbook", Scopes: []string{"lookup", "query"}, PerDay: 5, PerSecond: 0.5, Created: c.t}
	if diff := cmp.Diff(want, key); diff != "" {
		t.Error(diff)
	}

	verify := func(s *Service, text, scope string, code picket.Code, msg string) {
		t.Helper()
		got, err := s.VerifyKey(t.Context(), picket.Secret(text), scope)
		if picket.CodeOf(err) != code {
			t.Fatalf("err = %v, want code %q", err, code)
		}
		if err == nil && got.ID != key.ID {
			t.Errorf("verified as %q", got.ID)
		}
		if err != nil && err.Error() != msg {
			t.Errorf("err = %q, want %q", err, msg)
		}
		if err != nil && len(text) > 20 && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), text[13:]) {
			t.Error("the error shows the key")
		}
	}
	const unknown = "not an API key of this server"
	good := text.Reveal()
	verify(s, good, "lookup", "", "")
	verify(s, good, "query", "", "")
	verify(s, good, "admin", picket.Denied, "API key "+key.ID+" lacks the scope admin, it has lookup, query")
	verify(s, "", "lookup", picket.Denied, "an API key is needed: send it in the header x-api-key")
	verify(s, "hunter2", "lookup", picket.Denied, unknown)
	verify(s, good[:64]+flip(good[64]), "lookup", picket.Denied, unknown)         // same id, other secret
	verify(s, good[:3]+flip(good[3])+good[4:], "lookup", picket.Denied, unknown)  // other id
	verify(s, good+"a", "lookup", picket.Denied, unknown)                         // longer
	verify(s, "pk_"+strings.Repeat("\x00", 62), "lookup", picket.Denied, unknown) // no text at all
	verify(s, strings.Replace(good, "pk_", "PK_", 1), "lookup", picket.Denied, unknown)

	other := newService(t, path, Options{Now: c.now}) // as another process would
	verify(other, good, "lookup", "", "")
	if err := s.RevokeKey(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	verify(s, good, "lookup", picket.Denied, "API key "+key.ID+" was revoked") // at once
	verify(other, good, "lookup", "", "")
	c.forward(keyFresh)
	verify(other, good, "lookup", picket.Denied, "API key "+key.ID+" was revoked")

	revoked := c.t.Add(-keyFresh)
	if err := s.RevokeKey(t.Context(), key.ID); err != nil {
		t.Errorf("revoking again: %v", err)
	}
	if err := s.RevokeKey(t.Context(), "pk_nothere"); picket.CodeOf(err) != picket.NotFound {
		t.Errorf("revoking what is not there: %v", err)
	}
	keys, err := s.ListKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want.LastUsed, want.Revoked = want.Created, revoked
	if diff := cmp.Diff([]state.Key{want}, keys); diff != "" {
		t.Error(diff)
	}
}

func flip(c byte) string {
	if c == 'a' {
		return "b"
	}
	return "a"
}

func TestAdminMayEverything(t *testing.T) {
	s := newService(t, "", Options{})
	_, text := mustCreate(t, s, NewKey{Name: "boss", Scopes: []string{ScopeAdmin}})
	for _, scope := range Scopes() {
		if _, err := s.VerifyKey(t.Context(), text, scope); err != nil {
			t.Errorf("%s: %v", scope, err)
		}
	}
}

func TestCreateKeyRefuses(t *testing.T) {
	s := newService(t, "", Options{})
	f := func(k NewKey, want string) {
		t.Helper()
		_, text, err := s.CreateKey(t.Context(), k)
		if picket.CodeOf(err) != picket.Invalid || err.Error() != want || text != "" {
			t.Errorf("err = %v, want %q", err, want)
		}
	}
	f(NewKey{Scopes: []string{"lookup"}}, "a key needs a name of 1 to 100 bytes, this one has 0")
	f(NewKey{Name: "x"}, "a key needs a scope: lookup, bulk, query, ingest, metrics, enrol, admin")
	f(NewKey{Name: "x", Scopes: []string{"root"}}, `unknown scope "root": a key has some of lookup, bulk, query, ingest, metrics, enrol, admin`)
	f(NewKey{Name: "x", Scopes: []string{"lookup"}, PerDay: -1}, "limits of a key are not negative, and at most 1000000 a second; 0 is no limit")
}

// The database holds no key, only hashes.
func TestKeysAreNotStored(t *testing.T) {
	s := newService(t, "", Options{})
	_, text := mustCreate(t, s, NewKey{Name: "x", Scopes: []string{"lookup"}})
	secret := text.Reveal()[13:]
	rows, err := s.db.SQL().Query(`SELECT id || name || scopes || cast(hash AS TEXT) FROM api_key`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(row, secret) {
			t.Error("the secret is in the database")
		}
	}
	if err := rows.Err(); err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
}

func BenchmarkVerifyKey(b *testing.B) {
	s := newService(b, "", Options{})
	_, text := mustCreate(b, s, NewKey{Name: "x", Scopes: []string{"lookup"}})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.VerifyKey(b.Context(), text, "lookup"); err != nil {
			b.Fatal(err)
		}
	}
}
