package kql

import (
	"fmt"
	"strings"
	"testing"
)

// TestPlanOfChains plans queries whose steps build on each other: the time must
// not double with every step, or these would never end.
func TestPlanOfChains(t *testing.T) {
	db, cat := openWorkspace(t)
	for name, step := range map[string]string{
		"iff":    `| extend x = iff(SyslogMessage contains "%d", strcat(x, x, "%[1]d"), x)`,
		"array":  `| extend a = iff(SyslogMessage contains "%d", array_concat(a, pack_array("%[1]d"), a), a)`,
		"sum":    `| extend n = n * 2 + n + n + strlen(x)`,
		"fields": `| project TimeGenerated, HostName, SyslogMessage, n, a, x = strcat(substring(x, %d, 1), x, x)`,
	} {
		var q strings.Builder
		q.WriteString("Syslog | extend x = tolower(SyslogMessage), a = dynamic([]), n = 1\n")
		for i := range 40 {
			if strings.Contains(step, "%") {
				fmt.Fprintf(&q, step+"\n", i)
			} else {
				q.WriteString(step + "\n")
			}
		}
		q.WriteString(`| where array_length(a) > 0 and x contains "z" and n > 3 | count`)
		c, err := Compile(q.String(), cat, Options{Now: testNow})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rows, err := db.QueryContext(t.Context(), "EXPLAIN "+c.SQL)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestWideUnion compiles queries over a thousand tables: the SQL names what is
// read and no more.
func TestWideUnion(t *testing.T) {
	cat := testCatalog{}
	empty := map[string]bool{}
	for i := range 1000 {
		tab := &Table{Name: fmt.Sprintf("T%d", i)}
		for j := range 40 {
			tab.Columns = append(tab.Columns, Column{fmt.Sprintf("C%d_%d", i/10, j), String})
		}
		cat[tab.Name] = tab
		empty[tab.Name] = i > 0
	}
	for _, c := range []struct {
		query string
		empty bool
		max   int
	}{
		{`union withsource=T * | where C3_1 == "x" | summarize count() by T`, false, 100_000},
		{`union withsource=T * | where C3_1 == "x" | summarize count() by T`, true, 1000},
		{`search "x" | summarize count() by $table`, true, 10_000},
		{`union withsource=T * | summarize arg_max(C1_1, *) by T | count`, true, 1000},
	} {
		o := Options{Now: testNow}
		if c.empty {
			o.Empty = func() map[string]bool { return empty }
		}
		q, err := Compile(c.query, cat, o)
		if err != nil {
			t.Fatalf("%s: %v", c.query, err)
		}
		if len(q.SQL) > c.max {
			t.Errorf("%s: %d bytes of SQL, want at most %d: %.300s", c.query, len(q.SQL), c.max, q.SQL)
		}
	}
}
