package reputation

import (
	"cmp"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/itchyny/gojq"

	"picket"
)

// A Provider is a reputation service behind HTTP, as one file describes it: what
// to send, what its answers mean, and what it allows. See the files in the
// folder providers.
type Provider struct {
	Name  string `yaml:"name"` // in lower case: letters, digits and hyphens
	Title string `yaml:"title"`
	Doc   string `yaml:"doc"` // where its API is described

	// Reliability is how far its verdicts are to be believed: A to F of the
	// Admiralty code.
	Reliability string `yaml:"reliability"`
	// Families are ipv4 and ipv6; both when empty.
	Families []string `yaml:"families"`
	// Key says whether it asks for a key: required, optional or none.
	Key string `yaml:"key"`

	Request Request `yaml:"request"`
	Limits  Limits  `yaml:"limits"`
	TTL     TTL     `yaml:"ttl"`
	// PriceUSD is what one request costs.
	PriceUSD float64 `yaml:"price_usd"`

	// Status says what HTTP statuses mean, beyond the usual: 200 is an answer, 404
	// not_found, 401 and 403 refused, 429 limited, and all others error.
	Status map[int]string `yaml:"status"`
	// Answer is a jq program that makes a [Finding] of the JSON body of an answer:
	// an object with its fields, all optional. "state" may be hit, clean or
	// not_found; without it an answer with a bad verdict is a hit, others are clean.
	// The HTTP status is $status and the address $ip.
	Answer string `yaml:"answer"`

	// Tests are answers as the provider's documentation has them, and what is to
	// be made of them.
	Tests []ProviderTest `yaml:"tests"`

	program *gojq.Code
}

// Request is what is sent for one address. {ip} stands for it, {key} for the key.
type Request struct {
	Method  string            `yaml:"method"` // GET when empty
	URL     string            `yaml:"url"`
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	Timeout duration          `yaml:"timeout"` // 10s when empty
}

// Limits is what a provider allows one key; 0 is no limit. Its quota counts whole
// days and months of UTC.
type Limits struct {
	PerSecond float64 `yaml:"per_second"`
	PerMinute float64 `yaml:"per_minute"`
	Burst     int     `yaml:"burst"` // at once; 1 when empty
	PerDay    int64   `yaml:"per_day"`
	PerMonth  int64   `yaml:"per_month"`
	// Reserve is the share of PerDay and PerMonth that is kept for analysts who
	// ask by hand, 0 to 1.
	Reserve float64 `yaml:"reserve"`
	// Pause is how long to wait when it refuses for its limit and does not say
	// how long; 1m when empty.
	Pause duration `yaml:"pause"`
}

// TTL is how long answers are good. Refusals and errors are never kept.
type TTL struct {
	Hit      duration `yaml:"hit"`       // 24h when empty
	Clean    duration `yaml:"clean"`     // 12h
	NotFound duration `yaml:"not_found"` // 6h
}

func (t TTL) of(s State) time.Duration {
	switch s {
	case Hit:
		return cmp.Or(time.Duration(t.Hit), 24*time.Hour)
	case Clean:
		return cmp.Or(time.Duration(t.Clean), 12*time.Hour)
	}
	return cmp.Or(time.Duration(t.NotFound), 6*time.Hour)
}

// duration is a time.Duration in a file: 90s, 24h, 30d. None that is written is 0:
// that would be taken for one that is left out.
type duration time.Duration

const maxDuration = 3650 * 24 * time.Hour

// UnmarshalYAML reads 90s, 24h and 30d.
func (d *duration) UnmarshalYAML(node ast.Node) error {
	text := node.GetToken().Value
	s := text
	unit := time.Duration(1)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		s, unit = days+"h", 24
	}
	v, err := time.ParseDuration(s)
	if err != nil || v <= 0 || v > maxDuration/unit {
		return &yaml.SyntaxError{Token: node.GetToken(), Message: fmt.Sprintf("want a time such as 90s, 24h or 30d, above 0 and at most 3650d, not %s", clip(text))}
	}
	*d = duration(v * unit)
	return nil
}

// ProviderTest is an answer of a provider and what it means.
type ProviderTest struct {
	Name    string            `yaml:"name"`
	IP      netip.Addr        `yaml:"ip"`
	Status  int               `yaml:"status"` // 200 when 0
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	// Want are the fields of the finding, those that are not named included:
	// they must be empty.
	Want map[string]any `yaml:"want"`
}

// ParseProvider reads the description of a provider. An error is a
// [picket.Problems] that names file and line.
func ParseProvider(file string, text []byte) (*Provider, error) {
	var p Provider
	if err := picket.ReadYAML(file, text, &p); err != nil {
		return nil, err
	}
	c := fileCheck{file: file, text: text}
	p.check(&c)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return &p, nil
}

// LoadProviders reads the descriptions in a folder. A file that is no good is
// told of in the error and left out.
func LoadProviders(fsys fs.FS, dir string) ([]*Provider, error) {
	return loadFiles(fsys, dir, ParseProvider, func(p *Provider) string { return p.Name })
}

func (p *Provider) check(c *fileCheck) {
	c.name(p.Name)
	p.Title = cmp.Or(p.Title, p.Name)
	c.reliability(p.Reliability)
	for _, f := range p.Families {
		if f != "ipv4" && f != "ipv6" {
			c.bad("families", "want ipv4 and ipv6, not %q", f)
		}
	}
	p.Key = cmp.Or(p.Key, "required")
	c.oneOf("key", p.Key, "required", "optional", "none")
	p.Request.Method = cmp.Or(p.Request.Method, "GET")
	c.oneOf("request.method", p.Request.Method, "GET", "POST")
	u, err := url.Parse(strings.NewReplacer("{ip}", "192.0.2.1", "{key}", "key").Replace(p.Request.URL))
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		c.bad("request.url", "want a URL such as https://api.example.com/v1/{ip}, not %q", p.Request.URL)
	}
	if !strings.Contains(p.Request.URL+p.Request.Body, "{ip}") {
		c.bad("request.url", "{ip} is missing: it stands for the address, in the URL or the body")
	}
	if !(p.PriceUSD >= 0 && p.PriceUSD <= 1000) { // written so that NaN is refused, too
		c.bad("price_usd", "want what a request costs, 0 to 1000, not %v", p.PriceUSD)
	}
	if l := p.Limits; !(l.PerSecond >= 0 && l.PerMinute >= 0 && l.PerSecond < 1e6 && l.PerMinute < 1e6 && l.Reserve >= 0 && l.Reserve <= 1) || l.Burst < 0 || l.PerDay < 0 || l.PerMonth < 0 {
		c.bad("limits", "want numbers from 0 on, below 1000000 a second or minute, and a reserve from 0 to 1")
	}
	for status, s := range p.Status {
		if !slices.Contains([]string{"answer", "not_found", "clean", "refused", "limited", "error"}, s) {
			c.bad("status", "%d: want answer, not_found, clean, refused, limited or error, not %q", status, s)
		}
	}
	query, err := gojq.Parse(p.Answer)
	if err == nil {
		p.program, err = gojq.Compile(query, gojq.WithVariables([]string{"$status", "$ip"}))
	}
	if err != nil || p.Answer == "" {
		c.bad("answer", "want a jq program that makes a finding of the answer: %v", err)
	}
}

// Asks says whether the provider knows addresses of this family.
func (p *Provider) Asks(ip netip.Addr) bool {
	family := "ipv6"
	if ip.Is4() {
		family = "ipv4"
	}
	return len(p.Families) == 0 || slices.Contains(p.Families, family)
}

// Change sets what a user has of a provider other than its description says:
// where it is asked, what it costs, what it allows. Empty values leave what is.
func (p *Provider) Change(url string, priceUSD *float64, limits *Limits) error {
	c := fileCheck{file: p.Name}
	if url != "" {
		p.Request.URL = url
	}
	if priceUSD != nil {
		p.PriceUSD = *priceUSD
	}
	if limits != nil {
		p.Limits = *limits
	}
	p.check(&c)
	if len(c.problems) > 0 {
		return picket.Errorf(picket.Invalid, "%s", c.problems[0].Msg)
	}
	return nil
}
