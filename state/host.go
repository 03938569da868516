package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Host is one that has enrolled. It is known by its API key.
type Host struct {
	ID       string    `json:"id"` // of its key
	Computer string    `json:"computer"`
	VMUUID   string    `json:"vm_uuid"`
	Rule     string    `json:"rule"` // name of its data collection rule; "" is the built-in one
	Version  string    `json:"version"`
	Enrolled time.Time `json:"enrolled"`
	LastSeen time.Time `json:"last_seen,omitzero"` // its last heartbeat
	Address  string    `json:"address"`            // that it was last seen from
	Private  []string  `json:"private_addresses"`  // that it says it has
	Revoked  time.Time `json:"revoked,omitzero"`
}

const hostColumns = `h.key_id, h.computer, h.vm_uuid, h.rule, h.version, h.enrolled, h.last_seen, h.address, h.private, k.revoked`

// AddHost stores a host with its new key. A machine that had enrolled before
// takes the place of what it was, and that key is revoked.
func (db *DB) AddHost(ctx context.Context, h Host, k Key, hash [32]byte) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		if h.VMUUID != "" {
			const same = `SELECT key_id FROM host WHERE vm_uuid = ? AND computer = ?`
			if _, err := tx.ExecContext(ctx, `UPDATE api_key SET revoked = ? WHERE revoked = 0 AND id IN (`+same+`)`, millis(h.Enrolled), h.VMUUID, h.Computer); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM host WHERE vm_uuid = ? AND computer = ?`, h.VMUUID, h.Computer); err != nil {
				return err
			}
		}
		if err := addKey(ctx, tx, k, hash); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO host (key_id, computer, vm_uuid, rule, version, enrolled) VALUES (?, ?, ?, ?, ?, ?)`,
			k.ID, h.Computer, h.VMUUID, h.Rule, h.Version, millis(h.Enrolled))
		return err
	})
	if err != nil {
		return fmt.Errorf("enrol host %s: %w", h.Computer, err)
	}
	return nil
}

// Hosts lists the hosts, by name.
func (db *DB) Hosts(ctx context.Context) ([]Host, error) {
	var hosts []Host
	err := db.each(ctx, func(rows *sql.Rows) error {
		h, err := scanHost(rows)
		hosts = append(hosts, h)
		return err
	}, `SELECT `+hostColumns+` FROM host h JOIN api_key k ON k.id = h.key_id ORDER BY h.computer, h.enrolled`)
	if err != nil {
		return nil, fmt.Errorf("list hosts: %w", err)
	}
	return hosts, nil
}

// Host returns the host of a key, and whether there is one.
func (db *DB) Host(ctx context.Context, id string) (Host, bool, error) {
	h, err := scanHost(db.sql.QueryRowContext(ctx, `SELECT `+hostColumns+` FROM host h JOIN api_key k ON k.id = h.key_id WHERE h.key_id = ?`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return Host{}, false, nil
	}
	if err != nil {
		return Host{}, false, fmt.Errorf("read host %q: %w", id, err)
	}
	return h, true, nil
}

// HostSeen notes a heartbeat: when it came, from where, and what addresses the
// host says it has. moved says that one of these is not as it was.
func (db *DB) HostSeen(ctx context.Context, id string, at time.Time, from string, private []string, version string) (moved bool, err error) {
	list, err := json.Marshal(append([]string{}, private...))
	if err == nil {
		err = db.Tx(ctx, func(tx *sql.Tx) error {
			err := tx.QueryRowContext(ctx, `SELECT address <> ? OR private <> ? FROM host WHERE key_id = ?`, from, string(list), id).Scan(&moved)
			if errors.Is(err, sql.ErrNoRows) {
				return nil // it has enrolled again meanwhile
			}
			if err == nil {
				_, err = tx.ExecContext(ctx, `UPDATE host SET last_seen = ?, address = ?, private = ?, version = ? WHERE key_id = ?`, millis(at), from, string(list), version, id)
			}
			return err
		})
	}
	if err != nil {
		return false, fmt.Errorf("note heartbeat of host %s: %w", id, err)
	}
	return moved, nil
}

func scanHost(row interface{ Scan(...any) error }) (Host, error) {
	var h Host
	var enrolled, seen, revoked int64
	var private string
	if err := row.Scan(&h.ID, &h.Computer, &h.VMUUID, &h.Rule, &h.Version, &enrolled, &seen, &h.Address, &private, &revoked); err != nil {
		return Host{}, err
	}
	h.Enrolled, h.LastSeen, h.Revoked = fromMillis(enrolled), fromMillis(seen), fromMillis(revoked)
	return h, json.Unmarshal([]byte(private), &h.Private)
}
