package analytics

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/kql"
	"picket/workspace"
)

// realRules are rules as the Azure-Sentinel repository has them, beside the repository.
const realRules = "../../shared/rules"

func TestLoadRealRules(t *testing.T) {
	files, _ := filepath.Glob(realRules + "/*.yaml")
	if len(files) == 0 {
		t.Skip("no rules in " + realRules)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r, err := Load(filepath.Base(file), data, nil)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if r.ID == "" || r.Name == "" || r.Query == "" || r.Period < r.Frequency || r.Frequency < minSpan {
			t.Errorf("%s: not filled: %+v", file, r)
		}
		for _, w := range r.Warnings {
			t.Log(w)
		}
		if line := strings.Split(string(data), "\n")[r.QueryLine-1]; strings.TrimSpace(strings.SplitN(r.Query, "\n", 2)[0]) != strings.TrimSpace(strings.TrimSuffix(line, "\r")) {
			t.Errorf("%s: QueryLine %d is %q, the query begins %q", file, r.QueryLine, line, r.Query[:min(len(r.Query), 40)])
		}
	}
}

const sound = `id: 7c3b1a52-1d8c-4a55-9f55-0c3a3f0d8a10
name: A rule
description: |
  'What it is for.'
severity: Medium
kind: Scheduled
queryFrequency: 10m
queryPeriod: 1h
triggerOperator: gt
triggerThreshold: 0
tactics: [CredentialAccess, commandandcontrol]
relevantTechniques: [T1110, t1110.001]
query: |
  Syslog
  | project IP = HostIP, HostName
entityMappings:
  - entityType: IP
    fieldMappings:
      - identifier: Address
        columnName: IP
customDetails:
  Where: HostName
alertDetailsOverride:
  alertDisplayNameFormat: "{{IP}} at {{ HostName }}"
eventGroupingSettings:
  aggregationKind: alertperresult
suppressionEnabled: true
suppressionDuration: PT2H
incidentConfiguration:
  createIncident: true
  groupingConfiguration:
    enabled: true
    lookbackDuration: P1D
    matchingMethod: Selected
    groupByEntities: [ip]
    groupByAlertDetails: [DisplayName]
    groupByCustomDetails: [Where]
version: 1.10
`

func soundColumns(string) ([]kql.Column, error) {
	return []kql.Column{{Name: "IP", Type: kql.String}, {Name: "HostName", Type: kql.String}}, nil
}

func TestLoad(t *testing.T) {
	got, err := Load("r.yaml", []byte("\ufeff"+sound), soundColumns)
	if err != nil {
		t.Fatal(err)
	}
	want := &Rule{
		File: "r.yaml", ID: "7c3b1a52-1d8c-4a55-9f55-0c3a3f0d8a10", IDLine: 1, Name: "A rule", Description: "What it is for.",
		Severity: picket.Medium, Version: "1.10", Tactics: []string{"CredentialAccess", "CommandAndControl"},
		Techniques: []string{"T1110", "T1110.001"}, Query: "Syslog\n| project IP = HostIP, HostName\n", QueryLine: 14,
		Frequency: 10 * time.Minute, Period: time.Hour, Operator: GreaterThan,
		Entities:  []EntityMapping{{Type: "IP", Fields: []FieldMapping{{"Address", "IP"}}}},
		Details:   []CustomDetail{{"Where", "HostName"}},
		Override:  Override{Name: "{{IP}} at {{ HostName }}"},
		PerResult: true, Suppress: 2 * time.Hour,
		Incident: picket.Grouping{CreateIncident: true, Enabled: true, Lookback: 24 * time.Hour, MatchingMethod: "Selected",
			GroupByEntities: []string{"IP"}, GroupByAlertDetails: []string{"DisplayName"}, GroupByCustomDetails: []string{"Where"}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Each case changes the sound rule in one place; the error is given whole.
func TestLoadBroken(t *testing.T) {
	f := func(old, new, want string) {
		t.Helper()
		text := strings.Replace(sound, old, new, 1)
		if text == sound {
			t.Fatalf("%q is not in the rule", old)
		}
		_, err := Load("r.yaml", []byte(text), soundColumns)
		if err == nil {
			t.Errorf("no error; want\n%s", want)
		} else if err.Error() != want {
			t.Errorf("got\n%s\nwant\n%s", err, want)
		}
	}
	f("id: 7c3b1a52-1d8c-4a55-9f55-0c3a3f0d8a10", "id: 42", `r.yaml:1:5: id: found "42"; expected a GUID such as 1b2e0b1c-95a5-4a0b-8b8c-3a5d8d1f3c11`)
	f("id: 7c3b1a52-1d8c-4a55-9f55-0c3a3f0d8a10\n", "", `r.yaml:1:1: id: missing; expected a GUID`)
	f("name: A rule", "name:", `r.yaml:2:1: name: missing; expected the name of the rule`)
	f("name: A rule", "name: ' '", `r.yaml:2:7: name: found " "; expected the name of the rule`)
	f("name: A rule", "name: [a]", `r.yaml:2:7: name: found a list; expected the name of the rule`)
	f("severity: Medium", "severity: Criticial", `r.yaml:5:11: severity: found "Criticial"; expected Informational, Low, Medium or High`)
	f("kind: Scheduled", "kind: NRT", `r.yaml:6:7: kind: NRT rules are not supported; expected Scheduled (with queryFrequency: 5m it is nearly the same)`)
	f("kind: Scheduled", "kind: Fusion", `r.yaml:6:7: kind: found "Fusion"; expected Scheduled`)
	f("queryFrequency: 10m", "queryFrequency: 1m", `r.yaml:7:17: queryFrequency: found "1m"; expected a timespan from 5m to 14d, such as 10m, 1h or 1d`)
	f("queryFrequency: 10m", "queryFrequency: 10", `r.yaml:7:17: queryFrequency: found "10"; expected a timespan from 5m to 14d, such as 10m, 1h or 1d`)
	f("queryPeriod: 1h", "queryPeriod: 5m", `r.yaml:8:14: queryPeriod: found 5m, which leaves gaps between runs; expected at least queryFrequency (10m)`)
	f("queryPeriod: 1h", "queryPeriod: 15d", `r.yaml:8:14: queryPeriod: found "15d"; expected a timespan from 5m to 14d, such as 10m, 1h or 1d`)
	f("triggerOperator: gt", "triggerOperator: '>'", `r.yaml:9:18: triggerOperator: found ">"; expected gt, lt, eq or ne`)
	f("triggerThreshold: 0", "triggerThreshold: 10001", `r.yaml:10:19: triggerThreshold: found "10001"; expected a whole number from 0 to 10000`)
	f("triggerThreshold: 0\n", "", `r.yaml:1:1: triggerThreshold: missing; expected a whole number from 0 to 10000`)
	f("CredentialAccess", "Guessing", `r.yaml:11:11: tactics: found "Guessing"; expected an ATT&CK tactic without blanks, such as CredentialAccess`)
	f("[T1110,", "[1110,", `r.yaml:12:22: relevantTechniques: found "1110"; expected an ATT&CK technique such as T1110 or T1110.001`)
	f("entityType: IP", "entityType: Address", `r.yaml:17:17: entityMappings[0].entityType: found "Address"; expected Account, AzureResource, CloudApplication, DNS, File, FileHash, Host, IP, Mailbox, MailCluster, MailMessage, Malware, Process, RegistryKey, RegistryValue, SecurityGroup, SubmissionMail or URL`)
	f("identifier: Address", "identifier: Addr", `r.yaml:19:21: entityMappings[0].fieldMappings[0].identifier: found "Addr"; expected Address or AddressScope`)
	f("columnName: IP", "columnName: Ip", `r.yaml:20:21: entityMappings.fieldMappings.columnName: the query's result has no column "Ip"; did you mean IP?`)
	f("  Where: HostName", "  Where: Host", `r.yaml:22:10: customDetails.Where: the query's result has no column "Host"; it has IP, HostName`)
	f("{{IP}} at", "{{Ip4}} at", `r.yaml:24:27: alertDetailsOverride.alertDisplayNameFormat: the query's result has no column "Ip4"; it has IP, HostName`)
	f("{{IP}} at", "{{IP}} {{IP}} {{IP}} at", `r.yaml:24:27: alertDetailsOverride.alertDisplayNameFormat: found 4 {{Column}} places; expected at most 3`)
	f("alertperresult", "each", `r.yaml:26:20: eventGroupingSettings.aggregationKind: found "each"; expected SingleAlert or AlertPerResult`)
	f("suppressionEnabled: true", "suppressionEnabled: yes", `r.yaml:27:21: suppressionEnabled: found "yes"; expected true or false`)
	f("suppressionDuration: PT2H", "suppressionDuration: P2D", `r.yaml:28:22: suppressionDuration: found "P2D"; expected a timespan from 5m to 1d, such as 10m, 1h or 1d`)
	f("groupByCustomDetails: [Where]", "groupByCustomDetails: [Who]", `r.yaml:37:28: incidentConfiguration.groupingConfiguration.groupByCustomDetails: found "Who"; expected a key of customDetails`)
	f("name: A rule", "name: A rule\nname: Another", `r.yaml:3:1: not valid YAML: mapping key "name" already defined at [2:1]`)
	f("name: A rule", "name: A: rule", `r.yaml:2:7: not valid YAML: mapping value is not allowed in this context`)
	// All at once, in the order of the file.
	f("severity: Medium\nkind: Scheduled\nqueryFrequency: 10m", "severity: x\nkind: y\nqueryFrequency: z", `r.yaml:5:11: severity: found "x"; expected Informational, Low, Medium or High
r.yaml:6:7: kind: found "y"; expected Scheduled
r.yaml:7:17: queryFrequency: found "z"; expected a timespan from 5m to 14d, such as 10m, 1h or 1d`)

	for text, want := range map[string]string{
		"":              "r.yaml:1:1: the file is empty; expected a rule",
		"# nothing\n":   "r.yaml:1:1: the file is empty; expected a rule",
		"- a\n":         "r.yaml:1:1: the file: found a list; expected a mapping (key: value)",
		"a: [1\n":       "r.yaml:1:4: not valid YAML: sequence end token ']' not found",
		"a: \xff\xfe\n": "r.yaml: the file is not UTF-8 text",
	} {
		if _, err := Load("r.yaml", []byte(text), nil); err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}

func TestLoadQueryError(t *testing.T) {
	_, err := Load("r.yaml", []byte(sound), func(string) ([]kql.Column, error) { return nil, errors.New("no luck") })
	if want := "r.yaml:13:8: query: no luck"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A query's problems stand at their own places in the file.
func TestLoadQueryProblems(t *testing.T) {
	ws, err := workspace.Open("", workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	text := strings.Replace(sound, "  | project IP = HostIP, HostName\n", "  | where HostNam == 'a'\n\n  | project IP = HostIP, nope()\n", 1)
	_, err = Load("r.yaml", []byte(text), compilesIn(ws))
	var p picket.Problems
	if !errors.As(err, &p) || len(p) != 2 || p[0].Line != 15 || p[0].Column != 11 || p[1].Line != 17 || p[1].Column != 26 {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(err.Error(), "r.yaml:15:11: query: ") || !strings.Contains(err.Error(), "\n  | where HostNam == 'a'\n          ^^^^^^^") {
		t.Errorf("got %v", err)
	}
	if _, err := Load("r.yaml", []byte(sound), compilesIn(ws)); err != nil {
		t.Error(err)
	}
}

func TestLoadDir(t *testing.T) {
	fsys := fstest.MapFS{
		"rules/a.yaml":  {Data: []byte(sound)},
		"rules/b.yml":   {Data: []byte("name: no rule\n")},
		"rules/c.yaml":  {Data: []byte(sound)},
		"rules/d.yaml":  {Data: []byte(strings.Replace(sound, "7c3b", "7c3c", 1))},
		"rules/README":  {Data: []byte("not a rule")},
		"rules/x/e.yml": {Data: []byte("not looked at")},
	}
	rules, err := LoadDir(fsys, "rules", nil)
	var files []string
	for _, r := range rules {
		files = append(files, r.File)
	}
	if d := cmp.Diff([]string{"rules/a.yaml", "rules/d.yaml"}, files); d != "" {
		t.Error(d)
	}
	for _, want := range []string{"rules/b.yml:1:1: id: missing", "rules/c.yaml:1:1: id: 7c3b1a52-1d8c-4a55-9f55-0c3a3f0d8a10 is also the id of rules/a.yaml"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in %v", want, err)
		}
	}
}

func TestTimespan(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"5m": 5 * time.Minute, "14d": 14 * 24 * time.Hour, "1.5h": 90 * time.Minute, "24h": 24 * time.Hour, "90s": 90 * time.Second,
		"1 day": 24 * time.Hour, "2hours": 2 * time.Hour, "PT5H": 5 * time.Hour, "P1DT30M": 24*time.Hour + 30*time.Minute, "P1W": 7 * 24 * time.Hour,
		"00:10": 10 * time.Minute, "1.00:30:00": 24*time.Hour + 30*time.Minute,
	} {
		if got, ok := parseTimespan(s); !ok || got != want {
			t.Errorf("%q: %v %v, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "5", "m", "P", "PT", "-5m", "5 fortnights", "999999999d", "1e3h", "5M5", "P5M"} {
		if got, ok := parseTimespan(s); ok {
			t.Errorf("%q: %v, want none", s, got)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte("a: &x [*x, *x]\nquery: !!str |\n  x\n<<: *x\n"))
	f.Add([]byte("{\"id\": 1, \"entityMappings\": [{\"entityType\": \"IP\", \"fieldMappings\": 3}]}"))
	files, _ := filepath.Glob(realRules + "/*.yaml")
	for _, file := range files[:min(len(files), 10)] {
		if data, err := os.ReadFile(file); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Load("f.yaml", data, soundColumns)
		if (r == nil) == (err == nil) {
			t.Fatalf("rule %v, error %v", r, err)
		}
		if err != nil {
			var p picket.Problems
			if !errors.As(err, &p) || len(p) == 0 {
				t.Fatalf("error is %T", err)
			}
			return
		}
		if r.Frequency < minSpan || r.Period < r.Frequency || r.Period > maxSpan || !r.Operator.Holds(r.Threshold, r.Threshold) && !r.Operator.Holds(r.Threshold+1, r.Threshold) && !r.Operator.Holds(r.Threshold-1, r.Threshold) {
			t.Fatalf("accepted %+v", r)
		}
	})
}

// compilesIn checks queries against the tables of ws.
func compilesIn(ws *workspace.DB) Check {
	return Compiles(func(query string, o kql.Options) (*kql.Query, error) { return kql.Compile(query, ws, o) })
}
