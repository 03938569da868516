package reputation

import (
	"context"
	"time"

	"picket"
	"picket/state"
)

// KeyByID returns a key that [Service.VerifyKey] has accepted, if it still would be.
func (s *Service) KeyByID(ctx context.Context, id string) (state.Key, error) {
	known, ok, err := s.key(ctx, id)
	if err == nil && !ok {
		err = picket.Errorf(picket.Denied, "there is no API key %s any more", id)
	}
	if err == nil {
		err = s.valid(known.key)
	}
	return known.key, err
}

// A Quota is what a key with a daily limit may still look up.
type Quota struct {
	Limit, Remaining int64
	Reset            time.Time // when the limit begins anew: midnight UTC
}

// Quota returns how much of the key's daily limit is left. The zero Quota is that
// of a key without one.
func (s *Service) Quota(ctx context.Context, key state.Key) (Quota, error) {
	if key.PerDay == 0 {
		return Quota{}, nil
	}
	now := s.now().UTC()
	s.mu.Lock()
	defer s.mu.Unlock()
	count, err := s.countOf(ctx, key, now)
	if err != nil {
		return Quota{}, err
	}
	y, m, d := now.Date()
	return Quota{Limit: int64(key.PerDay), Remaining: max(0, int64(key.PerDay)-count.n), Reset: time.Date(y, m, d+1, 0, 0, 0, 0, time.UTC)}, nil
}
