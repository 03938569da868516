package workspace

import (
	"fmt"
	"strings"
)

// hasSQL is the condition for a term or phrase in a message, by hand.
func hasSQL(phrase string) string {
	return fmt.Sprintf(`contains(lower(SyslogMessage), '%s') AND regexp_matches(lower(SyslogMessage), '(^|[^\pL\pN])%[1]s($|[^\pL\pN])')`, strings.ToLower(phrase))
}

// detectionCases are ten typical detections with the best SQL over the columns
// that a query sees. addrs are the corpus's addresses, the frequent ones first.
func detectionCases(addrs []string) []speedCase {
	rare := addrs[len(addrs)-50:]
	return []speedCase{
		{"failed-password", `Syslog | where SyslogMessage startswith "Failed Password" | extend ip = extract(@"from (\S+) port", 1, SyslogMessage) | summarize n = count() by ip | where n > 100`,
			`SELECT regexp_extract(SyslogMessage, 'from (\S+) port', 1) AS ip, count(*) AS n FROM Syslog WHERE lower(SyslogMessage[:15]) = 'failed password' GROUP BY ip HAVING n > 100`},
		{"brute-force-success", `Syslog | where SyslogMessage has "Failed password" | parse SyslogMessage with * "from " ip " port" * | summarize failed = count() by ip | where failed > 50
			| join kind=inner (Syslog | where SyslogMessage has "Accepted" | parse SyslogMessage with * "from " ip " port" * | summarize accepted = count() by ip) on ip | project ip, failed, accepted`,
			`SELECT ip, failed, accepted FROM (SELECT regexp_extract(SyslogMessage, 'from (.*?) port', 1) AS ip, count(*) AS failed FROM Syslog WHERE ` + hasSQL("failed password") + ` GROUP BY ip HAVING failed > 50)
			JOIN (SELECT regexp_extract(SyslogMessage, 'from (.*?) port', 1) AS ip, count(*) AS accepted FROM Syslog WHERE ` + hasSQL("accepted") + ` GROUP BY ip) USING (ip)`},
		{"user-enumeration", `Syslog | where SyslogMessage has "Invalid user" | parse SyslogMessage with "Invalid user " user " from " ip " port" * | summarize users = dcount(user) by ip | where users > 5`,
			`SELECT g.ip, count(DISTINCT g.u) AS users FROM (SELECT regexp_extract(SyslogMessage, '^Invalid user (.*?) from (.*?) port', ['u', 'ip']) AS g FROM Syslog WHERE ` + hasSQL("invalid user") + `) GROUP BY 1 HAVING users > 5`},
		{"rare-process", `Syslog | summarize n = count(), hosts = dcount(HostName) by ProcessName | where n < 100000000`,
			`SELECT ProcessName, count(*) AS n, count(DISTINCT HostName) AS hosts FROM Syslog GROUP BY ProcessName HAVING n < 100000000`},
		{"count-by-hour", `Syslog | where Facility == "auth" | summarize n = count() by bin(TimeGenerated, 1h), HostName`,
			`SELECT TimeGenerated - TimeGenerated % 36000000000 AS t, HostName, count(*) AS n FROM Syslog WHERE Facility = 'auth' GROUP BY t, HostName`},
		{"50-indicators", `Syslog | where SyslogMessage has_any ("` + strings.Join(rare, `", "`) + `") | summarize n = count() by HostName`,
			`SELECT HostName, count(*) AS n FROM Syslog WHERE regexp_matches(SyslogMessage, '(?:^|[^\pL\pN])(?:` + strings.ReplaceAll(strings.Join(rare, "|"), ".", `\.`) + `)(?:$|[^\pL\pN])') GROUP BY HostName`},
		{"extract-dcount", `Syslog | where ProcessName == "nginx" | extend ip = extract(@"^(\S+) - - ", 1, SyslogMessage) | summarize dcount(ip) by bin(TimeGenerated, 1d)`,
			`SELECT TimeGenerated - TimeGenerated % 864000000000 AS t, count(DISTINCT regexp_extract(SyslogMessage, '^(\S+) - - ', 1)) FROM Syslog WHERE ProcessName = 'nginx' GROUP BY t`},
		{"top-talkers", `Syslog | where TimeGenerated between (datetime(2024-01-03) .. datetime(2024-01-04)) | extend ip = extract(@"\d+\.\d+\.\d+\.\d+", 0, SyslogMessage) | where ip != "" | summarize n = count() by ip | where n > 100`,
			`SELECT ip, count(*) AS n FROM (SELECT regexp_extract(SyslogMessage, '\d+\.\d+\.\d+\.\d+', 0) AS ip FROM Syslog WHERE TimeGenerated BETWEEN 638398368000000000 AND 638399232000000000) WHERE ip <> '' GROUP BY ip HAVING n > 100`},
		{"heartbeat-gaps", `Heartbeat | summarize arg_max(TimeGenerated, OSType) by Computer | where TimeGenerated < now() - 5m`,
			`SELECT Computer, max(TimeGenerated) AS t, arg_max(OSType, TimeGenerated) FROM Heartbeat GROUP BY Computer HAVING t < 638402685000000000`},
		{"denied-by-port", `CommonSecurityLog | where DeviceAction == "deny" | summarize n = count(), sources = dcount(SourceIP) by DestinationIP, DestinationPort | where n > 100`,
			`SELECT DestinationIP, DestinationPort, count(*) AS n, count(DISTINCT SourceIP) AS sources FROM CommonSecurityLog WHERE DeviceAction = 'deny' GROUP BY ALL HAVING n > 100`},
	}
}

// searchCases are searches in text with the same in LogsQL. The last column of
// each row is compared.
func searchCases(addrs []string) []speedCase {
	rare := addrs[len(addrs)-1000]
	return []speedCase{
		{"phrase count", `Syslog | where SyslogMessage has "Failed password" | count`, `"Failed password" | stats count() n`},
		{"top 20 addresses from text", `Syslog | where SyslogMessage has "Failed password" | parse SyslogMessage with * "from " ip " port" * | summarize n = count() by ip | top 20 by n | project n`,
			`"Failed password" | extract "from <ip> port" | stats by (ip) count() n | sort by (n desc) limit 20 | fields n`},
		{"one address", `Syslog | where SyslogMessage has "` + rare + `" | count`, `"` + rare + `" | stats count() n`},
		{"count by hour", `Syslog | summarize n = count() by bin(TimeGenerated, 1h) | project n`, `* | stats by (_time:1h) count() n | fields n`},
	}
}
