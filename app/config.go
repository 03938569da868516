package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"picket"
)

// Config is everything that can be set: flags and picket.yaml.
type Config struct {
	// Data is the folder that holds the workspace, the state, the content and
	// the admin token. Made when missing.
	Data string `yaml:"-"`

	// Listen is the address of the HTTP APIs.
	Listen string `yaml:"listen"`
	// Syslog is the address on which syslog is taken over UDP and TCP; "off" for none.
	Syslog string `yaml:"syslog"`
	// Logs are files to follow.
	Logs []string `yaml:"logs"`

	// Own are the user's own networks and ForcePublic those that count as
	// public although the IANA registries reserve them; see reputation.Skipper.
	Own         []netip.Prefix `yaml:"-"`
	ForcePublic []netip.Prefix `yaml:"-"`

	// RuleDelay is how long a rule's window ends before its slot, for rows
	// that are still under way. Sentinel waits 5 minutes.
	RuleDelay time.Duration `yaml:"-"`

	Prowl ProwlConfig `yaml:"prowl"`

	// Parameters override parameters of playbooks by name.
	Parameters map[string]any `yaml:"parameters"`
}

// ProwlConfig says which reputation API playbooks ask. Empty: Picket's own.
type ProwlConfig struct {
	URL string `yaml:"url"`
	// APIKey is the key itself; APIKeyFile names a file that holds it.
	APIKey     picket.Secret `yaml:"api_key"`
	APIKeyFile string        `yaml:"api_key_file"`
	// PriceUSD is what one lookup costs, in US dollars.
	PriceUSD *float64 `yaml:"price_usd"`
}

// DefaultConfig returns what holds when nothing is set.
func DefaultConfig() Config {
	return Config{Listen: "127.0.0.1:8480", Syslog: "127.0.0.1:5514", RuleDelay: 15 * time.Second}
}

// configFile is picket.yaml as it is written.
type configFile struct {
	Config      `yaml:",inline"`
	Own         []string `yaml:"own"`
	ForcePublic []string `yaml:"force_public"`
	RuleDelay   string   `yaml:"rule_delay"`
}

// LoadConfig reads picket.yaml over the defaults. A mistake is reported with
// its line and what was expected.
func LoadConfig(path string) (Config, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c, err := parseConfig(text)
	if err != nil {
		return Config{}, fmt.Errorf("configuration %s: %w", path, err)
	}
	if f := c.Prowl.APIKeyFile; f != "" {
		if !filepath.IsAbs(f) {
			f = filepath.Join(filepath.Dir(path), f)
		}
		key, err := os.ReadFile(f)
		if err != nil {
			return Config{}, fmt.Errorf("configuration %s: prowl.api_key_file: %w", path, err)
		}
		c.Prowl.APIKey = picket.Secret(strings.TrimSpace(string(key)))
	}
	return c, nil
}

func parseConfig(text []byte) (Config, error) {
	f := configFile{Config: DefaultConfig()}
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&f)
	if err != nil && !errors.Is(err, io.EOF) { // an empty file sets nothing
		// Without the source: a line with a key in it must not be shown.
		return Config{}, errors.New(strings.TrimSpace(yaml.FormatError(err, false, false)))
	}
	c := f.Config
	if c.Own, err = prefixes("own", f.Own); err != nil {
		return Config{}, err
	}
	if c.ForcePublic, err = prefixes("force_public", f.ForcePublic); err != nil {
		return Config{}, err
	}
	if f.RuleDelay != "" {
		if c.RuleDelay, err = time.ParseDuration(f.RuleDelay); err != nil || c.RuleDelay < 0 {
			return Config{}, fmt.Errorf("rule_delay: %q is no duration; want for example 15s or 5m", f.RuleDelay)
		}
	}
	if p := c.Prowl; p.URL == "" && (p.APIKey != "" || p.APIKeyFile != "") {
		return Config{}, errors.New("prowl: api_key is set without url; want for example url: https://api.prowl.lupovis.io")
	}
	return c, nil
}

// prefixes reads addresses and networks.
func prefixes(field string, list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, fmt.Errorf("%s: %q is neither an address nor a network; want for example 203.0.113.7 or 203.0.113.0/24", field, s)
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}
