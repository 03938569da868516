package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"picket/address"
	"picket/reputation"
)

// annotate writes the text back, each line with the verdicts of its addresses.
func (e *enrichment) annotate(ctx context.Context, paths []string, o address.Options, stdio stdio) error {
	a := annotation{enrichment: e, told: map[netip.Prefix]bool{}, out: bufio.NewWriterSize(stdio.out, 1<<16)}
	for _, path := range paths {
		err := eachIn(ctx, path, stdio, o, func(text []byte, found []address.Match) error {
			var ips []netip.Addr
			for _, m := range found {
				if _, known := e.profiles[m.Addr]; !known && !isNetwork(m) {
					e.profiles[m.Addr] = nil // on its way
					ips = append(ips, m.Addr)
				}
			}
			if err := e.lookup(ctx, ips, func(int) {}); err != nil {
				return err
			}
			a.write(text, found)
			return a.out.Flush()
		})
		if a.open { // the file's last line has no end
			a.end("\n")
		}
		if err != nil {
			return errors.Join(err, a.out.Flush())
		}
	}
	return a.out.Flush()
}

// An annotation writes lines as they are, with verdicts before their ends. A line
// longer than a piece of text goes on in the next one.
type annotation struct {
	*enrichment
	out  *bufio.Writer
	open bool // a line is begun
	// told is what is noted of it, and notes are how. cr says that a carriage return is
	// not written yet, which may be one of its end.
	told  map[netip.Prefix]bool
	notes []string
	cr    bool
}

func (a *annotation) write(text []byte, found []address.Match) {
	for at := 0; at < len(text); {
		end, whole := len(text), false
		if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
			end, whole = at+i, true
		}
		line := text[at:end]
		if a.cr && len(line) > 0 {
			a.out.WriteByte('\r')
			a.cr = false
		}
		if bytes.HasSuffix(line, []byte{'\r'}) {
			line, a.cr = line[:len(line)-1], true
		}
		a.out.Write(line)
		a.open = true
		for ; len(found) > 0 && found[0].Start < end; found = found[1:] {
			a.note(found[0])
		}
		if at = end; whole {
			at++
			if a.cr {
				a.end("\r\n")
			} else {
				a.end("\n")
			}
		}
	}
}

// note keeps what is to be said of a finding at the end of its line.
func (a *annotation) note(m address.Match) {
	p := netip.PrefixFrom(m.Addr, m.Addr.BitLen())
	if isNetwork(m) {
		p = m.Prefix().Masked()
	}
	if a.told[p] {
		return
	}
	if a.told[p] = true; isNetwork(m) {
		a.notes = append(a.notes, p.String()+" skipped: "+notAnAddress)
	} else {
		a.notes = append(a.notes, note(&a.profiles[m.Addr].Profile))
	}
}

// end ends a line.
func (a *annotation) end(with string) {
	for _, n := range a.notes {
		fmt.Fprintf(a.out, "  [%s]", n)
	}
	a.out.WriteString(with)
	clear(a.told)
	a.open, a.cr, a.notes = false, false, a.notes[:0]
}

// note is a profile in a few words.
func note(p *reputation.Profile) string {
	s := p.IP.String() + " "
	if p.Status == reputation.StatusSkipped {
		return s + "skipped: " + p.Reason
	}
	s += string(p.Verdict)
	if p.Confidence > 0 {
		s += fmt.Sprintf(" %d%%", p.Confidence)
	}
	for _, fact := range []string{p.CountryCode, p.ASOrg} {
		if fact != "" {
			s += ", " + printable(fact, false)
		}
	}
	if until := p.WaitsUntil(); !until.IsZero() {
		s += ", waits until " + until.UTC().Format(time.RFC3339)
	}
	return s
}
