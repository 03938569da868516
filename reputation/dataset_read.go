package reputation

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gaissmai/bart"
	"github.com/klauspost/compress/zstd"
	"go4.org/netipx"
)

// An entry is what a data set says of a network.
type entry struct {
	asn            int64
	org            string
	country, city  string
	name, category string
	expires        int64 // Unix seconds; 0 is never
}

// A table finds the entries of the networks around an address.
type table struct {
	networks bart.Table[uint32] // index into entries
	entries  []entry
	index    map[entry]uint32 // while it is filled
	rows     int
	bad      int    // rows that were left out
	firstBad string // what was wrong with the first of them
}

func newTable() *table { return &table{index: map[entry]uint32{}} }

func (t *table) insert(p netip.Prefix, e entry) {
	i, ok := t.index[e]
	if !ok {
		i = uint32(len(t.entries))
		t.entries = append(t.entries, e)
		t.index[e] = i
	}
	t.networks.Insert(p.Masked(), i)
}

// wrong leaves a row out.
func (t *table) wrong(line int, format string, args ...any) {
	if t.bad == 0 {
		t.firstBad = fmt.Sprintf("line %d: %s", line, fmt.Sprintf(format, args...))
	}
	t.bad++
}

// readTable reads a file of a data set. A row that is no good is left out and
// counted; a file of which more than a tenth is no good is refused.
func (d *Dataset) readTable(file string, t *table) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := Decompressed(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	r = withoutMark(r)
	rows, bad := t.rows, t.bad
	switch d.Format {
	case "cidr":
		err = readCIDR(r, t)
	case "csv":
		err = d.readRows(r, ',', t)
	case "tsv":
		err = d.readRows(r, '\t', t)
	case "spamhaus":
		err = readSpamhaus(r, t)
	case "tor":
		err = readTorExits(r, t)
	case "misp":
		err = readMISP(r, t)
	default:
		err = fmt.Errorf("format %q holds no rows", d.Format)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if rows, bad = t.rows-rows, t.bad-bad; rows == 0 {
		return fmt.Errorf("%s: there is no network in it (format %s); %s", file, d.Format, t.firstBad)
	} else if bad*10 > rows {
		return fmt.Errorf("%s: %d of %d rows are no good, the first: %s", file, bad, rows+bad, t.firstBad)
	}
	return nil
}

// Decompressed undoes gzip and zstd, told by the first bytes of r; anything else
// passes as it is.
func Decompressed(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 1<<16)
	head, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		return gzip.NewReader(b)
	case bytes.HasPrefix(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		return zstd.NewReader(b, zstd.WithDecoderConcurrency(1))
	}
	return b, nil
}

// withoutMark passes over the byte order mark with which some programs begin a text.
func withoutMark(r io.Reader) io.Reader {
	b := bufio.NewReaderSize(r, 1<<16)
	if head, _ := b.Peek(3); string(head) == "\ufeff" {
		_, _ = b.Discard(3) // they are there
	}
	return b
}

// readCIDR reads a network or address a line. Comments begin with # or ;, and what
// stands behind the first word is left out.
func readCIDR(r io.Reader, t *table) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		if i := strings.IndexAny(line, "#;"); i >= 0 {
			line = line[:i]
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		t.network(n, words[0], entry{})
	}
	return lines.Err()
}

// network adds the network or address that a text is.
func (t *table) network(line int, text string, e entry) {
	p, err := parseNetwork(text)
	if err != nil {
		t.wrong(line, "want a network or an address, not %.60q", text)
		return
	}
	t.insert(p, e)
	t.rows++
}

// parseNetwork reads 192.0.2.0/24 and 192.0.2.1.
func parseNetwork(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		p, err := netip.ParsePrefix(text)
		if a := p.Addr(); err == nil && a.Is4In6() && p.Bits() >= 96 {
			p = netip.PrefixFrom(a.Unmap(), p.Bits()-96) // as addresses are unmapped before they are looked up
		}
		return p.Masked(), err
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	a = a.Unmap()
	return netip.PrefixFrom(a, a.BitLen()), nil
}

// readRows reads rows with the columns of the description.
func (d *Dataset) readRows(r io.Reader, comma rune, t *table) error {
	rows := csv.NewReader(r)
	rows.Comma, rows.ReuseRecord, rows.FieldsPerRecord, rows.Comment = comma, true, -1, '#'
	rows.LazyQuotes = comma == '\t'
	for {
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line, _ := rows.FieldPos(0)
		if err != nil {
			var wrong *csv.ParseError
			if !errors.As(err, &wrong) {
				return err
			}
			t.wrong(wrong.Line, "%v", wrong.Err)
			continue
		}
		d.row(row, line, t)
	}
}

// row adds one row.
func (d *Dataset) row(row []string, line int, t *table) {
	var e entry
	var start, end, network string
	for i, v := range row[:min(len(row), len(d.Columns))] {
		v = strings.TrimSpace(v)
		switch d.Columns[i] {
		case "start":
			start = v
		case "end":
			end = v
		case "network":
			network = v
		case "asn":
			e.asn, _ = strconv.ParseInt(strings.TrimPrefix(strings.ToUpper(v), "AS"), 10, 64)
		case "country":
			if len(v) == 2 {
				e.country = strings.ToUpper(v)
			}
		case "org":
			e.org = strings.Clone(v)
		case "city":
			e.city = strings.Clone(v)
		case "name":
			e.name = strings.Clone(v)
		case "category":
			e.category = strings.Clone(v)
		case "expires":
			at, err := time.Parse(time.RFC3339, v)
			if err != nil && v != "" {
				t.wrong(line, "want a time such as 2026-12-31T00:00:00Z in expires, not %.60q", v)
				return
			}
			e.expires = at.Unix()
		}
	}
	if network != "" {
		if line > 1 || strings.ContainsAny(network, "0123456789") { // not a header
			t.network(line, network, e)
		}
		return
	}
	if line == 1 && !strings.ContainsAny(start, "0123456789") {
		return
	}
	t.span(line, start, end, e)
}

// span adds the networks from one address to another.
func (t *table) span(line int, start, end string, e entry) {
	from, err := netip.ParseAddr(start)
	to, err2 := netip.ParseAddr(end)
	r := netipx.IPRangeFrom(from, to)
	if err != nil || err2 != nil || !r.IsValid() {
		t.wrong(line, "want two addresses, the first not above the second, not %.60q and %.60q", start, end)
		return
	}
	if t.rows++; e.asn == 0 && e.org == "Not routed" && e.country == "" {
		return // iptoasn.com's way of saying nothing
	}
	if e.org == "Not routed" {
		e.org = ""
	}
	for _, p := range r.AppendPrefixes(nil) {
		t.insert(p, e)
	}
}

// readSpamhaus reads the NDJSON of Spamhaus' DROP lists, whose last line is
// about the list.
func readSpamhaus(r io.Reader, t *table) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		var row struct{ CIDR, SBLID, Type string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			t.wrong(n, "want a JSON object")
			continue
		}
		if row.Type != "metadata" {
			t.network(n, row.CIDR, entry{name: row.SBLID})
		}
	}
	return lines.Err()
}

// readTorExits reads the Tor project's exit-addresses.
func readTorExits(r io.Reader, t *table) error {
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == "ExitAddress" {
			t.network(n, words[1], entry{})
		}
	}
	return lines.Err()
}

// readMISP reads a warninglist of MISP's with networks or addresses in its list.
func readMISP(r io.Reader, t *table) error {
	var list struct {
		Name string
		List []string
	}
	if err := json.NewDecoder(r).Decode(&list); err != nil {
		return fmt.Errorf("want a warninglist of MISP's: %w", err)
	}
	for i, text := range list.List {
		t.network(i+1, text, entry{name: list.Name})
	}
	return nil
}
