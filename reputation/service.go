// Package reputation knows what is known of addresses: it keeps imported
// profiles, hands out and checks API keys, counts the lookups that each key
// pays for, remembers what other reputation services answered, and knows which
// addresses must never be asked about.
package reputation

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"sync"
	"time"

	"picket"
	"picket/state"
)

// DefaultPriceUSD is the price of one lookup, as Lupovis Prowl has it.
const DefaultPriceUSD = 0.02

// Options configure [New].
type Options struct {
	PriceUSD *float64         // of one counted lookup; nil is DefaultPriceUSD
	Skip     *Skipper         // nil skips what is not public
	TokenKey picket.Secret    // signs bearer tokens; "" makes one that ends with the process
	Now      func() time.Time // nil is time.Now
	Logger   *slog.Logger     // nil discards
}

// A Service answers lookups from the reputation store, and keeps the keys and
// the books. Run must be running for lookups to be charged.
type Service struct {
	db            *state.DB
	skip          *Skipper
	now           func() time.Time
	log           *slog.Logger
	priceMicroUSD int64

	keys     keyCache
	tokenKey []byte

	charges chan *charge  // that wait for a commit
	stopped chan struct{} // closed when Run is over
	// committing is held while counters move from pending to the database.
	committing sync.Mutex
	mu         sync.Mutex // guards what follows
	pending    map[usageSlot]counter
	today      map[string]*dayCount // by key id, only of keys with a daily limit
	buckets    map[string]*bucket   // by key id, only of keys with a rate limit
}

// New returns a Service on the state database.
func New(db *state.DB, o Options) *Service {
	s := &Service{
		db: db, skip: o.Skip, now: o.Now, log: o.Logger,
		keys:    keyCache{byID: map[string]cachedKey{}},
		charges: make(chan *charge),
		stopped: make(chan struct{}),
		pending: map[usageSlot]counter{},
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

// Lookup returns what is known of an address, its labels in the order of
// [SortLabels], and whether anything is. Nothing is known of an address that
// must not be asked about: see [Service.Skipped].
func (s *Service) Lookup(ctx context.Context, a netip.Addr) (state.Profile, bool, error) {
	if s.skip.Reason(a) != "" {
		return state.Profile{}, false, nil
	}
	p, ok, err := s.db.Profile(ctx, a.WithZone("").Unmap())
	if err != nil {
		return state.Profile{}, false, fmt.Errorf("look up: %w", err)
	}
	return p, ok, nil
}

// Skipped says why nothing is known or charged for an address, or "": see [Skipper.Reason].
func (s *Service) Skipped(a netip.Addr) string { return s.skip.Reason(a) }
