package ingest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

func TestFollowerMetrics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.raw("Nov 23 03:12:59 h app[1]: x\nodd\n" + strings.Repeat("y", 70_000) + "\n\n")
		bad := filepath.Join(filepath.Dir(b.path), "folder")
		if err := os.Mkdir(bad, 0o700); err != nil {
			t.Fatal(err)
		}
		registry := prometheus.NewRegistry()
		f := b.follower(b.path, bad)
		f.metrics(registry)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		time.Sleep(time.Second)
		b.raw("unfinished")
		time.Sleep(time.Second)
		got, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]float64{}
		for _, m := range got {
			values[m.GetName()] = m.Metric[0].GetCounter().GetValue() + m.Metric[0].GetGauge().GetValue()
		}
		want := map[string]float64{
			"picket_file_lines_total": 3, "picket_file_rows_total": 3, "picket_file_odd_lines_total": 2, "picket_file_cut_lines_total": 1,
			"picket_file_lag_bytes": 10, "picket_file_followed": 2, "picket_file_failing": 1,
		}
		if diff := cmp.Diff(want, values); diff != "" {
			t.Error(diff)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
