package kql

import "slices"

// scalarFunctions joins the lists of scalar functions.
func scalarFunctions() []function {
	fs := slices.Concat(
		convertFunctions(),
		stringFunctions(),
		regexFunctions(),
		mathFunctions(),
		conditionFunctions(),
		datetimeFunctions(),
		arrayFunctions(),
		bagFunctions(),
		ipFunctions(),
		windowFunctions(),
		nativeFunctions(),
		seriesFunctions(),
		geoFunctions(),
		requestFunctions(),
	)
	return slices.Concat(fs, aliasesOf(fs))
}

// aliases are the older names of functions that queries still use.
var aliases = [][2]string{
	{"todynamic", "parse_json"}, {"parsejson", "parse_json"}, {"toobject", "parse_json"},
	{"todouble", "toreal"}, {"toboolean", "tobool"}, {"iif", "iff"},
	{"notempty", "isnotempty"}, {"notnull", "isnotnull"},
	{"pack", "bag_pack"}, {"pack_dictionary", "bag_pack"}, {"arraylength", "array_length"},
	{"array_strcat", "strcat_array"}, {"array_iif", "array_iff"}, {"array_len", "array_length"},
	{"extractall", "extract_all"},
	{"base64_decodestring", "base64_decode_tostring"}, {"base64_encodestring", "base64_encode_tostring"},
	{"datepart", "datetime_part"}, {"getmonth", "monthofyear"}, {"weekofyear", "week_of_year"},
	{"percentile_array_tdigest", "percentiles_array_tdigest"}, {"merge_tdigest", "tdigest_merge"},
	{"parseurl", "parse_url"}, {"parseurlquery", "parse_urlquery"}, {"totime", "totimespan"},
	{"extentid", "extent_id"}, {"current_cursor", "cursor_current"},
	{"row_rank", "row_rank_dense"}, {"floor", "bin"}, {"ceil", "ceiling"}, {"extractjson", "extract_json"},
}

// aliasesOf returns an entry for every alias of a function in fs.
func aliasesOf(fs []function) []function {
	var out []function
	for _, a := range aliases {
		for _, f := range fs {
			if f.name == a[1] {
				f.name = a[0]
				f.doc = a[1] + "()"
				out = append(out, f)
			}
		}
	}
	return out
}

// fn makes a function of its signatures.
func fn(name string, sigs ...sig) function { return function{name: name, sigs: sigs} }

// tpl makes a signature lowered by a template.
func tpl(result Type, sql string, args ...Type) sig {
	return sig{args: args, result: result, sql: sql}
}

// low makes a signature lowered by a function.
func low(result Type, lower func(c *call) (string, error), args ...Type) sig {
	return sig{args: args, result: result, lower: lower}
}

// from makes the arguments after the first n optional.
func (s sig) from(n int) sig {
	s.min = n
	return s
}

// more lets the last argument repeat; n arguments must be given.
func (s sig) more(n int) sig {
	s.variadic = true
	s.min = n
	return s
}

// ofText lets scalars of any type stand for strings, as their text.
func (s sig) ofText() sig {
	s.text = true
	return s
}

// as makes the result type depend on the arguments.
func (s sig) as(f func(args []expr) Type) sig {
	s.result = Unknown
	s.resultOf = f
	return s
}

// typeOf returns a resultOf that yields the type of argument i.
func typeOf(i int) func([]expr) Type {
	return func(args []expr) Type { return args[i].typ }
}

// textArgs returns args with each turned into its text, as tostring() does.
func textArgs(args []expr) []expr {
	out := make([]expr, len(args))
	for i, a := range args {
		out[i] = textOf(a)
	}
	return out
}

// textTpl makes a signature that takes any types, turns each argument into its
// text and expands the template.
func textTpl(result Type, sql string, n int) sig {
	return low(result, func(c *call) (string, error) {
		return expand(sql, textArgs(c.args)), nil
	}, make([]Type, n)...)
}

// constJSON returns the JSON text of a dynamic constant.
func (e expr) constJSON() ([]byte, bool) {
	if e.typ != Dynamic || e.lit == nil {
		return nil, false
	}
	if j, ok := e.lit.(jsonText); ok {
		return []byte(j), true
	}
	return appendJSONValue(nil, e.lit), true
}
