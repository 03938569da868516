package reputation

import (
	"context"
	"crypto/sha256"
	"time"

	"picket"
	"picket/state"
)

// maxGrace is how long a replaced key may go on working.
const maxGrace = 30 * 24 * time.Hour

// RotateKey makes a key that may do what another may, with the same name, limits
// and expiry, and lets the old one work for a grace time only. The new one has an
// id of its own, and is counted on its own; both have the month's free lookups once. Its text is shown now and never again.
func (s *Service) RotateKey(ctx context.Context, id string, grace time.Duration) (state.Key, picket.Secret, error) {
	if grace < 0 || grace > maxGrace {
		return state.Key{}, "", picket.Errorf(picket.Invalid, "the grace time is %s; want 0 to %s", grace, maxGrace)
	}
	old, _, found, err := s.db.Key(ctx, id)
	now := s.now()
	switch {
	case err != nil:
		return state.Key{}, "", err
	case !found:
		return state.Key{}, "", picket.Errorf(picket.NotFound, "no API key has the id %q: keys are listed with their ids", id)
	case !old.Revoked.IsZero() || !old.Expires.IsZero() && !now.Before(old.Expires):
		return state.Key{}, "", picket.Errorf(picket.Conflict, "API key %s was revoked or has expired: create a new one", id)
	}
	key, text := s.newKey(NewKey{Name: old.Name, Scopes: old.Scopes, PerDay: old.PerDay, PerSecond: old.PerSecond, Expires: old.Expires, AWSAccount: old.AWSAccount})
	if err := s.db.ReplaceKey(ctx, id, now.Add(grace), key, sha256.Sum256([]byte(text))); err != nil {
		return state.Key{}, "", err
	}
	s.forgetKey(id)
	return key, picket.Secret(text), nil
}
