package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"picket/kql"
)

// query runs KQL in this process.
func (d *demonstration) query(ctx context.Context, src string) (result, error) {
	res, err := d.app.Workspace.Query(ctx, src, kql.Options{})
	if err != nil {
		return result{}, pointed(err, src)
	}
	defer res.Close()
	var r result
	_, err = printRows(res, &r)
	return r, err
}

// one runs KQL that yields one row.
func (d *demonstration) one(ctx context.Context, src string) ([]any, error) {
	res, err := d.app.Workspace.Query(ctx, src, kql.Options{})
	if err != nil {
		return nil, pointed(err, src)
	}
	rows, err := res.Collect()
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("%d rows, not 1, of %s", len(rows), src)
	}
	return rows[0], nil
}

// await runs KQL until its row is as wanted.
func (d *demonstration) await(ctx context.Context, src string, wanted func([]any) bool) (row []any, err error) {
	err = poll(ctx, func() (bool, error) {
		row, err = d.one(ctx, src)
		return err == nil && wanted(row), err
	})
	return row, err
}

// poll asks again and again, until yes, an error, or the end of the demo's patience.
func poll(ctx context.Context, ready func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, demoTimeout, fmt.Errorf("nothing happened for %s", demoTimeout))
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if yes, err := ready(); yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// progress returns a function that shows a bar on a terminal; -1 wipes it.
func (d *demonstration) progress(total int) func(done int) {
	if !isTerminal(d.tale()) {
		return func(int) {}
	}
	return func(done int) {
		if done < 0 {
			fmt.Fprint(d.tale(), "\r\x1b[K")
			return
		}
		const width = 30
		filled := width
		if total > 0 {
			filled = min(width, done*width/total)
		}
		fmt.Fprintf(d.tale(), "\r  … Asking   %s%s %d/%d", strings.Repeat("█", filled), strings.Repeat("░", width-filled), min(done, total), total)
	}
}

// send sends lines over one syslog TCP connection.
func send(ctx context.Context, addr netip.AddrPort, lines []string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return err
	}
	_, err = io.WriteString(conn, strings.Join(lines, "\n")+"\n")
	return errors.Join(err, conn.Close())
}

func es(n any) string {
	if n == int64(1) {
		return ""
	}
	return "es"
}

// Styles of text on a terminal (ECMA-48, Select Graphic Rendition).
const (
	bold  = "1"
	dim   = "2"
	green = "32"
)

// style marks text where a terminal shows it and NO_COLOR does not forbid it.
func (d *demonstration) style(code, text string) string {
	if os.Getenv("NO_COLOR") != "" || !isTerminal(d.tale()) {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
