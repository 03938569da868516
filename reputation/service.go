// Package reputation knows what is known of addresses: it keeps imported
// profiles, hands out and checks API keys, counts the lookups that each key
// pays for, remembers what other reputation services answered, and knows which
// addresses must never be asked about.
package reputation

import (
	"crypto/rand"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"picket"
	"picket/state"
)

// DefaultPriceUSD is the price of one lookup, as Lupovis Prowl has it.
const DefaultPriceUSD = 0.02

// Options configure [New].
type Options struct {
	Skip         *Skipper              // for warnings of an import; nil is what is not public
	Changed      func()                // called after an import; may be nil
	PriceUSD     *float64              // of one counted lookup; nil is DefaultPriceUSD
	FreePerMonth int64                 // lookups of a key that cost nothing, in a calendar month (UTC)
	TokenKey     picket.Secret         // signs bearer tokens; "" makes one that ends with the process
	Metrics      prometheus.Registerer // gets the counters; nil leaves them unread
	Now          func() time.Time      // nil is time.Now
	Logger       *slog.Logger          // nil discards
}

// A Service keeps the keys of those who ask, and the books of what they asked. Run must be running for lookups to be charged.
type Service struct {
	db            *state.DB
	skip          *Skipper
	changed       func()
	now           func() time.Time
	log           *slog.Logger
	priceMicroUSD int64
	freePerMonth  int64
	metrics       *keyMetrics

	keys     keyCache
	tokenKey []byte

	charges chan *charge  // that wait for a commit
	stopped chan struct{} // closed when Run is over
	// committing is held while counters move from pending to the database.
	committing sync.Mutex
	mu         sync.Mutex // guards what follows
	pending    map[usageSlot]int64
	today      map[string]*dayCount // by key id, only of keys with a daily limit
	buckets    map[string]*bucket   // by key id, only of keys with a rate limit
}

// New returns a Service on the state database.
func New(db *state.DB, o Options) *Service {
	s := &Service{
		db: db, skip: o.Skip, changed: o.Changed, now: o.Now, log: o.Logger, freePerMonth: o.FreePerMonth,
		metrics: newKeyMetrics(o.Metrics),
		keys:    keyCache{byID: map[string]cachedKey{}},
		charges: make(chan *charge),
		stopped: make(chan struct{}),
		pending: map[usageSlot]int64{},
		today:   map[string]*dayCount{},
		buckets: map[string]*bucket{},
	}
	price := DefaultPriceUSD
	if o.PriceUSD != nil {
		price = *o.PriceUSD
	}
	s.priceMicroUSD = int64(math.Round(price * 1e6))
	if s.tokenKey = []byte(o.TokenKey.Reveal()); len(s.tokenKey) == 0 {
		s.tokenKey = []byte(rand.Text())
	}
	if s.skip == nil {
		s.skip = NewSkipper(SkipOptions{})
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}
