package syntax

import (
	"math/rand/v2"
	"strings"
)

// mutate breaks a query of at least two tokens in one way and says how.
func mutate(rnd *rand.Rand, src string) (broken, how string) {
	toks := lex(src)
	toks = toks[:len(toks)-1]
	i, j := rnd.IntN(len(toks)), rnd.IntN(len(toks))
	text := func(i int) string { return src[toks[i].start:toks[i].end] }
	replace := func(i int, s string) string { return src[:toks[i].start] + s + src[toks[i].end:] }
	switch rnd.IntN(8) {
	case 0:
		return replace(i, text(i)+" "+text(i)), "a token doubled"
	case 1:
		i, j = min(i, j), max(i, j)
		if i < j {
			return src[:toks[i].start] + text(j) + src[toks[i].end:toks[j].start] + text(i) + src[toks[j].end:], "tokens swapped"
		}
	case 2:
		return replace(i, text(i)+" "+text(j)), "a token inserted"
	case 3:
		return src[:toks[i].end], "truncated"
	case 4:
		if k := pick(rnd, src, "()[]{}\"'"); k >= 0 {
			return src[:k] + src[k+1:], "a bracket or quote removed"
		}
	case 5:
		if k := pick(rnd, src, "|,;=:."); k >= 0 {
			return src[:k] + src[k+1:], "a sign removed"
		}
	case 6:
		if k := pickKeyword(rnd, src, toks); k >= 0 {
			n := rnd.IntN(len(text(k)))
			return replace(k, text(k)[:n]+text(k)[n+1:]), "a keyword misspelt"
		}
	}
	return replace(i, ""), "a token removed"
}

// pick returns where one of the given characters stands in src, or -1.
func pick(rnd *rand.Rand, src, chars string) int {
	var at []int
	for i := range len(src) {
		if strings.IndexByte(chars, src[i]) >= 0 {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return -1
	}
	return at[rnd.IntN(len(at))]
}

// pickKeyword returns the index of a keyword among toks, or -1.
func pickKeyword(rnd *rand.Rand, src string, toks []token) int {
	var at []int
	for i, t := range toks {
		switch w := src[t.start:t.end]; w {
		case "by", "on", "let", "with", "from", "to", "step", "typeof", "kind", "asc", "desc":
			at = append(at, i)
		default:
			if isOperator(w) || wordOp(w) != ILLEGAL {
				at = append(at, i)
			}
		}
	}
	if len(at) == 0 {
		return -1
	}
	return at[rnd.IntN(len(at))]
}
