package reputation

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"picket"
)

func TestTokenLife(t *testing.T) {
	c := startOfDay()
	path := filepath.Join(t.TempDir(), "state.db")
	o := Options{Now: c.now, TokenKey: "signing"}
	s := newService(t, path, o)
	key, text := mustCreate(t, s, NewKey{Name: "x", Scopes: []string{"query"}})
	token, expires, err := s.IssueToken(t.Context(), text)
	if err != nil || !expires.Equal(c.t.Add(TokenLife)) {
		t.Fatalf("%v, %v", expires, err)
	}
	if strings.Contains(token.Reveal(), text.Reveal()[keyIDLen:]) {
		t.Error("the token holds the key")
	}
	f := func(s *Service, token, scope, want string) {
		t.Helper()
		got, err := s.VerifyKey(t.Context(), picket.Secret(token), scope)
		switch {
		case want == "" && (err != nil || got.ID != key.ID):
			t.Errorf("%s, %v", got.ID, err)
		case want != "" && (picket.CodeOf(err) != picket.Denied || !strings.Contains(err.Error(), want)):
			t.Errorf("%v, want %q", err, want)
		case want != "" && strings.Contains(fmt.Sprintf("%v %+v", err, err), token[20:]):
			t.Error("the error shows the token")
		}
	}
	good := token.Reveal()
	f(s, good, "query", "")
	f(newService(t, path, o), good, "query", "") // after a restart
	f(s, good, "admin", "lacks the scope admin")
	const unknown = "not a token of this server"
	f(newService(t, path, Options{Now: c.now, TokenKey: "another"}), good, "query", unknown)
	f(newService(t, path, Options{Now: c.now}), good, "query", unknown)
	parts := strings.Split(good, ".")
	f(s, parts[0]+".9999999999."+parts[2], "query", unknown)
	f(s, "pt_"+flip(parts[0][3])+parts[0][4:]+"."+parts[1]+"."+parts[2], "query", unknown)
	f(s, strings.TrimRight(good, parts[2])+strings.Repeat("A", 43), "query", unknown)
	f(s, "pt_"+strings.Repeat("a", 30), "query", unknown)
	f(s, "pt_"+strings.Repeat(".", 30), "query", unknown)

	for _, bad := range []string{"", good, text.Reveal()[:64] + flip(text.Reveal()[64])} {
		if _, _, err := s.IssueToken(t.Context(), picket.Secret(bad)); picket.CodeOf(err) != picket.Denied {
			t.Errorf("a token for what is no key: %v", err)
		}
	}
	c.forward(TokenLife - time.Second)
	f(s, good, "query", "")
	c.forward(time.Second)
	f(s, good, "query", "ended at 2026-11-23T01:00:00Z")

	token, _, err = s.IssueToken(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RevokeKey(t.Context(), key.ID); err != nil {
		t.Fatal(err)
	}
	f(s, token.Reveal(), "query", "was revoked")
	if _, _, err := s.IssueToken(t.Context(), text); picket.CodeOf(err) != picket.Denied {
		t.Errorf("a token for a revoked key: %v", err)
	}
}
