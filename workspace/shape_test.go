package workspace

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"picket"
	"picket/kql"
)

// shapeMessages are lines of the corpus and texts that have no shape, or an odd one.
func shapeMessages() []string {
	c := newCorpus(1000)
	var out []string
	for range 600 {
		out = append(out, c.next().Message)
	}
	return append(out, "", " ", "FAILED PASSWORD", "failed password", "Failed  password", "xFailed password", "Failed password1", "Failed_password", "[Failed password]",
		"Fäiled password", "Failed password for j\u212aim", "Failed\x01 \x01password", "\x01failed\x01 \x01password\x01", "fail", "fail2ban", "fail 2ban", "a.b.c", "0", "00", "0.0.0.0 from 10.0.0.0",
		"Failed password "+strings.Repeat("x", 2000), "% _ \\ ' \"", "a\tb\nc", "CASE WHEN \"$shape\" <> '' THEN", "ﬁ fi")
}

// shapeTables makes a workspace in which Syslog and Plain_CL hold the same texts,
// of which the latter has no shapes.
func shapeTables(t *testing.T) (*DB, []string) {
	t.Helper()
	db := open(t, "", Options{})
	if err := db.CreateTable(t.Context(), kql.Table{Name: "Plain_CL", Columns: []kql.Column{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "N", Type: kql.Long}, {Name: "Text", Type: kql.String}}}); err != nil {
		t.Fatal(err)
	}
	messages := shapeMessages()
	for turn := range 3 { // so that shapes recur
		ours := picket.Batch{Table: "Syslog", Columns: []string{"ProcessID", "SyslogMessage"}}
		plain := picket.Batch{Table: "Plain_CL", Columns: []string{"N", "Text"}}
		for i, m := range messages {
			n := turn*len(messages) + i
			ours.Rows, plain.Rows = append(ours.Rows, []any{n, m}), append(plain.Rows, []any{n, m})
		}
		for _, b := range []picket.Batch{ours, plain} {
			if err := db.Append(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	n := scalar[int64](t, db, `SELECT count(*) FROM "Syslog" WHERE "$shape" <> ''`)
	if all := int64(3 * len(messages)); n < all/3 || n > all-100 {
		t.Fatalf("%d of %d rows have a shape: want some with and some without", n, all)
	}
	return db, messages
}

// sameRows runs a pipeline over both tables, in which N is the row's number and
// Text its text.
func sameRows(t *testing.T, db *DB, pipeline string) {
	t.Helper()
	const ours = `let T = Syslog | project-rename N = ProcessID, Text = SyslogMessage | project-keep N, Text; `
	const plain = `let T = Plain_CL | project-keep N, Text; `
	tail := pipeline + " | extend N = tostring(N) | sort by N asc"
	got, want := query(t, db, ours+tail, kql.Options{}), query(t, db, plain+tail, kql.Options{})
	// Rows of the same N are in any order.
	byText := func(a, b []any) int { return strings.Compare(fmt.Sprint(a...), fmt.Sprint(b...)) }
	slices.SortFunc(got, byText)
	slices.SortFunc(want, byText)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s\n%d rows, without shapes %d: %.300v\n%.300v", pipeline, len(got), len(want), got, want)
	}
}

func TestShapesChangeNoAnswer(t *testing.T) {
	db, _ := shapeTables(t)
	for _, pipeline := range []string{
		`T | where Text has "Failed password" | project N`,
		`T | where not(Text has "failed password") and N > 20 | project N`,
		`T | where Text has "failed" or Text contains "invalid user" or N < 5 | project N`,
		`T | where Text !has "password" | where Text has "from" | project N, Text`,
		`T | where Text has "password" | extend Text = strcat("x", Text) | where Text has "failed" | project N`,
		`T | extend Text = "Failed password" | where Text has "failed password" | project N`,
		`T | extend Other = Text, Text = "x" | where Other has "failed password" | project N`,
		`T | project N, Line = Text | where Line has "failed" | project-away Line`,
		`T | project N | where N has "5"`,
		`T | where N % 2 == 0 | where Text has_any ("accepted", "disconnect", "10.0.0.0", "Bye", "preauth", "ufw block") | project N`,
		`T | where Text has_any ("accepted", "disconnect", "closed", "bye", "preauth", "block") | project N`,
		`T | where Text has_all ("failed", "invalid", "") | project N`,
		`T | where Text has_any ("", "accepted") | project N`,
		`T | where Text =~ "FAILED PASSWORD" or Text == "fail2ban" | project N`,
		`T | where Text !~ "FAILED PASSWORD" and Text startswith "failed" | project N`,
		`T | where N in ((T | where Text has "accepted" | project N)) and Text has "publickey" | project N`,
		`T | summarize a = countif(Text has "failed password"), b = countif(Text !has "failed"), c = count() by d = Text has "from" | extend N = 1`,
		`T | extend k = case(Text has "failed", "f", Text has_all ("accepted", "publickey"), "a", Text endswith "[preauth]", "p", "o") | project N, k`,
		`T | where Text has "accepted" | union (T | where Text has "closed") | project N`,
		`T | where Text has "accepted" | join kind=inner (T | where Text has "publickey") on N | where Text1 has "from" and Text has "ssh2" | project N`,
		`let F = T | where Text has "failed"; F | join kind=leftanti (F | where Text has "invalid") on N | project N`,
		`let F = materialize(T | where Text has "failed"); F | where N in ((F | where Text has "invalid" | project N)) | project N`,
		`T | sort by N asc | where Text has "failed" | serialize R = row_number(), P = prev(N) | where Text has "invalid" | project N, R, P`,
		`T | serialize R = row_number() | where Text has "failed" | summarize N = count()`,
		`T | where Text has "failed" | top 7 by N | where Text has "invalid" | project N`,
		`T | extend M = N % 3 | partition by M (where Text has "failed" | summarize N = count())`,
		`T | mv-expand X = pack_array(1, 2) to typeof(long) | where Text has "accepted" | project N, X`,
		`T | mv-apply X = pack_array(1, 2) to typeof(long) on (where X == 1 and Text has "accepted") | project N`,
		`T | parse Text with * "from " ip " port" * | where Text has "failed" and ip has "1" | project N, ip`,
		`T | summarize arg_max(N, *) by Has = Text has "failed" | where Text has "password" or true | project N`,
		`T | distinct Text, N | where Text has "failed" | project N`,
		`T | scan declare (seen: long = 0) with (step s: true => seen = iff(Text has "accepted", s.seen + 1, s.seen);) | where Text has "accepted" | summarize N = count()`,
		`T | where Text matches regex "(?i)failed" and Text has "password" | project N`,
		`T | where (Text has "a") == (Text has "b") | project N`,
		`T | where Text has strcat("fai", "led") | project N`,
		`T | where iff(Text has "failed", Text has "invalid", Text has "accepted") | project N`,
		`T | as X | where Text has "failed" | union X | where Text has "invalid" | project N`,
		`T | where * has "failed" | project N`,
		`T | search "failed password" | project N`,
		`T | search Text:"failed" and N > 3 | project N`,
		`T | where Text has "CASE WHEN \"$shape\" <> '' THEN" or Text has "failed" | project N`,
	} {
		sameRows(t, db, pipeline)
	}
}

// TestShapesChangeNoSearch asks for random parts of the texts, with every operator.
func TestShapesChangeNoSearch(t *testing.T) {
	db, messages := shapeTables(t)
	r := rand.New(rand.NewPCG(1, 2))
	ops := []string{"has", "!has", "has_cs", "!has_cs", "hasprefix", "!hasprefix", "hassuffix", "hasprefix_cs", "hassuffix_cs", "contains", "!contains", "contains_cs",
		"startswith", "!startswith", "startswith_cs", "endswith", "!endswith", "endswith_cs", "==", "!=", "=~", "!~", "has_any", "has_all"}
	operand := func() string {
		m := messages[r.IntN(len(messages))]
		if len(m) > 1 && r.IntN(8) > 0 {
			i := r.IntN(len(m))
			m = m[i:min(len(m), i+1+r.IntN(30))]
			if r.IntN(2) == 0 {
				m = strings.Trim(m, " :.[]")
			}
		}
		if r.IntN(4) == 0 {
			m = strings.ToUpper(m)
		}
		return "\"" + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\t", `\t`, "\x01", `\u0001`).Replace(strings.ToValidUTF8(m, "")) + "\""
	}
	condition := func(op string) string {
		if strings.HasPrefix(op, "has_a") {
			list := operand()
			for range r.IntN(8) {
				list += ", " + operand()
			}
			return "Text " + op + " (" + list + ")"
		}
		return "Text " + op + " " + operand()
	}
	for i := range 240 {
		c := condition(ops[i%len(ops)])
		switch r.IntN(4) {
		case 0:
			c += " and " + condition(ops[r.IntN(len(ops))])
		case 1:
			c = "not(" + c + ") or " + condition(ops[r.IntN(len(ops))])
		case 2:
			c += " | where " + condition(ops[r.IntN(len(ops))])
		}
		sameRows(t, db, "T | where "+c+" | project N")
	}
}

// TestShapesAreHidden looks for the column in what shows all columns.
func TestShapesAreHidden(t *testing.T) {
	db, _ := shapeTables(t)
	for _, q := range []string{`Syslog | take 1`, `Syslog | getschema`, `Syslog | where SyslogMessage has "failed" | take 1`, `search "failed" | take 1`, `find where SyslogMessage has "failed"`,
		`Syslog | extend p = pack_all() | project p | take 1`, `union withsource=T * | take 1`, `Syslog | project-away Computer | take 1`, `Syslog | summarize arg_max(ProcessID, *)`,
		`Syslog | evaluate narrow() | distinct Column`, `Syslog | where SyslogMessage has "failed" | project-reorder SyslogMessage | take 1`, `Syslog | distinct * | take 1`} {
		res, err := db.Query(t.Context(), q, kql.Options{})
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		rows, err := res.Collect()
		if text := fmt.Sprint(res.Columns, rows); err != nil || strings.Contains(text, "shape") {
			t.Errorf("%s: %v %.300s", q, err, text)
		}
	}
	for _, q := range []string{`Syslog | project ['$shape']`, `Syslog | where ['$shape'] has "x"`} {
		if _, err := db.Query(t.Context(), q, kql.Options{}); err == nil {
			t.Errorf("%s reads the hidden column", q)
		}
	}
}

// TestShapesOfOldTables opens a workspace that was written before there were shapes.
func TestShapesOfOldTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "workspace.duckdb")
	db := open(t, path, Options{})
	many := strings.Split(strings.Repeat("Failed password for root\n", 10), "\n")
	if err := db.Append(t.Context(), syslog("", many...)); err != nil {
		t.Fatal(err)
	}
	statements := []string{`DROP TABLE "$shape"`}
	for table := range db.shapers {
		statements = append(statements, "ALTER TABLE "+quote(table)+` DROP COLUMN "$shape"`)
	}
	for _, s := range statements {
		if _, err := db.pool.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	add := func(column kql.Column) {
		t.Helper()
		if err := db.CreateTable(t.Context(), kql.Table{Name: "Syslog", Columns: []kql.Column{column}}); err != nil {
			t.Fatal(err)
		}
		b := syslog("", many...)
		b.Columns = append(b.Columns, column.Name)
		for i := range b.Rows {
			b.Rows[i] = append(b.Rows[i], "x")
		}
		if err := db.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	for i, column := range []string{"Added_CF", "Message"} { // the latter has no shapes: the table has those of SyslogMessage
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = open(t, path, Options{})
		add(kql.Column{Name: column, Type: kql.String})
		rows := query(t, db, `Syslog | where SyslogMessage has "failed password" and `+column+` in ("", "x") | summarize count(), countif(`+column+` has "x")`, kql.Options{})
		if want := []any{int64(10 * (2 + i)), int64(10)}; fmt.Sprint(rows[0]) != fmt.Sprint(want) {
			t.Errorf("after opening it %d times: %v, want %v", i+1, rows[0], want)
		}
	}
	if n := scalar[int64](t, db, `SELECT count(*) FROM "Syslog" WHERE "$shape" LIKE '%failed%root%'`); n != 18 {
		t.Errorf("%d rows have a shape, want those of two batches but for the first of each start", n)
	}
}

func TestShaper(t *testing.T) {
	s := newShaper()
	if got := s.shape("Failed password for root"); got != "" {
		t.Errorf("what is seen first has the shape %q", got)
	}
	if got := s.shape("failed PASSWORD for root"); got == "" {
		t.Error("what is seen again has no shape")
	}
	for i := range 100_000 {
		text := "text " + strings.Repeat("x", i%7) + letters(i)
		if got := s.shape(text); got != "" && i < maxKnown {
			t.Fatalf("%q has the shape %q at its first sight", text, got)
		}
		s.shape(text)
		if len(s.known)+len(s.older) > 2*maxKnown {
			t.Fatalf("%d and %d shapes are kept", len(s.known), len(s.older))
		}
	}
	if got := s.shape("Failed password for root"); got != "" {
		t.Error("what was not seen for long is kept")
	}
}

// letters writes n without digits.
func letters(n int) string {
	return strings.Map(func(r rune) rune { return r - '0' + 'a' }, strconv.Itoa(n))
}

func BenchmarkShape(b *testing.B) {
	s := newShaper()
	c := newCorpus(100_000)
	var texts []string
	size := 0
	for range 10_000 {
		texts = append(texts, c.next().Message)
		size += len(texts[len(texts)-1])
	}
	s.shapes(texts)
	b.SetBytes(int64(size))
	for b.Loop() {
		for _, t := range texts {
			s.shape(t)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(texts)), "ns/text")
}
