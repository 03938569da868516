package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"picket"
	"picket/ingest"
	"picket/reputation"
	"picket/state"
)

// The folders of a data folder that hold the user's own descriptions of providers
// and data sets, and the files that were fetched.
const (
	providersDir = "providers"
	datasetsDir  = "datasets"
	fetchedDir   = "sources"
)

// ProviderConfig is what is set of a provider: its key, and what differs from
// its description.
type ProviderConfig struct {
	APIKey     picket.Secret `yaml:"api_key"`
	APIKeyFile string        `yaml:"api_key_file"`
	Off        bool          `yaml:"off"` // it is not asked

	URL      string             `yaml:"url"` // of the request
	PriceUSD *float64           `yaml:"price_usd"`
	Limits   *reputation.Limits `yaml:"limits"`
}

// Sources are where answers come from: an engine, and the data sets it reads.
type Sources struct {
	Engine   *reputation.Engine
	Datasets *reputation.Datasets
	Skip     *reputation.Skipper
}

// OpenSources builds the engine from the configuration and the data folder. Its
// books are kept in db, and metrics, which may be nil, gets its counters. What is wrong with a description or a data set is logged,
// and leaves that one out.
func OpenSources(cfg Config, db *state.DB, metrics prometheus.Registerer, log *slog.Logger) (*Sources, error) {
	report := func(kind string, err error) {
		if err != nil {
			log.Error(kind+" not loaded", "err", err)
		}
	}
	datasets, _, err := OpenDatasets(cfg.Data)
	report("data set", err)
	providers, err := providersOf(cfg)
	report("provider", err)

	s := &Sources{Datasets: datasets}
	keys := map[string]picket.Secret{}
	for name, c := range cfg.Providers {
		i := slices.IndexFunc(providers, func(p *reputation.Provider) bool { return p.Name == name })
		switch {
		case i < 0:
			return nil, fmt.Errorf("configuration: providers.%s: there is no provider of that name", name)
		case c.Off:
			providers = slices.Delete(providers, i, i+1)
			continue
		}
		if keys[name] = c.APIKey; c.APIKey == "" && providers[i].Key == "required" {
			log.Warn("a provider of the configuration is not asked: it needs api_key or api_key_file", "provider", name)
		}
		if err := providers[i].Change(c.URL, c.PriceUSD, c.Limits); err != nil {
			return nil, fmt.Errorf("configuration: providers.%s: %w", name, err)
		}
	}
	var resolver *net.Resolver
	if cfg.NoProviders {
		providers = nil
	} else if cfg.ReverseDNS {
		resolver = net.DefaultResolver
	}
	host, err := ingest.Addresses()
	if err != nil {
		log.Warn("this host's own addresses are unknown", "err", err)
	}
	s.Skip = reputation.NewSkipper(reputation.SkipOptions{Own: cfg.Own, Host: host, ForcePublic: cfg.ForcePublic, Listed: s.Datasets.Skip})
	s.Engine = reputation.NewEngine(db, reputation.EngineOptions{
		Skip: s.Skip, Locals: []reputation.Local{reputation.Store{DB: db, Logger: log}, s.Datasets}, Providers: providers, Keys: keys, Resolver: resolver, Metrics: metrics, Logger: log,
	})
	s.Datasets.Changed = s.Engine.Changed
	return s, nil
}

// providersOf returns the user's own providers, and of those that ship the ones that
// the configuration names: whom addresses are shown to is for the user to say.
func providersOf(cfg Config) ([]*reputation.Provider, error) {
	shipped, own, err := described(cfg.Data, providersDir, reputation.LoadProviders, func(p *reputation.Provider) string { return p.Name })
	shipped = slices.DeleteFunc(shipped, func(p *reputation.Provider) bool {
		_, named := cfg.Providers[p.Name]
		return !named
	})
	return append(shipped, own...), err
}

// OpenDatasets returns the data sets of a data folder, those that are shipped and
// the user's own. Those that cannot be read are named in the error; the others are
// there.
func OpenDatasets(data string) (*reputation.Datasets, []*reputation.Dataset, error) {
	sets, own, err := described(data, datasetsDir, reputation.LoadDatasets, func(d *reputation.Dataset) string { return d.Name })
	sets = append(sets, own...)
	datasets := reputation.NewDatasets(filepath.Join(data, fetchedDir), sets, nil, nil)
	return datasets, sets, errors.Join(err, datasets.Load())
}

// described loads the shipped descriptions of a kind and the user's own, which
// take the place of shipped ones of their names.
func described[T any](data, dir string, load func(fs.FS, string) ([]T, error), name func(T) string) (shipped, own []T, err error) {
	shipped, err = load(reputation.Shipped, dir)
	if _, statErr := os.Stat(filepath.Join(data, dir)); data == "" || statErr != nil {
		return shipped, nil, err
	}
	own, ownErr := load(os.DirFS(data), dir)
	for _, v := range own {
		shipped = slices.DeleteFunc(shipped, func(other T) bool { return name(other) == name(v) })
	}
	return shipped, own, errors.Join(err, ownErr)
}

// providerKeys reads the keys that stand in files of their own.
func (r configReader) providerKeys(c *Config) error {
	for name, p := range c.Providers {
		if p.APIKeyFile == "" {
			continue
		}
		field := "providers." + name + ".api_key_file"
		if p.APIKey != "" {
			return r.problem(field, "api_key is set, too; want one of them")
		}
		var err error
		if p.APIKey, err = r.keyFile(field, p.APIKeyFile); err != nil {
			return err
		}
		c.Providers[name] = p
	}
	return nil
}

// watchEvery is how often it is looked for what other processes have changed.
const watchEvery = 30 * time.Second

// watchSources takes over data sets whose files have changed, the verdicts that
// people set with the command line, and which hosts were revoked, until ctx ends.
func (a *App) watchSources(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := a.sources.Datasets.Load(); err != nil {
				a.log.Error("a data set is not read again", "err", err)
			}
			if err := a.sources.Engine.LoadOverrides(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("verdicts that people set are not taken over for now", "err", err)
			}
			if err := a.hosts().own(ctx); err != nil && ctx.Err() == nil {
				a.log.Error("hosts that were revoked count as own for now", "err", err)
			}
		}
	}
}
