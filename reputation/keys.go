package reputation

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"slices"
	"strings"
	"sync"
	"time"

	"picket"
	"picket/state"
)

// The scopes of API keys. A key with [ScopeAdmin] may do everything.
const (
	ScopeLookup  = "lookup"  // ask for the reputation of addresses; metered
	ScopeBulk    = "bulk"    // ask for many in one call; metered as well
	ScopeQuery   = "query"   // read logs and incidents
	ScopeIngest  = "ingest"  // send logs
	ScopeMetrics = "metrics" // read the server's own metrics
	ScopeEnrol   = "enrol"   // enrol hosts
	ScopeHost    = "host"    // be an enrolled host; only [Service.EnrolHost] gives it
	ScopeAdmin   = "admin"
)

// Scopes returns every scope that a key can be made with.
func Scopes() []string {
	return []string{ScopeLookup, ScopeBulk, ScopeQuery, ScopeIngest, ScopeMetrics, ScopeEnrol, ScopeAdmin}
}

// A key is keyPrefix, ten characters that name it, and 256 random bits, all in
// lower-case base32: secret scanners find it with pk_[a-z2-7]{62}.
const (
	keyPrefix  = "pk_"
	keyIDLen   = len(keyPrefix) + 10
	keyTextLen = keyIDLen + 52
)

const (
	// keyFresh is how long a key is believed without a look at the database:
	// the longest that a key revoked by another process goes on working.
	keyFresh = 15 * time.Second
	// keyUsedEvery is how exact Key.LastUsed is.
	keyUsedEvery = time.Minute
)

// keyCache holds keys that were used, by id. It is no larger than the number
// of keys that exist: unknown ids are not kept.
type keyCache struct {
	mu          sync.Mutex
	byID        map[string]cachedKey
	revocations int // so far
}

type cachedKey struct {
	key  state.Key
	hash [32]byte
	read time.Time // from the database
	used time.Time // as last written there
}

// A NewKey says what key [Service.CreateKey] makes.
type NewKey struct {
	Name      string    // for people; required
	Scopes    []string  // at least one of [Scopes]
	PerDay    int       // lookups a day (UTC); 0 is no limit
	PerSecond float64   // lookups a second; 0 is no limit
	Expires   time.Time // zero: never
	// AWSAccount is the AWS account of a buyer, 12 digits, whom AWS Marketplace bills.
	AWSAccount string
}

// CreateKey makes an API key and returns it with its text, which is shown now
// and never again: only its hash is kept.
func (s *Service) CreateKey(ctx context.Context, k NewKey) (state.Key, picket.Secret, error) {
	k.Name = strings.TrimSpace(k.Name)
	switch {
	case k.Name == "" || len(k.Name) > 100:
		return state.Key{}, "", picket.Errorf(picket.Invalid, "a key needs a name of 1 to 100 bytes, this one has %d", len(k.Name))
	case len(k.Scopes) == 0:
		return state.Key{}, "", picket.Errorf(picket.Invalid, "a key needs a scope: %s", strings.Join(Scopes(), ", "))
	case k.PerDay < 0 || !(k.PerSecond >= 0 && k.PerSecond <= 1e6): // written so that NaN is refused
		return state.Key{}, "", picket.Errorf(picket.Invalid, "limits of a key are not negative, and at most 1000000 a second; 0 is no limit")
	}
	if !k.Expires.IsZero() && !s.now().Before(k.Expires) {
		return state.Key{}, "", picket.Errorf(picket.Invalid, "a key must expire later than now, not at %s", k.Expires.UTC().Format(time.RFC3339))
	}
	if k.AWSAccount != "" && !isAWSAccount(k.AWSAccount) {
		return state.Key{}, "", picket.Errorf(picket.Invalid, "an AWS account has 12 digits; this is %q", clip(k.AWSAccount))
	}
	for _, scope := range k.Scopes {
		if !slices.Contains(Scopes(), scope) {
			return state.Key{}, "", picket.Errorf(picket.Invalid, "unknown scope %q: a key has some of %s", scope, strings.Join(Scopes(), ", "))
		}
	}
	key, text := s.newKey(k)
	if err := s.db.AddKey(ctx, key, sha256.Sum256([]byte(text))); err != nil {
		return state.Key{}, "", err
	}
	return key, picket.Secret(text), nil
}

// newKey makes a key and its text.
func (s *Service) newKey(k NewKey) (state.Key, string) {
	random := func(n int) string {
		raw := make([]byte, n)
		_, _ = rand.Read(raw) // never fails
		return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
	}
	id := keyPrefix + random(7)[:keyIDLen-len(keyPrefix)]
	return state.Key{
		ID: id, Name: k.Name, Scopes: slices.Compact(slices.Sorted(slices.Values(k.Scopes))),
		PerDay: k.PerDay, PerSecond: k.PerSecond, Created: s.now().UTC().Truncate(time.Millisecond), Expires: k.Expires.UTC().Truncate(time.Millisecond),
		AWSAccount: k.AWSAccount,
	}, id + random(32)
}

// VerifyKey returns the key with this text, or the one that a token of
// [Service.IssueToken] stands for, if it exists, is not revoked and has the scope; ""
// is any scope. Otherwise the error has the code [picket.Denied] and never says more of the
// text than the part that is not secret.
func (s *Service) VerifyKey(ctx context.Context, text picket.Secret, scope string) (state.Key, error) {
	raw := text.Reveal()
	if raw == "" {
		return state.Key{}, picket.Errorf(picket.Denied, "an API key is needed: send it in the header x-api-key")
	}
	find := s.keyOfText
	if strings.HasPrefix(raw, tokenPrefix) {
		find = s.keyOfToken
	}
	key, err := find(ctx, raw)
	if err != nil {
		return state.Key{}, err
	}
	if err := s.valid(key); err != nil {
		return state.Key{}, err
	}
	if scope != "" && !slices.Contains(key.Scopes, scope) && !slices.Contains(key.Scopes, ScopeAdmin) {
		return state.Key{}, picket.Errorf(picket.Denied, "API key %s lacks the scope %s, it has %s", key.ID, scope, strings.Join(key.Scopes, ", "))
	}
	s.noteUse(ctx, key.ID)
	return key, nil
}

// valid is why a key does not work any more, or nil.
func (s *Service) valid(key state.Key) error {
	if !key.Revoked.IsZero() {
		return picket.Errorf(picket.Denied, "API key %s was revoked", key.ID)
	}
	if !key.Expires.IsZero() && !s.now().Before(key.Expires) {
		return picket.Errorf(picket.Denied, "API key %s expired at %s", key.ID, key.Expires.Format(time.RFC3339))
	}
	return nil
}

// keyOfText returns the key with this text; it may be revoked.
func (s *Service) keyOfText(ctx context.Context, raw string) (state.Key, error) {
	refused := picket.Errorf(picket.Denied, "not an API key of this server")
	if len(raw) != keyTextLen || !strings.HasPrefix(raw, keyPrefix) {
		return state.Key{}, refused
	}
	known, ok, err := s.key(ctx, raw[:keyIDLen])
	if err != nil {
		return state.Key{}, err
	}
	hash := sha256.Sum256([]byte(raw))
	if subtle.ConstantTimeCompare(hash[:], known.hash[:]) != 1 || !ok {
		return state.Key{}, refused
	}
	return known.key, nil
}

// key returns a key by id from memory, or from the database when it is not
// there or was read too long ago.
func (s *Service) key(ctx context.Context, id string) (cachedKey, bool, error) {
	now := s.now()
	s.keys.mu.Lock()
	old, ok := s.keys.byID[id]
	revocations := s.keys.revocations
	s.keys.mu.Unlock()
	if ok && now.Sub(old.read) < keyFresh {
		return old, true, nil
	}
	key, hash, ok, err := s.db.Key(ctx, id)
	if err != nil {
		return cachedKey{}, false, err
	}
	s.keys.mu.Lock()
	defer s.keys.mu.Unlock()
	if !ok {
		delete(s.keys.byID, id)
		return cachedKey{}, false, nil
	}
	known := cachedKey{key: key, hash: hash, read: now, used: key.LastUsed}
	if old.used.After(known.used) {
		known.used = old.used
	}
	// What was read before a revocation may be out of date: it is not kept.
	if s.keys.revocations == revocations {
		s.keys.byID[id] = known
	}
	return known, true, nil
}

// noteUse writes down that a key was used, now and then. Failing to is no
// reason to refuse the key.
func (s *Service) noteUse(ctx context.Context, id string) {
	now := s.now()
	s.keys.mu.Lock()
	known, ok := s.keys.byID[id]
	if !ok || now.Sub(known.used) < keyUsedEvery {
		s.keys.mu.Unlock()
		return
	}
	known.used = now
	s.keys.byID[id] = known
	s.keys.mu.Unlock()
	if err := s.db.KeyUsed(ctx, id, now); err != nil {
		s.log.WarnContext(ctx, "use of an API key was not noted", "key", id, "err", err)
	}
}

// ListKeys lists every key, revoked ones too, oldest first.
func (s *Service) ListKeys(ctx context.Context) ([]state.Key, error) { return s.db.Keys(ctx) }

// EnrolHost makes the key of a host that enrols and returns it with its text,
// which is shown now and never again.
func (s *Service) EnrolHost(ctx context.Context, h state.Host) (state.Host, picket.Secret, error) {
	if h.Computer == "" || len(h.Computer) > 253 {
		return state.Host{}, "", picket.Errorf(picket.Invalid, "computer is %q; want the host's name, at most 253 bytes", clip(h.Computer))
	}
	key, text := s.newKey(NewKey{Name: "host " + h.Computer, Scopes: []string{ScopeHost}})
	h.ID, h.Enrolled = key.ID, key.Created
	if err := s.db.AddHost(ctx, h, key, sha256.Sum256([]byte(text))); err != nil {
		return state.Host{}, "", err
	}
	s.forgetKey(key.ID) // others may have been revoked with it
	return h, picket.Secret(text), nil
}

// RevokeKey ends a key. It stops working at once in this process, and within
// 15 seconds in any other that has the same state. Revoking it again changes nothing.
func (s *Service) RevokeKey(ctx context.Context, id string) error {
	found, err := s.db.RevokeKey(ctx, id, s.now())
	if err != nil {
		return err
	}
	s.forgetKey(id)
	if !found {
		return picket.Errorf(picket.NotFound, "no API key has the id %q: keys are listed with their ids", id)
	}
	return nil
}

// forgetKey makes the next use of a key read it again.
func (s *Service) forgetKey(id string) {
	s.keys.mu.Lock()
	delete(s.keys.byID, id)
	s.keys.revocations++
	s.keys.mu.Unlock()
}

// isAWSAccount says whether a text is the id of an AWS account.
func isAWSAccount(id string) bool {
	return len(id) == 12 && strings.Trim(id, "0123456789") == ""
}
