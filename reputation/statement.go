package reputation

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/state"
)

// MicroUSD is an amount of money, in millionths of a US dollar. Its text and JSON
// are the exact number of dollars, with two decimals or as many as are needed.
type MicroUSD int64

// String returns the dollars, such as 12.50 or 0.0125.
func (m MicroUSD) String() string {
	sign, n := "", uint64(m)
	if m < 0 {
		sign, n = "-", -n
	}
	cents := fmt.Sprintf("%06d", n%1e6)
	return sign + strconv.FormatUint(n/1e6, 10) + "." + cents[:2] + strings.TrimRight(cents[2:], "0")
}

// MarshalJSON writes a number.
func (m MicroUSD) MarshalJSON() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalJSON reads a number of dollars.
func (m *MicroUSD) UnmarshalJSON(text []byte) error {
	whole, decimals, _ := strings.Cut(string(text), ".")
	if len(decimals) > 6 {
		return fmt.Errorf("%.40s is no amount; want dollars with at most 6 decimals", text)
	}
	n, err := strconv.ParseInt(whole+(decimals + "000000")[:6], 10, 64)
	if err != nil {
		return fmt.Errorf("%.40s is no amount; want dollars such as 0.02", text)
	}
	*m = MicroUSD(n)
	return nil
}

// A Statement is what one key used in a calendar month (UTC), and what its owner
// owes. Lookups are counted on the day they were answered, at the price of that
// time; the repeat of a request id is no lookup, an answer of 304 is one.
type Statement struct {
	KeyID    string `json:"key_id"`
	Name     string `json:"name"`
	Month    string `json:"month"` // 2006-01
	Final    bool   `json:"final"` // the month is over
	Currency string `json:"currency"`

	Requests int64    `json:"requests"`
	Free     int64    `json:"free"` // of the requests
	Priced   int64    `json:"priced"`
	Amount   MicroUSD `json:"amount"`

	Days []StatementLine `json:"days"`
}

// A StatementLine is one day at one price: a day on which the price changed has
// two. Amount is Priced × UnitPrice, but for days that an older Picket counted: it kept
// no prices, and UnitPrice is their average.
type StatementLine struct {
	Day       string   `json:"day"` // 2006-01-02
	Requests  int64    `json:"requests"`
	Free      int64    `json:"free"`
	Priced    int64    `json:"priced"`
	UnitPrice MicroUSD `json:"unit_price"`
	Amount    MicroUSD `json:"amount"`
}

const currency = "USD"

// Statements returns the statements of a month, such as 2026-11, by key id: that of
// one key, which is there also when nothing was used, or with keyID "" those of all
// keys that were used in it. The same month over always has the same statements.
func (s *Service) Statements(ctx context.Context, month, keyID string) ([]Statement, error) {
	begin, err := time.Parse("2006-01", month)
	if err != nil {
		return nil, picket.Errorf(picket.Invalid, "month is %q; want for example 2026-11", clip(month))
	}
	end := begin.AddDate(0, 1, 0)
	keys, err := s.db.Keys(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, k := range keys {
		names[k.ID] = k.Name
	}
	if _, found := names[keyID]; keyID != "" && !found {
		return nil, picket.Errorf(picket.NotFound, "no API key has the id %q: keys are listed with their ids", clip(keyID))
	}
	final := !s.now().Before(end) // before what is pending is written: nothing is added to the month then
	if err := s.commit(ctx, nil); err != nil {
		return nil, err
	}
	days, err := s.db.Usage(ctx, keyID, begin.Format(time.DateOnly), end.AddDate(0, 0, -1).Format(time.DateOnly))
	if err != nil {
		return nil, err
	}
	out := []Statement{}
	begun := func(id string) {
		out = append(out, Statement{KeyID: id, Name: names[id], Month: month, Final: final, Currency: currency, Days: []StatementLine{}})
	}
	if keyID != "" && len(days) == 0 {
		begun(keyID)
	}
	for i, d := range days {
		if i == 0 || days[i-1].KeyID != d.KeyID {
			begun(d.KeyID)
		}
		out[len(out)-1].add(d)
	}
	return out, nil
}

// add adds a line.
func (s *Statement) add(d state.UsageDay) {
	line := StatementLine{Day: d.Day, Requests: d.Requests, Free: d.Free, Priced: d.Requests - d.Free, UnitPrice: MicroUSD(d.UnitMicroUSD), Amount: MicroUSD(d.CostMicroUSD)}
	s.Days = append(s.Days, line)
	s.Requests, s.Free, s.Priced, s.Amount = s.Requests+line.Requests, s.Free+line.Free, s.Priced+line.Priced, s.Amount+line.Amount
}

// WriteStatementsCSV writes statements as CSV (RFC 4180), with a header and a row
// for each key, day and price.
func WriteStatementsCSV(w io.Writer, statements []Statement) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"key_id", "name", "day", "requests", "free", "priced", "unit_price", "amount", "currency"}) // Flush says how it went
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	for _, s := range statements {
		for _, d := range s.Days {
			_ = out.Write([]string{s.KeyID, s.Name, d.Day, number(d.Requests), number(d.Free), number(d.Priced), d.UnitPrice.String(), d.Amount.String(), s.Currency})
		}
	}
	out.Flush()
	return out.Error()
}
