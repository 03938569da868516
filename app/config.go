package app

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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
	// ListenTLS is the address of the same APIs over TLS; "off" for none. Empty:
	// the port after that of Listen.
	ListenTLS string    `yaml:"listen_tls"`
	TLS       TLSConfig `yaml:"tls"`
	// Syslog is the address on which syslog is taken over UDP and TCP; "off" for none.
	Syslog string `yaml:"syslog"`
	// SyslogTLS is the address on which it is taken over TLS, with the server's
	// certificate (see TLS); "" or "off" for none. With SyslogClientCA, a PEM file
	// of authorities, senders must show a certificate that one of them has issued.
	SyslogTLS      string `yaml:"syslog_tls"`
	SyslogClientCA string `yaml:"syslog_client_ca"`
	// SyslogSocket is the path of a datagram socket on which it is taken from
	// programs of this host; "" for none.
	SyslogSocket string `yaml:"syslog_socket"`
	// SyslogMaxBytes is where longer messages are cut; 0 is 65,536.
	SyslogMaxBytes int `yaml:"syslog_max_bytes"`
	// Logs are files to follow.
	Logs []LogConfig `yaml:"logs"`
	// Journald is what is read of the systemd journal.
	Journald JournalConfig `yaml:"journald"`

	// Own are the user's own networks and ForcePublic those that count as
	// public although the IANA registries reserve them; see reputation.Skipper.
	Own         []netip.Prefix `yaml:"-"`
	ForcePublic []netip.Prefix `yaml:"-"`

	// RuleDelay is how long a rule's window ends before its slot, for rows
	// that are still under way. Sentinel waits 5 minutes.
	RuleDelay time.Duration `yaml:"-"`

	Prowl ProwlConfig `yaml:"prowl"`

	// Providers are the reputation services that are asked about addresses, by
	// name: those with a key here, and those that need none.
	Providers map[string]ProviderConfig `yaml:"providers"`
	// Marketplace has AWS Marketplace bill the buyers of this server's API.
	Marketplace MarketplaceConfig `yaml:"aws_marketplace"`
	// NoProviders asks nobody over a network.
	NoProviders bool `yaml:"-"`
	// ReverseDNS asks this host's resolver for the names of addresses. Whoever runs
	// the reverse zone of a network can see that.
	ReverseDNS bool `yaml:"reverse_dns"`

	// Metrics says who may read /metrics: "" and "key" for keys with the scope
	// metrics, "open" for everybody who reaches the port, "off" for nobody.
	Metrics string `yaml:"metrics"`

	// Retention is for how many days tables keep rows, by table, and as "default"
	// for the others. 0, and what is not said, is for ever.
	Retention map[string]int `yaml:"retention"`

	// Queries bound what queries of callers may take.
	Queries QueryConfig `yaml:"queries"`
	// External are the locations that externaldata may read.
	External []LocationConfig `yaml:"external"`
	// Workspaces are names of other workspaces that queries may call this one by;
	// their values are "default", this workspace.
	Workspaces map[string]string `yaml:"workspaces"`

	// Parameters override parameters of playbooks by name.
	Parameters map[string]any `yaml:"parameters"`
}

// TLSConfig says which certificate the server has. Empty: one of the data
// folder's own authority, for localhost and this host's name.
type TLSConfig struct {
	// Names are further host names and addresses of that certificate.
	Names []string `yaml:"names"`
	// Cert and Key are PEM files of a certificate chain and its key, to be used
	// instead. They are read again when they change.
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// QueryConfig bounds queries; 0 is the default, which README tells.
type QueryConfig struct {
	Running   int `yaml:"running"`    // of all callers at once
	PerCaller int `yaml:"per_caller"` // of one caller at once
	Queue     int `yaml:"queue"`      // of one caller that wait
	Per30s    int `yaml:"per_30s"`    // of one caller in 30 seconds
	Memory    int `yaml:"memory_mb"`  // of all queries together
}

// ProwlConfig says which reputation API playbooks ask. Empty: Picket's own.
type ProwlConfig struct {
	URL string `yaml:"url"`
	// APIKey is the key itself; APIKeyFile names a file that holds it.
	APIKey     picket.Secret `yaml:"api_key"`
	APIKeyFile string        `yaml:"api_key_file"`
	// PriceUSD is what one lookup costs, in US dollars.
	PriceUSD *float64 `yaml:"price_usd"`
	// FreePerMonth is how many lookups of a key cost nothing in a calendar month (UTC).
	FreePerMonth int64 `yaml:"free_per_month"`
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
	r := configReader{path, text}
	c, err := r.parse()
	if err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	if err := r.providerKeys(&c); err != nil {
		return Config{}, fmt.Errorf("configuration: %w", err)
	}
	c.TLS.Cert, c.TLS.Key, c.SyslogClientCA = r.beside(c.TLS.Cert), r.beside(c.TLS.Key), r.beside(c.SyslogClientCA)
	if c.Prowl.APIKeyFile != "" {
		if c.Prowl.APIKey, err = r.keyFile("prowl.api_key_file", c.Prowl.APIKeyFile); err != nil {
			return Config{}, fmt.Errorf("configuration: %w", err)
		}
	}
	return c, nil
}

// maxRetention is twelve years, as in Log Analytics.
const maxRetention = 4383

// configReader is picket.yaml while it is read.
type configReader struct {
	file string
	text []byte
}

// beside returns the path of a file that is named in this one.
func (r configReader) beside(f string) string {
	if f == "" || filepath.IsAbs(f) {
		return f
	}
	return filepath.Join(filepath.Dir(r.file), f)
}

// keyFile reads the key that a file holds, which the field names.
func (r configReader) keyFile(field, f string) (picket.Secret, error) {
	f = r.beside(f)
	key, err := os.ReadFile(f)
	if err != nil {
		return "", r.problem(field, "%v", err)
	}
	text := strings.TrimSpace(string(key))
	if text == "" {
		return "", r.problem(field, "%s is empty; want a file that holds the key", f)
	}
	return picket.Secret(text), nil
}

// problem points at the field of that path, such as own[2]. The text of the
// file is not shown: it may hold a key.
func (r configReader) problem(path, format string, args ...any) error {
	p := picket.Problem{File: r.file, Msg: path + ": " + fmt.Sprintf(format, args...)}
	if at, err := yaml.PathString("$." + path); err == nil {
		if n, err := at.ReadNode(bytes.NewReader(r.text)); err == nil && n.GetToken() != nil {
			p.Line, p.Column = n.GetToken().Position.Line, n.GetToken().Position.Column
		}
	}
	return picket.Problems{p}
}

func (r configReader) parse() (Config, error) {
	f := configFile{Config: DefaultConfig()}
	err := yaml.NewDecoder(bytes.NewReader(r.text), yaml.Strict()).Decode(&f)
	if errors.Is(err, io.EOF) {
		// An empty file sets nothing; the decoder takes the defaults away then.
		f, err = configFile{Config: DefaultConfig()}, nil
	}
	if err != nil {
		p := picket.Problem{File: r.file, Msg: "not a valid configuration"}
		var wrong yaml.Error
		if errors.As(err, &wrong) {
			p.Msg = explain(wrong)
			if t := wrong.GetToken(); t != nil && t.Position != nil {
				p.Line, p.Column = t.Position.Line, max(t.Position.Column, 1)
			}
		}
		return Config{}, picket.Problems{p}
	}
	c := f.Config
	if c.Own, err = r.prefixes("own", f.Own); err != nil {
		return Config{}, err
	}
	if c.ForcePublic, err = r.prefixes("force_public", f.ForcePublic); err != nil {
		return Config{}, err
	}
	if f.RuleDelay != "" {
		if c.RuleDelay, err = time.ParseDuration(f.RuleDelay); err != nil || c.RuleDelay < 0 {
			return Config{}, r.problem("rule_delay", "%q is no duration; want for example 15s or 5m", f.RuleDelay)
		}
	}
	if q := c.Queries; min(q.Running, q.PerCaller, q.Queue, q.Per30s, q.Memory) < 0 {
		return Config{}, r.problem("queries", "want numbers that are not negative")
	}
	for table, days := range c.Retention {
		if days < 0 || days > maxRetention {
			return Config{}, r.problem("retention", "%s: %d is no number of days; want 1 to %d, or 0 for ever", table, days, maxRetention)
		}
	}
	if err := r.checkLogs(c); err != nil {
		return Config{}, err
	}
	if !slices.Contains([]string{"", metricsKey, metricsOpen, metricsOff}, c.Metrics) {
		return Config{}, r.problem("metrics", "%q is unknown; want key, open or off", c.Metrics)
	}
	for i, e := range c.External {
		if _, err := e.location(); err != nil {
			return Config{}, r.problem(fmt.Sprintf("external[%d]", i), "%v", err)
		}
	}
	for name, to := range c.Workspaces {
		if to != "default" {
			return Config{}, r.problem("workspaces", "%s: %q is no workspace here; want default", name, to)
		}
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return Config{}, r.problem("listen", "%q is no address; want for example 127.0.0.1:8480", c.Listen)
	}
	if err := r.checkTLS(c); err != nil {
		return Config{}, err
	}
	if field, err := c.checkSyslog(); err != nil {
		return Config{}, r.problem(field, "%v", err)
	}
	if err := r.checkMarketplace(c.Marketplace); err != nil {
		return Config{}, err
	}
	return c, r.checkProwl(c.Prowl)
}

// explain says what the decoder found wrong in words of the file, not of Go.
func explain(err yaml.Error) string {
	switch e := err.(type) {
	case *yaml.UnknownFieldError:
		return e.Message + "; want " + fields
	case *yaml.TypeError:
		return fmt.Sprintf("found %s; want %s", kind(e.SrcType), kind(e.DstType))
	}
	return err.GetMessage()
}

// fields are all that can be set.
const fields = "listen, listen_tls, tls (names, cert, key), syslog, syslog_tls, syslog_client_ca, syslog_socket, syslog_max_bytes, " +
	"logs (path, format, table, columns, fields, delimiter, time, max_bytes), " +
	"journald (units, matches, directory, since), " +
	"own, force_public, rule_delay, " +
	"prowl (url, api_key, api_key_file, price_usd, free_per_month), " +
	"providers, aws_marketplace (product_code, dimension, region), reverse_dns, " +
	"queries (running, per_caller, queue, per_30s, memory_mb), " +
	"metrics, retention (default, and tables), " +
	"external (url, path, refresh), " +
	"workspaces or parameters"

func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "a mapping (key: value)"
	case reflect.Pointer:
		return kind(t.Elem())
	}
	return "a number"
}

func (r configReader) checkProwl(p ProwlConfig) error {
	if p.URL != "" {
		if u, err := url.Parse(p.URL); err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
			return r.problem("prowl.url", "%q is no URL; want for example https://api.prowl.lupovis.io", p.URL)
		}
	} else if p.APIKey != "" || p.APIKeyFile != "" {
		return r.problem("prowl", "api_key is set without url; want for example url: https://api.prowl.lupovis.io")
	}
	if p.APIKey != "" && p.APIKeyFile != "" {
		return r.problem("prowl.api_key_file", "api_key is set, too; want one of them")
	}
	if d := p.PriceUSD; d != nil && !(*d >= 0 && *d < 1e6) {
		return r.problem("prowl.price_usd", "%v is no price; want US dollars, for example 0.02", *d)
	}
	if p.FreePerMonth < 0 {
		return r.problem("prowl.free_per_month", "%d is negative; want a number of lookups, or 0", p.FreePerMonth)
	}
	return nil
}

// prefixes reads addresses and networks.
func (r configReader) prefixes(field string, list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for i, s := range list {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			a, aerr := netip.ParseAddr(s)
			if aerr != nil {
				return nil, r.problem(fmt.Sprintf("%s[%d]", field, i), "%q is neither an address nor a network; want for example 203.0.113.7 or 203.0.113.0/24", s)
			}
			p = netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen())
		}
		out = append(out, p.Masked())
	}
	return out, nil
}
