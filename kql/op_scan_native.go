package kql

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// How many rows of a part one call of kql_scan takes: few enough for a query to
// end soon, which it can between calls, and for their texts to be one value.
const (
	scanBlock     = 1 << 14
	scanTextBlock = 1 << 10
)

// scanCompiler makes a program of the steps of a scan.
type scanCompiler struct {
	*scanner
	env    *env
	p      scanProgram
	leaves []string       // SQL of the leaves
	leaf   map[string]int // their places
	slots  map[[2]int]int // places of the pairs of step and column
}

// native is the SQL that puts $scan, with what each row makes of the states,
// before the arms. It reports false where an expression asks of a state what the
// native function does not know, which the recursion then does.
func (s *scanner) native(env *env) (string, bool) {
	c := &scanCompiler{scanner: s, env: env, leaf: map[string]int{}, slots: map[[2]int]int{}}
	if len(s.b.diags) > 0 || !c.program() {
		return "", false
	}
	text, err := json.Marshal(c.p)
	if err != nil {
		return "", false
	}
	part, rows, walk, parts := "", "", "", ""
	if s.r.part != nil {
		ref := s.r.part.ref()
		part, rows = ", "+ref, ", r."+ref
		walk, parts = " AND r."+ref+" IS NOT DISTINCT FROM c."+ref, " FROM (SELECT DISTINCT "+ref+" FROM "+s.r.from+")"
	}
	list := make([]string, len(c.leaves))
	for i, l := range c.leaves {
		list[i] = "(" + l + ")::VARCHAR"
	}
	size := strconv.Itoa(scanBlock)
	if slices.Contains(c.p.Leaves, scanText) {
		size = strconv.Itoa(scanTextBlock)
	}
	sql := `WITH RECURSIVE "$blocks" AS MATERIALIZED (SELECT ("$n" - 1) // ` + size + ` AS "$b"` + part + `, to_json(list([` + strings.Join(list, ", ") + `]::VARCHAR[] ORDER BY "$n"))::VARCHAR AS "$rows" FROM ` + s.r.from + ` GROUP BY ALL)`
	sql += `, "$walk" AS (SELECT -1::BIGINT AS "$b", '' AS "$state"` + part + parts +
		` UNION ALL SELECT r."$b", ` + nativeCall("kql_scan", quoteString(string(text)), `split_part(c."$state", chr(10), 1)`, `r."$rows"`) + rows + ` FROM "$walk" c JOIN "$blocks" r ON r."$b" = c."$b" + 1` + walk + ")"
	cols := []string{`"$b" * ` + size + ` + "$o"[1]::BIGINT AS "$n"` + part}
	add := func(typ, id string) {
		cols = append(cols, `"$o"[`+strconv.Itoa(len(cols)+1)+"]::"+typ+" AS "+id)
	}
	for k := range s.op.Steps {
		add("BOOLEAN", stepID("o", k))
		add("BIGINT", stepID("m", k))
		for i, set := range s.set {
			if set {
				add(s.r.cols[i].typ.SQL(), stateID("v", k, k, i))
			}
		}
	}
	return sql + `, "$scan" AS (SELECT ` + strings.Join(cols, ", ") + ` FROM (SELECT "$b"` + part + `, unnest(from_json(split_part("$state", chr(10), 2), '[["VARCHAR"]]')) AS "$o" FROM "$walk" WHERE "$b" >= 0))`, true
}

// program compiles all of the steps.
func (c *scanCompiler) program() bool {
	for j := range c.op.Steps {
		for i, read := range c.refs[j] {
			if !read {
				continue
			}
			k, ok := scanKindOf(c.r.cols[i].typ)
			init, fine := c.leafOf(c.init[i])
			if !ok || !fine {
				return false
			}
			c.slots[[2]int{j, i}] = len(c.p.Slots)
			c.p.Slots = append(c.p.Slots, scanSlot{Step: j, Kind: k, Init: init})
		}
	}
	for k, st := range c.op.Steps {
		own := c.within(c.env, k, func(j, i int) string { return "" })
		cond, t, ok := c.node(st.Cond, own)
		if !ok || t != Bool {
			return false
		}
		step := scanStep{Cond: cond}
		for i, set := range c.set {
			now, fine := c.assigned(st, i, own)
			if !fine {
				return false
			}
			if set {
				step.Set = append(step.Set, now)
			}
			if at, read := c.slots[[2]int{k, i}]; read {
				c.p.Slots[at].Now = now
			}
		}
		c.p.Steps = append(c.p.Steps, step)
	}
	return true
}

// assigned is what column i becomes in a row that step st matches. Columns that
// are neither assigned nor read of a state need no value.
func (c *scanCompiler) assigned(st *syntax.ScanStep, i int, own *ctx) (*scanNode, bool) {
	col := c.r.cols[i]
	var x syntax.Expr
	for _, a := range st.Assigns {
		if len(a.Names) > 0 && a.Names[0].Text == col.name {
			x = a.X
		}
	}
	switch {
	case x == nil && !c.set[i] && !slices.ContainsFunc(c.refs, func(r []bool) bool { return r[i] }):
		return nil, true
	case x == nil:
		return c.leafOf(expr{sql: col.ref(), typ: col.typ})
	case !c.stateful(x):
		return c.leafOf(c.b.castTo(c.b.scalar(x, own), col.typ, x))
	}
	n, t, ok := c.node(x, own)
	switch {
	case ok && (t == col.typ || t == Int && col.typ == Long):
		return n, true
	case ok && col.typ == Real && (t == Int || t == Long):
		return &scanNode{Op: "real", Kind: scanReal, Args: []*scanNode{n}}, true
	}
	return nil, false
}

// scanKindOf is how values of t are held; not all can be.
func scanKindOf(t Type) (scanKind, bool) {
	switch t {
	case Int, Long, DateTime, TimeSpan:
		return scanWhole, true
	case Real:
		return scanReal, true
	case String, Guid:
		return scanText, true
	case Bool:
		return scanBool, true
	}
	return "", false
}

// leafOf is e, which SQL computes.
func (c *scanCompiler) leafOf(e expr) (*scanNode, bool) {
	k, ok := scanKindOf(e.typ)
	if !ok || e.window {
		return nil, false
	}
	at, known := c.leaf[e.sql]
	if !known {
		at = len(c.leaves)
		c.leaf[e.sql], c.leaves, c.p.Leaves = at, append(c.leaves, e.sql), append(c.p.Leaves, k)
	}
	return &scanNode{Op: "leaf", Kind: k, N: at}, true
}

// stateful reports whether x reads the state of a step.
func (c *scanCompiler) stateful(x syntax.Expr) bool {
	found := false
	syntax.Walk(x, func(n syntax.Node) bool {
		if p, ok := n.(*syntax.Path); ok {
			if s, ok := p.X.(*syntax.Name); ok {
				_, step := c.steps[s.Text]
				found = found || step
			}
		}
		return !found
	})
	return found
}

// node compiles x.
func (c *scanCompiler) node(x syntax.Expr, own *ctx) (*scanNode, Type, bool) {
	if !c.stateful(x) {
		e := c.b.scalar(x, own)
		n, ok := c.leafOf(e)
		return n, e.typ, ok
	}
	switch x := x.(type) {
	case *syntax.Paren:
		return c.node(x.X, own)
	case *syntax.Path:
		s, ok := x.X.(*syntax.Name)
		col, named := x.Name.(*syntax.Name)
		if !ok || !named {
			return nil, Unknown, false
		}
		i := slices.IndexFunc(c.r.cols, func(r column) bool { return r.name == col.Text })
		at, ok := c.slots[[2]int{c.steps[s.Text], i}]
		if !ok {
			return nil, Unknown, false
		}
		return &scanNode{Op: "slot", Kind: c.p.Slots[at].Kind, N: at}, c.r.cols[i].typ, true
	case *syntax.Binary:
		l, lt, ok := c.node(x.X, own)
		r, rt, fine := c.node(x.Y, own)
		if !ok || !fine {
			return nil, Unknown, false
		}
		return scanBinary(x.Op, l, r, lt, rt)
	case *syntax.Call:
		return c.call(x, own)
	}
	return nil, Unknown, false
}

// scanBinary is l op r.
func scanBinary(op syntax.Kind, l, r *scanNode, lt, rt Type) (*scanNode, Type, bool) {
	whole := func(t Type) bool { return t == Int || t == Long }
	if lt == Real && whole(rt) {
		r, rt = &scanNode{Op: "real", Kind: scanReal, Args: []*scanNode{r}}, Real
	} else if rt == Real && whole(lt) {
		l, lt = &scanNode{Op: "real", Kind: scanReal, Args: []*scanNode{l}}, Real
	}
	n := &scanNode{Op: op.String(), Kind: scanBool, Args: []*scanNode{l, r}}
	switch op {
	case syntax.AND, syntax.OR:
		return n, Bool, lt == Bool && rt == Bool
	case syntax.EQ, syntax.NE, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		return n, Bool, lt == rt && (lt != String || op == syntax.EQ || op == syntax.NE) || whole(lt) && whole(rt)
	case syntax.ADD, syntax.SUB, syntax.MUL:
		t := arithType(op, lt, rt)
		k, ok := scanKindOf(t)
		n.Kind = k
		if isTicks(t) {
			n.N = 1
		}
		return n, t, ok && k == l.Kind && k == r.Kind && !(isTicks(t) && op == syntax.MUL)
	}
	return nil, Unknown, false
}

// call compiles a call of one of the few functions that the native one knows.
func (c *scanCompiler) call(x *syntax.Call, own *ctx) (*scanNode, Type, bool) {
	if x.Func == nil {
		return nil, Unknown, false
	}
	if _, defined := c.env.lookup(x.Func.Text); defined {
		return nil, Unknown, false
	}
	var args []*scanNode
	var types []Type
	for _, a := range x.Args {
		n, t, ok := c.node(a, own)
		if !ok {
			return nil, Unknown, false
		}
		args, types = append(args, n), append(types, t)
	}
	n := &scanNode{Op: x.Func.Text, Kind: scanBool, Args: args}
	negate := func() *scanNode { return &scanNode{Op: "not", Kind: scanBool, Args: []*scanNode{n}} }
	switch n.Op {
	case "iff", "iif":
		if len(args) != 3 || types[0] != Bool || types[1] != types[2] {
			return nil, Unknown, false
		}
		n.Op, n.Kind = "iff", args[1].Kind
		return n, types[1], true
	case "coalesce":
		if len(args) == 0 || types[0] == String || slices.ContainsFunc(types, func(t Type) bool { return t != types[0] }) {
			return nil, Unknown, false
		}
		n.Kind = args[0].Kind
		return n, types[0], true
	case "not":
		return n, Bool, len(args) == 1 && types[0] == Bool
	case "isnull", "isnotnull", "notnull":
		not := n.Op != "isnull"
		n.Op = "isnull"
		if not {
			return negate(), Bool, len(args) == 1
		}
		return n, Bool, len(args) == 1
	case "isempty", "isnotempty", "notempty":
		not := n.Op != "isempty"
		n.Op = "isempty"
		if not {
			return negate(), Bool, len(args) == 1 && types[0] == String
		}
		return n, Bool, len(args) == 1 && types[0] == String
	}
	return nil, Unknown, false
}
