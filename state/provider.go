package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// A ProviderAnswer is what a reputation provider answered for an address, or
// that it is being asked.
type ProviderAnswer struct {
	Finding []byte // JSON; empty while the request is under way
	Asked   time.Time
	Expires time.Time
}

// ProviderAnswer returns the kept answer of a provider, expired or not, and
// whether there is one.
func (db *DB) ProviderAnswer(ctx context.Context, provider string, ip netip.Addr) (ProviderAnswer, bool, error) {
	return providerAnswer(ctx, db.sql, provider, ip)
}

func providerAnswer(ctx context.Context, q querier, provider string, ip netip.Addr) (ProviderAnswer, bool, error) {
	var a ProviderAnswer
	var asked, expires int64
	err := q.QueryRowContext(ctx, `SELECT finding, asked, expires FROM provider_answer WHERE provider = ? AND ip = ?`, provider, ip.String()).
		Scan(&a.Finding, &asked, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return ProviderAnswer{}, false, nil
	}
	if err != nil {
		return ProviderAnswer{}, false, fmt.Errorf("read answer of %s for %s: %w", provider, ip, err)
	}
	a.Asked, a.Expires = fromMillis(asked), fromMillis(expires)
	return a, true, nil
}

// PutProviderAnswer keeps an answer.
func (db *DB) PutProviderAnswer(ctx context.Context, provider string, ip netip.Addr, a ProviderAnswer) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error { return putProviderAnswer(ctx, tx, provider, ip, a) })
	if err != nil {
		return fmt.Errorf("keep answer of %s for %s: %w", provider, ip, err)
	}
	return nil
}

func putProviderAnswer(ctx context.Context, tx *sql.Tx, provider string, ip netip.Addr, a ProviderAnswer) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO provider_answer (provider, ip, finding, asked, expires) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (provider, ip) DO UPDATE SET finding = excluded.finding, asked = excluded.asked, expires = excluded.expires`,
		provider, ip.String(), string(a.Finding), millis(a.Asked), millis(a.Expires))
	return err
}

// DropProviderAnswer forgets what is kept of a provider for an address.
func (db *DB) DropProviderAnswer(ctx context.Context, provider string, ip netip.Addr) error {
	return db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM provider_answer WHERE provider = ? AND ip = ?`, provider, ip.String())
		return err
	})
}

// ProviderUsage is one line of the ledger.
type ProviderUsage struct {
	Day                         string // 2006-01-02, UTC
	Provider, Key               string
	Playbook, Incident          string
	Requests, Cached, Skipped   int64
	CostMicroUSD, SavedMicroUSD int64
}

func addProviderUsage(ctx context.Context, tx *sql.Tx, u ProviderUsage) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO provider_usage (day, provider, key, playbook, incident, requests, cached, skipped, cost_microusd, saved_microusd)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET requests = requests + excluded.requests, cached = cached + excluded.cached, skipped = skipped + excluded.skipped,
			cost_microusd = cost_microusd + excluded.cost_microusd, saved_microusd = saved_microusd + excluded.saved_microusd`,
		u.Day, u.Provider, u.Key, u.Playbook, u.Incident, u.Requests, u.Cached, u.Skipped, u.CostMicroUSD, u.SavedMicroUSD)
	return err
}

// AddProviderUsage adds lines to the ledger, in one transaction.
func (db *DB) AddProviderUsage(ctx context.Context, lines ...ProviderUsage) error {
	if len(lines) == 0 {
		return nil
	}
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		for _, u := range lines {
			if err := addProviderUsage(ctx, tx, u); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("write ledger of providers: %w", err)
	}
	return nil
}

// StartRequest writes, before a request is sent, that it is under way and what
// it costs, in one transaction: neither is forgotten by a crash. allow gets what is
// kept of the address, zero for nothing, and how many requests the key has made on the
// day and in its month, and may refuse. kept is returned, too.
func (db *DB) StartRequest(ctx context.Context, u ProviderUsage, ip netip.Addr, a ProviderAnswer, allow func(kept ProviderAnswer, day, month int64) error) (kept ProviderAnswer, err error) {
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		var err error
		if kept, _, err = providerAnswer(ctx, tx, u.Provider, ip); err != nil {
			return err
		}
		var day, month int64
		err = tx.QueryRowContext(ctx, `SELECT coalesce(sum(requests) FILTER (WHERE day = ?), 0), coalesce(sum(requests), 0) FROM provider_usage
			WHERE day >= ? AND day <= ? AND provider = ? AND key = ?`, u.Day, u.Day[:8]+"01", u.Day, u.Provider, u.Key).Scan(&day, &month)
		if err == nil {
			err = allow(kept, day, month)
		}
		if err == nil {
			err = addProviderUsage(ctx, tx, u)
		}
		if err == nil {
			err = putProviderAnswer(ctx, tx, u.Provider, ip, a)
		}
		return err
	})
	return kept, err
}

// ProviderUsageSince returns the ledger from a day on, in its order.
func (db *DB) ProviderUsageSince(ctx context.Context, day string) ([]ProviderUsage, error) {
	var out []ProviderUsage
	err := db.each(ctx, func(rows *sql.Rows) error {
		var u ProviderUsage
		err := rows.Scan(&u.Day, &u.Provider, &u.Key, &u.Playbook, &u.Incident, &u.Requests, &u.Cached, &u.Skipped, &u.CostMicroUSD, &u.SavedMicroUSD)
		out = append(out, u)
		return err
	}, `SELECT day, provider, key, playbook, incident, requests, cached, skipped, cost_microusd, saved_microusd
		FROM provider_usage WHERE day >= ? ORDER BY day, provider, key, playbook, incident`, day)
	if err != nil {
		return nil, fmt.Errorf("read ledger of providers: %w", err)
	}
	return out, nil
}

// UsageIncidents returns the numbers of the incidents that the ledger names, by id.
func (db *DB) UsageIncidents(ctx context.Context) (map[string]int64, error) {
	numbers := map[string]int64{}
	err := db.each(ctx, func(rows *sql.Rows) error {
		var id string
		var number int64
		err := rows.Scan(&id, &number)
		numbers[id] = number
		return err
	}, `SELECT id, number FROM incident WHERE id IN (SELECT incident FROM provider_usage)`)
	if err != nil {
		return nil, fmt.Errorf("read incidents of the ledger: %w", err)
	}
	return numbers, nil
}

// ForgetAnswers drops answers that expired before a time, n at the most, and
// returns how many.
func (db *DB) ForgetAnswers(ctx context.Context, before time.Time, n int) (dropped int64, err error) {
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM provider_answer WHERE (provider, ip) IN
			(SELECT provider, ip FROM provider_answer WHERE expires < ? ORDER BY expires LIMIT ?)`, millis(before), n)
		if err != nil {
			return err
		}
		dropped, err = res.RowsAffected()
		return err
	})
	return dropped, err
}
