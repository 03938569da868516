package reputation

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/state"
)

// TokenLife is how long a bearer token is good for.
const TokenLife = time.Hour

// A token is tokenPrefix, the name of the key it stands for, when it ends
// (Unix seconds) and an HMAC of both, divided by dots. It holds nothing of the
// key's secret, and nothing has to be remembered of it.
const tokenPrefix = "pt_"

// IssueToken exchanges an API key for a bearer token that [Service.VerifyKey]
// takes in its place until it ends. It has the key's scopes, and ends early when
// the key is revoked. A text that is no valid key is [picket.Denied].
func (s *Service) IssueToken(ctx context.Context, text picket.Secret) (token picket.Secret, expires time.Time, err error) {
	key, err := s.keyOfText(ctx, text.Reveal())
	if err != nil {
		return "", time.Time{}, err
	}
	if err := s.valid(key); err != nil {
		return "", time.Time{}, err
	}
	s.noteUse(ctx, key.ID)
	expires = s.now().Add(TokenLife).Truncate(time.Second)
	claim := strings.TrimPrefix(key.ID, keyPrefix) + "." + strconv.FormatInt(expires.Unix(), 10)
	return picket.Secret(tokenPrefix + claim + "." + base64.RawURLEncoding.EncodeToString(s.sign(claim))), expires, nil
}

func (s *Service) sign(claim string) []byte {
	mac := hmac.New(sha256.New, s.tokenKey)
	mac.Write([]byte(claim))
	return mac.Sum(nil)
}

// keyOfToken returns the key that a token stands for.
func (s *Service) keyOfToken(ctx context.Context, raw string) (state.Key, error) {
	refused := picket.Errorf(picket.Denied, "not a token of this server")
	claim := strings.TrimPrefix(raw, tokenPrefix)
	dot := strings.LastIndexByte(claim, '.')
	if dot < 0 {
		return state.Key{}, refused
	}
	mac, err := base64.RawURLEncoding.DecodeString(claim[dot+1:])
	if claim = claim[:dot]; err != nil || !hmac.Equal(mac, s.sign(claim)) {
		return state.Key{}, refused
	}
	id, end, _ := strings.Cut(claim, ".")
	unix, err := strconv.ParseInt(end, 10, 64)
	if err != nil {
		return state.Key{}, refused
	}
	if at := time.Unix(unix, 0); !s.now().Before(at) {
		return state.Key{}, picket.Errorf(picket.Denied, "the token ended at %s; ask for a new one", at.UTC().Format(time.RFC3339))
	}
	known, ok, err := s.key(ctx, keyPrefix+id)
	if err != nil {
		return state.Key{}, err
	}
	if !ok {
		return state.Key{}, refused
	}
	return known.key, nil
}
