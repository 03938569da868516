package app

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"picket"
	"picket/collection"
	"picket/incident"
	"picket/playbook"
	"picket/reputation"
)

// wirePlaybooks builds the runner: what playbooks may ask for, and as whom.
func (a *App) wirePlaybooks(ctx context.Context, skip *reputation.Skipper) error {
	key, err := a.playbookKey(ctx)
	if err != nil {
		return fmt.Errorf("the playbooks' API key: %w", err)
	}
	transport := &http.Transport{MaxIdleConnsPerHost: 50, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true, Proxy: http.ProxyFromEnvironment}
	cache := reputation.NewCache(a.State, ownToken{key, a.host(), transport}, reputation.CacheOptions{Skip: skip, Answered: a.bookCall, Logger: a.component("cache")})
	a.Playbooks, err = playbook.New(a.State, playbook.Options{
		HTTP:       cache,
		Parameters: func(string) map[string]any { return a.parameters(key) },
		Incidents:  playbookDesk{a.Incidents},
		SkipReason: func(by playbook.By, ip netip.Addr) string {
			why := skip.Reason(ip)
			if why != "" {
				a.bookRun(by.RunID, a.prowlIsOurs(), ip, reputation.AnsweredSkipped)
			}
			return why
		},
		// There is no managed identity outside Azure: here it stands for the
		// right to write to this server, and to no other.
		Token:  func(context.Context, string) (picket.Secret, error) { return key, nil },
		Event:  a.opts.PlaybookEvent,
		Logger: a.component("playbook"),
	})
	return err
}

// parameters are the values that playbooks get for parameters of these names.
func (a *App) parameters(key picket.Secret) map[string]any {
	p := map[string]any{
		"ProwlBaseUrl":          a.URL(),
		"ProwlApiKey":           key,
		"LogsIngestionEndpoint": a.URL(),
		"DcrImmutableId":        collection.BuiltinID(a.Workspace.ID()),
	}
	if a.cfg.Prowl.URL != "" {
		p["ProwlBaseUrl"] = strings.TrimRight(a.cfg.Prowl.URL, "/")
		p["ProwlApiKey"] = a.cfg.Prowl.APIKey
	}
	if a.cfg.Prowl.PriceUSD != nil {
		p["LookupPriceUsd"] = *a.cfg.Prowl.PriceUSD
	}
	for name, v := range a.cfg.Parameters {
		p[name] = v
	}
	return p
}

// keyFile holds the key with which playbooks ask this server; mode 0600.
const keyFile = "playbook-key"

// playbookKey returns the key of the data folder's playbooks, making it the
// first time, or anew when it is no longer valid.
func (a *App) playbookKey(ctx context.Context) (picket.Secret, error) {
	path := filepath.Join(a.cfg.Data, keyFile)
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if key := picket.Secret(strings.TrimSpace(string(text))); key != "" {
		_, err := a.Reputation.VerifyKey(ctx, key, reputation.ScopeLookup)
		if err == nil {
			return key, nil
		}
		if code := picket.CodeOf(err); code != picket.Denied && code != picket.NotFound {
			return "", err
		}
	}
	_, key, err := a.Reputation.CreateKey(ctx, reputation.NewKey{Name: "playbooks of this server", Scopes: []string{reputation.ScopeLookup, reputation.ScopeIngest}})
	if err != nil {
		return "", err
	}
	return key, os.WriteFile(path, []byte(key.Reveal()+"\n"), 0o600)
}

// ownToken keeps this server's token from going anywhere else.
type ownToken struct {
	token picket.Secret
	host  string
	next  http.RoundTripper
}

// RoundTrip refuses a request that would carry the token to another host.
func (t ownToken) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Header.Get("Authorization")
	if subtle.ConstantTimeCompare([]byte(sent), []byte("Bearer "+t.token.Reveal())) == 1 && r.URL.Host != t.host {
		return nil, fmt.Errorf("%s asks for a managed identity, which there is only on Azure; use an API key or a header", r.URL.Host)
	}
	return t.next.RoundTrip(r)
}

// playbookDesk lets playbooks write to incidents.
type playbookDesk struct{ desk *incident.Desk }

// Comment adds a comment.
func (d playbookDesk) Comment(ctx context.Context, by playbook.By, id string, c picket.Comment) error {
	return d.desk.Comment(ctx, id, c, actor(by))
}

// Update changes an incident.
func (d playbookDesk) Update(ctx context.Context, by playbook.By, id string, u playbook.IncidentUpdate) error {
	up := incident.Update{
		Severity: u.Severity, Status: u.Status, AddLabels: u.AddTags, RemoveLabels: u.RemoveTags,
		Classification: u.Classification, ClassificationReason: u.ClassificationReason, ClassificationComment: u.ClassificationComment,
	}
	if u.Owner != "" || u.Unassign {
		up.Owner = &u.Owner
	}
	_, err := d.desk.Update(ctx, id, up, actor(by))
	return err
}

func actor(by playbook.By) incident.Actor {
	return incident.Actor{Kind: incident.Playbook, Name: by.Playbook, RunID: by.RunID}
}

// keepRuns is how long the history of playbook runs is kept.
const keepRuns = 90 * 24 * time.Hour

// prune forgets old playbook runs, once a day, until ctx ends.
func (a *App) prune(ctx context.Context) error {
	t := time.NewTicker(24 * time.Hour)
	defer t.Stop()
	for {
		if n, err := a.Playbooks.Prune(ctx, time.Now().Add(-keepRuns)); err != nil && ctx.Err() == nil {
			a.log.Warn("old playbook runs could not be forgotten", "err", err)
		} else if n > 0 {
			a.log.Info("old playbook runs forgotten", "runs", n)
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return nil
		}
	}
}
