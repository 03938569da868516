package kql

import "picket/kql/syntax"

// gap is what may stand between two constants of a parse pattern: columns by
// their number, and -1 for *.
type gap []int

// textPattern is a parse pattern without regular expressions: texts is looked for
// from left to right, each where it first comes after the one before. gaps[i] lies
// before texts[i], the last behind them all.
type textPattern struct {
	texts []string
	gaps  []gap
}

// maxTexts is how many constants a pattern may have to be looked for one by one:
// the SQL of what lies behind each holds that of the one before twice.
const maxTexts = 5

// textPatternOf reads the pattern of parse. It reports false where only a regular
// expression says what it means: a number takes digits and leaves others to what
// follows.
func textPatternOf(pattern []syntax.Expr, parts []parsePart, kind string) (textPattern, bool) {
	p := textPattern{gaps: []gap{nil}}
	if kind != "" && kind != "simple" {
		return p, false
	}
	for _, part := range parts {
		switch part.typ {
		case Int, Long, Real, Decimal:
			return p, false
		}
	}
	column := 0
	for _, x := range pattern {
		last := len(p.texts) - 1
		switch x := x.(type) {
		case *syntax.Literal:
			switch {
			case x.Text == "": // a place behind which a column may still take nothing
				return p, false
			case last >= 0 && p.gaps[last+1] == nil:
				p.texts[last] += x.Text
			default:
				p.texts, p.gaps = append(p.texts, x.Text), append(p.gaps, nil)
			}
		case *syntax.Wildcard:
			p.gaps[last+1] = append(p.gaps[last+1], -1)
		case *syntax.Name, *syntax.TypedName:
			p.gaps[last+1] = append(p.gaps[last+1], column)
			column++
		default:
			return p, false
		}
	}
	return p, len(p.texts) > 0 && len(p.texts) <= maxTexts
}

// parseTexts matches the texts of a pattern, nil where that does not do.
func (b *binder) parseTexts(pattern []syntax.Expr, parts []parsePart, kind string, text expr, r *relation) *parsed {
	p, ok := textPatternOf(pattern, parts, kind)
	_, weight := weigh(text, r.cols)
	weight = (weight + 60) << len(p.texts)
	if !ok || weight > maxWeight {
		return nil
	}
	m := &parsed{staged: r, groups: make([]string, len(parts)), weight: weight}
	u := idsOf(r.cols)
	hide := func(name, sql string) string {
		id := quoteIdent(u.add(name))
		m.drop = append(m.drop, id)
		m.staged = b.step(m.staged, "SELECT *, "+sql+" AS "+id+" FROM "+m.staged.from, r.cols)
		return id
	}
	for i := range m.groups {
		m.groups[i] = "''"
	}
	rest := text.sql
	if !text.simple() {
		rest = hide("$rest", rest)
	}
	for i, s := range p.texts {
		find := "strpos(" + rest + ", " + quoteString(s) + ")"
		if i == 0 && p.gaps[0] == nil {
			find = "starts_with(" + rest + ", " + quoteString(s) + ")::BIGINT"
		}
		at := hide("$at", find)
		if i > 0 {
			m.ok += " AND "
		}
		m.ok += at + " > 0"
		p.gaps[i].fill(m.groups, "substring("+rest+", 1, "+at+" - 1)")
		if i < len(p.texts)-1 || p.gaps[i+1].takesRest() {
			rest = hide("$rest", "substring("+rest+", "+at+" + "+formatInt(int64(len([]rune(s))))+")")
		}
	}
	if g := p.gaps[len(p.texts)]; g.takesRest() {
		g.fill(m.groups, rest)
	}
	return m
}

// fill gives the text of the gap to its last element: those before take as little
// as they can, which is nothing.
func (g gap) fill(groups []string, text string) {
	if g.takesRest() {
		groups[g[len(g)-1]] = text
	}
}

// takesRest reports whether a column ends the gap; behind the last constant only
// that one has a text.
func (g gap) takesRest() bool { return len(g) > 0 && g[len(g)-1] >= 0 }
