package reputation

import (
	"path/filepath"
	"testing"
	"time"

	"picket"
	"picket/state"
)

func TestKeysEnd(t *testing.T) {
	db, err := state.Open(t.Context(), state.Options{Path: filepath.Join(t.TempDir(), "state.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	s := New(db, Options{Now: func() time.Time { return now }})
	works := func(text picket.Secret, want bool) {
		t.Helper()
		_, err := s.VerifyKey(t.Context(), text, ScopeLookup)
		if (err == nil) != want || err != nil && picket.CodeOf(err) != picket.Denied {
			t.Errorf("at %s: %v, want it to work: %v", now, err, want)
		}
	}
	key, first, err := s.CreateKey(t.Context(), NewKey{Name: "soar", Scopes: []string{ScopeLookup}, PerDay: 9, Expires: now.Add(48 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	works(first, true)
	next, second, err := s.RotateKey(t.Context(), key.ID, time.Hour)
	if err != nil || next.ID == key.ID || next.Name != "soar" || next.PerDay != 9 || !next.Expires.Equal(key.Expires) {
		t.Fatalf("rotated: %+v %v", next, err)
	}
	works(first, true)
	works(second, true)
	now = now.Add(time.Hour)
	works(first, false)
	works(second, true)
	if _, _, err := s.RotateKey(t.Context(), key.ID, 0); picket.CodeOf(err) != picket.Conflict {
		t.Errorf("a key that has ended is rotated: %v", err)
	}
	if _, _, err := s.RotateKey(t.Context(), "pk_none", 0); picket.CodeOf(err) != picket.NotFound {
		t.Errorf("no key is rotated: %v", err)
	}
	if _, _, err := s.RotateKey(t.Context(), next.ID, -time.Second); picket.CodeOf(err) != picket.Invalid {
		t.Errorf("a grace time before now: %v", err)
	}
	// Rotating with more grace than the key has left does not lengthen its life.
	_, third, err := s.RotateKey(t.Context(), next.ID, maxGrace)
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(47 * time.Hour)
	works(second, false)
	works(third, false)
	if _, _, err := s.CreateKey(t.Context(), NewKey{Name: "late", Scopes: []string{ScopeLookup}, Expires: now}); picket.CodeOf(err) != picket.Invalid {
		t.Errorf("a key that has expired already is made: %v", err)
	}
}
