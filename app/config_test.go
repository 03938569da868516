package app

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseConfig(t *testing.T) {
	c, err := configReader{"picket.yaml", []byte(`
listen: 127.0.0.1:1
logs: [/var/log/auth.log]
own: [198.51.100.7, 10.0.0.0/8, "2001:db8::1/32"]
rule_delay: 5m
prowl:
  url: https://api.prowl.lupovis.io
  api_key: canary
`)}.parse()
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:1" || c.Syslog != DefaultConfig().Syslog || c.RuleDelay != 5*time.Minute || c.Prowl.APIKey.Reveal() != "canary" {
		t.Errorf("%+v", c)
	}
	if len(c.Own) != 3 || c.Own[0] != netip.MustParsePrefix("198.51.100.7/32") || c.Own[2] != netip.MustParsePrefix("2001:db8::/32") {
		t.Errorf("own: %v", c.Own)
	}
	// What sets nothing leaves the defaults.
	for _, text := range []string{"", "\n", "# nothing yet\n", "---\n", "---\n# nothing\n", "{}\n"} {
		c, err := configReader{"picket.yaml", []byte(text)}.parse()
		if d := DefaultConfig(); err != nil || c.Listen != d.Listen || c.Syslog != d.Syslog || c.RuleDelay != d.RuleDelay {
			t.Errorf("%q: %+v, %v", text, c, err)
		}
	}
}

func TestParseConfigRefuses(t *testing.T) {
	f := func(text string, want ...string) {
		t.Helper()
		_, err := configReader{"picket.yaml", []byte(text)}.parse()
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
	f("metrics: yes please\n", "1:10", "key, open or off")
	f("prowl:\n  api_key: canary\n", "prowl", "url")
	f("prowl:\n  api_key: [canary]\n", "2:")
	f("listen: [", "1:")
	// In words of the file, not of Go.
	f("listn: x\n", "picket.yaml:1:1", `unknown field "listn"`, "want listen, listen_tls")
	f("prowl:\n  key: canary\n", "picket.yaml:2:3", `unknown field "key"`, "api_key_file")
	f("prowl:\n  url: https://x\n  api_key: [canary]\n", "picket.yaml:3:12: found a list; want text")
	f("prowl:\n  url: https://x\n  price_usd: canary\n", "picket.yaml:3:14: found text; want a number")
	// Every mistake has its place.
	f("own:\n  - 192.0.2.1\n  - 192.0.2.1/99\n", "picket.yaml:3:5", "own[1]", "192.0.2.1/99")
	f("listen: 127.0.0.1:1\nrule_delay: -5s\n", "picket.yaml:2:13", "rule_delay")
	f("own: nope\n", "picket.yaml:1:6", "sequence is expected")
	// Nothing is guessed: no address is every address.
	f("listen: \"\"\n", "picket.yaml:1:9", "127.0.0.1:8480")
	f("listen: 8480\n", "picket.yaml:1:9", "127.0.0.1:8480")
	f("syslog: false\n", "picket.yaml:1:9", "127.0.0.1:5514, or off")
	f("syslog_tls: 6514\n", "picket.yaml:1:13", "0.0.0.0:6514, or off")
	f("syslog_client_ca: ca.pem\n", "picket.yaml:1:19", "want syslog_tls")
	f("syslog_tls: off\nsyslog_client_ca: ca.pem\n", "picket.yaml:2:19", "want syslog_tls")
	f("syslog_socket: dev/log\n", "picket.yaml:1:16", "no absolute path")
	f("syslog_socket: /"+strings.Repeat("x", 107)+"\n", "108 bytes; the system takes 107")
	f("syslog_max_bytes: 100\n", "picket.yaml:1:19", "2048 to 1048576")
	f("prowl:\n  url: api.prowl.lupovis.io\n", "picket.yaml:2:8", "https://")
	f("prowl:\n  url: https://x\n  price_usd: -1\n", "picket.yaml:3:14", "0.02")
	f("prowl:\n  url: https://x\n  price_usd: .nan\n", "picket.yaml:3:14", "0.02")
	f("prowl:\n  url: https://x\n  api_key: canary\n  api_key_file: k\n", "picket.yaml:4:17", "one of them")
	f("prowl:\n  url: https://x\n  api_key: \"canary\n", "picket.yaml:3:")
	f("prowl:\n  free_per_month: -1\n", "picket.yaml:2:19", "negative")
	f("aws_marketplace:\n  product_code: x\n", "picket.yaml:2:15", "dimension")
	f("prowl: canary\n", "picket.yaml:1:")
	f("- x\n", "picket.yaml:1:")
}

// The message about an unknown field names every field there is.
func TestConfigFields(t *testing.T) {
	var collect func(reflect.Type) []string
	collect = func(s reflect.Type) (names []string) {
		for i := range s.NumField() {
			f := s.Field(i)
			name, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
			if name != "" && name != "-" {
				names = append(names, name)
			}
			if f.Type.Kind() == reflect.Struct && f.Type.PkgPath() == s.PkgPath() {
				names = append(names, collect(f.Type)...)
			}
		}
		return names
	}
	all := collect(reflect.TypeFor[configFile]())
	if len(all) != 43 {
		t.Errorf("%d fields found: %v", len(all), all)
	}
	for _, name := range all {
		if !strings.Contains(fields, name) {
			t.Errorf("the message lacks %s", name)
		}
	}
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
	a, err := secretOf(dir, tokenFile, "pka_")
	if err != nil || len(a.Reveal()) < 40 {
		t.Fatalf("token %d characters, err %v", len(a.Reveal()), err)
	}
	path := filepath.Join(dir, tokenFile)
	if fi, _ := os.Stat(path); fi.Mode().Perm() != 0o600 {
		t.Errorf("mode %v", fi.Mode())
	}
	if b, err := secretOf(dir, tokenFile, "pka_"); err != nil || b != a {
		t.Error("the second call makes another token")
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := secretOf(dir, tokenFile, "pka_"); err == nil || strings.Contains(err.Error(), a.Reveal()) {
		t.Errorf("a token others can read: %v", err)
	}
}
