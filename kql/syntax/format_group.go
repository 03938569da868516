package syntax

// segment writes an operator, or what stands before the first pipe sign.
func (f *formatter) segment(lo, hi, indent int) {
	f.goOn(indent + 4)
	switch {
	case lo >= hi:
	case f.fits(lo, hi):
		f.tokens(lo, hi)
	case f.next(lo, hi, COMMA) < hi:
		f.clauses(lo, hi, indent+4)
	default:
		f.condition(lo, hi, indent+4)
	}
}

// goOn says how a line is indented that a comment makes necessary.
func (f *formatter) goOn(indent int) {
	if !f.newline {
		f.indent = indent
	}
}

// clauses writes an operator whose operands do not fit on its line: its name,
// then each operand on a line, and "by" or "on" with what follows on lines of
// their own.
func (f *formatter) clauses(lo, hi, indent int) {
	list := f.operands(lo, hi)
	f.spread(lo, list, indent)
	for at := list; at < hi; {
		end := f.clause(at, hi)
		if at > list || f.isClause(at) {
			f.endLine(indent)
			if f.fits(at, end) || f.next(at, end, COMMA) == end {
				f.spread(at, end, indent+4)
			} else {
				f.spread(at, at+1, indent+4)
				f.items(at+1, end, indent+4)
			}
		} else {
			f.items(at, end, indent)
		}
		at = end
	}
}

// isClause holds for the words that begin another list of operands.
func (f *formatter) isClause(i int) bool {
	if Kind(f.toks[i].kind) != IDENT || i+1 < len(f.toks) && Kind(f.toks[i+1].kind) == ASSIGN {
		return false
	}
	switch f.text(i) {
	case "by", "on", "step", "project":
		return true
	}
	return false
}

// clause returns where the clause that begins at lo ends.
func (f *formatter) clause(lo, hi int) int {
	for i := lo; i < hi; i++ {
		if i > lo && f.isClause(i) {
			return i
		}
		if m := int(f.toks[i].mate); m > i {
			i = m
		}
	}
	return hi
}

// operands returns where the operands of the operator at lo begin: behind its
// name and its parameters.
func (f *formatter) operands(lo, hi int) int {
	i := lo + 1
	for i+1 < hi && Kind(f.toks[i].kind) == SUB && !f.space[i] && !f.space[i+1] {
		i += 2
	}
	if Kind(f.toks[lo].kind) != IDENT || !isOperator(f.src[f.toks[lo].start:f.toks[i-1].end]) {
		return lo
	}
	for i+2 < hi && Kind(f.toks[i+1].kind) == ASSIGN && !f.space[i+1] {
		i += 3
	}
	return min(i, hi)
}

// items writes a list, each item on a line.
func (f *formatter) items(lo, hi, indent int) {
	for lo < hi {
		end := f.next(lo, hi, COMMA)
		f.endLine(indent)
		if f.fits(lo, min(end+1, hi)) {
			f.tokens(lo, end)
		} else {
			f.condition(lo, end, indent+4)
		}
		if end < hi {
			f.token(end)
			end++
		}
		lo = end
	}
}

// condition writes an expression that does not fit on its line, broken before
// its and/or.
func (f *formatter) condition(lo, hi, indent int) {
	at := lo
	for i := lo; i < hi; i++ {
		if w := Kind(f.toks[i].kind); w == IDENT && i > lo && (f.text(i) == "and" || f.text(i) == "or") {
			f.spread(at, i, indent)
			f.endLine(indent)
			at = i
		}
		if m := int(f.toks[i].mate); m > i {
			i = m
		}
	}
	f.spread(at, hi, indent)
}

// spread writes tokens one after the other, breaking the brackets that do not fit.
func (f *formatter) spread(lo, hi, indent int) {
	for i := lo; i < hi; i++ {
		m := int(f.toks[i].mate)
		f.goOn(indent)
		if m <= i || f.fits(i, m+1) {
			f.token(i)
			continue
		}
		f.group(i, m, indent-4)
		i = m
	}
}

func (f *formatter) tokens(lo, hi int) {
	for i := lo; i < hi; i++ {
		f.token(i)
	}
}

// group writes a bracket that does not fit on the line: what it holds stands on
// lines of its own.
func (f *formatter) group(open, end, indent int) {
	f.token(open)
	switch {
	case open+1 == end:
		f.goOn(indent)
		f.token(end)
		return
	case int(f.toks[open+1].mate) == end-1 && Kind(f.toks[open].kind) == LPAREN && len(f.gaps[open+1])+len(f.gaps[end]) == 0:
		f.group(open+1, end-1, indent)
		f.token(end)
		return
	}
	inner := indent + 4
	switch {
	case Kind(f.toks[open].kind) == LBRACE && f.space[open+1]:
		f.stmts(open+1, end, inner)
	case f.next(open+1, end, SEMI) < end: // the steps of scan
		f.stmts(open+1, end, inner)
	case f.next(open+1, end, PIPE) < end:
		f.endLine(inner)
		f.pipeline(open+1, end, inner)
	case f.next(open+1, end, COMMA) == end:
		f.endLine(inner)
		f.condition(open+1, end, inner+4)
	case f.hard[end]-f.hard[open+1] == 0 && f.simple(open+1, end):
		f.fill(open+1, end, inner)
	default:
		f.items(open+1, end, inner)
	}
	f.endLine(inner)
	f.flush(end)
	f.endLine(indent)
	f.token(end)
}

// simple reports whether the items of a list are single literals.
func (f *formatter) simple(lo, hi int) bool {
	for i := lo; i < hi; i++ {
		switch k := Kind(f.toks[i].kind); k {
		case STRING, INT, REAL, TIMESPAN, LITERAL:
			if (i-lo)%2 == 1 {
				return false
			}
		default:
			if k != COMMA || (i-lo)%2 == 0 {
				return false
			}
		}
	}
	return true
}

// fill writes a list with as many items on a line as fit; the rows of a
// datatable are lines of their own.
func (f *formatter) fill(lo, hi, indent int) {
	rows := f.columns(lo - 1)
	for i := lo; i < hi; i += 2 {
		end := min(i+2, hi)
		row := rows > 0 && (i-lo)/2%rows == 0
		if i == lo || row || rows == 0 && !f.fits(i, end) {
			f.endLine(indent)
		}
		f.tokens(i, end)
	}
}

// columns returns how many columns the datatable has whose values begin with
// bracket open, or 0 when it is another bracket.
func (f *formatter) columns(open int) int {
	if open < 1 || Kind(f.toks[open].kind) != LBRACKET || Kind(f.toks[open-1].kind) != RPAREN {
		return 0
	}
	lo := int(f.toks[open-1].mate)
	n := 0
	for i := lo + 1; i < open; i++ {
		if Kind(f.toks[i].kind) == COLON {
			n++
		}
	}
	if lo < 1 || f.text(lo-1) != "datatable" {
		return 0
	}
	return n
}
