package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A Profile is what is known of one address. Zero values mean not known.
type Profile struct {
	IP         netip.Addr // unmapped, without a zone
	Ttps       []string   // Lupovis labels of hostile acts; any makes clients act
	Techniques []string   // ATT&CK ids: T1110.001
	Sources    []string   // who says so

	Verdict                 string // malicious, suspicious, benign, unknown
	Confidence              int    // 1–100; 0 is not stated
	IndicatorOfIntelligence string // human, bot, …
	CountryCode             string // ISO 3166-1 alpha-2
	Asn                     int64
	AsOrganization          string

	FirstSeen, LastSeen time.Time
}

// Profile returns what is known of an address, and whether anything is.
func (db *DB) Profile(ctx context.Context, ip netip.Addr) (Profile, bool, error) {
	p := Profile{IP: ip}
	var ttps, techniques, sources string
	var first, last int64
	err := db.sql.QueryRowContext(ctx, `SELECT ttps, techniques, sources, verdict, confidence, indicator, country_code, asn, as_organization, first_seen, last_seen
		FROM reputation WHERE ip = ?`, ip.String()).
		Scan(&ttps, &techniques, &sources, &p.Verdict, &p.Confidence, &p.IndicatorOfIntelligence, &p.CountryCode, &p.Asn, &p.AsOrganization, &first, &last)
	if errors.Is(err, sql.ErrNoRows) {
		return Profile{}, false, nil
	}
	if err == nil {
		err = errors.Join(json.Unmarshal([]byte(ttps), &p.Ttps), json.Unmarshal([]byte(techniques), &p.Techniques), json.Unmarshal([]byte(sources), &p.Sources))
	}
	if err != nil {
		return Profile{}, false, fmt.Errorf("read reputation of %s: %w", ip, err)
	}
	p.FirstSeen, p.LastSeen = fromMillis(first), fromMillis(last)
	return p, true, nil
}

// PutProfiles stores profiles, all or none. What was known of their addresses
// is replaced; added says of how many nothing was.
func (db *DB) PutProfiles(ctx context.Context, profiles []Profile) (added int, err error) {
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		before, err := countProfiles(ctx, tx)
		if err != nil {
			return err
		}
		if err := putProfiles(ctx, tx, profiles); err != nil {
			return err
		}
		after, err := countProfiles(ctx, tx)
		added = after - before
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store reputation: %w", err)
	}
	return added, nil
}

func countProfiles(ctx context.Context, tx *sql.Tx) (n int, err error) {
	err = tx.QueryRowContext(ctx, `SELECT count(*) FROM reputation`).Scan(&n)
	return n, err
}

func putProfiles(ctx context.Context, tx *sql.Tx, profiles []Profile) error {
	insert, err := tx.PrepareContext(ctx, `INSERT INTO reputation
		(ip, ttps, techniques, sources, verdict, confidence, indicator, country_code, asn, as_organization, first_seen, last_seen)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (ip) DO UPDATE SET ttps = excluded.ttps, techniques = excluded.techniques, sources = excluded.sources,
			verdict = excluded.verdict, confidence = excluded.confidence, indicator = excluded.indicator,
			country_code = excluded.country_code, asn = excluded.asn, as_organization = excluded.as_organization,
			first_seen = excluded.first_seen, last_seen = excluded.last_seen`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, p := range profiles {
		var lists [3]string
		for i, list := range [][]string{p.Ttps, p.Techniques, p.Sources} {
			text, err := json.Marshal(list)
			if err != nil {
				return err
			}
			lists[i] = string(text)
		}
		_, err := insert.ExecContext(ctx, p.IP.String(), lists[0], lists[1], lists[2], p.Verdict, p.Confidence, p.IndicatorOfIntelligence,
			p.CountryCode, p.Asn, p.AsOrganization, millis(p.FirstSeen), millis(p.LastSeen))
		if err != nil {
			return err
		}
	}
	return nil
}

// A CachedAnswer is the body that another reputation service answered for an address.
type CachedAnswer struct {
	Base      string // the service's URL without its query
	IP        netip.Addr
	Body      []byte
	RequestID string // x-ms-client-request-id of the call that fetched it, or ""

	Stored, Expires time.Time
}

// CachedAnswer returns the kept answer of a service for an address, expired or
// not, and whether there is one.
func (db *DB) CachedAnswer(ctx context.Context, base string, ip netip.Addr) (CachedAnswer, bool, error) {
	a := CachedAnswer{Base: base, IP: ip}
	var stored, expires int64
	err := db.sql.QueryRowContext(ctx, `SELECT body, request_id, stored, expires FROM reputation_cache WHERE base = ? AND ip = ?`, base, ip.String()).
		Scan(&a.Body, &a.RequestID, &stored, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return CachedAnswer{}, false, nil
	}
	if err != nil {
		return CachedAnswer{}, false, fmt.Errorf("read kept answer for %s: %w", ip, err)
	}
	a.Stored, a.Expires = fromMillis(stored), fromMillis(expires)
	return a, true, nil
}

// PutCachedAnswer keeps an answer, and drops a few that expired before forget.
func (db *DB) PutCachedAnswer(ctx context.Context, a CachedAnswer, forget time.Time) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM reputation_cache WHERE (base, ip) IN
			(SELECT base, ip FROM reputation_cache WHERE expires < ? ORDER BY expires LIMIT 10)`, millis(forget))
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO reputation_cache (base, ip, body, request_id, stored, expires) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (base, ip) DO UPDATE SET body = excluded.body, request_id = excluded.request_id, stored = excluded.stored, expires = excluded.expires`,
			a.Base, a.IP.String(), a.Body, a.RequestID, millis(a.Stored), millis(a.Expires))
		return err
	})
	if err != nil {
		return fmt.Errorf("keep answer for %s: %w", a.IP, err)
	}
	return nil
}
