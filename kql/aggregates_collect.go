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
		size := int64(maxCollected)
		if len(c.args) == len(args) {
			n, ok := c.args[len(args)-1].lit.(int64)
			if !ok {
				return "", fmt.Errorf("%s(): the largest size must be a number constant", c.name)
			}
			if n >= 0 { // a negative size is none
				size = min(n, size)
			}
		}
		return f(v, filter, fmt.Sprintf("[1:%d]", size)), nil
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
