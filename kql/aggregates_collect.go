package kql

import (
	"encoding/json"
	"fmt"
)

// collectAggregates are the aggregates that yield arrays and bags.
func collectAggregates() []function {
	return []function{
		{name: "make_list", auto: "list", sigs: collectSigs(false, makeList)},
		{name: "make_list_if", auto: "list", sigs: collectSigs(true, makeList)},
		{name: "make_list_with_nulls", auto: "list", sigs: []sig{low(Dynamic, func(c *call) (string, error) {
			return "to_json(coalesce(list(" + jsonOf(c.args[0]) + "), []))", nil
		}, Unknown)}},
		{name: "make_set", auto: "set", sigs: collectSigs(false, makeSet)},
		{name: "make_set_if", auto: "set", sigs: collectSigs(true, makeSet)},
		{name: "make_bag", auto: "bag", sigs: collectSigs(false, makeBag)},
		{name: "make_bag_if", auto: "bag", sigs: collectSigs(true, makeBag)},
		// Kept whole, a digest is the sorted array of its values and a sketch the
		// set of them: what is read from them is exact.
		{name: "tdigest", sigs: []sig{tpl(Dynamic, "to_json(list_sort(list($1) FILTER ($1 IS NOT NULL)))", Unknown, Long).from(1)}},
		{name: "tdigest_merge", auto: "merge_tdigests", sigs: []sig{tpl(Dynamic, "to_json(list_sort(flatten(list(TRY_CAST($1 AS DOUBLE[])))))", Dynamic)}},
		{name: "hll", sigs: []sig{tpl(Dynamic, "to_json(list(DISTINCT $1) FILTER ($1 IS NOT NULL))", Unknown, Long).from(1)}},
		{name: "hll_if", sigs: []sig{tpl(Dynamic, "to_json(list(DISTINCT $1) FILTER ($2 AND $1 IS NOT NULL))", Unknown, Bool, Long).from(2)}},
		{name: "hll_merge", sigs: []sig{tpl(Dynamic, "to_json(list_distinct(flatten(list("+listOf("$1")+"))))", Dynamic)}},
	}
}

// maxCollected is how many elements make_list, make_set and make_bag keep.
const maxCollected = 1_048_576

// collectSigs are the signatures (value[, max]) or (value, condition[, max]).
func collectSigs(cond bool, f func(value expr, filter, slice string) string) []sig {
	args := []Type{Unknown, Long}
	if cond {
		args = []Type{Unknown, Bool, Long}
	}
	return []sig{low(Dynamic, func(c *call) (string, error) {
		v := c.args[0]
		filter := " FILTER (" + v.sql + " IS NOT NULL)"
		if cond {
			filter = " FILTER (" + c.args[1].sql + " AND " + v.sql + " IS NOT NULL)"
		}
		size := fmt.Sprint(maxCollected)
		if len(c.args) == len(args) {
			last := c.args[len(args)-1]
			n, ok := last.lit.(int64)
			switch {
			case !ok: // a constant that is computed
				size = "least(" + last.sql + ", " + size + ")"
			case n >= 0: // a negative size is none
				size = fmt.Sprint(min(n, maxCollected))
			}
		}
		return f(v, filter, "[1:"+size+"]"), nil
	}, args...).from(len(args) - 1)}
}

// listValue is the SQL of a value as an element of a list that to_json turns
// into the array KQL makes of such values.
func listValue(v expr) string {
	switch v.typ {
	case Bool, Int, Long, String, Guid, Dynamic:
		return v.sql
	}
	return jsonOf(v)
}

func makeList(v expr, filter, slice string) string {
	return "to_json(coalesce(list(" + listValue(v) + ")" + filter + ", [])" + slice + ")"
}

// makeSet keeps each value once; arrays are taken apart.
func makeSet(v expr, filter, slice string) string {
	list := "list(" + listValue(v) + ")" + filter
	if v.typ == Dynamic {
		list = "flatten(list(coalesce(" + listOf(v.sql) + ", [" + v.sql + "]))" + filter + ")"
	}
	return "to_json(coalesce(" + distinct(list) + ", [])" + slice + ")"
}

// makeBag merges bags; of equal keys the first counts.
func makeBag(v expr, filter, slice string) string {
	if v.typ != Dynamic {
		return "'{}'::JSON"
	}
	bag := bagOf("flatten(list(" + entriesOf(v.sql) + ")" + filter + ")")
	if slice != fmt.Sprintf("[1:%d]", maxCollected) {
		bag = bagOf(entriesOf(bag) + slice)
	}
	return "coalesce(" + bag + ", '{}'::JSON)"
}

// numbersOf reads a constant array of numbers.
func numbersOf(j []byte) ([]float64, error) {
	var vs []float64
	if err := json.Unmarshal(j, &vs); err != nil {
		return nil, fmt.Errorf("%s is no array of numbers", j)
	}
	return vs, nil
}
