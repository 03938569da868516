package server

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	"picket"
	"picket/kql"
	"picket/state"
)

// Exposure is what the house itself has seen of an address: in its incidents, and
// in its logs of the last 30 days.
type Exposure struct {
	Incidents []ExposedIncident `json:"incidents"` // the newest 20
	// Hosts and Accounts are of those incidents, and Hosts also those whose logs name the address.
	Hosts    []string `json:"hosts"`
	Accounts []string `json:"accounts"`

	// Events are the log lines that name the address, First and Last when they came,
	// without those of the tables that Picket itself writes.
	Events int64     `json:"events"`
	First  time.Time `json:"first_event,omitzero"`
	Last   time.Time `json:"last_event,omitzero"`

	Tables []ExposedTable `json:"tables"` // all that name the address, most rows first
}

// An ExposedTable is one whose rows name an address.
type ExposedTable struct {
	Table  string    `json:"table"`
	Events int64     `json:"events"`
	First  time.Time `json:"first_event"`
	Last   time.Time `json:"last_event"`
}

// An ExposedIncident is one that an address is in.
type ExposedIncident struct {
	Number   int64           `json:"number"`
	Title    string          `json:"title"`
	Severity picket.Severity `json:"severity"`
	Status   string          `json:"status"`
	Last     time.Time       `json:"last_activity"`
}

// exposedIncidents is how many incidents an exposure lists.
const exposedIncidents = 20

// exposure is GET /v1/ip/{address}/exposure. It tells of logs and incidents, so it
// takes the scope query.
func (s *server) exposure(w http.ResponseWriter, r *http.Request) error {
	ip, err := netip.ParseAddr(r.PathValue("address"))
	if err != nil {
		return picket.Errorf(picket.Invalid, "%s is no address; want for example 203.0.113.7 or 2001:db8::1", shown(r.PathValue("address")))
	}
	ip = ip.WithZone("").Unmap()
	x := Exposure{Incidents: []ExposedIncident{}, Hosts: []string{}, Accounts: []string{}, Tables: []ExposedTable{}}
	list, err := s.Incidents.List(r.Context(), state.IncidentFilter{Address: ip.String(), Limit: exposedIncidents})
	if err != nil {
		return err
	}
	for _, in := range list {
		x.Incidents = append(x.Incidents, ExposedIncident{in.Number, in.Title, in.Severity, in.Status, in.LastActivity})
		for _, e := range in.Entities {
			switch e.Kind {
			case "Host":
				x.Hosts = addName(x.Hosts, e.Properties["HostName"])
			case "Account":
				x.Accounts = addName(x.Accounts, e.Properties["Name"])
			}
		}
	}
	if err := s.logged(r, ip.String(), &x); err != nil {
		return err
	}
	slices.Sort(x.Hosts)
	slices.Sort(x.Accounts)
	writeJSON(w, http.StatusOK, x)
	return nil
}

func addName(names []string, name string) []string {
	if name == "" || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

const (
	// exposedTogether is how many tables one query looks into.
	exposedTogether = 50
	// exposedHosts is how many hosts of a table are told, those with most rows.
	exposedHosts = 1000
)

// derived are the tables in which Picket writes what it made of logs.
var derived = []string{"SecurityAlert", "SecurityIncident", "ProwlEnrich_CL"}

// hostColumns are the columns in which tables have a host's name, the most telling
// first.
var hostColumns = []string{"DestinationHostName", "HostName", "DeviceName", "Computer"}

// logged adds what the tables of the workspace say of ip.
func (s *server) logged(r *http.Request, ip string, x *Exposure) error {
	var tables []*kql.Table
	for _, name := range s.Workspace.Tables() {
		if t, ok := s.Workspace.Table(name); ok && t.Addressed {
			tables = append(tables, t)
		}
	}
	for some := range slices.Chunk(tables, exposedTogether) {
		if err := s.loggedIn(r, some, fmt.Sprintf("set_has_element(ip_addresses(), %q)", ip), x); err != nil {
			return err
		}
		old, err := s.unread(r, some)
		if err != nil {
			return err
		}
		// As Picket writes it: another form of an IPv6 address is not found there.
		if err := s.loggedIn(r, old, fmt.Sprintf("isnull(ip_addresses()) and * has %q", ip), x); err != nil {
			return err
		}
	}
	slices.SortFunc(x.Tables, func(a, b ExposedTable) int {
		return cmp.Or(cmp.Compare(b.Events, a.Events), cmp.Compare(a.Table, b.Table))
	})
	return nil
}

// timeOf is what says when the rows of t are of.
func timeOf(t *kql.Table) string {
	if slices.Contains(t.Columns, kql.Column{Name: "TimeGenerated", Type: kql.DateTime}) {
		return "TimeGenerated"
	}
	return "ingestion_time()"
}

// unread returns those of the tables that have rows from before Picket kept their
// addresses, of the last 30 days.
func (s *server) unread(r *http.Request, tables []*kql.Table) (old []*kql.Table, err error) {
	var parts []string
	for _, t := range tables {
		parts = append(parts, fmt.Sprintf("(['%s'] | where %s > ago(30d) and isnull(ip_addresses()) | take 1 | project Name = %q)", t.Name, timeOf(t), t.Name))
	}
	err = s.eachRow(r, "union "+strings.Join(parts, ", "), func(row []any) {
		if i := slices.IndexFunc(tables, func(t *kql.Table) bool { return t.Name == row[0] }); i >= 0 {
			old = append(old, tables[i])
		}
	})
	return old, err
}

// loggedIn adds the rows of tables for which the condition is true.
func (s *server) loggedIn(r *http.Request, tables []*kql.Table, condition string, x *Exposure) error {
	if len(tables) == 0 {
		return nil
	}
	var parts []string
	for _, t := range tables {
		host := []string{`""`, `""`} // coalesce() takes two at the least
		for _, name := range slices.Backward(hostColumns) {
			if slices.Contains(t.Columns, kql.Column{Name: name, Type: kql.String}) {
				host = slices.Insert(host, 0, name)
			}
		}
		parts = append(parts, fmt.Sprintf("(['%s'] | where %s > ago(30d) and %s | project At = %s, Host = coalesce(%s) | summarize Rows = count(), First = min(At), Last = max(At) by Host | top %d by Rows | project Name = %q, Host, Rows, First, Last)",
			t.Name, timeOf(t), condition, timeOf(t), strings.Join(host, ", "), exposedHosts, t.Name))
	}
	return s.eachRow(r, "union "+strings.Join(parts, ", "), func(row []any) {
		name, _ := row[0].(string)
		host, _ := row[1].(string)
		n, _ := row[2].(int64)
		first, _ := row[3].(int64)
		last, _ := row[4].(int64)
		x.add(name, strings.TrimSpace(host), n, kql.TimeOf(first), kql.TimeOf(last))
	})
}

// eachRow calls f with each row of the answer to a query.
func (s *server) eachRow(r *http.Request, query string, f func(row []any)) error {
	res, err := s.Workspace.QueryAs(r.Context(), callerOf(r.Context()), query, kql.Options{})
	if err != nil {
		return err
	}
	for row, err := range res.Rows() {
		if err != nil {
			return err
		}
		f(row)
	}
	return nil
}

// add adds n rows of a host's in a table.
func (x *Exposure) add(table, host string, n int64, first, last time.Time) {
	i := slices.IndexFunc(x.Tables, func(t ExposedTable) bool { return t.Table == table })
	if i < 0 {
		i = len(x.Tables)
		x.Tables = append(x.Tables, ExposedTable{Table: table, First: first, Last: last})
	}
	t := &x.Tables[i]
	t.Events += n
	t.First, t.Last = earlier(t.First, first), later(t.Last, last)
	if slices.Contains(derived, table) {
		return
	}
	x.Events += n
	x.Hosts = addName(x.Hosts, host)
	x.First, x.Last = earlier(x.First, first), later(x.Last, last)
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
