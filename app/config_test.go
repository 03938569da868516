package app

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseConfig(t *testing.T) {
	c, err := parseConfig([]byte(`
listen: 127.0.0.1:1
logs: [/var/log/auth.log]
own: [198.51.100.7, 10.0.0.0/8, "2001:db8::1/32"]
rule_delay: 5m
prowl:
  url: https://api.prowl.lupovis.io
  api_key: canary
`))
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:1" || c.Syslog != DefaultConfig().Syslog || c.RuleDelay != 5*time.Minute || c.Prowl.APIKey.Reveal() != "canary" {
		t.Errorf("%+v", c)
	}
	if len(c.Own) != 3 || c.Own[0] != netip.MustParsePrefix("198.51.100.7/32") || c.Own[2] != netip.MustParsePrefix("2001:db8::/32") {
		t.Errorf("own: %v", c.Own)
	}
	if _, err := parseConfig(nil); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestParseConfigRefuses(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, err := parseConfig([]byte(text))
		if err == nil {
			t.Errorf("%q: no error", text)
			return
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%q: error %q lacks %q", text, err, w)
			}
		}
		if strings.Contains(err.Error(), "canary") {
			t.Errorf("the error shows a secret: %s", err)
		}
	}
	f("listen: x\nlisten_adress: y\n", "2:1", "listen_adress")
	f("own: [nonsense]\n", "own", "nonsense", "203.0.113.0/24")
	f("rule_delay: soon\n", "rule_delay", "15s")
	f("prowl:\n  api_key: canary\n", "prowl", "url")
	f("prowl:\n  api_key: [canary]\n", "2:")
	f("listen: [", "1:")
}

func TestAPIKeyFile(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"key": "secret\n", "picket.yaml": "prowl:\n  url: http://127.0.0.1:1\n  api_key_file: key\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := LoadConfig(filepath.Join(dir, "picket.yaml"))
	if err != nil || c.Prowl.APIKey.Reveal() != "secret" {
		t.Errorf("key %q, err %v", c.Prowl.APIKey.Reveal(), err)
	}
}

func TestAdminToken(t *testing.T) {
	dir := t.TempDir()
	a, err := adminToken(dir)
	if err != nil || len(a.Reveal()) < 40 {
		t.Fatalf("token %d characters, err %v", len(a.Reveal()), err)
	}
	path := filepath.Join(dir, tokenFile)
	if fi, _ := os.Stat(path); fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", fi.Mode())
	}
	if b, err := adminToken(dir); err != nil || b != a {
		t.Error("the second call makes another token")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := adminToken(dir); err == nil || strings.Contains(err.Error(), a.Reveal()) {
		t.Errorf("a token others can read: %v", err)
	}
}
