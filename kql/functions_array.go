package kql

import (
	"errors"
	"fmt"
	"strings"
)

// listOf is the SQL of a dynamic array as a list of JSON values, NULL when it
// is no array. A null in the array is NULL in the list.
func listOf(arg string) string { return "TRY_CAST(" + arg + " AS JSON[])" }

// distinct drops the repetitions of a list and keeps the order of first sight.
// That takes time by the square of the list, so long lists lose their order.
func distinct(list string) string {
	return fmt.Sprintf(`list_transform([%s], lambda "$d": CASE WHEN len("$d") > 1000 THEN list_distinct("$d")
ELSE list_filter("$d", lambda "$e", "$i": list_position("$d", "$e") = "$i") END)[1]`, list)
}

// arrayFunctions are the functions over dynamic arrays and sets.
func arrayFunctions() []function {
	a1, a2 := listOf("$1"), listOf("$2")
	return []function{
		fn("array_length", tpl(Long, "CASE WHEN json_type($1) = 'ARRAY' THEN json_array_length($1)::BIGINT END", Dynamic)),
		fn("array_concat", low(Dynamic, func(c *call) (string, error) {
			return "to_json(flatten([" + joinLists(c.args) + "]))", nil
		}, Dynamic).more(1)),
		fn("array_slice", tpl(Dynamic, `list_transform([`+a1+`], lambda "$l": to_json(list_slice("$l",
CASE WHEN $2 < 0 THEN greatest(len("$l") + $2, 0) ELSE $2 END + 1, CASE WHEN $3 < 0 THEN len("$l") + $3 ELSE $3 END + 1)))[1]`, Dynamic, Long, Long)),
		fn("array_index_of", low(Long, lowerArrayIndexOf, Dynamic, Unknown, Long, Long, Long).from(2)),
		fn("array_iff",
			low(Dynamic, lowerArrayIff, Dynamic, Unknown, Unknown)),
		fn("array_rotate_left", tpl(Dynamic, rotate("$2"), Dynamic, Long)),
		fn("array_rotate_right", tpl(Dynamic, rotate("-($2)"), Dynamic, Long)),
		fn("array_shift_left", shiftSigs("$2")...),
		fn("array_shift_right", shiftSigs("-($2)")...),
		fn("array_reverse", tpl(Dynamic, "to_json(list_reverse("+a1+"))", Dynamic)),
		fn("array_sum", tpl(Real, `CASE WHEN len(list_filter(`+a1+`, lambda "$e": json_type("$e") NOT IN ('UBIGINT', 'BIGINT', 'DOUBLE'))) = 0 THEN coalesce(list_sum(TRY_CAST($1 AS DOUBLE[])), 0) END`, Dynamic)),
		fn("array_split", tpl(Dynamic, `CASE WHEN json_type($1) = 'ARRAY' THEN list_transform([{l: `+a1+`, i: coalesce(TRY_CAST($2 AS BIGINT[]), [TRY_CAST($2 AS BIGINT)])}], lambda "$p":
list_transform([list_transform("$p".i, lambda "$k": CASE WHEN "$k" < 0 THEN greatest(len("$p".l) + "$k", 0) ELSE "$k" END)], lambda "$c":
to_json(list_transform(range(len("$c") + 1), lambda "$j": list_slice("$p".l, CASE WHEN "$j" = 0 THEN 0 ELSE "$c"["$j"] END + 1, CASE WHEN "$j" = len("$c") THEN len("$p".l) ELSE "$c"["$j" + 1] END))))[1])[1] END`, Dynamic, Dynamic),
			tpl(Dynamic, `CASE WHEN json_type($1) = 'ARRAY' THEN list_transform([`+a1+`], lambda "$l": list_transform([CASE WHEN $2 < 0 THEN greatest(len("$l") + $2, 0) ELSE $2 END], lambda "$k":
to_json([list_slice("$l", 1, "$k"), list_slice("$l", "$k" + 1, len("$l"))]))[1])[1] END`, Dynamic, Long)),
		sortFunction("array_sort_asc", "ASC"),
		sortFunction("array_sort_desc", "DESC"),
		fn("pack_array", low(Dynamic, func(c *call) (string, error) {
			return "json_array(" + joinJSON(c.args) + ")", nil
		}, Unknown).more(1)),
		fn("range", rangeSigs()...),
		fn("repeat", low(Dynamic, func(c *call) (string, error) {
			v := expr{sql: jsonOf(c.args[0])}
			return expand(`CASE WHEN $2 >= 0 THEN to_json(list_transform(range(least($2, `+fmt.Sprint(maxRange)+`)), lambda "$i": $1)) END`, []expr{v, c.args[1]}), nil
		}, Unknown, Long)),
		fn("zip", low(Dynamic, lowerZip, Dynamic).more(2)),
		fn("set_union", low(Dynamic, func(c *call) (string, error) {
			return "to_json(" + distinct("flatten(["+joinLists(c.args)+"])") + ")", nil
		}, Dynamic).more(2)),
		fn("set_intersect", low(Dynamic, setOperation("len(list_filter(\"$r\", lambda \"$o\": list_contains(\"$o\", \"$e\"))) = len(\"$r\")"), Dynamic).more(2)),
		fn("set_difference", low(Dynamic, setOperation("len(list_filter(\"$r\", lambda \"$o\": list_contains(\"$o\", \"$e\"))) = 0"), Dynamic).more(2)),
		fn("set_has_element", low(Bool, func(c *call) (string, error) {
			if sql, ok := hasAddress(c.args[0], c.args[1]); ok {
				return sql, nil
			}
			return "coalesce(list_contains(" + listOf(c.args[0].sql) + ", json(" + jsonOf(c.args[1]) + ")), false)", nil
		}, Dynamic, Unknown)),
		fn("set_equals", tpl(Bool, "coalesce(list_sort(list_distinct("+a1+"::VARCHAR[])) = list_sort(list_distinct("+a2+"::VARCHAR[])), false)", Dynamic, Dynamic)),
		fn("percentile_tdigest",
			tpl(Dynamic, digestPercentile("JSON"), Dynamic, Real),
			low(Unknown, func(c *call) (string, error) {
				t, ok := c.args[2].lit.(Type)
				if !ok {
					return "", errors.New("percentile_tdigest(): argument 3 must be typeof(a type)")
				}
				return expand(digestPercentile(t.SQL()), c.args), nil
			}, Dynamic, Real, Unknown).as(func(args []expr) Type {
				t, _ := args[2].lit.(Type)
				return t
			})),
		fn("percentiles_array_tdigest", digestArraySigs()...),
		fn("percentrank_tdigest", tpl(Real, `list_transform([TRY_CAST($1 AS DOUBLE[])], lambda "$l": 100.0 * len(list_filter("$l", lambda "$e": "$e" <= $2)) / len("$l"))[1]`, Dynamic, Real)),
		fn("rank_tdigest", tpl(Real, `len(list_filter(TRY_CAST($1 AS DOUBLE[]), lambda "$e": "$e" <= $2))::DOUBLE`, Dynamic, Real)),
		fn("tdigest_merge", tpl(Dynamic, "to_json(list_sort(TRY_CAST($1 AS DOUBLE[])))", Dynamic), low(Dynamic, func(c *call) (string, error) {
			return "to_json(list_sort(flatten([" + joinLists(c.args) + "])::DOUBLE[]))", nil
		}, Dynamic).more(2)),
		fn("hll_merge", low(Dynamic, func(c *call) (string, error) {
			return "to_json(list_distinct(flatten([" + joinLists(c.args) + "])))", nil
		}, Dynamic).more(1)),
		fn("dcount_hll", tpl(Long, "json_array_length($1)::BIGINT", Dynamic)),
		fn("jaccard_index", tpl(Dynamic, `list_transform([{a: list_distinct(`+a1+`::VARCHAR[]), b: list_distinct(`+a2+`::VARCHAR[])}], lambda "$p":
to_json(len(list_intersect("$p".a, "$p".b))::DOUBLE / len(list_distinct(list_concat("$p".a, "$p".b)))))[1]`, Dynamic, Dynamic)),
	}
}

// digestPercentile reads the percentile $2 of a sorted array.
func digestPercentile(typ string) string {
	return `list_transform([` + listOf("$1") + `], lambda "$l": "$l"[greatest(ceil($2 / 100 * len("$l")), 1)::BIGINT]::` + typ + `)[1]`
}

// digestArraySigs are percentiles_array_tdigest(digest, percentile, …) and, with
// an array of percentiles, a type behind it. One percentile with a type is a value of that type.
func digestArraySigs() []sig {
	each := func(list, typ string) string {
		return `CASE WHEN json_type($1) = 'ARRAY' THEN to_json(list_transform(` + list + `, lambda "$q": ` + strings.ReplaceAll(digestPercentile(typ), "$2", `"$q"`) + `)) END`
	}
	typed := low(Dynamic, func(c *call) (string, error) {
		typ := "DOUBLE"
		if len(c.args) == 3 {
			t, ok := c.args[2].lit.(Type)
			if !ok {
				return "", errors.New("percentiles_array_tdigest(): argument 3 must be typeof(a type)")
			}
			typ = t.SQL()
		}
		return expand(each("TRY_CAST($2 AS DOUBLE[])", typ), c.args), nil
	}, Dynamic, Dynamic, Unknown).from(2)
	listed := low(Dynamic, func(c *call) (string, error) {
		args := []expr{c.args[0], {sql: "[" + joinSQL(c.args[1:]) + "] "}}
		return expand(each("$2", "DOUBLE"), args), nil
	}, Dynamic, Real).more(2)
	return []sig{typed, listed}
}

func joinSQL(args []expr) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = a.sql
	}
	return strings.Join(parts, ", ")
}

func joinLists(args []expr) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = listOf(a.sql)
	}
	return strings.Join(parts, ", ")
}

func joinJSON(args []expr) string {
	parts := make([]string, len(args))
	for i, a := range args {
		parts[i] = jsonOf(a)
	}
	return strings.Join(parts, ", ")
}

// setOperation keeps those elements "$e" of the first set for which keep holds;
// "$r" is the list of the other sets.
func setOperation(keep string) func(c *call) (string, error) {
	return func(c *call) (string, error) {
		return fmt.Sprintf(`list_transform([{l: %s, r: [%s]}], lambda "$s": list_transform(["$s".r], lambda "$r": to_json(list_filter(%s, lambda "$e": %s)))[1])[1]`,
			distinct(listOf(c.args[0].sql)), joinLists(c.args[1:]), `"$s".l`, keep), nil
	}
}

// lowerArrayIndexOf lowers array_index_of(array, value[, start[, length[, occurrence]]]).
func lowerArrayIndexOf(c *call) (string, error) {
	v := expr{sql: jsonOf(c.args[1])}
	if len(c.args) == 2 {
		return expand("CASE WHEN json_type($1) = 'ARRAY' THEN coalesce(list_position("+listOf("$1")+", $2), 0) - 1 END::BIGINT", []expr{c.args[0], v}), nil
	}
	args := []expr{c.args[0], v}
	args = append(args, c.args[2:]...)
	for _, d := range []int64{-1, 1}[len(c.args)-3:] {
		args = append(args, longLit(d))
	}
	return expand(`CASE WHEN json_type($1) = 'ARRAY' AND $4 >= -1 AND $5 >= 0 THEN list_transform([`+listOf("$1")+`], lambda "$l": list_transform([CASE WHEN $3 < 0 THEN greatest(len("$l") + $3, 0) ELSE $3 END], lambda "$s":
coalesce(list_filter(range("$s", CASE WHEN $4 < 0 THEN len("$l") ELSE least("$s" + $4, len("$l")) END), lambda "$i": "$l"["$i" + 1] = $2)[$5], -1))[1])[1] END`, args), nil
}

// lowerArrayIff lowers array_iff(conditions, ifTrue, ifFalse); the branches are
// arrays or single values.
func lowerArrayIff(c *call) (string, error) {
	branch := func(e expr) string {
		j := jsonOf(e)
		if e.typ != Dynamic {
			return fmt.Sprintf("{l: NULL::JSON[], v: %s}", j)
		}
		return fmt.Sprintf("{l: %s, v: CASE WHEN json_type(%s) <> 'ARRAY' THEN %[2]s END}", listOf(j), j)
	}
	pick := func(f string) string {
		return `coalesce("$p".` + f + `.l["$i"], "$p".` + f + `.v)`
	}
	return fmt.Sprintf(`list_transform([{c: %s, t: %s, f: %s}], lambda "$p": to_json(list_transform("$p".c, lambda "$e", "$i":
CASE WHEN coalesce(json_type("$e") NOT IN ('BOOLEAN', 'UBIGINT', 'BIGINT', 'DOUBLE'), true) THEN NULL WHEN coalesce(TRY_CAST("$e" AS BOOLEAN), TRY_CAST("$e" AS DOUBLE) <> 0) THEN %s ELSE %s END)))[1]`,
		listOf(c.args[0].sql), branch(c.args[1]), branch(c.args[2]), pick("t"), pick("f")), nil
}

// rotate turns an array left by n places.
func rotate(n string) string {
	return `CASE WHEN json_type($1) = 'ARRAY' THEN list_transform([` + listOf("$1") + `], lambda "$l": CASE WHEN len("$l") = 0 THEN to_json("$l") ELSE list_transform([((` + n + `) % len("$l") + len("$l")) % len("$l")], lambda "$n":
to_json(list_concat(list_slice("$l", "$n" + 1, len("$l")), list_slice("$l", 1, "$n"))))[1] END)[1] END`
}

// shiftSigs are the signatures of a shift to the left by n places. Arrays of
// strings are filled with empty ones, others with nulls, when nothing is given.
func shiftSigs(n string) []sig {
	sql := func(fill string) string {
		return `list_transform([` + listOf("$1") + `], lambda "$l": list_transform([` + fill + `], lambda "$f": to_json(list_transform(range(len("$l")), lambda "$i":
CASE WHEN "$i" + (` + n + `) BETWEEN 0 AND len("$l") - 1 THEN "$l"["$i" + (` + n + `) + 1] ELSE "$f" END)))[1])[1]`
	}
	return []sig{
		tpl(Dynamic, sql(`CASE WHEN list_unique(list_transform("$l", lambda "$e": json_type("$e"))) = 1 AND list_contains(list_transform("$l", lambda "$e": json_type("$e")), 'VARCHAR') THEN '""'::JSON END`), Dynamic, Long),
		low(Dynamic, func(c *call) (string, error) {
			return expand(sql("$3"), []expr{c.args[0], c.args[1], {sql: jsonOf(c.args[2])}}), nil
		}, Dynamic, Long, Unknown),
	}
}

// sortFunction makes array_sort_asc or array_sort_desc. Numbers stand before
// strings, and these before all others, in both orders. Several arrays come back
// as several columns, the later ones in the order of the first; one of another length is null.
func sortFunction(name, order string) function {
	sorted := func(c *call) ([]string, error) {
		arrays, nulls := c.args, "NULLS LAST"
		if last := arrays[len(arrays)-1]; last.typ == Bool {
			v, ok := last.lit.(bool)
			if !ok {
				return nil, fmt.Errorf("%s(): nulls_last must be a constant, true or false", name)
			}
			if !v {
				nulls = "NULLS FIRST"
			}
			arrays = arrays[:len(arrays)-1]
		}
		for i, a := range arrays {
			if a.typ != Dynamic {
				return nil, fmt.Errorf("%s(): argument %d is %s, but must be an array", name, i+1, a.typ)
			}
		}
		// Keys of one kind each.
		kind := func(types, key string) string {
			return fmt.Sprintf(`list_transform(list_sort(list_filter(list_transform("$l", lambda "$e", "$i": {k: CASE WHEN json_type("$e") %s THEN %s END, i: "$i"}), lambda "$x": "$x".k IS NOT NULL), '%s'), lambda "$x": "$x".i)`, types, key, order)
		}
		none := `list_filter(range(1, len("$l") + 1), lambda "$i": "$l"["$i"] IS NULL)`
		parts := []string{
			kind("IN ('UBIGINT', 'BIGINT', 'DOUBLE')", `"$e"::DOUBLE`),
			kind("= 'VARCHAR'", `"$e"->>'$'`),
			kind("NOT IN ('UBIGINT', 'BIGINT', 'DOUBLE', 'VARCHAR')", `"$e"->>'$'`),
		}
		if nulls == "NULLS FIRST" {
			parts = append([]string{none}, parts...)
		} else {
			parts = append(parts, none)
		}
		index := `list_transform([` + listOf(arrays[0].sql) + `], lambda "$l": flatten([` + strings.Join(parts, ", ") + `]))[1]`
		out := make([]string, len(arrays))
		for i, a := range arrays {
			out[i] = fmt.Sprintf(`CASE WHEN json_array_length(%s) = json_array_length(%s) AND json_type(%[1]s) = 'ARRAY' THEN list_transform([{l: %[3]s, n: %[4]s}], lambda "$q": to_json(list_transform("$q".n, lambda "$i": "$q".l["$i"])))[1] END`, a.sql, arrays[0].sql, listOf(a.sql), index)
		}
		return out, nil
	}
	f := fn(name, low(Dynamic, func(c *call) (string, error) {
		s, err := sorted(c)
		if err != nil {
			return "", err
		}
		if len(s) == 1 {
			return s[0], nil
		}
		return "json_array(" + strings.Join(s, ", ") + ")", nil
	}, Dynamic, Unknown).more(1))
	f.columns = func(c *call) ([]aggColumn, error) {
		s, err := sorted(c)
		if err != nil {
			return nil, err
		}
		cols := make([]aggColumn, len(s))
		for i, q := range s {
			n := c.argName(i)
			if n == "" {
				n = "array" + fmt.Sprint(i)
			}
			cols[i] = aggColumn{name: n + "_sorted", typ: Dynamic, sql: q}
		}
		return cols, nil
	}
	return f
}

// lowerZip pairs the elements of arrays; the shorter ones are filled with null.
func lowerZip(c *call) (string, error) {
	items := make([]string, len(c.args))
	for i := range items {
		items[i] = fmt.Sprintf(`"$z"[%d]`, i+1)
	}
	return `to_json(list_transform(list_zip(` + joinLists(c.args) + `), lambda "$z": [` + strings.Join(items, ", ") + `]))`, nil
}

// maxRange is how many elements range() may make.
const maxRange = 1_048_576

// rangeEnd is where DuckDB's range has to end, which is not part of it: it makes
// the whole list, so that one must not be longer than range() can be.
func rangeEnd(from, to, step string) string {
	last := "(" + from + ")::HUGEINT + (" + step + ")::HUGEINT * " + fmt.Sprint(maxRange)
	return "CASE WHEN " + step + " > 0 THEN least((" + to + ")::HUGEINT + 1, " + last + ") ELSE greatest((" + to + ")::HUGEINT - 1, " + last + ") END::BIGINT"
}

// rangeSigs are the signatures of range(start, stop[, step]).
func rangeSigs() []sig {
	whole := `to_json(range(%s, %s, %s)[1:` + fmt.Sprint(maxRange) + `])`
	ints := low(Dynamic, func(c *call) (string, error) {
		step := "1"
		if len(c.args) == 3 {
			step = c.args[2].sql
			if v, ok := c.args[2].lit.(int64); ok && v == 0 {
				return "", errors.New("range(): the step must not be 0")
			}
		}
		return once(expr{sql: "(" + step + ")::BIGINT"}, func(s string) string {
			return fmt.Sprintf(whole, c.args[0].sql, rangeEnd(c.args[0].sql, c.args[1].sql, s), s)
		}), nil
	}, Long, Long, Long).from(2)
	ticks := func(t Type) sig {
		return low(Dynamic, func(c *call) (string, error) {
			step := hour
			if len(c.args) == 3 {
				step = c.args[2].sql
			}
			return once(expr{sql: "(" + step + ")::BIGINT"}, func(s string) string {
				list := fmt.Sprintf("range(%s, %s, %s)", c.args[0].sql, rangeEnd(c.args[0].sql, c.args[1].sql, s), s)
				return `to_json(list_transform(` + list + `[1:` + fmt.Sprint(maxRange) + `], lambda "$e": ` + ticksText(`"$e"`, t) + `))`
			}), nil
		}, t, t, TimeSpan).from(2)
	}
	return []sig{
		ints, ticks(DateTime), ticks(TimeSpan),
		tpl(Dynamic, `to_json(list_transform(range(least(floor(($2 - $1) / coalesce($3, 1)) + 1, `+fmt.Sprint(maxRange)+`)::BIGINT), lambda "$i": $1 + "$i" * coalesce($3, 1)))`, Real, Real, Real).from(2),
	}
}
