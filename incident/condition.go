package incident

import (
	"slices"
	"strings"

	"picket"
)

// condition is one condition of an automation rule. Of its fields those of its
// kind are set.
type condition struct {
	kind string // Property, PropertyChanged, PropertyArrayChanged, PropertyArray, Boolean

	property string
	operator string // Equals, …; for Boolean And or Or
	values   []string
	change   string // ChangedFrom, ChangedTo or Added
	array    string // Alerts, Labels, Tactics, Comments; CustomDetails, CustomDetailValues
	inner    []condition
}

// scope is what a condition looks at: the change, and within a PropertyArray
// one of the custom details.
type scope struct {
	in     *picket.Incident
	ch     *change
	detail bool
	key    string
	values []string
}

// holds reports whether all conditions of a rule hold.
func (r *Rule) holds(in picket.Incident, ch change) bool {
	return all(r.conditions, &scope{in: &in, ch: &ch})
}

func all(list []condition, s *scope) bool {
	for i := range list {
		if !list[i].holds(s) {
			return false
		}
	}
	return true
}

func (c *condition) holds(s *scope) bool {
	switch c.kind {
	case "Property":
		return match(c.operator, s.property(c.property), c.operands())
	case "PropertyChanged":
		before, after := propertyOf(&s.ch.before, c.property), propertyOf(s.in, c.property)
		if s.ch.created || before == after {
			return false
		}
		switch c.change {
		case "ChangedFrom":
			return match(c.operator, []string{before}, c.values)
		case "ChangedTo":
			return match(c.operator, []string{after}, c.values)
		}
		return true
	case "PropertyArrayChanged":
		switch c.array {
		case "Alerts":
			return len(s.ch.alerts) > 0
		case "Labels":
			return len(s.ch.labels) > 0
		case "Tactics":
			return len(s.ch.tactics) > 0
		case "Comments":
			return len(s.ch.comments) > 0
		}
		return false
	case "PropertyArray":
		return slices.ContainsFunc(s.items(c.array), func(item scope) bool { return all(c.inner, &item) })
	case "Boolean":
		if c.operator == "And" {
			return all(c.inner, s)
		}
		return slices.ContainsFunc(c.inner, func(c condition) bool { return c.holds(s) })
	}
	return false
}

// operands are the values compared with: of a resource ID only its name counts,
// for the same rule has another path in every workspace.
func (c *condition) operands() []string {
	if !byRuleID(c.property) {
		return c.values
	}
	names := make([]string, len(c.values))
	for i, v := range c.values {
		names[i] = v[strings.LastIndexByte(v, '/')+1:]
	}
	return names
}

func byRuleID(property string) bool {
	return property == "IncidentRelatedAnalyticRuleIds" || property == "AlertAnalyticRuleIds"
}

// match compares without regard to case. Of several values to compare with one
// is enough; a negative operator wants none of the property's values to match.
func match(operator string, have, want []string) bool {
	if positive, not := strings.CutPrefix(operator, "Not"); not {
		return !match(positive, have, want)
	}
	for _, h := range have {
		h = strings.ToLower(h)
		for _, w := range want {
			w = strings.ToLower(w)
			var ok bool
			switch operator {
			case "Equals":
				ok = h == w
			case "Contains":
				ok = strings.Contains(h, w)
			case "StartsWith":
				ok = strings.HasPrefix(h, w)
			case "EndsWith":
				ok = strings.HasSuffix(h, w)
			}
			if ok {
				return true
			}
		}
	}
	return false
}

// items are the custom details, or the values of the one the scope is at.
func (s *scope) items(array string) []scope {
	var items []scope
	if array == "CustomDetailValues" {
		for _, v := range s.values {
			item := *s
			item.values = []string{v}
			items = append(items, item)
		}
		return items
	}
	for i := range s.in.Alerts {
		for k, v := range s.in.Alerts[i].Custom {
			items = append(items, scope{in: s.in, ch: s.ch, detail: true, key: k, values: v})
		}
	}
	return items
}

// propertyOf returns a property that PropertyChanged may ask for.
func propertyOf(in *picket.Incident, name string) string {
	switch name {
	case "IncidentSeverity":
		return string(in.Severity)
	case "IncidentStatus":
		return in.Status
	case "IncidentOwner":
		return in.Owner
	}
	return ""
}

// property returns the values of a property: none, one, or several, as of
// entities and labels.
func (s *scope) property(name string) []string {
	in := s.in
	switch name {
	case "IncidentTitle":
		return []string{in.Title}
	case "IncidentDescription":
		return []string{in.Description}
	case "IncidentSeverity", "IncidentStatus", "IncidentOwner":
		return []string{propertyOf(in, name)}
	case "IncidentRelatedAnalyticRuleIds", "AlertAnalyticRuleIds":
		return in.RuleIDs
	case "IncidentTactics":
		return in.Tactics
	case "IncidentLabel":
		return in.Labels
	case "IncidentProviderName":
		return []string{"Azure Sentinel"}
	case "IncidentUpdatedBySource":
		return []string{string(s.ch.by.Kind)}
	case "AlertProductNames":
		return products(*in)
	case "IncidentCustomDetailsKey":
		if s.detail {
			return []string{s.key}
		}
		return s.details(func(d scope) []string { return []string{d.key} })
	case "IncidentCustomDetailsValue":
		if s.detail {
			return s.values
		}
		return s.details(func(d scope) []string { return d.values })
	}
	return s.entities(name)
}

func (s *scope) details(of func(scope) []string) []string {
	var values []string
	for _, d := range s.items("CustomDetails") {
		values = append(values, of(d)...)
	}
	return values
}

// entities returns the values of a property of entities.
func (s *scope) entities(name string) []string {
	kind, identifiers, ok := entityProperty(name)
	if !ok {
		return nil
	}
	var values []string
	for _, e := range s.in.Entities {
		if e.Kind != kind {
			continue
		}
		for _, id := range identifiers {
			if v := e.Properties[id]; v != "" {
				values = append(values, v)
				break
			}
		}
	}
	return values
}
