package server

import (
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

	Events int64     `json:"events"` // log lines that name the address
	First  time.Time `json:"first_event,omitzero"`
	Last   time.Time `json:"last_event,omitzero"`
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
	x := Exposure{Incidents: []ExposedIncident{}, Hosts: []string{}, Accounts: []string{}}
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
	if err := s.logged(r, ip, &x); err != nil {
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

// logged adds what the logs say. An IPv6 address is looked for as Picket writes it.
func (s *server) logged(r *http.Request, ip netip.Addr, x *Exposure) error {
	src := fmt.Sprintf(`let address = %q;
union (Syslog | where SyslogMessage has address or HostIP == address | project TimeGenerated, Host = HostName),
      (CommonSecurityLog | where SourceIP == address or DestinationIP == address or DeviceAddress == address | project TimeGenerated, Host = coalesce(DestinationHostName, DeviceName, Computer))
| where TimeGenerated > ago(30d)
| summarize count(), min(TimeGenerated), max(TimeGenerated) by Host
| top 1000 by count_`, ip.String())
	res, err := s.Workspace.QueryAs(r.Context(), callerOf(r.Context()), src, kql.Options{})
	if err != nil {
		return err
	}
	for row, err := range res.Rows() {
		if err != nil {
			return err
		}
		host, _ := row[0].(string)
		n, _ := row[1].(int64)
		first, _ := row[2].(int64)
		last, _ := row[3].(int64)
		x.Events += n
		x.Hosts = addName(x.Hosts, strings.TrimSpace(host))
		if at := kql.TimeOf(first); x.First.IsZero() || at.Before(x.First) {
			x.First = at
		}
		if at := kql.TimeOf(last); at.After(x.Last) {
			x.Last = at
		}
	}
	return nil
}
