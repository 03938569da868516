package kql

import (
	"database/sql"
	"fmt"
	"slices"
	"testing"
	"time"
)

// speedRows is how many rows of Syslog the comparison runs over.
const speedRows = 2_000_000

// speedCases are typical detections with the SQL that one would write by hand
// over the same table.
var speedCases = []struct{ name, kql, sql string }{
	{"failed-password", failedLogins, `SELECT HostName, SyslogMessage, EventTime, regexp_extract(SyslogMessage, '(([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.(([0-9]{1,3})))', 1) AS IP,
		regexp_extract(SyslogMessage, 'for(?s)(.*)from', 1) AS "User" FROM Syslog WHERE lower(SyslogMessage[:15]) = 'failed password' ORDER BY EventTime DESC NULLS LAST`},
	{"has", `Syslog | where SyslogMessage has "invalid" | count`, `SELECT count(*) FROM Syslog WHERE contains(lower(SyslogMessage), 'invalid') AND regexp_matches(SyslogMessage, '(?i)(^|[^a-zA-Z0-9])invalid($|[^a-zA-Z0-9])')`},
	{"has-rare", `Syslog | where SyslogMessage has "203.0.113.77" | count`, `SELECT count(*) FROM Syslog WHERE contains(SyslogMessage, '203.0.113.77') AND regexp_matches(SyslogMessage, '(^|[^a-zA-Z0-9])203\.0\.113\.77($|[^a-zA-Z0-9])')`},
	{"contains", `Syslog | where SyslogMessage contains "INVALID user" | count`, `SELECT count(*) FROM Syslog WHERE contains(lower(SyslogMessage), 'invalid user')`},
	{"time-range", `Syslog | where TimeGenerated > datetime(2024-01-20) and Facility == "auth" | count`, `SELECT count(*) FROM Syslog WHERE TimeGenerated > 638413056000000000 AND Facility = 'auth'`},
	{"by-hour", `Syslog | summarize count() by bin(TimeGenerated, 1h)`, `SELECT TimeGenerated - TimeGenerated % 36000000000 AS t, count(*) FROM Syslog GROUP BY t`},
	{"by-host", `Syslog | where Facility == "auth" | summarize n = count(), last = max(TimeGenerated) by HostName | top 5 by n`, `SELECT HostName, count(*) AS n, max(TimeGenerated) FROM Syslog WHERE Facility = 'auth' GROUP BY HostName ORDER BY n DESC LIMIT 5`},
	{"top-addresses", `Syslog | extend ip = extract(@"\d+\.\d+\.\d+\.\d+", 0, SyslogMessage) | where ip != "" | summarize n = count() by ip | top 20 by n`,
		`SELECT ip, count(*) AS n FROM (SELECT regexp_extract(SyslogMessage, '\d+\.\d+\.\d+\.\d+', 0) AS ip FROM Syslog) WHERE ip <> '' GROUP BY ip ORDER BY n DESC LIMIT 20`},
	{"distinct", `Syslog | summarize dcount(HostName), dcountif(HostName, Facility == "cron") by bin(TimeGenerated, 1d)`,
		`SELECT TimeGenerated // 864000000000 AS t, count(DISTINCT HostName), count(DISTINCT HostName) FILTER (WHERE Facility = 'cron') FROM Syslog GROUP BY t`},
	{"join", `Syslog | where SyslogMessage has "invalid" | summarize n = count() by HostName | join kind=inner (Syslog | where SyslogMessage has "Accepted" | summarize ok = count() by HostName) on HostName | where n > 10`,
		`SELECT * FROM (SELECT HostName, count(*) AS n FROM Syslog WHERE contains(lower(SyslogMessage), 'invalid') AND regexp_matches(SyslogMessage, '(?i)(^|[^a-zA-Z0-9])invalid($|[^a-zA-Z0-9])') GROUP BY HostName) l
		JOIN (SELECT HostName, count(*) AS ok FROM Syslog WHERE contains(lower(SyslogMessage), 'accepted') AND regexp_matches(SyslogMessage, '(?i)(^|[^a-zA-Z0-9])accepted($|[^a-zA-Z0-9])') GROUP BY HostName) r USING (HostName) WHERE n > 10`},
	{"arithmetic", `Syslog | extend n = strlen(SyslogMessage) | summarize sum(n * 2 + 1), max(TimeGenerated - EventTime)`,
		`SELECT sum(length(SyslogMessage) * 2 + 1), max(TimeGenerated - EventTime) FROM Syslog`},
}

// BenchmarkSQL compares what the compiler writes with hand-written SQL, over the
// same rows in one run: the ratio is what counts.
func BenchmarkSQL(b *testing.B) {
	db, cat := openWorkspace(b)
	db.SetMaxOpenConns(1)
	fillSyslog(b, db)
	for _, c := range speedCases {
		q, err := Compile(c.kql, cat, Options{Now: testNow})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(c.name, func(b *testing.B) {
			var ours, theirs []time.Duration
			for range b.N {
				ours = append(ours, drain(b, db, q.SQL))
				theirs = append(theirs, drain(b, db, c.sql))
			}
			slices.Sort(ours)
			slices.Sort(theirs)
			o, t := ours[len(ours)/2], theirs[len(theirs)/2]
			b.ReportMetric(float64(o.Microseconds())/1e3, "ms")
			b.ReportMetric(float64(o)/float64(t), "ratio")
		})
	}
}

func drain(b *testing.B, db *sql.DB, query string) time.Duration {
	b.Helper()
	start := time.Now()
	rows, err := db.Query(query)
	if err != nil {
		b.Fatalf("%v\n%s", err, query)
	}
	defer rows.Close()
	for rows.Next() {
	}
	if err := rows.Err(); err != nil {
		b.Fatalf("%v\n%s", err, query)
	}
	return time.Since(start)
}

// fillSyslog replaces the rows of Syslog by many, the same in every run.
func fillSyslog(b *testing.B, db *sql.DB) {
	b.Helper()
	_, err := db.Exec(fmt.Sprintf(`CREATE OR REPLACE TABLE "Syslog" AS SELECT 638396640000000000 + i * 12960000 AS "TimeGenerated", 638396640000000000 + i * 12960000 - 10000000 AS "EventTime",
		'host' || i %% 50 AS "HostName", CASE WHEN i %% 3 = 0 THEN 'cron' ELSE 'auth' END AS "Facility",
		CASE WHEN i %% 20 = 0 THEN 'Failed password for root from 203.0.113.' || i %% 251 || ' port 22 ssh2'
			WHEN i %% 21 = 0 THEN 'Failed password for invalid user admin from 198.51.100.' || i %% 251 || ' port 4242 ssh2'
			WHEN i %% 7 = 0 THEN 'Accepted publickey for deploy from 192.0.2.' || i %% 13 || ' port 50022 ssh2'
			ELSE 'session opened for user u' || i %% 1000 || ' by (uid=0) on /dev/pts/' || i %% 9 END AS "SyslogMessage", 638396640000000000 + i * 12960000 AS "$ingestion_time" FROM range(%d) t(i)`, speedRows))
	if err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCompile compiles the failed-password query; TestCorpus tells the times of
// real-world queries.
func BenchmarkCompile(b *testing.B) {
	_, cat := openWorkspace(b)
	b.Run("failed-password", func(b *testing.B) {
		for b.Loop() {
			if _, err := Compile(failedLogins, cat, Options{Now: testNow}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
