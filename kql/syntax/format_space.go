package syntax

import "sort"

// role is what the tree tells of a token's spacing.
type role int

const (
	plain   role = iota
	binary       // an operator between operands
	glued        // nothing stands before it
	tight        // nothing stands before or behind it
	opens        // a blank stands behind it
	as           // spaced as it is in the source
	onBoth       // a blank stands on both sides
	jsonKey      // a colon with a blank behind it
)

// spacer decides where blanks stand.
type spacer struct {
	src   string
	toks  []token
	roles map[int]role
}

// spacesOf returns for every token whether a blank stands before it on a line.
func spacesOf(src string, toks []token, q *Query) []bool {
	s := &spacer{src, toks, map[int]role{}}
	Walk(q, func(n Node) bool {
		s.node(n)
		return true
	})
	space := make([]bool, len(toks))
	for i := 1; i < len(toks)-1; i++ {
		space[i] = s.between(i)
	}
	return space
}

// at returns the first token that begins at or behind offset.
func (s *spacer) at(offset int) int {
	return sort.Search(len(s.toks), func(i int) bool { return int(s.toks[i].start) >= offset })
}

// mark gives token i its role when it is of kind k.
func (s *spacer) mark(i int, k Kind, r role) {
	if i >= 0 && i < len(s.toks) && Kind(s.toks[i].kind) == k {
		s.roles[i] = r
	}
}

func (s *spacer) node(n Node) {
	switch n := n.(type) {
	case *Binary:
		r := binary
		if n.Op == COLON {
			r = tight
		}
		s.roles[s.at(n.OpPos.Start)] = r
	case *In:
		s.roles[s.at(n.OpPos.Start)] = binary
	case *Between:
		s.roles[s.at(n.OpPos.Start)] = binary
		s.mark(s.at(n.Lo.Span().End), DOTDOT, onBoth)
	case *Call:
		s.mark(s.at(n.Func.S.End), LPAREN, glued)
	case *Index:
		s.mark(s.at(n.X.Span().End), LBRACKET, glued)
	case *Hint:
		i := s.at(n.S.Start)
		for Kind(s.toks[i].kind) == IDENT || Kind(s.toks[i].kind) == DOT {
			i++
		}
		s.mark(i, ASSIGN, tight)
	case *DynObject:
		i := s.at(n.S.Start)
		s.mark(i, LBRACE, tight)
		for _, v := range n.Values {
			if v != nil {
				s.mark(s.at(v.Span().Start)-1, COLON, jsonKey)
			}
		}
	case *Placeholder:
		s.mark(s.at(n.S.Start), LBRACE, tight)
	case *ScanStep:
		s.mark(s.at(n.Cond.Span().Start)-1, COLON, jsonKey)
	case *UnsupportedOp:
		for i := s.at(n.S.Start) + 1; i < len(s.toks) && int(s.toks[i].end) <= n.S.End; i++ {
			s.roles[i] = as
		}
	}
}

// apart reports whether the source has space between tokens i-1 and i.
func (s *spacer) apart(i int) bool { return s.toks[i-1].end != s.toks[i].start }

// between reports whether a blank stands between tokens i-1 and i.
func (s *spacer) between(i int) bool {
	a, b := Kind(s.toks[i-1].kind), Kind(s.toks[i].kind)
	ra, rb := s.roles[i-1], s.roles[i]
	switch {
	case rb == as:
		return s.apart(i)
	case b == COMMA || b == SEMI || b == RPAREN || b == RBRACKET || a == LPAREN || a == LBRACKET:
		return false
	case a == COMMA:
		return true
	case a == LBRACE || b == RBRACE:
		return s.braced(i, a == LBRACE)
	case rb == glued || rb == tight && b != LBRACE || ra == tight && a != LBRACE:
		return false
	case rb == onBoth || ra == onBoth || rb == binary || ra == binary:
		return true
	case b == DOT || a == DOT:
		return b == DOT && (a == INT || a == REAL) && s.apart(i)
	case b == COLON:
		return a == RPAREN
	case a == COLON:
		return ra == jsonKey || i >= 2 && Kind(s.toks[i-2].kind) == RPAREN
	case isSign(a) || isSign(b):
		return s.apart(i)
	case b == LPAREN:
		return !s.callLike(i - 1)
	case b == LBRACKET:
		return a != RPAREN
	}
	return true
}

// braced reports whether a blank stands behind the brace at i-1 or before the one at i.
func (s *spacer) braced(i int, opening bool) bool {
	open := i - 1
	if !opening {
		open = int(s.toks[i].mate)
	}
	return s.roles[open] != tight && int(s.toks[open].mate) != open+1
}

// isSign holds for the operators that are part of names, edges and patterns
// where they do not stand between operands.
func isSign(k Kind) bool {
	switch k {
	case ADD, SUB, MUL, DIV, MOD, LT, GT, DOTDOT:
		return true
	}
	return false
}

// callLike holds for the keywords that are written like functions.
func (s *spacer) callLike(i int) bool {
	if Kind(s.toks[i].kind) != IDENT {
		return false
	}
	switch s.src[s.toks[i].start:s.toks[i].end] {
	case "dynamic", "datatable", "externaldata", "external_data", "typeof", "query_parameters", "pack":
		return true
	}
	return false
}
