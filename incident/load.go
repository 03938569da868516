package incident

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"

	"picket"
)

// Load reads automation rules in the JSON of Microsoft.SecurityInsights: one
// rule, a list of them, a list's answer {"value": […]}, each bare or as an
// Azure resource with its properties. All that is wrong comes as one
// [picket.Problems], with lines and columns of the file called name.
func Load(name string, data []byte) ([]*Rule, error) {
	r := &reader{file: name, data: data}
	var rules []*Rule
	if n := r.parse(); n != nil {
		for _, n := range resources(n) {
			if rule := r.rule(n); rule != nil {
				rules = append(rules, rule)
			}
		}
	}
	if len(r.problems) > 0 {
		sort.SliceStable(r.problems, func(i, j int) bool {
			a, b := r.problems[i], r.problems[j]
			return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
		})
		return nil, r.problems
	}
	if len(rules) > 0 {
		rules[0].Warnings = r.warnings
	}
	return rules, nil
}

// LoadDir reads every .json file of dir, sorted by name. A file that is no good
// stops only itself: its problems are in the error, joined with those of the
// others, and the rules of the rest are returned.
func LoadDir(fsys fs.FS, dir string) ([]*Rule, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read the automation rules: %w", err)
	}
	var rules []*Rule
	var errs []error
	byID := map[string]string{}
	for _, e := range entries {
		if e.IsDir() || path.Ext(e.Name()) != ".json" {
			continue
		}
		name := path.Join(dir, e.Name())
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the automation rules: %w", err))
			continue
		}
		list, err := Load(name, data)
		errs = append(errs, err)
		for _, r := range list {
			if other, ok := byID[r.ID]; ok {
				errs = append(errs, picket.Problems{{File: name, Line: r.Line, Column: 1,
					Msg: fmt.Sprintf("name: %s is also the name of a rule of %s; expected one of its own", r.ID, other)}})
				continue
			}
			byID[r.ID] = name
			rules = append(rules, r)
		}
	}
	return rules, errors.Join(errs...)
}

// resources returns the rules of a file, which come in several wrappings.
func resources(n *node) []*node {
	if items, ok := n.value.([]*node); ok {
		return items
	}
	if o, ok := n.value.(*object); ok && o.values["properties"] == nil {
		if v := o.values["value"]; v != nil {
			if items, ok := v.value.([]*node); ok {
				return items
			}
		}
	}
	return []*node{n}
}

func (r *reader) rule(n *node) *Rule {
	rule := &Rule{File: r.file}
	o, ok := n.value.(*object)
	if !ok {
		r.problem(n, "found %s; expected an automation rule", found(n))
		return nil
	}
	var p *object // the rule's own fields
	if o.values["properties"] != nil {
		o = r.object(n, "", "id", "name", "type", "apiVersion", "etag", "properties", "systemData", "scope", "dependsOn", "location", "kind")
		if _, ok := o.values["properties"].value.(*object); !ok {
			r.problem(o.values["properties"], "properties: found %s; expected an object", found(o.values["properties"]))
			return nil
		}
		p = r.object(o.values["properties"], "properties.", ruleFields()...)
	} else {
		p = r.object(n, "", append(ruleFields(), "id", "name", "etag", "type")...)
	}
	rule.Name = strings.TrimSpace(p.text("displayName", "the name of the rule", true))
	if len([]rune(rule.Name)) > 500 {
		r.problem(p.values["displayName"], "%sdisplayName: found %d characters; expected at most 500", p.path, len([]rune(rule.Name)))
	}
	rule.ID = ruleID(o, rule.Name)
	rule.Line, _ = r.place(n)
	rule.Order = p.integer("order", 1, 1000, 1)
	if n := p.values["triggeringLogic"]; n != nil {
		rule.logic(r.object(n, p.path+"triggeringLogic.", "isEnabled", "expirationTimeUtc", "triggersOn", "triggersWhen", "conditions"))
	} else {
		p.missing("triggeringLogic", "when the rule is triggered")
	}
	actions := p.list("actions", true)
	if len(actions) > 20 {
		r.problem(actions[20], "%sactions: found %d; expected at most 20", p.path, len(actions))
	}
	for i, n := range actions {
		if a := r.object(n, fmt.Sprintf("%sactions[%d].", p.path, i), "order", "actionType", "actionConfiguration"); a != nil {
			rule.action(a)
		}
	}
	sort.SliceStable(rule.Actions, func(i, j int) bool { return rule.Actions[i].Order < rule.Actions[j].Order })
	return rule
}

func ruleFields() []string {
	return []string{"displayName", "order", "triggeringLogic", "actions", "createdBy", "createdTimeUtc", "lastModifiedBy", "lastModifiedTimeUtc"}
}

// ruleID is the resource's own name, which Azure wants to be a GUID; else one
// that follows from the rule's name, so that it stays.
func ruleID(o *object, name string) string {
	for _, key := range []string{"name", "id"} {
		if n := o.values[key]; n != nil {
			s, _ := n.value.(string)
			if u, err := uuid.Parse(s[strings.LastIndexByte(s, '/')+1:]); err == nil {
				return u.String()
			}
		}
	}
	return newID("automation rule", name)
}

func (rule *Rule) logic(l *object) {
	if l == nil {
		return
	}
	rule.Enabled = l.boolean("isEnabled", true)
	if s := l.text("expirationTimeUtc", "a time such as 2030-01-02T15:04:05Z", false); s != "" {
		t, err := time.Parse(time.RFC3339, s)
		if err != nil {
			l.r.problem(l.values["expirationTimeUtc"], "%sexpirationTimeUtc: found %q; expected a time such as 2030-01-02T15:04:05Z", l.path, s)
		}
		rule.Expires = t
	}
	if on := l.choice("triggersOn", []string{"Incidents", "Alerts"}, true); on == "Alerts" {
		l.r.problem(l.values["triggersOn"], "%striggersOn: rules on Alerts are not supported; expected Incidents", l.path)
	}
	rule.When = l.choice("triggersWhen", []string{"Created", "Updated"}, true)
	conditions := l.list("conditions", false)
	if len(conditions) > 50 {
		l.r.problem(conditions[50], "%sconditions: found %d; expected at most 50", l.path, len(conditions))
	}
	for i, n := range conditions {
		rule.conditions = append(rule.conditions, l.r.condition(n, fmt.Sprintf("%sconditions[%d].", l.path, i), rule.When))
	}
}

// condition reads a condition; the zero one, which never holds, when it is no good.
func (r *reader) condition(n *node, path, when string) condition {
	o := r.object(n, path, "conditionType", "conditionProperties")
	if o == nil {
		return condition{}
	}
	c := condition{kind: o.choice("conditionType", []string{"Property", "PropertyChanged", "PropertyArrayChanged", "PropertyArray", "Boolean"}, true)}
	props := o.values["conditionProperties"]
	if props == nil {
		o.missing("conditionProperties", "what is compared")
		return c
	}
	path += "conditionProperties."
	switch c.kind {
	case "Property":
		if p := r.object(props, path, "propertyName", "operator", "propertyValues"); p != nil {
			c.property = p.choice("propertyName", properties(), true)
			c.operator = p.choice("operator", operators(), true)
			c.values = p.texts("propertyValues", true)
		}
	case "PropertyChanged":
		if p := r.object(props, path, "propertyName", "changeType", "operator", "propertyValues"); p != nil {
			c.property = p.choice("propertyName", []string{"IncidentSeverity", "IncidentStatus", "IncidentOwner"}, true)
			c.change = p.choice("changeType", []string{"ChangedFrom", "ChangedTo"}, false)
			c.operator = p.choice("operator", operators(), c.change != "")
			c.values = p.texts("propertyValues", c.change != "")
		}
	case "PropertyArrayChanged":
		if p := r.object(props, path, "arrayType", "changeType"); p != nil {
			c.array = p.choice("arrayType", []string{"Alerts", "Labels", "Tactics", "Comments"}, true)
			c.change = p.choice("changeType", []string{"Added"}, true)
		}
	case "PropertyArray":
		if p := r.object(props, path, "arrayType", "arrayConditionType", "itemConditions"); p != nil {
			c.array = p.choice("arrayType", []string{"CustomDetails", "CustomDetailValues"}, true)
			p.choice("arrayConditionType", []string{"AnyItem"}, true)
			for i, n := range p.list("itemConditions", true) {
				c.inner = append(c.inner, r.condition(n, fmt.Sprintf("%sitemConditions[%d].", path, i), when))
			}
		}
	case "Boolean":
		if p := r.object(props, path, "operator", "innerConditions"); p != nil {
			c.operator = p.choice("operator", []string{"And", "Or"}, true)
			inner := p.list("innerConditions", true)
			if inner != nil && (len(inner) < 2 || len(inner) > 10) {
				r.problem(p.values["innerConditions"], "%sinnerConditions: found %d; expected 2 to 10", path, len(inner))
			}
			for i, n := range inner {
				c.inner = append(c.inner, r.condition(n, fmt.Sprintf("%sinnerConditions[%d].", path, i), when))
			}
		}
	}
	if when == "Created" && (c.kind == "PropertyChanged" || c.kind == "PropertyArrayChanged") {
		r.problem(o.values["conditionType"], "%sconditionType: %s never holds when triggersWhen is Created; expected triggersWhen Updated", o.path, c.kind)
	}
	return c
}

// texts returns the texts of a field that holds a list of them.
func (o *object) texts(key string, required bool) []string {
	var list []string
	for _, n := range o.list(key, required) {
		s, ok := n.value.(string)
		if !ok {
			o.r.problem(n, "%s%s: found %s; expected text", o.path, key, found(n))
			continue
		}
		list = append(list, s)
	}
	if n := o.values[key]; required && n != nil && len(list) == 0 && len(o.r.problems) == 0 {
		o.r.problem(n, "%s%s: found none; expected at least one value", o.path, key)
	}
	return list
}

func (rule *Rule) action(a *object) {
	act := Action{Order: a.integer("order", 1, 1000, 1)}
	kind := a.choice("actionType", []string{"RunPlaybook", "ModifyProperties", "AddIncidentTask"}, true)
	n := a.values["actionConfiguration"]
	if n == nil {
		a.missing("actionConfiguration", "what the action needs")
		return
	}
	path := a.path + "actionConfiguration."
	switch kind {
	case "RunPlaybook":
		c := a.r.object(n, path, "logicAppResourceId", "tenantId")
		if c == nil {
			return
		}
		id := strings.TrimSpace(c.text("logicAppResourceId", "the resource ID, or the name, of a playbook", true))
		act.Playbook = id[strings.LastIndexByte(id, '/')+1:]
		if id != "" && act.Playbook == "" {
			a.r.problem(c.values["logicAppResourceId"], "%slogicAppResourceId: found %q; expected a playbook's name at its end", path, id)
		}
	case "ModifyProperties":
		c := a.r.object(n, path, "severity", "status", "classification", "classificationReason", "classificationComment", "owner", "labels")
		if c == nil {
			return
		}
		act.Modify = Update{
			Severity: picket.Severity(c.choice("severity", severities(), false)), Status: c.choice("status", statuses(), false),
			Classification: c.choice("classification", classifications(), false), ClassificationReason: c.choice("classificationReason", reasons(), false),
			ClassificationComment: c.text("classificationComment", "text", false),
		}
		c.owner(&act.Modify)
		c.labels(&act.Modify)
	case "AddIncidentTask":
		a.r.problem(a.values["actionType"], "%sactionType: AddIncidentTask is not supported; expected RunPlaybook or ModifyProperties", a.path)
		return
	default:
		return
	}
	rule.Actions = append(rule.Actions, act)
}

// owner reads whom an incident is assigned to: the first of the ways to name one.
func (o *object) owner(u *Update) {
	n := o.values["owner"]
	if n == nil {
		return
	}
	p := o.r.object(n, o.path+"owner.", "objectId", "email", "assignedTo", "userPrincipalName", "ownerType")
	if p == nil {
		return
	}
	name := ""
	for _, key := range []string{"assignedTo", "userPrincipalName", "email", "objectId"} {
		if s := p.text(key, "text", false); s != "" && name == "" {
			name = s
		}
	}
	u.Owner = &name
}

func (o *object) labels(u *Update) {
	for i, n := range o.list("labels", false) {
		if l := o.r.object(n, fmt.Sprintf("%slabels[%d].", o.path, i), "labelName", "labelType"); l != nil {
			u.AddLabels = append(u.AddLabels, l.text("labelName", "the label", true))
		}
	}
}
