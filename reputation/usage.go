package reputation

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	"picket"
	"picket/state"
)

const (
	// flushEvery bounds how long a lookup without a request id is counted in
	// memory only: what kill -9 can lose.
	flushEvery = 500 * time.Millisecond
	// rememberRequests is for how long the repeat of a request id is free.
	rememberRequests = 30 * 24 * time.Hour
	maxCharges       = 256 // in one commit
	maxRequestID     = 128 // bytes; of a longer one the hash is kept
)

// ErrQuota and ErrThrottled are what [Service.Charge] and [Service.Allow]
// refuse with, code [picket.Busy].
var (
	ErrQuota     error = picket.Errorf(picket.Busy, "the key has used up its lookups of today (UTC)")
	ErrThrottled error = picket.Errorf(picket.Busy, "the key asks more often than it may")

	errStopped error = picket.Errorf(picket.Unavailable, "lookups are not counted any more: the server is stopping")
)

// A usageSlot is what one counter counts.
type usageSlot struct{ keyID, day string }

// dayCount is how many lookups of a key are counted today, in memory or on disk.
type dayCount struct {
	day string
	n   int64
}

// A charge is a lookup with a request id on its way to the database.
type charge struct {
	key state.Key
	req state.CountedRequest

	err  error // set before done is closed
	done chan struct{}
}

// Charge counts one answered lookup for a key; call it before the answer is
// sent, and send none if it fails. With a request id (the header
// x-ms-client-request-id) the count is on disk when Charge returns, and a
// repeat of the same id for the same address counts nothing, for 30 days.
// Without one it is on disk within a second. At the key's daily limit it
// returns [ErrQuota]; repeats are still free.
func (s *Service) Charge(ctx context.Context, key state.Key, requestID string, a netip.Addr) error {
	now := s.now()
	if requestID == "" {
		return s.chargeLater(ctx, key, now)
	}
	if len(requestID) > maxRequestID {
		sum := sha256.Sum256([]byte(requestID))
		requestID = "sha256:" + hex.EncodeToString(sum[:])
	}
	c := &charge{
		key:  key,
		req:  state.CountedRequest{KeyID: key.ID, RequestID: requestID, IP: a.String(), At: now},
		done: make(chan struct{}),
	}
	select {
	case s.charges <- c:
	case <-s.stopped:
		return errStopped
	case <-ctx.Done():
		return fmt.Errorf("count lookup: %w", ctx.Err())
	}
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		// It may be counted all the same. Asked again with its id, it is free.
		return fmt.Errorf("count lookup: %w", ctx.Err())
	}
}

// chargeLater counts in memory.
func (s *Service) chargeLater(ctx context.Context, key state.Key, now time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.stopped:
		return errStopped
	default:
	}
	if err := s.reserve(ctx, key, now); err != nil {
		return err
	}
	s.pending[usageSlot{key.ID, dayOf(now)}]++
	return nil
}

// reserve takes one of the key's lookups of the day. s.mu is held.
func (s *Service) reserve(ctx context.Context, key state.Key, now time.Time) error {
	if key.PerDay == 0 {
		return nil
	}
	count, err := s.countOf(ctx, key, now)
	if err != nil {
		return err
	}
	if count.n >= int64(key.PerDay) {
		return ErrQuota
	}
	count.n++
	return nil
}

// countOf returns how many lookups of a key are counted on the day. s.mu is held.
func (s *Service) countOf(ctx context.Context, key state.Key, now time.Time) (*dayCount, error) {
	day := dayOf(now)
	count := s.today[key.ID]
	if count == nil || count.day != day {
		n, err := s.db.UsageOn(ctx, key.ID, day)
		if err != nil {
			return nil, err
		}
		count = &dayCount{day: day, n: n + s.pending[usageSlot{key.ID, day}]}
		s.today[key.ID] = count
	}
	return count, nil
}

// release gives back what reserve took. s.mu is held.
func (s *Service) release(key state.Key, at time.Time) {
	if count := s.today[key.ID]; count != nil && count.day == dayOf(at) {
		count.n--
	}
}

func dayOf(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Run commits counts until ctx ends, then commits the last ones.
func (s *Service) Run(ctx context.Context) error {
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	forget := time.NewTicker(time.Hour)
	defer forget.Stop()
	// What is under way when ctx ends is still finished.
	work := context.WithoutCancel(ctx)
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			close(s.stopped) // from here on nothing more is counted
			s.mu.Unlock()
			return s.commit(work, nil)
		case c := <-s.charges:
			s.commitWaiting(work, c)
		case <-flush.C:
			if err := s.commit(work, nil); err != nil {
				s.log.ErrorContext(ctx, "lookups are counted in memory only for now", "err", err)
			}
		case <-forget.C:
			if _, err := s.db.ForgetCounted(work, s.now().Add(-rememberRequests), 10_000); err != nil {
				s.log.WarnContext(ctx, "old request ids stay for now", "err", err)
			}
		}
	}
}

// commitWaiting commits c and what waits behind it at once, and tells each of
// them how it went.
func (s *Service) commitWaiting(ctx context.Context, c *charge) {
	charges := []*charge{c}
	for waiting := true; waiting && len(charges) < maxCharges; {
		select {
		case c := <-s.charges:
			charges = append(charges, c)
		default:
			waiting = false
		}
	}
	err := s.commit(ctx, charges)
	for _, c := range charges {
		if c.err == nil {
			c.err = err
		}
		close(c.done)
	}
}

// commit writes the counters that are pending and those of charges, where they
// are not refused, in one transaction.
func (s *Service) commit(ctx context.Context, charges []*charge) error {
	s.committing.Lock()
	defer s.committing.Unlock()

	counted := s.admit(ctx, charges)
	s.mu.Lock()
	taken := s.pending
	s.pending = map[usageSlot]int64{}
	s.mu.Unlock()
	days := maps.Clone(taken)
	requests := make([]state.CountedRequest, 0, len(counted))
	for _, c := range counted {
		days[usageSlot{c.key.ID, dayOf(c.req.At)}]++
		requests = append(requests, c.req)
	}
	if len(days) == 0 {
		return nil
	}
	rows := make([]state.UsageDay, 0, len(days))
	for slot, n := range days {
		rows = append(rows, state.UsageDay{KeyID: slot.keyID, Day: slot.day, UnitMicroUSD: s.priceMicroUSD, Requests: n})
	}
	// The days of a month in order: its first lookups are the free ones.
	slices.SortFunc(rows, func(a, b state.UsageDay) int { return cmp.Compare(a.Day, b.Day) })
	priced, err := s.db.AddUsage(ctx, s.now(), rows, s.freePerMonth, requests)
	if err == nil {
		for _, d := range priced {
			s.metrics.add(d)
		}
		return nil
	}
	// Nothing was written: what was answered without waiting stays pending,
	// what waits is told.
	s.mu.Lock()
	defer s.mu.Unlock()
	for slot, c := range taken {
		s.pending[slot] += c
	}
	for _, c := range counted {
		s.release(c.key, c.req.At)
	}
	return err
}

// admit returns the charges that are to be counted: neither repeats nor over
// the limit of their key, which they are told.
func (s *Service) admit(ctx context.Context, charges []*charge) []*charge {
	var counted []*charge
	seen := map[state.CountedRequest]bool{}
	for _, c := range charges {
		id := c.req
		id.At = time.Time{}
		repeat, err := s.db.Counted(ctx, c.req)
		if err == nil && !repeat && !seen[id] {
			s.mu.Lock()
			err = s.reserve(ctx, c.key, c.req.At)
			s.mu.Unlock()
			if err == nil {
				seen[id] = true
				counted = append(counted, c)
			}
		}
		c.err = err
	}
	return counted
}

// A bucket holds the lookups that a key with a rate limit may make now: at most
// one second's worth, refilled as time passes.
type bucket struct {
	tokens float64
	at     time.Time
}

// Allow takes one lookup from the key's rate limit, or returns [ErrThrottled].
func (s *Service) Allow(key state.Key) error {
	if key.PerSecond == 0 {
		return nil
	}
	now, size := s.now(), max(1, key.PerSecond)
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.buckets[key.ID]
	if b == nil {
		b = &bucket{tokens: size, at: now}
		s.buckets[key.ID] = b
	}
	if passed := now.Sub(b.at); passed > 0 {
		b.tokens, b.at = min(size, b.tokens+passed.Seconds()*key.PerSecond), now
	}
	if b.tokens < 1 {
		return ErrThrottled
	}
	b.tokens--
	return nil
}

// Usage is what one key was used for on one day.
type Usage struct {
	KeyID    string  `json:"key_id"`
	Day      string  `json:"day"` // 2006-01-02, UTC
	Requests int64   `json:"requests"`
	CostUSD  float64 `json:"cost_usd"` // at the price when each was counted
}

// Usage lists the counted lookups by day, then key. Those in memory are written
// down first.
func (s *Service) Usage(ctx context.Context) ([]Usage, error) {
	if err := s.commit(ctx, nil); err != nil {
		return nil, err
	}
	days, err := s.db.Usage(ctx, "", "", "")
	if err != nil {
		return nil, err
	}
	var usage []Usage
	var microUSD int64
	for i, d := range days { // a day has a line for each price
		if i == 0 || days[i-1].KeyID != d.KeyID || days[i-1].Day != d.Day {
			usage, microUSD = append(usage, Usage{KeyID: d.KeyID, Day: d.Day}), 0
		}
		last := &usage[len(usage)-1]
		microUSD += d.CostMicroUSD
		last.Requests, last.CostUSD = last.Requests+d.Requests, float64(microUSD)/1e6
	}
	slices.SortStableFunc(usage, func(a, b Usage) int { return cmp.Compare(a.Day, b.Day) })
	return usage, nil
}
