package app

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"picket/state"
)

// TestProviderWithoutKey: a provider that somebody has set up and that has no key is told
// of, since it is not asked; one that nobody has set up is not.
func TestProviderWithoutKey(t *testing.T) {
	db, err := state.Open(t.Context(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	cfg := DefaultConfig()
	cfg.Data = t.TempDir()
	cfg.Providers = map[string]ProviderConfig{"virustotal": {}, "abuseipdb": {APIKey: "secret"}, "internetdb": {}, "otx": {Off: true}}
	var log bytes.Buffer
	if _, err := OpenSources(cfg, db, nil, slog.New(slog.NewTextHandler(&log, nil))); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); strings.Count(got, "is not asked") != 1 || !strings.Contains(got, "provider=virustotal") || strings.Contains(got, "secret") {
		t.Errorf("%s", got)
	}
}

// Nobody is shown an address whom the user has not named, also where no key is needed.
func TestProvidersOf(t *testing.T) {
	cfg := DefaultConfig()
	cfg.Data = t.TempDir()
	if got, err := providersOf(cfg); len(got) != 0 || err != nil {
		t.Errorf("%v, %v", got, err)
	}
	if err := os.Mkdir(filepath.Join(cfg.Data, providersDir), 0o700); err != nil {
		t.Fatal(err)
	}
	mine := "name: mine\ntitle: Mine\nkey: none\nreliability: A\nrequest: {url: \"https://mine.example/{ip}\"}\nanswer: '{}'\n"
	if err := os.WriteFile(filepath.Join(cfg.Data, providersDir, "mine.yaml"), []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg.Providers = map[string]ProviderConfig{"internetdb": {}}
	got, err := providersOf(cfg)
	if len(got) != 2 || got[0].Name != "internetdb" || got[1].Name != "mine" || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}
