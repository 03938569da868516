package analytics

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"sort"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/google/uuid"

	"picket"
	"picket/kql"
)

// Limits of Microsoft Sentinel ("Service limits for Microsoft Sentinel",
// "Scheduled analytics rules in Microsoft Sentinel").
const (
	minSpan      = 5 * time.Minute
	maxSpan      = 14 * 24 * time.Hour
	maxLookback  = 7 * 24 * time.Hour
	maxSuppress  = 24 * time.Hour
	maxQuery     = 10_000 // characters
	maxMappings  = 10
	maxFields    = 3
	maxDetails   = 20
	maxPlaces    = 3 // {{Column}} in a format
	maxName      = 256
	maxDesc      = 5_000
	maxThreshold = 10_000
)

// Check compiles a query and tells the columns of its result.
type Check func(query string) ([]kql.Column, error)

// Load reads one rule in the YAML of the Azure-Sentinel repository. All that is
// wrong with it comes as one [picket.Problems], with lines and columns of the
// file called name. Without check the query itself is taken as it is.
func Load(name string, data []byte, check Check) (*Rule, error) {
	r := &reader{file: name}
	rule := &Rule{File: name}
	if doc := r.parse(data); doc != nil {
		if o := r.object(doc, "", "id", "name", "description", "severity", "status", "requiredDataConnectors",
			"queryFrequency", "queryPeriod", "triggerOperator", "triggerThreshold", "tactics", "relevantTechniques", "tags",
			"query", "entityMappings", "customDetails", "alertDetailsOverride", "eventGroupingSettings",
			"suppressionEnabled", "suppressionDuration", "incidentConfiguration", "version", "kind", "metadata"); o != nil {
			o.rule(rule)
			o.checkQuery(rule, check)
		}
	}
	if len(r.problems) > 0 {
		sort.SliceStable(r.problems, func(i, j int) bool { return before(r.problems[i], r.problems[j]) })
		return nil, r.problems
	}
	rule.Warnings = r.warnings
	return rule, nil
}

func before(a, b picket.Problem) bool {
	if a.Line != b.Line {
		return a.Line < b.Line
	}
	return a.Column < b.Column
}

// LoadDir reads every .yaml and .yml file of dir, sorted by name. A file that
// is no good stops only itself: its problems are in the error, joined with
// those of the others, and the rules of the rest are returned. Of two rules
// with one id the second is refused.
func LoadDir(fsys fs.FS, dir string, check Check) ([]*Rule, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read the rules: %w", err)
	}
	var rules []*Rule
	var errs []error
	byID := map[string]string{}
	for _, e := range entries {
		if ext := path.Ext(e.Name()); e.IsDir() || ext != ".yaml" && ext != ".yml" {
			continue
		}
		name := path.Join(dir, e.Name())
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the rules: %w", err))
			continue
		}
		rule, err := Load(name, data, check)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if other, ok := byID[rule.ID]; ok {
			errs = append(errs, picket.Problems{{File: name, Line: rule.IDLine, Column: 1,
				Msg: fmt.Sprintf("id: %s is also the id of %s; expected a GUID of its own", rule.ID, other)}})
			continue
		}
		byID[rule.ID] = name
		rules = append(rules, rule)
	}
	return rules, errors.Join(errs...)
}

var technique = regexp.MustCompile(`^T\d{4}(\.\d{3})?$`)

// rule reads the fields of the rule itself.
func (o *object) rule(r *Rule) {
	o.identity(r)
	o.schedule(r)
	o.entities(r)
	o.details(r)
	o.override(r)
	o.alerts(r)
	o.grouping(r)
}

func (o *object) identity(r *Rule) {
	if id := strings.TrimSpace(o.text("id", "a GUID", true)); id != "" {
		if u, err := uuid.Parse(id); err != nil || len(id) != 36 {
			o.r.problem(o.values["id"], "id: found %s; expected a GUID such as 1b2e0b1c-95a5-4a0b-8b8c-3a5d8d1f3c11", quote(id))
		} else {
			r.ID = u.String()
			r.IDLine, _ = position(o.values["id"])
		}
	}
	r.Name = strings.TrimSpace(o.text("name", "the name of the rule", true))
	if n := len([]rune(r.Name)); n > maxName {
		o.r.problem(o.values["name"], "name: found %d characters; expected at most %d", n, maxName)
	}
	// The repository's convention wraps descriptions in quotes within the block.
	r.Description = strings.TrimSpace(o.text("description", "text", false))
	if d := r.Description; len(d) > 1 && d[0] == '\'' && d[len(d)-1] == '\'' {
		r.Description = strings.TrimSpace(d[1 : len(d)-1])
	}
	if n := len([]rune(r.Description)); n > maxDesc {
		o.r.problem(o.values["description"], "description: found %d characters; expected at most %d", n, maxDesc)
	}
	severities := []string{"Informational", "Low", "Medium", "High"}
	if o.values["severity"] == nil {
		o.missing("severity", wordList(severities))
	}
	r.Severity = picket.Severity(o.choice("severity", severities, ""))
	r.Version = o.text("version", "a version such as 1.0.0", false)
	r.Tactics = o.words("tactics", "an ATT&CK tactic without blanks, such as CredentialAccess", func(s string) (string, bool) {
		return oneOf(strings.ReplaceAll(s, " ", ""), tactics())
	})
	r.Techniques = o.words("relevantTechniques", "an ATT&CK technique such as T1110 or T1110.001", func(s string) (string, bool) {
		s = strings.ToUpper(s)
		return s, technique.MatchString(s)
	})
	for i, n := range o.list("requiredDataConnectors") {
		c := o.r.object(n, fmt.Sprintf("requiredDataConnectors[%d].", i), "connectorId", "dataTypes")
		if c != nil {
			r.DataTypes = append(r.DataTypes, c.words("dataTypes", "the name of a table", func(s string) (string, bool) { return s, s != "" })...)
		}
	}
}

// schedule reads the query and when it runs.
func (o *object) schedule(r *Rule) {
	if n, ok := o.values["kind"]; ok {
		s, _ := scalar(n)
		switch {
		case strings.EqualFold(s, "Scheduled"):
		case strings.EqualFold(s, "NRT"):
			o.r.problem(n, "kind: NRT rules are not supported; expected Scheduled (with queryFrequency: 5m it is nearly the same)")
		default:
			o.r.problem(n, "kind: found %s; expected Scheduled", found(n))
		}
	}
	r.Query = o.text("query", "a KQL query", true)
	if n := len([]rune(r.Query)); n > maxQuery {
		o.r.problem(o.values["query"], "query: found %d characters; expected at most %d", n, maxQuery)
	}
	if n, ok := o.values["query"]; ok {
		r.QueryLine, _ = position(n)
		if _, block := n.(*ast.LiteralNode); block {
			r.QueryLine++
		}
	}
	r.Frequency = o.span("queryFrequency", minSpan, maxSpan, 0, true)
	r.Period = o.span("queryPeriod", minSpan, maxSpan, 0, true)
	if r.Frequency > r.Period && r.Period > 0 {
		o.r.problem(o.values["queryPeriod"], "queryPeriod: found %s, which leaves gaps between runs; expected at least queryFrequency (%s)",
			timespan(r.Period), timespan(r.Frequency))
	}
	if o.values["triggerOperator"] == nil {
		o.missing("triggerOperator", "gt, lt, eq or ne")
	}
	r.Operator = Operator(o.choice("triggerOperator", []string{"gt", "lt", "eq", "ne"}, ""))
	r.Threshold = o.integer("triggerThreshold", 0, maxThreshold, true)
	r.Suppress = o.span("suppressionDuration", minSpan, maxSuppress, 5*time.Hour, false)
	if !o.boolean("suppressionEnabled", false) {
		r.Suppress = 0
	}
}

func (o *object) entities(r *Rule) {
	items := o.list("entityMappings")
	if len(items) > maxMappings {
		o.r.problem(items[maxMappings], "entityMappings: found %d; expected at most %d", len(items), maxMappings)
	}
	for i, n := range items {
		m := o.r.object(n, fmt.Sprintf("entityMappings[%d].", i), "entityType", "fieldMappings")
		if m == nil {
			continue
		}
		if m.values["entityType"] == nil {
			m.missing("entityType", wordList(entityTypes()))
		}
		mapping := EntityMapping{Type: m.choice("entityType", entityTypes(), "")}
		fields := m.list("fieldMappings")
		if m.values["fieldMappings"] == nil {
			m.missing("fieldMappings", "a list of identifier and columnName")
		}
		if len(fields) > maxFields {
			o.r.problem(fields[maxFields], "%sfieldMappings: found %d; expected at most %d", m.path, len(fields), maxFields)
		}
		for j, n := range fields {
			f := o.r.object(n, fmt.Sprintf("%sfieldMappings[%d].", m.path, j), "identifier", "columnName")
			if f == nil {
				continue
			}
			known := identifiers(mapping.Type)
			if f.values["identifier"] == nil {
				f.missing("identifier", "an identifier such as Address, HostName or FullName")
			}
			id := ""
			if mapping.Type != "" {
				id = f.choice("identifier", known, "")
			}
			mapping.Fields = append(mapping.Fields, FieldMapping{Identifier: id, Column: f.text("columnName", "a column of the query's result", true)})
		}
		r.Entities = append(r.Entities, mapping)
	}
}

func (o *object) details(r *Rule) {
	n, ok := o.values["customDetails"]
	if !ok {
		return
	}
	d := o.r.object(n, "customDetails.")
	if d == nil {
		return
	}
	if len(d.keys) > maxDetails {
		o.r.problem(d.names[d.keys[maxDetails]], "customDetails: found %d; expected at most %d", len(d.keys), maxDetails)
	}
	for _, k := range d.keys {
		r.Details = append(r.Details, CustomDetail{Key: k, Column: d.text(k, "a column of the query's result", true)})
	}
}

var place = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

func (o *object) override(r *Rule) {
	n, ok := o.values["alertDetailsOverride"]
	if !ok {
		return
	}
	d := o.r.object(n, "alertDetailsOverride.", "alertDisplayNameFormat", "alertDescriptionFormat", "alertTacticsColumnName",
		"alertSeverityColumnName", "alertDynamicProperties")
	if d == nil {
		return
	}
	r.Override = Override{
		Name:           d.format("alertDisplayNameFormat", maxName),
		Description:    d.format("alertDescriptionFormat", maxDesc),
		TacticsColumn:  d.text("alertTacticsColumnName", "a column of the query's result", false),
		SeverityColumn: d.text("alertSeverityColumnName", "a column of the query's result", false),
	}
	for i, n := range d.list("alertDynamicProperties") {
		p := o.r.object(n, fmt.Sprintf("alertDetailsOverride.alertDynamicProperties[%d].", i), "alertProperty", "value")
		if p == nil {
			continue
		}
		if p.values["alertProperty"] == nil {
			p.missing("alertProperty", wordList(alertProperties()))
		}
		r.Override.Properties = append(r.Override.Properties, DynamicProperty{
			Property: p.choice("alertProperty", alertProperties(), ""),
			Column:   p.text("value", "a column of the query's result", true),
		})
	}
}

// format returns a text with places for columns.
func (o *object) format(key string, limit int) string {
	s := strings.TrimSpace(o.text(key, "text with {{Column}} places", false))
	if n := len([]rune(s)); n > limit {
		o.r.problem(o.values[key], "%s%s: found %d characters; expected at most %d", o.path, key, n, limit)
	}
	if n := len(place.FindAllString(s, -1)); n > maxPlaces {
		o.r.problem(o.values[key], "%s%s: found %d {{Column}} places; expected at most %d", o.path, key, n, maxPlaces)
	}
	return s
}

func (o *object) alerts(r *Rule) {
	n, ok := o.values["eventGroupingSettings"]
	if !ok {
		return
	}
	if g := o.r.object(n, "eventGroupingSettings.", "aggregationKind"); g != nil {
		r.PerResult = g.choice("aggregationKind", []string{"SingleAlert", "AlertPerResult"}, "SingleAlert") == "AlertPerResult"
	}
}

func (o *object) grouping(r *Rule) {
	r.Incident = picket.Grouping{CreateIncident: true, Lookback: 5 * time.Hour, MatchingMethod: "AllEntities"}
	n, ok := o.values["incidentConfiguration"]
	if !ok {
		return
	}
	c := o.r.object(n, "incidentConfiguration.", "createIncident", "groupingConfiguration")
	if c == nil {
		return
	}
	r.Incident.CreateIncident = c.boolean("createIncident", true)
	if n, ok = c.values["groupingConfiguration"]; !ok {
		return
	}
	g := o.r.object(n, "incidentConfiguration.groupingConfiguration.", "enabled", "reopenClosedIncident", "lookbackDuration",
		"matchingMethod", "groupByEntities", "groupByAlertDetails", "groupByCustomDetails")
	if g == nil {
		return
	}
	in := &r.Incident
	in.Enabled = g.boolean("enabled", false)
	in.ReopenClosedIncident = g.boolean("reopenClosedIncident", false)
	in.Lookback = g.span("lookbackDuration", minSpan, maxLookback, 5*time.Hour, false)
	in.MatchingMethod = g.choice("matchingMethod", []string{"AllEntities", "AnyAlert", "Selected"}, "AllEntities")
	in.GroupByEntities = g.words("groupByEntities", "an entity type: "+wordList(entityTypes()), func(s string) (string, bool) { return oneOf(s, entityTypes()) })
	details := []string{"DisplayName", "Severity"}
	in.GroupByAlertDetails = g.words("groupByAlertDetails", wordList(details), func(s string) (string, bool) { return oneOf(s, details) })
	keys := make([]string, len(r.Details))
	for i, d := range r.Details {
		keys[i] = d.Key
	}
	in.GroupByCustomDetails = g.words("groupByCustomDetails", "a key of customDetails", func(s string) (string, bool) { return s, contains(keys, s) })
	if in.Enabled && in.MatchingMethod == "Selected" && len(in.GroupByEntities)+len(in.GroupByAlertDetails)+len(in.GroupByCustomDetails) == 0 && len(o.r.problems) == 0 {
		g.missing("groupByEntities", "entity types, alert details or custom details to group by, since matchingMethod is Selected")
	}
}
