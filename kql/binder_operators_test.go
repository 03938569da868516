package kql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// schemaTables are tables as a workspace has them, with columns of the same name
// and of clashing types.
var schemaTables = testCatalog{
	"Logons": {Name: "Logons", Columns: []Column{
		{"TimeGenerated", DateTime}, {"Account", String}, {"EventID", Int}, {"SessionTime", TimeSpan}, {"Computer", String}, {"Risk", Real}, {"Id", Long}, {"Details", Dynamic},
	}},
	"Flows": {Name: "Flows", Columns: []Column{
		{"TimeGenerated", DateTime}, {"Computer", String}, {"RemoteIP", String}, {"BytesSent", Long}, {"Id", String}, {"Risk", Int}, {"Cost", Decimal}, {"IsNew", Bool}, {"Tags", Dynamic},
	}},
}

// pipelines are operators with parts to fill in: $T the other table, and columns
// of the table that are $s texts, $n numbers, $d dynamic.
var pipelines = strings.Split(strings.TrimSpace(`
extend $s = strlen($s), z = $n / 2, y = $n * 1.5, w = TimeGenerated - 1h, v = TimeGenerated - datetime(2020-01-01), k = 1h / 5m
extend a = bin($n, 2), c = round($n), e = abs($n), f = max_of($n, 1.5), m = int(7) / int(2), o = 1h * 2, r = 1h / 2, w = 10 % 1h
project $s, $n + 1, strcat($s, '-', $n), iff($n > 1, 1, 2.0), case($n > 1, int(1), 5), $d.a, $d[0], tostring($d.b)
project-away *Id, Time*
project-keep *e*, Id
project-rename q = $s
project-reorder *I* desc, $s, * asc
project-reorder $s, *e granny-desc
project-reorder *e* asc, $s, Id, T*
summarize count(), dcount($s), avg($n), sum($n), max(TimeGenerated), min($n), make_list($s), make_set($s, 5), percentile($n, 95) by bin(TimeGenerated, 1h), $s
summarize percentiles($n, 5, 50, 95), countif($n > 1), sumif($n, true), take_any($s), take_any($s, TimeGenerated), make_bag(pack('a', $n)) by tolower($s)
summarize arg_max(TimeGenerated, *) by $s
summarize arg_min($n, $s, TimeGenerated) by bin($n, 10)
summarize arg_max(TimeGenerated, $s), arg_max($n, $s)
summarize any(*) by $s, $n / 2
summarize sum(int(1)), avg(1h), max(1.0), sum(decimal(1)), avg(decimal(1)), percentile(TimeGenerated, 50), avg(TimeGenerated)
join kind=inner $T on TimeGenerated
join kind=leftouter $T on Computer
join kind=fullouter $T on Computer, $left.TimeGenerated == $right.TimeGenerated
join kind=leftanti $T on Computer
join kind=rightsemi $T on Computer
join ($T | summarize count() by C = tostring(TimeGenerated)) on $left.$s == $right.C
lookup ($T | project Computer, a = 1, Risk) on Computer
union $T
union withsource=src $T
union withsource=src ($T | project TimeGenerated = tostring(TimeGenerated), z = 1), (print z = 'a', y = 1)
mv-expand a = split($s, ','), b = range(1, 3) to typeof(int)
mv-expand with_itemindex=ix p = pack_array(1, 2) to typeof(long)
mv-expand $d to typeof(string)
mv-apply e = split($s, ',') to typeof(string) on (where e != '' | summarize c = count(), m = make_set(e))
mv-apply $d to typeof(long) on (count)
mv-apply e = range(1, 5) on (top 1 by tolong(e) | project e, $s)
mv-apply $d to typeof(long) on (extend q = 1)
mv-apply z = $d, $d to typeof(long) on (top 1 by TimeGenerated | project $s = 1, z, $d)
extend eq = ((TimeGenerated - datetime(2020)) % 5m == 0), t1 = TimeGenerated / 1h, t2 = TimeGenerated / TimeGenerated, t3 = 1h % 7, t4 = TimeGenerated == 5, t5 = 1h in (1, 2)
summarize binary_all_or(1), binary_all_and(2 + 1), take_any(1), take_any(1, $s), take_anyif(1, true)
parse $s with * 'a=' x:long ' b=' y:datetime * 'c' z
parse-where $s with x:timespan ',' y
parse-kv $s as (a:long, b:string, c:datetime) with (pair_delimiter=' ')
make-series count(), s = avg($n) default=0 on TimeGenerated from ago(1d) to now() step 1h by $s
top-nested 3 of $s by count(), top-nested 2 of $n by x = max($n)
top-nested of $s with others = 'o' by sum($n) desc
distinct *
distinct $s, $n
count as n
getschema
serialize rn = row_number(), p = prev(TimeGenerated), nx = next(TimeGenerated, 1)
order by TimeGenerated | extend row_cumsum($n), prev($n)
project a = $d, $s | evaluate bag_unpack(a) : (x:long, y:string)
evaluate pivot($s) : ($s:string, a:long, b:long)
evaluate narrow()
take 5 | as hits | extend $n = 1 | union hits
partition by $s (top 2 by TimeGenerated | project TimeGenerated, z = $n)
sort by TimeGenerated asc | scan with_match_id=m declare (c:long = 0) with (step s1: true => c = s1.c + 1;)
sample-distinct 4 of $s
top-hitters 3 of $s by $n
reduce by $s
extend a = pack_array(1)[0], b = parse_json($s).c.d, c = todynamic($s)['x'], d = coalesce($s, ''), e = -$n, g = $n between (1 .. 2)
`), "\n")

// schemasDiffer are pipelines whose columns are not those of Microsoft's binder,
// and why.
var schemasDiffer = map[string]string{
	"union kind=inner $T":              "the page of union says that only the common columns stay; the binder keeps all",
	"scan with (step s: true;)":        "the binder adds match_id unasked; the page of scan does so only for with_match_id",
	"parse $s with x 'd' Computer:int": "the binder has two columns of one name; a table cannot",
	"extend x = dynamic(1) + 1":        "the binder takes the type of the constant; the value may have decimals",
}

// TestOperatorSchemas holds the names, order and types of columns behind
// operators to be those of Microsoft's binder.
func TestOperatorSchemas(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 0))
	fill := func(table, other, pipeline string) string {
		var of [3][]string
		for _, c := range schemaTables[table].Columns {
			switch c.Type {
			case String:
				of[0] = append(of[0], c.Name)
			case Int, Long, Real, Decimal:
				of[1] = append(of[1], c.Name)
			case Dynamic:
				of[2] = append(of[2], c.Name)
			}
		}
		pipeline = strings.ReplaceAll(pipeline, "$T", other)
		for i, mark := range []string{"$s", "$n", "$d"} {
			for strings.Contains(pipeline, mark) {
				pipeline = strings.Replace(pipeline, mark, of[i][rnd.IntN(len(of[i]))], 1)
			}
		}
		return table + " | " + pipeline
	}
	var queries, differ []string
	for range 2 {
		for _, p := range pipelines {
			queries = append(queries, fill("Logons", "Flows", p), fill("Flows", "Logons", p))
		}
	}
	for p := range schemasDiffer {
		differ = append(differ, fill("Logons", "Flows", p))
	}
	compared := 0
	for i, want := range bindKusto(t, schemaTables, append(queries, differ...)) {
		if i >= len(queries) {
			q := differ[i-len(queries)]
			if got := bindOurs(schemaTables, q); got.Error != "" || fmt.Sprint(got) == fmt.Sprint(want) {
				t.Errorf("%s is no longer another schema: %v", q, got)
			}
			continue
		}
		if want.Error != "" {
			continue // columns of a name that is there twice, or types that do not fit
		}
		compared++
		if got := bindOurs(schemaTables, queries[i]); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s\n got %v\nwant %v", queries[i], got, want)
		}
	}
	if compared < len(queries)*3/4 {
		t.Errorf("only %d of %d queries compared", compared, len(queries))
	}
}
