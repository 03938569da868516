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

// Profile returns what is known of an address, and whether anything is. What another
// process imports is seen within a second or two.
func (db *DB) Profile(_ context.Context, ip netip.Addr) (Profile, bool, error) {
	p, ok, err := db.profiles.get(ip)
	if err != nil {
		return Profile{}, false, fmt.Errorf("read reputation of %s: %w", ip, err)
	}
	return p, ok, nil
}

// moveProfiles moves profiles that an older Picket has stored in the database to
// where they are now.
func (db *DB) moveProfiles(ctx context.Context) error {
	var n int
	if err := db.sql.QueryRowContext(ctx, `SELECT count(*) FROM (SELECT 1 FROM reputation LIMIT 1)`).Scan(&n); err != nil || n == 0 {
		return err
	}
	w, err := db.profiles.writer()
	if err != nil {
		return err
	}
	defer w.Discard()
	if err := db.copyProfiles(ctx, w); err != nil {
		return err
	}
	if _, err := w.Commit(ctx); err != nil {
		return err
	}
	return db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM reputation`)
		return err
	})
}

func (db *DB) copyProfiles(ctx context.Context, w *ProfileWriter) error {
	return db.each(ctx, func(rows *sql.Rows) (err error) {
		var p Profile
		var ip, ttps, techniques, sources string
		var first, last int64
		if err := rows.Scan(&ip, &ttps, &techniques, &sources, &p.Verdict, &p.Confidence, &p.IndicatorOfIntelligence, &p.CountryCode, &p.Asn, &p.AsOrganization, &first, &last); err != nil {
			return err
		}
		p.IP, err = netip.ParseAddr(ip)
		p.FirstSeen, p.LastSeen = fromMillis(first), fromMillis(last)
		err = errors.Join(err, json.Unmarshal([]byte(ttps), &p.Ttps), json.Unmarshal([]byte(techniques), &p.Techniques), json.Unmarshal([]byte(sources), &p.Sources))
		if err != nil {
			return fmt.Errorf("reputation of %s: %w", ip, err)
		}
		return w.Put(&p, 0)
	}, `SELECT ip, ttps, techniques, sources, verdict, confidence, indicator, country_code, asn, as_organization, first_seen, last_seen FROM reputation`)
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
