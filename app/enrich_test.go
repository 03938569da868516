package app

import (
	"bytes"
	"context"
	"log/slog"
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
