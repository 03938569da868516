package playbook

import "strings"

// A template is a JSON value of a definition with the expressions in its
// strings parsed. Evaluating it gives a value.
type template interface{ isTemplate() }

type constant struct{ v any }

// formula is a string that is one expression: "@expr". Its value keeps its type.
type formula struct {
	e   expr
	src string
}

// mixed is text with expressions in it: "a @{expr} b". Its value is a string.
type mixed struct{ parts []template }

type list struct{ items []template }

type record struct{ fields []field }

type field struct{ key, value template }

func (*constant) isTemplate() {}
func (*formula) isTemplate()  {}
func (*mixed) isTemplate()    {}
func (*list) isTemplate()     {}
func (*record) isTemplate()   {}

// parseText reads a string of a definition: "@expr", "@@text", or text with
// @{expr} in it, where "@@{" stands for "@{".
func parseText(s string) (template, error) {
	if strings.HasPrefix(s, "@@") && !strings.HasPrefix(s, "@@{") {
		return &constant{s[1:]}, nil
	}
	if strings.HasPrefix(s, "@") && !strings.HasPrefix(s, "@{") && len(s) > 1 && !strings.HasPrefix(s, "@@") {
		e, err := parseExpr(s[1:])
		if err != nil {
			return nil, err
		}
		return &formula{e, s}, nil
	}
	if !strings.Contains(s, "@{") {
		return &constant{s}, nil
	}
	return parseMixed(s)
}

func parseMixed(s string) (template, error) {
	m := &mixed{}
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			m.parts = append(m.parts, &constant{lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "@@{"):
			lit.WriteString("@{")
			i += 3
		case strings.HasPrefix(s[i:], "@{"):
			flush()
			p := &exprParser{src: s, off: i + 2}
			e, err := p.expression()
			if err != nil {
				return nil, err
			}
			if !p.take('}') {
				return nil, p.fail("expected '}' after the expression, found %s", p.what())
			}
			m.parts = append(m.parts, &formula{e, s[i:p.off]})
			i = p.off
		default:
			lit.WriteByte(s[i])
			i++
		}
	}
	flush()
	if len(m.parts) == 1 {
		if c, ok := m.parts[0].(*constant); ok {
			return c, nil
		}
	}
	return m, nil
}

// calls tells f of every function call in t.
func calls(t template, f func(*call)) {
	switch t := t.(type) {
	case *formula:
		exprCalls(t.e, f)
	case *mixed:
		for _, p := range t.parts {
			calls(p, f)
		}
	case *list:
		for _, i := range t.items {
			calls(i, f)
		}
	case *record:
		for _, fl := range t.fields {
			calls(fl.key, f)
			calls(fl.value, f)
		}
	}
}

func exprCalls(e expr, f func(*call)) {
	switch e := e.(type) {
	case *call:
		f(e)
		for _, a := range e.args {
			exprCalls(a, f)
		}
	case *quoted:
		calls(e.t, f)
	case *access:
		exprCalls(e.base, f)
		exprCalls(e.key, f)
	}
}
