package incident

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

const sound = `{
  "name": "5a0e8c0e-2d0b-4b76-9c3f-7a1f5b8c9d21",
  "etag": "\"1\"",
  "properties": {
    "displayName": "A rule",
    "order": 7,
    "triggeringLogic": {
      "isEnabled": true,
      "expirationTimeUtc": "2030-01-02T03:04:05Z",
      "triggersOn": "Incidents",
      "triggersWhen": "Updated",
      "conditions": [
        {"conditionType": "Property", "conditionProperties": {"propertyName": "IncidentTitle", "operator": "Contains", "propertyValues": ["ssh", "rdp"]}},
        {"conditionType": "Boolean", "conditionProperties": {"operator": "Or", "innerConditions": [
          {"conditionType": "PropertyChanged", "conditionProperties": {"propertyName": "IncidentStatus", "changeType": "ChangedFrom", "operator": "Equals", "propertyValues": ["New"]}},
          {"conditionType": "PropertyArrayChanged", "conditionProperties": {"arrayType": "Comments", "changeType": "Added"}}]}}
      ]
    },
    "actions": [
      {"order": 2, "actionType": "RunPlaybook", "actionConfiguration": {"logicAppResourceId": "/subscriptions/s/resourceGroups/g/providers/Microsoft.Logic/workflows/prowl", "tenantId": "t"}},
      {"order": 1, "actionType": "ModifyProperties", "actionConfiguration": {"severity": "High", "status": null, "owner": {"objectId": "o", "userPrincipalName": "ann@example.org"}, "labels": [{"labelName": "seen"}]}}
    ]
  }
}
`

func TestLoad(t *testing.T) {
	rules, err := Load("a.json", []byte(sound))
	if err != nil || len(rules) != 1 {
		t.Fatal(rules, err)
	}
	got := *rules[0]
	if len(got.conditions) != 2 || len(got.conditions[1].inner) != 2 {
		t.Errorf("conditions %+v", got.conditions)
	}
	got.conditions = nil
	want := Rule{File: "a.json", Line: 1, ID: "5a0e8c0e-2d0b-4b76-9c3f-7a1f5b8c9d21", Name: "A rule", Order: 7, Enabled: true, Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), When: "Updated",
		Actions: []Action{{Order: 1, Modify: Update{Severity: picket.High, Owner: ptr("ann@example.org"), AddLabels: []string{"seen"}}}, {Order: 2, Playbook: "prowl"}}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(Rule{})); d != "" {
		t.Error(d)
	}
	for name, text := range map[string]string{
		"list":   "[" + sound + "]",
		"answer": `{"value": [` + sound + `], "nextLink": null}`,
		"ARM":    strings.Replace(sound, `"name": "`, `"type": "Microsoft.SecurityInsights/automationRules", "apiVersion": "2025-09-01", "name": "ws/Microsoft.SecurityInsights/`, 1),
		"id":     strings.Replace(sound, `"name": "`, `"id": "/subscriptions/s/automationRules/`, 1),
	} {
		rules, err := Load("a.json", []byte(text))
		if err != nil || len(rules) != 1 || rules[0].ID != want.ID || len(rules[0].Warnings) > 0 {
			t.Errorf("%s: %v %v", name, rules, err)
		}
	}
	bare := sound[strings.Index(sound, `"properties": `)+len(`"properties": `) : strings.LastIndex(sound, "}")]
	rules, err = Load("a.json", []byte(bare))
	again, _ := Load("b.json", []byte(bare))
	if err != nil || rules[0].Name != "A rule" || rules[0].ID != again[0].ID {
		t.Errorf("bare: %v %v", rules, err)
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
		if _, err := Load("a.json", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("got\n%v\nwant\n%s", err, want)
		}
	}
	f(`"displayName": "A rule",`, ``, `a.json:4:17: properties.displayName: missing; expected the name of the rule`)
	f(`"A rule"`, `7`, `a.json:5:20: properties.displayName: found 7; expected the name of the rule`)
	f(`"order": 7`, `"order": 0`, `a.json:6:14: properties.order: found 0; expected a whole number from 1 to 1000`)
	f(`"isEnabled": true`, `"isEnabled": "yes"`, `a.json:8:20: properties.triggeringLogic.isEnabled: found "yes"; expected true or false`)
	f(`"2030-01-02T03:04:05Z"`, `"tomorrow"`, `a.json:9:28: properties.triggeringLogic.expirationTimeUtc: found "tomorrow"; expected a time such as 2030-01-02T15:04:05Z`)
	f(`"Incidents"`, `"Alerts"`, `a.json:10:21: properties.triggeringLogic.triggersOn: rules on Alerts are not supported; expected Incidents`)
	f(`"Updated"`, `"Deleted"`, `a.json:11:23: properties.triggeringLogic.triggersWhen: found "Deleted"; expected Created or Updated`)
	f(`"Contains"`, `"Has"`, `a.json:13:108: properties.triggeringLogic.conditions[0].conditionProperties.operator: found "Has"; expected Equals, NotEquals, Contains, NotContains, StartsWith, NotStartsWith, EndsWith or NotEndsWith`)
	f(`["ssh", "rdp"]`, `"ssh"`, `a.json:13:138: properties.triggeringLogic.conditions[0].conditionProperties.propertyValues: found "ssh"; expected a list`)
	f(`["ssh", "rdp"]`, `[]`, `a.json:13:138: properties.triggeringLogic.conditions[0].conditionProperties.propertyValues: found none; expected at least one value`)
	f(`"Comments"`, `"Tasks"`, `a.json:16:90: properties.triggeringLogic.conditions[1].conditionProperties.innerConditions[1].conditionProperties.arrayType: found "Tasks"; expected Alerts, Labels, Tactics or Comments`)
	f(`"RunPlaybook"`, `"AddIncidentTask"`, `a.json:20:34: properties.actions[0].actionType: AddIncidentTask is not supported; expected RunPlaybook or ModifyProperties`)
	f(`workflows/prowl"`, `workflows/"`, `a.json:20:95: properties.actions[0].actionConfiguration.logicAppResourceId: found "/subscriptions/s/resourceGroups/g/providers/Microsoft.Logic/workflows/"; expected a playbook's name at its end`)
	f(`"severity": "High"`, `"severity": "Critical"`, `a.json:21:90: properties.actions[1].actionConfiguration.severity: found "Critical"; expected Informational, Low, Medium or High`)
	f(`"order": 7,`, `"order": 7,,`, `a.json:6:16: not valid JSON: invalid character ',' looking for beginning of object key string`)
	f(`"order": 7,`, `"order": 7, "order": 8,`, `a.json:6:17: order: given twice`)
	f("\n  }\n}\n", "\n", `a.json:23:1: not valid JSON: the file ends too early`)
	f("\n  }\n}\n", "\n  }\n}\nx", `a.json:25:1: something follows the JSON value; expected the end of the file`)
	f(`"triggersWhen": "Updated",
      "conditions": [`, `"triggersWhen": "Created",
      "conditions": [
        {"conditionType": "PropertyArrayChanged", "conditionProperties": {"arrayType": "Labels", "changeType": "Added"}},`,
		`a.json:13:27: properties.triggeringLogic.conditions[0].conditionType: PropertyArrayChanged never holds when triggersWhen is Created; expected triggersWhen Updated
a.json:16:29: properties.triggeringLogic.conditions[2].conditionProperties.innerConditions[0].conditionType: PropertyChanged never holds when triggersWhen is Created; expected triggersWhen Updated
a.json:17:29: properties.triggeringLogic.conditions[2].conditionProperties.innerConditions[1].conditionType: PropertyArrayChanged never holds when triggersWhen is Created; expected triggersWhen Updated`)
	for text, want := range map[string]string{
		"":     "a.json:1:1: not valid JSON: the file ends too early",
		"7":    "a.json:1:1: found 7; expected an automation rule",
		"[{}]": "a.json:1:2: displayName: missing; expected the name of the rule\na.json:1:2: triggeringLogic: missing; expected when the rule is triggered\na.json:1:2: actions: missing; expected a list",
		strings.Repeat("[", 99) + strings.Repeat("]", 99): "a.json:1:52: not valid JSON: more than 50 levels deep",
	} {
		if _, err := Load("a.json", []byte(text)); err == nil || err.Error() != want {
			t.Errorf("%.20q: got\n%v\nwant\n%s", text, err, want)
		}
	}
}

func TestLoadDir(t *testing.T) {
	fsys := fstest.MapFS{
		"automation/a.json": {Data: []byte(sound)},
		"automation/b.json": {Data: []byte("{")},
		"automation/c.json": {Data: []byte(sound)},
		"automation/d.txt":  {Data: []byte("{")},
	}
	rules, err := LoadDir(fsys, "automation")
	if len(rules) != 1 || err == nil || !strings.Contains(err.Error(), "automation/b.json:1:2: not valid JSON") ||
		!strings.Contains(err.Error(), "automation/c.json:1:1: name: 5a0e8c0e-2d0b-4b76-9c3f-7a1f5b8c9d21 is also the name of a rule of automation/a.json") {
		t.Errorf("%d rules, %v", len(rules), err)
	}
}

func TestShippedAutomation(t *testing.T) {
	rules, err := LoadDir(os.DirFS(".."), "automation")
	if err != nil || len(rules) == 0 {
		t.Fatal(rules, err)
	}
	for _, r := range rules {
		if len(r.Warnings) > 0 {
			t.Error(r.Warnings)
		}
	}
	r := newRig(t)
	r.d.SetRules(rules)
	r.raise(alert("1", "203.0.113.7"))
	r.raise(alert("2"))
	if len(r.runs) != 2 || r.runs[0].Playbook != "prowl-enrich-incident" || r.runs[0].RunID == r.runs[1].RunID {
		t.Errorf("%+v", r.runs)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add([]byte(sound))
	f.Add([]byte(`{"value":[{"properties":{"displayName":"x","triggeringLogic":{"conditions":[{"conditionType":"PropertyArray","conditionProperties":{"itemConditions":[1]}}]},"actions":[{"actionType":"ModifyProperties","actionConfiguration":{"labels":[{}]}}]}}]}`))
	shipped, _ := filepath.Glob("../automation/*.json")
	for _, name := range shipped {
		if data, err := os.ReadFile(name); err == nil {
			f.Add(data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		rules, err := Load("f.json", data)
		if err != nil {
			var p picket.Problems
			if !errors.As(err, &p) || len(p) == 0 || rules != nil {
				t.Fatalf("error is %T with %d rules", err, len(rules))
			}
			return
		}
		if !json.Valid(data[max(0, len(data)-len(strings.TrimPrefix(string(data), "\ufeff"))):]) {
			t.Fatal("accepted what is not JSON")
		}
		for _, r := range rules {
			if r.Name == "" || r.ID == "" || r.When != "Created" && r.When != "Updated" {
				t.Fatalf("accepted %+v", r)
			}
			r.holds(picket.Incident{}, change{})
		}
	})
}

// rule makes an automation rule of its conditions and actions.
func rule(order int, when, conditions string, actions ...string) string {
	return fmt.Sprintf(`{"displayName": "rule %d", "order": %d, "triggeringLogic": {"isEnabled": true, "triggersOn": "Incidents", "triggersWhen": %q, "conditions": [%s]}, "actions": [%s]}`,
		order, order, when, conditions, strings.Join(actions, ","))
}

func run(playbook string) string {
	return fmt.Sprintf(`{"actionType": "RunPlaybook", "actionConfiguration": {"logicAppResourceId": %q}}`, playbook)
}

func modify(what string) string {
	return `{"actionType": "ModifyProperties", "actionConfiguration": {` + what + `}}`
}

func property(name, operator string, values ...string) string {
	list, _ := json.Marshal(values)
	return fmt.Sprintf(`{"conditionType": "Property", "conditionProperties": {"propertyName": %q, "operator": %q, "propertyValues": %s}}`, name, operator, list)
}

func TestConditions(t *testing.T) {
	a := alert("1", "203.0.113.7", "2001:db8::1")
	a.Name = "SSH Brute force"
	a.Custom = map[string][]string{"User": {"root", "admin"}, "Port": {"22"}}
	a.Entities = append(a.Entities, picket.Entity{Kind: "Account", Properties: map[string]string{"FullName": "ann"}})
	detail := func(key, value string) string {
		return fmt.Sprintf(`{"conditionType": "PropertyArray", "conditionProperties": {"arrayType": "CustomDetails", "arrayConditionType": "AnyItem", "itemConditions": [%s,
			{"conditionType": "PropertyArray", "conditionProperties": {"arrayType": "CustomDetailValues", "arrayConditionType": "AnyItem", "itemConditions": [%s]}}]}}`,
			property("IncidentCustomDetailsKey", "Equals", key), property("IncidentCustomDetailsValue", "Equals", value))
	}
	both := func(op, x, y string) string {
		return fmt.Sprintf(`{"conditionType": "Boolean", "conditionProperties": {"operator": %q, "innerConditions": [%s, %s]}}`, op, x, y)
	}
	r, n := newRig(t), 0
	yes, no := property("IncidentStatus", "Equals", "new"), property("IncidentStatus", "Equals", "Closed")
	for conditions, want := range map[string]bool{
		"":  true,
		yes: true,
		no:  false,
		property("IncidentTitle", "Contains", "rdp", "ssh"):                                                                        true,
		property("IncidentTitle", "NotContains", "rdp", "ssh"):                                                                     false,
		property("IncidentTitle", "NotContains", "rdp"):                                                                            true,
		property("IncidentTitle", "StartsWith", "ssh b"):                                                                           true,
		property("IncidentTitle", "NotStartsWith", "brute"):                                                                        true,
		property("IncidentTitle", "EndsWith", "FORCE"):                                                                             true,
		property("IncidentTitle", "NotEndsWith", "force"):                                                                          false,
		property("IncidentTitle", "Equals", "ssh"):                                                                                 false,
		property("IncidentSeverity", "Equals", "High", "Medium"):                                                                   true,
		property("IncidentTactics", "Contains", "CredentialAccess"):                                                                true,
		property("IncidentTactics", "NotContains", "Impact"):                                                                       true,
		property("IncidentRelatedAnalyticRuleIds", "Contains", "/subscriptions/x/alertRules/11111111-1111-1111-1111-111111111111"): true,
		property("IncidentRelatedAnalyticRuleIds", "Contains", "/subscriptions/x/alertRules/22222222-1111-1111-1111-111111111111"): false,
		property("AlertProductNames", "Equals", "Azure Sentinel"):                                                                  true,
		property("IPAddress", "Equals", "2001:db8::1"):                                                                             true,
		property("IPAddress", "StartsWith", "198."):                                                                                false,
		property("AccountName", "Equals", "Ann"):                                                                                   true,
		property("HostName", "Equals", "web1"):                                                                                     false,
		property("HostName", "NotEquals", "web1"):                                                                                  true, // no host at all
		property("IncidentLabel", "Contains", "x"):                                                                                 false,
		property("IncidentCustomDetailsKey", "Equals", "port"):                                                                     true,
		detail("User", "admin"):                                                                                                    true,
		detail("Port", "admin"):                                                                                                    false, // of another key
		both("Or", no, yes):                                                                                                        true,
		both("And", no, yes):                                                                                                       false,
		both("And", yes, both("Or", no, yes)):                                                                                      true,
		yes + "," + no:                                                                                                             false,
	} {
		n++
		a.ID, r.runs = fmt.Sprint("alert-", n), nil
		r.load(rule(1, "Created", conditions, run("p")))
		r.raise(a)
		if got := len(r.runs) == 1; got != want {
			t.Errorf("%s: %v, want %v", conditions, got, want)
		}
	}
}

func TestUpdateConditions(t *testing.T) {
	changed := func(name, change, value string) string {
		return fmt.Sprintf(`{"conditionType": "PropertyChanged", "conditionProperties": {"propertyName": %q, "changeType": %q, "operator": "Equals", "propertyValues": [%q]}}`, name, change, value)
	}
	array := func(kind string) string {
		return fmt.Sprintf(`{"conditionType": "PropertyArrayChanged", "conditionProperties": {"arrayType": %q, "changeType": "Added"}}`, kind)
	}
	r, n := newRig(t), 0
	user := Actor{Kind: User, Name: "ann"}
	updates := map[string]func(r *rig, id string) error{
		"status": func(r *rig, id string) error {
			_, err := r.d.Update(t.Context(), id, Update{Status: "Active"}, user)
			return err
		},
		"label": func(r *rig, id string) error {
			_, err := r.d.Update(t.Context(), id, Update{AddLabels: []string{"x"}}, user)
			return err
		},
		"comment": func(r *rig, id string) error {
			return r.d.Comment(t.Context(), id, picket.Comment{ID: "c", Message: "m"}, user)
		},
		"alert": func(r *rig, id string) error {
			in, err := r.d.Get(t.Context(), id)
			if err != nil {
				return err
			}
			b := grouped(alert("2 of "+id), "AnyAlert")
			b.RuleID = in.RuleIDs[0]
			b.Tactics = []string{"Impact"}
			r.raise(b)
			return nil
		},
	}
	for conditions, want := range map[string]string{ // the updates for which they hold
		"": "status label comment alert",
		changed("IncidentStatus", "ChangedFrom", "New"):      "status",
		changed("IncidentStatus", "ChangedTo", "active"):     "status",
		changed("IncidentStatus", "ChangedTo", "Closed"):     "",
		changed("IncidentSeverity", "ChangedFrom", "Medium"): "",
		array("Labels"):   "label",
		array("Comments"): "comment",
		array("Alerts"):   "alert",
		array("Tactics"):  "alert",
		property("IncidentUpdatedBySource", "Equals", "User"):                "status label comment",
		property("IncidentUpdatedBySource", "NotEquals", "Playbook", "User"): "alert",
	} {
		for name, update := range updates {
			n++
			a := grouped(alert(fmt.Sprint(n)), "AnyAlert")
			a.RuleID, r.runs = fmt.Sprint("rule ", n), nil
			r.load("[" + rule(1, "Updated", conditions, run("p")) + "," + rule(2, "Created", "", run("created")) + "]")
			r.raise(a)
			if len(r.runs) != 1 || r.runs[0].Playbook != "created" {
				t.Fatalf("on creation: %+v", r.runs)
			}
			if err := update(r, r.list()[0].ID); err != nil {
				t.Fatal(err)
			}
			if got := len(r.runs) == 2; got != strings.Contains(" "+want+" ", " "+name+" ") {
				t.Errorf("%s: on %s %v", conditions, name, got)
			}
		}
	}
}

// Rules run in their order, each on the incident as the one before left it.
func TestAutomationOrder(t *testing.T) {
	r := newRig(t)
	r.load("[" + strings.Join([]string{
		rule(3, "Created", property("IncidentSeverity", "Equals", "High"), run("third")),
		rule(1, "Created", "", modify(`"severity": "High", "labels": [{"labelName": "seen"}], "owner": {"assignedTo": "ann"}`), run("first")),
		rule(2, "Created", property("IncidentSeverity", "Equals", "Medium"), run("second")),
		rule(4, "Updated", property("IncidentLabel", "Contains", "seen"), run("fourth")),
	}, ",") + "]")
	r.raise(alert("1"))
	var got []string
	for _, p := range r.runs {
		got = append(got, p.Playbook)
	}
	if d := cmp.Diff([]string{"first", "third", "fourth"}, got); d != "" {
		t.Error(d)
	}
	in := r.only()
	if in.Severity != picket.High || in.Owner != "ann" || in.ModifiedBy != "Automation rule - rule 1" || in.Revision != 2 {
		t.Errorf("%+v", in)
	}
	rows := r.query("SecurityIncident | sort by LastModifiedTime asc | project Severity, ModifiedBy")
	if d := cmp.Diff([][]any{{"Medium", "Incident created from alert"}, {"High", "Automation rule - rule 1"}}, rows); d != "" {
		t.Error(d)
	}
	rows = r.query("SentinelHealth | where OperationName == 'Automation rule run' | sort by SentinelResourceName asc | project SentinelResourceName, Status")
	if d := cmp.Diff([][]any{{"rule 1", "Success"}, {"rule 3", "Success"}, {"rule 4", "Success"}}, rows); d != "" {
		t.Error(d)
	}
}

// Rules that react to updates and cause them come to an end.
func TestAutomationLoop(t *testing.T) {
	r := newRig(t)
	r.load("[" + strings.Join([]string{
		rule(1, "Updated", "", modify(`"severity": "High"`)),
		rule(2, "Updated", "", modify(`"severity": "Low"`)),
		rule(3, "Updated", "", run("a")),
		rule(4, "Updated", "", run("b")),
	}, ",") + "]")
	r.raise(alert("1"))
	id := r.only().ID
	if _, err := r.d.Update(t.Context(), id, Update{Status: "Active"}, Actor{Kind: User, Name: "ann"}); err != nil {
		t.Fatal(err)
	}
	if in := r.only(); in.Severity != picket.Low || in.Revision != 4 || len(r.runs) != 2 {
		t.Errorf("revision %d, %d runs", in.Revision, len(r.runs))
	}
	// The playbooks comment: each starts neither itself nor, by way of the other, itself again.
	for i := 0; i < len(r.runs) && i < 20; i++ {
		p := r.runs[i]
		c := picket.Comment{ID: p.RunID, Message: p.Playbook}
		if err := r.d.Comment(t.Context(), id, c, Actor{Kind: Playbook, Name: p.Playbook, RunID: p.RunID}); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, p := range r.runs {
		got = append(got, p.Playbook)
	}
	// Run a came of rules 1, 2, 3, run b of 1 to 4: a's comment may start b once more, and that is all.
	if d := cmp.Diff([]string{"a", "b", "b"}, got); d != "" {
		t.Error(d)
	}
	// A playbook of which no run is known keeps out the rules that run it.
	if err := r.d.Comment(t.Context(), id, picket.Comment{ID: "x", Message: "m"}, Actor{Kind: Playbook, Name: "A"}); err != nil {
		t.Fatal(err)
	}
	if n := len(r.runs); n != 4 || r.runs[3].Playbook != "b" {
		t.Errorf("%d runs", n)
	}
}

func TestAutomationOffOrExpired(t *testing.T) {
	r := newRig(t)
	off := strings.Replace(rule(1, "Created", "", run("off")), `"isEnabled": true`, `"isEnabled": false`, 1)
	old := strings.Replace(rule(2, "Created", "", run("old")), `"isEnabled": true`, `"expirationTimeUtc": "2026-03-01T12:00:00Z"`, 1)
	good := strings.Replace(rule(3, "Created", "", run("good")), `"isEnabled": true`, `"expirationTimeUtc": "2026-03-01T12:00:01Z"`, 1)
	r.load("[" + off + "," + old + "," + good + "]")
	r.raise(alert("1"))
	if len(r.runs) != 1 || r.runs[0].Playbook != "good" {
		t.Errorf("%+v", r.runs)
	}
}

// A playbook that there is not stops nothing else; any other fault undoes all.
func TestAutomationPlaybookFails(t *testing.T) {
	r := newRig(t)
	r.load("[" + rule(1, "Created", "", run("gone"), run("here")) + "," + rule(2, "Created", "", run("next")) + "]")
	r.refuse["gone"] = picket.Errorf(picket.NotFound, "there is no playbook gone")
	r.raise(alert("1"))
	if len(r.runs) != 2 || r.runs[0].Playbook != "here" || r.runs[1].Playbook != "next" {
		t.Errorf("%+v", r.runs)
	}
	rows := r.query("SentinelHealth | where Status == 'Failure' | project OperationName, SentinelResourceName, Reason, tostring(ExtendedProperties.IncidentNumber)")
	if d := cmp.Diff([][]any{{"Automation rule run", "rule 1", "there is no playbook gone", "1"}}, rows); d != "" {
		t.Error(d)
	}
	r.refuse["next"] = errors.New("database is closed")
	tx, err := r.st.SQL().Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.d.Raise(t.Context(), tx, []picket.Alert{alert("2")}); err == nil || !strings.Contains(err.Error(), "automation rule rule 2: database is closed") {
		t.Error(err)
	}
	tx.Rollback()
	r.only()
}

func TestTriggerBody(t *testing.T) {
	r := newRig(t)
	r.load(rule(1, "Updated", "", run("p")))
	a := alert("1", "203.0.113.7")
	a.Custom = map[string][]string{"User": {"root"}}
	a.Entities = append(a.Entities,
		picket.Entity{Kind: "Host", Properties: map[string]string{"HostName": "web1", "NTDomain": "CORP", "OSVersion": "12"}},
		picket.Entity{Kind: "Account", Properties: map[string]string{"Name": "root", "UPNSuffix": "example.org", "AadUserId": "u"}},
		picket.Entity{Kind: "FileHash", Properties: map[string]string{"Algorithm": "SHA256", "Value": "ab"}})
	r.raise(a)
	in := r.only()
	body, err := r.d.TriggerBody(in)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		ObjectSchemaType, ObjectEventType string
		IncidentUpdates                   any
		Object                            struct {
			ID, Name, Type string
			Properties     struct {
				Title, Severity, Status string
				IncidentNumber          int
				Owner                   map[string]any
				Labels, Comments        []any
				AdditionalData          map[string]any
				Alerts                  []struct {
					Kind       string
					Properties struct {
						SystemAlertID  string
						AdditionalData map[string]string
					}
				}
				RelatedEntities []struct {
					Kind       string
					Properties map[string]string
				}
			}
		}
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	p := got.Object.Properties
	if got.ObjectSchemaType != "Incident" || got.ObjectEventType != "Create" || got.IncidentUpdates != nil || got.Object.Type != "Microsoft.SecurityInsights/Incidents" ||
		path.Base(got.Object.ID) != in.ID || got.Object.Name != in.ID || p.IncidentNumber != 1 || p.Title != "Failed logins" || p.Severity != "Medium" || p.Status != "New" ||
		p.Labels == nil || p.Comments == nil || p.AdditionalData["alertsCount"] != 1.0 {
		t.Errorf("%s", body)
	}
	if len(p.Alerts) != 1 || p.Alerts[0].Kind != "SecurityAlert" || p.Alerts[0].Properties.SystemAlertID != "alert-1" || p.Alerts[0].Properties.AdditionalData["Custom Details"] != `{"User":["root"]}` {
		t.Errorf("alerts %+v", p.Alerts)
	}
	type entity = struct {
		Kind       string
		Properties map[string]string
	}
	want := []entity{
		{"Ip", map[string]string{"address": "203.0.113.7", "friendlyName": "203.0.113.7"}},
		{"Host", map[string]string{"hostName": "web1", "ntDomain": "CORP", "osVersion": "12", "friendlyName": "web1"}},
		{"Account", map[string]string{"accountName": "root", "upnSuffix": "example.org", "aadUserId": "u", "friendlyName": "root"}},
		{"FileHash", map[string]string{"algorithm": "SHA256", "hashValue": "ab", "friendlyName": "ab"}},
	}
	var entities []entity
	entities = append(entities, p.RelatedEntities...)
	if d := cmp.Diff(want, entities); d != "" {
		t.Error(d)
	}

	if _, err := r.d.Update(t.Context(), in.ID, Update{Severity: "High", AddLabels: []string{"x"}}, Actor{Kind: User, Name: "ann"}); err != nil {
		t.Fatal(err)
	}
	var update struct {
		ObjectEventType string
		IncidentUpdates struct {
			Severity  string
			Status    string
			Labels    []map[string]string
			Comments  []any
			UpdatedBy map[string]string
		}
	}
	if err := json.Unmarshal(r.runs[0].Trigger, &update); err != nil {
		t.Fatal(err)
	}
	u := update.IncidentUpdates
	if update.ObjectEventType != "Update" || u.Severity != "High" || u.Status != "" || len(u.Labels) != 1 || u.Labels[0]["labelName"] != "x" || u.Comments == nil || u.UpdatedBy["source"] != "User" || u.UpdatedBy["name"] != "ann" {
		t.Errorf("%s", r.runs[0].Trigger)
	}
}
