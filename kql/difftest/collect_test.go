package difftest

import (
	"picket/kql"
	"picket/kql/syntax"
)

// dynamicOf is a scalar as an element of an array: datetimes and timespans are
// text there, whose form the pages do not show.
func dynamicOf(v any, t kql.Type) any {
	switch t {
	case kql.DateTime, kql.TimeSpan, kql.Decimal:
		if v != nil {
			silent("a %s within a dynamic", t)
		}
	case kql.Real:
		if f, ok := v.(float64); ok && (f-f != 0) {
			silent("NaN or an infinity within a dynamic")
		}
	}
	return v
}

// list is make_list(): in the order of sorted input, else in any.
func list(vals []any, t kql.Type, ordered bool) any {
	out := []any{}
	for _, v := range vals {
		out = append(out, dynamicOf(v, t))
	}
	if !ordered && len(out) > 1 {
		return unordered(out)
	}
	return out
}

func set(vals []any, t kql.Type, _ bool) any {
	seen := map[string]bool{}
	out := []any{}
	for _, v := range vals {
		if k := key(v); !seen[k] {
			seen[k] = true
			out = append(out, dynamicOf(v, t))
		}
	}
	if len(out) > 1 {
		return unordered(out)
	}
	return out
}

// makeBag joins bags; what is no bag is skipped, and of values of one key any
// may be taken. By the page of summarize nothing makes [], by its own {}.
func makeBag(vals []any, _ kql.Type, _ bool) any {
	out := bag{}
	for _, v := range vals {
		b, ok := v.(bag)
		if !ok {
			continue
		}
		for k, x := range b {
			if old, ok := out[k]; ok && key(old) != key(x) {
				silent("make_bag of two values for one key")
			}
			out[k] = x
		}
	}
	if len(out) == 0 {
		return oneOf{bag{}, []any{}}
	}
	return out
}

// takeAny is any of the values, and not null if there is another.
func takeAny(vals []any, t kql.Type, _ bool) any {
	var rows [][]any
	for _, v := range vals {
		rows = append(rows, []any{v})
	}
	if len(rows) == 0 {
		return blanks([]kql.Column{{Type: t}})[0]
	}
	return anyRow(rows)[0]
}

func bitwise(f func(a, b int64) int64) func([]any, kql.Type, bool) any {
	return func(vals []any, _ kql.Type, _ bool) any {
		if len(vals) == 0 {
			return nil
		}
		out := vals[0].(int64)
		for _, v := range vals[1:] {
			out = f(out, v.(int64))
		}
		return out
	}
}

// mvExpand makes a row of each element: page "mv-expand operator". Arrays side
// by side are expanded together, the shorter filled with null; null gives one
// row. What is neither array nor bag stays as it is.
func (e *evaluator) mvExpand(r *relation, hints []*syntax.Hint, items []*syntax.MvItem, limit syntax.Expr, in *lets) (*relation, []int) {
	r.settled()
	sc := &scope{cols: r.cols, lets: in}
	out := &relation{cols: append([]kql.Column(nil), r.cols...), limit: -1}
	asArray, index := false, ""
	for _, h := range hints {
		switch h.Name {
		case "kind", "bagexpansion":
			asArray = h.Value.(*syntax.Name).Text == "array"
		case "with_itemindex":
			index = h.Value.(*syntax.Name).Text
		}
	}
	var xs []expr
	var slots []int
	types := make([]kql.Type, len(items))
	for i, it := range items {
		xs = append(xs, e.bind(it.X, sc))
		name := implied(it.X)
		if it.Name != nil {
			name = it.Name.Text
		}
		types[i] = kql.Dynamic
		if it.Type != nil {
			types[i], _ = kql.ParseType(it.Type.Text)
		}
		k := out.index(name)
		if k < 0 {
			k = len(out.cols)
			out.cols = append(out.cols, kql.Column{Name: name})
		}
		out.cols[k].Type = types[i]
		slots = append(slots, k)
	}
	if index != "" {
		out.cols = append(out.cols, kql.Column{Name: index, Type: kql.Long})
	}
	most := -1
	if limit != nil {
		most = e.count(limit, in)
	}
	var origin []int
	for i, row := range r.rows {
		n := 0
		lists := make([][]any, len(xs))
		for k, x := range xs {
			v := x.eval(&at{rows: r.rows, i: i})
			lists[k] = elements(v, asArray)
			if _, sequence := v.([]any); !sequence && len(lists[k]) > 1 && (index != "" || len(xs) > 1 || most >= 0) {
				silent("order of a bag's slots")
			}
			n = max(n, len(lists[k]))
		}
		for j := 0; j < n && (most < 0 || j < most); j++ {
			line := append(append([]any(nil), row...), make([]any, len(out.cols)-len(row))...)
			for k := range xs {
				var v any
				if j < len(lists[k]) {
					v = lists[k][j]
				}
				line[slots[k]] = elementAs(v, types[k])
			}
			if index != "" {
				line[len(line)-1] = int64(j)
			}
			out.rows = append(out.rows, line)
			origin = append(origin, i)
			if r.rank != nil {
				out.rank = append(out.rank, r.rank[i])
			}
		}
	}
	return out, origin
}

func elements(v any, asArray bool) []any {
	switch v := v.(type) {
	case []any:
		return v
	case unordered:
		return v
	case bag:
		var out []any
		for k, x := range v {
			if asArray {
				out = append(out, []any{k, x})
			} else {
				out = append(out, bag{k: x})
			}
		}
		return out
	case nil:
		return []any{nil}
	}
	silent("mv-expand of a scalar")
	return nil
}

// elementAs is an element "to typeof(t)": one of another kind becomes null.
func elementAs(v any, t kql.Type) any {
	if t == kql.Dynamic || v == nil && t != kql.String {
		return v
	}
	switch x := v.(type) {
	case nil:
		return ""
	case int64:
		if t == kql.Long {
			return v
		}
		if t == kql.Real {
			return widen(x, kql.Long, kql.Real)
		}
	case float64:
		if t == kql.Real {
			return v
		}
	case string:
		if t == kql.String {
			return v
		}
		return nil
	case []any, bag:
		if t != kql.String {
			return nil
		}
	}
	silent("an element of another type")
	return nil
}
