// Package collection takes records that are posted and makes them rows, as data
// collection rules say: which stream a record is of, the KQL that transforms it
// and the table it goes to. It speaks Azure's formats, so that what was made for
// an Azure workspace works here (Microsoft pages "Structure of a data collection
// rule in Azure Monitor", "Logs Ingestion API in Azure Monitor", "Send log data
// to Azure Monitor by using the HTTP Data Collector API").
package collection

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"picket/kql"
)

// A Rule is a data collection rule.
type Rule struct {
	ID   string // immutable id: dcr- and 32 hexadecimal digits
	Name string // of the file, without its ending
	File string

	Streams map[string]*Stream // by name

	Sources Sources // what an agent of this rule collects
}

// A Stream is a kind of records that a rule takes.
type Stream struct {
	Name    string
	Columns []kql.Column // that its records have; other properties are dropped
	Flows   []Flow
}

// A Flow is what becomes of a stream's records.
type Flow struct {
	Transform string // KQL over the table source, or "" for none
	Table     string
}

// A SyslogSource is what an agent collects of the system's log.
type SyslogSource struct {
	Streams    []string `yaml:"streams" json:"streams"`
	Name       string   `yaml:"name" json:"name"`
	Facilities []string `yaml:"facilityNames" json:"facilityNames"` // *, or names such as auth
	Levels     []string `yaml:"logLevels" json:"logLevels"`         // *, or names such as Warning
	Transform  string   `yaml:"transformKql" json:"-"`
}

// A FileSource is what an agent collects of log files.
type FileSource struct {
	Streams  []string       `yaml:"streams" json:"streams"`
	Name     string         `yaml:"name" json:"name"`
	Patterns []string       `yaml:"filePatterns" json:"filePatterns"` // paths with * and ?
	Format   string         `yaml:"format" json:"format"`             // text or json
	Settings map[string]any `yaml:"settings" json:"-"`
}

// Sources are what an agent collects: of a rule, or of the built-in one.
type Sources struct {
	Syslog   []SyslogSource `json:"syslog"`
	LogFiles []FileSource   `json:"logFiles"`
}

// DefaultSources are those of a host that enrols without a rule: who logs in and
// who becomes root.
func DefaultSources() Sources {
	return Sources{Syslog: []SyslogSource{{
		Name: "authentication", Streams: []string{"Microsoft-Syslog"}, Facilities: []string{"auth", "authpriv"}, Levels: []string{"*"},
	}}}
}

// Table returns the table whose records have the stream's name: X_CL of
// Custom-X_CL, SecurityEvent of Microsoft-SecurityEvent; ok says whether it is
// such a name and records can be sent to the table.
func Table(stream string) (table string, ok bool) {
	if table, ok = strings.CutPrefix(stream, "Custom-"); ok {
		return table, customTable.MatchString(table)
	}
	table, ok = strings.CutPrefix(stream, "Microsoft-")
	return table, ok && azureTable.MatchString(table) && !strings.HasSuffix(table, "_CL") && !ownTable(table)
}

var (
	customTable = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,59}_CL$`)
	azureTable  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)
)

// ownTable tells the tables that only Picket writes.
func ownTable(table string) bool {
	switch table {
	case "SecurityAlert", "SecurityIncident", "SentinelHealth", "Usage":
		return true
	}
	return false
}

// fixedTable tells the tables of Azure's whose columns are built in: rules add
// none. Others have those that flow to them.
func fixedTable(table string) bool {
	switch table {
	case "CommonSecurityLog", "Heartbeat", "Syslog":
		return true
	}
	return false
}

// BuiltinID returns the immutable id of a workspace's built-in rule, which takes
// every Custom-…_CL stream and those of Azure's tables that take records.
func BuiltinID(workspaceID string) string {
	return "dcr-" + strings.ReplaceAll(workspaceID, "-", "")
}

// derivedID is the immutable id of a rule whose file gives it none: the same at
// every start.
func derivedID(workspaceID, name string) string {
	sum := sha256.Sum256([]byte(workspaceID + "\x00" + name))
	return "dcr-" + hex.EncodeToString(sum[:16])
}
