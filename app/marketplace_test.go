package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"picket/reputation"
	"picket/state"
)

// A server that is set up for it tells AWS of the hours that are over, with the
// credentials of its environment.
func TestMarketplace(t *testing.T) {
	told := make(chan string, 10)
	aws := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			ProductCode  string
			UsageRecords []struct {
				CustomerAWSAccountId, Dimension string
				Quantity                        int
				Timestamp                       float64
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || !strings.Contains(r.Header.Get("Authorization"), "AKIDTEST") {
			t.Error(err, r.Header)
		}
		results := []any{}
		for _, u := range in.UsageRecords {
			told <- fmt.Sprint(in.ProductCode, u.CustomerAWSAccountId, u.Dimension, u.Quantity)
			results = append(results, map[string]any{"UsageRecord": u, "Status": "Success", "MeteringRecordId": "1"})
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_ = json.NewEncoder(w).Encode(map[string]any{"Results": results, "UnprocessedRecords": []any{}})
	}))
	t.Cleanup(aws.Close)
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "canary", "AWS_ENDPOINT_URL": aws.URL,
		"AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none"), "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(t.TempDir(), "none")} {
		t.Setenv(name, value)
	}
	cfg := testConfig(t)
	cfg.Marketplace = MarketplaceConfig{ProductCode: "product-1", Dimension: "lookups"}

	// The usage of an hour ago, which an earlier process has counted.
	db, err := state.Open(t.Context(), state.Options{Path: filepath.Join(cfg.Data, StateFile)})
	if err != nil {
		t.Fatal(err)
	}
	key, _, err := reputation.New(db, reputation.Options{}).CreateKey(t.Context(), reputation.NewKey{Name: "buyer", Scopes: []string{"lookup"}, AWSAccount: "123456789012"})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Hour)
	_, err = db.AddUsage(t.Context(), at, []state.UsageDay{{KeyID: key.ID, Day: at.UTC().Format(time.DateOnly), UnitMicroUSD: 20_000, Requests: 7}}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}

	_, stop := start(t, cfg)
	select {
	case got := <-told:
		if want := "product-1123456789012lookups7"; got != want {
			t.Errorf("AWS was told %s, want %s", got, want)
		}
	case <-time.After(time.Minute):
		t.Fatal("AWS was told nothing")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
