// Package analytics finds things in the logs: it loads analytics rules in the
// YAML of the Azure-Sentinel repository, runs each on its schedule, durably,
// and turns the rows a rule's query returns into alerts. What becomes of an
// alert is not its business.
package analytics

import (
	"time"

	"picket"
)

// A Rule is a scheduled analytics rule, validated.
type Rule struct {
	File        string // where it was loaded from
	ID          string // GUID, lower case
	IDLine      int    // line of File on which ID stands
	Name        string
	Description string
	Severity    picket.Severity
	Version     string
	Tactics     []string // as Sentinel spells them: CredentialAccess
	Techniques  []string // T1110, T1110.001
	DataTypes   []string // tables named by requiredDataConnectors

	Query     string        // KQL
	QueryLine int           // line of File on which the first line of Query stands
	Frequency time.Duration // from one slot to the next, 5 minutes to 14 days
	Period    time.Duration // how far back a slot looks, at least Frequency, at most 14 days
	Operator  Operator      // how the number of rows compares to Threshold for an alert
	Threshold int           // 0 to 10,000

	Entities  []EntityMapping
	Details   []CustomDetail
	Override  Override
	PerResult bool          // an alert for every row, not one for all
	Suppress  time.Duration // no runs for so long after an alert; 0 for none
	Incident  picket.Grouping

	// Warnings are remarks on the file that do not stop the rule.
	Warnings picket.Problems
}

// Operator compares the number of rows with the threshold.
type Operator string

// The operators, as the Azure-Sentinel repository spells them.
const (
	GreaterThan Operator = "gt"
	LessThan    Operator = "lt"
	EqualTo     Operator = "eq"
	NotEqualTo  Operator = "ne"
)

// Holds reports whether rows compares to threshold as o says.
func (o Operator) Holds(rows, threshold int) bool {
	switch o {
	case GreaterThan:
		return rows > threshold
	case LessThan:
		return rows < threshold
	case EqualTo:
		return rows == threshold
	case NotEqualTo:
		return rows != threshold
	}
	return false
}

// English returns the operator as ExtendedProperties of an alert spell it.
func (o Operator) English() string {
	switch o {
	case GreaterThan:
		return "GreaterThan"
	case LessThan:
		return "LessThan"
	case EqualTo:
		return "Equal"
	case NotEqualTo:
		return "NotEqual"
	}
	return string(o)
}

// An EntityMapping makes one entity of each result row.
type EntityMapping struct {
	Type   string // IP, Host, Account, …
	Fields []FieldMapping
}

// A FieldMapping gives an identifier of an entity the value of a column.
type FieldMapping struct {
	Identifier string // Address, HostName, …
	Column     string
}

// A CustomDetail shows the values of a column in the alert.
type CustomDetail struct {
	Key    string
	Column string
}

// Override fills details of an alert from the first row behind it
// (alertDetailsOverride). Empty fields leave the rule's own.
type Override struct {
	Name           string // format with {{Column}} places
	Description    string // format with {{Column}} places
	TacticsColumn  string
	SeverityColumn string
	Properties     []DynamicProperty
}

// A DynamicProperty sets a property of the alert from a column (alertDynamicProperties).
type DynamicProperty struct {
	Property string // AlertLink, ConfidenceLevel, ConfidenceScore, …
	Column   string
}
