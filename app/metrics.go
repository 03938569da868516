package app

import (
	"log/slog"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// What Config.Metrics may be.
const (
	metricsKey  = "key"
	metricsOpen = "open"
	metricsOff  = "off"
)

// newRegistry returns where the metrics of all parts are, with those of Go and of
// the process.
func newRegistry(version string) *prometheus.Registry {
	r := prometheus.NewRegistry()
	r.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "picket", Name: "build_info", Help: "1, with the version of Picket.", ConstLabels: prometheus.Labels{"version": version},
		}, func() float64 { return 1 }))
	return r
}

// metricsHandler answers with all metrics, or is nil when that is off.
func (a *App) metricsHandler() http.Handler {
	if a.cfg.Metrics == metricsOff {
		return nil
	}
	return promhttp.HandlerFor(a.metrics, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(a.component("metrics").Handler(), slog.LevelError),
		ErrorHandling:       promhttp.ContinueOnError, // one part's fault does not hide the others
		MaxRequestsInFlight: 4,
		EnableOpenMetrics:   true,
	})
}
