package playbook

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// minDerived is the length under which a piece of a secret is not hidden: to
// hide a letter everywhere would leave nothing to read.
const minDerived = 6

// mask keeps the secrets of one run out of what is shown and what is stored.
// It is safe for concurrent use.
type mask struct {
	nonce string            // of the run: makes the placeholders unguessable
	named map[string]string // secret → name of its parameter

	mu     sync.RWMutex
	values []string // every form to hide, longest first
}

func newMask(nonce string) *mask { return &mask{nonce: nonce, named: map[string]string{}} }

// add hides a secret and the ways it is written in URLs, headers and JSON.
// name, when not empty, lets seal put a placeholder where the secret was.
func (m *mask) add(name, secret string) {
	if secret == "" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if name != "" && m.named[secret] == "" {
		m.named[secret] = name
	}
	quoted := encodeJSON(secret)
	for _, form := range []string{secret, quoted[1 : len(quoted)-1], url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
		if !slices.Contains(m.values, form) {
			m.values = append(m.values, form)
		}
	}
	slices.SortFunc(m.values, func(a, b string) int { return len(b) - len(a) })
}

// derived hides result when it was made from an argument that holds a secret.
func (m *mask) derived(args []any, result any) {
	s, ok := result.(string)
	if !ok || m == nil {
		return
	}
	for _, a := range args {
		if t := text(a); t != "" && m.hide(t) != t {
			if len(s) >= minDerived && m.hide(s) == s {
				m.add("", s)
			}
			return
		}
	}
}

// hide replaces every secret in s with ***.
func (m *mask) hide(s string) string {
	if m == nil {
		return s
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	for _, v := range m.values {
		if strings.Contains(s, v) {
			s = strings.ReplaceAll(s, v, "***")
		}
	}
	return s
}

// seal puts placeholders for the named secrets into v, so that it may be
// stored; unseal takes them out again.
func (m *mask) seal(v any) any {
	if len(m.named) == 0 {
		return v
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var pairs []string
	secrets := sortedKeys(m.named)
	slices.SortStableFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	for _, s := range secrets {
		pairs = append(pairs, s, m.placeholder(m.named[s]))
	}
	return mapStrings(v, strings.NewReplacer(pairs...).Replace)
}

func (m *mask) unseal(v any) any {
	if len(m.named) == 0 {
		return v
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	var pairs []string
	for s, name := range m.named {
		pairs = append(pairs, m.placeholder(name), s)
	}
	return mapStrings(v, strings.NewReplacer(pairs...).Replace)
}

func (m *mask) placeholder(name string) string { return "{{picket:" + m.nonce + ":" + name + "}}" }
