package kql

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"picket/kql/syntax"
)

// CompletionKind says what a completion is.
type CompletionKind int

// The kinds of completions, in the order in which they are offered.
const (
	CompleteColumn    CompletionKind = iota // a column in scope
	CompleteVariable                        // a let name or a parameter
	CompleteValue                           // a value of an operator's parameter: leftouter
	CompleteParameter                       // a parameter of an operator: kind=
	CompleteKeyword                         // by, asc, let, has, …
	CompleteOperator                        // a query operator
	CompletePlugin                          // a plugin of evaluate
	CompleteType                            // the name of a type
	CompleteAggregate                       // an aggregate function
	CompleteFunction                        // a scalar function
	CompleteTable                           // a table of the catalog
)

var completionKinds = [...]string{"column", "variable", "value", "parameter", "keyword", "operator", "plugin", "type", "aggregate", "function", "table"}

// String returns the kind as one word.
func (k CompletionKind) String() string { return completionKinds[k] }

// Completion is one text that could stand at a place of a query.
type Completion struct {
	Text   string // what to put there
	Kind   CompletionKind
	Detail string      // the type of a column, else ""
	Span   syntax.Span // what it replaces: the word at the place, or nothing
}

// Complete returns what could stand at a byte offset of src, which need not be
// whole: columns as they are after the operators before it, functions, tables,
// operators, keywords. All begin with what stands between the start of the word
// and offset, whatever its case. Columns come first, each kind is sorted. Inside a string or a comment
// there is nothing to complete. An offset outside src counts as the nearest one inside.
//
// Of opt only Functions is used: nothing is run.
func Complete(src string, offset int, cat Catalog, opt Options) []Completion {
	offset = min(max(offset, 0), len(src))
	span, quoted := wordAt(src, offset)
	tree, want := syntax.Expect(src[:span.Start])
	if quoted {
		return nil
	}
	w := &watch{want: want}
	b := &binder{cat: cat, opt: Options{Functions: opt.Functions, External: func(ExternalData) (string, error) { return "", nil }}, watch: w}
	b.query(tree)
	c := &completer{b: b, want: want, w: w, span: span, prefix: strings.ToLower(src[span.Start:offset]), called: strings.HasPrefix(src[span.End:], "(")}
	c.all()
	slices.SortStableFunc(c.list, func(x, y Completion) int {
		return cmp.Or(cmp.Compare(x.Kind, y.Kind), cmp.Compare(strings.ToLower(x.Text), strings.ToLower(y.Text)), cmp.Compare(x.Text, y.Text))
	})
	return slices.CompactFunc(c.list, func(x, y Completion) bool { return x.Text == y.Text && x.Kind == y.Kind })
}

// wordAt returns the word that offset stands in or behind. Names of operators
// are one word with their hyphens, those of parameters with their dots.
// quoted tells that offset is in a string.
func wordAt(src string, offset int) (span syntax.Span, quoted bool) {
	isWord := func(r rune) bool { return r == '_' || r == '$' || unicode.IsLetter(r) || unicode.IsDigit(r) }
	start := offset - trailing(src[:offset], isWord)
	// A hyphen joins words only at the beginning of an operator, a dot only in hint.x.
	long := offset - trailing(src[:offset], func(r rune) bool { return r == '-' || r == '.' || isWord(r) })
	before := strings.TrimRightFunc(src[:long], unicode.IsSpace)
	word := src[long:offset]
	switch {
	case strings.Contains(word, ".") && !strings.HasPrefix(word, "hint."):
	case strings.HasPrefix(word, "hint."), strings.HasSuffix(before, "|"), strings.HasSuffix(before, "("), word != "" && strings.HasPrefix("granny-desc", word):
		if !strings.Contains(word, "--") {
			start = long
		}
	}
	end := offset
	for end < len(src) {
		r, n := utf8.DecodeRuneInString(src[end:])
		if !isWord(r) {
			break
		}
		end += n
	}
	return syntax.Span{Start: start, End: end}, syntax.InString(src[:offset])
}

// trailing returns how many bytes at the end of s are made of runes that f accepts.
func trailing(s string, f func(rune) bool) int {
	return len(s) - len(strings.TrimRightFunc(s, f))
}

// watch notes the scope at the place where a text is being completed. A nil
// watch, as in every other binder, notes nothing.
type watch struct {
	want syntax.Expected
	env  *env      // the names in scope
	in   *relation // the rows that the open operator works on, or nil
}

func (w *watch) scope(e *env) {
	if w != nil {
		w.env = e
	}
}

func (w *watch) input(op syntax.Op, r *relation, e *env) {
	if w != nil && op == w.want.Op {
		w.in, w.env = r, e
	}
}

// openBody binds the body of a function that is being completed, which nobody
// has called yet: its parameters stand for values without value.
func (b *binder) openBody(fn *syntax.Lambda, outer *env) {
	if b.watch == nil || !slices.Contains(b.watch.want.Open, fn) {
		return
	}
	inner := newEnv(outer)
	for _, p := range fn.Params {
		if p.Name == nil {
			continue
		}
		v := &value{name: p.Name.Text}
		if p.Tabular() {
			v.rel = b.empty(b.schema(p.Schema))
		} else {
			e := nullLit(b.typeName(p.Type))
			v.scalar = &e
		}
		inner.vars[p.Name.Text] = v
	}
	b.watch.scope(inner)
	b.stmts(fn.Body, inner)
}

// completer collects what could stand at one place.
type completer struct {
	b      *binder
	want   syntax.Expected
	w      *watch
	span   syntax.Span
	prefix string // of the word, in lower case
	called bool   // a parenthesis follows already
	list   []Completion
}

func (c *completer) add(kind CompletionKind, text, detail string) {
	if strings.HasPrefix(strings.ToLower(strings.TrimLeft(text, "['")), c.prefix) || strings.HasPrefix(strings.ToLower(text), c.prefix) {
		c.list = append(c.list, Completion{text, kind, detail, c.span})
	}
}

func (c *completer) addAll(kind CompletionKind, texts ...string) {
	for _, t := range texts {
		c.add(kind, t, "")
	}
}

// function adds something that is called.
func (c *completer) function(kind CompletionKind, name string) {
	if !c.called {
		name += "("
	}
	c.add(kind, name, "")
}

func (c *completer) column(col column) {
	c.add(CompleteColumn, syntax.QuoteName(col.name), col.typ.String())
}

func (c *completer) columns(cols []column) {
	for _, col := range cols {
		c.column(col)
	}
}

func (c *completer) all() {
	e := c.want
	c.addAll(CompleteKeyword, e.Words...)
	for _, p := range e.Params {
		if !strings.HasPrefix(p, "__") {
			c.add(CompleteParameter, p+"=", "")
		}
	}
	if _, ok := e.Op.(*syntax.JoinOp); ok && len(e.Params) > 0 {
		c.addAll(CompleteParameter, "hint.strategy=", "hint.shufflekey=", "hint.remote=")
	}
	c.addAll(CompleteValue, paramValues(e.ValueOf, e.Op)...)
	if e.Statement {
		c.addAll(CompleteKeyword, "let", "set", "declare query_parameters(")
	}
	if e.Operator {
		c.addAll(CompleteOperator, syntax.OperatorNames()...)
	}
	if e.Source {
		c.addAll(CompleteOperator, syntax.SourceNames()...)
	}
	if e.Type {
		for t := Bool; t <= Guid; t++ {
			c.add(CompleteType, t.String(), "")
		}
	}
	if e.Plugin {
		for _, n := range pluginNames {
			c.function(CompletePlugin, n)
		}
	}
	switch {
	case e.MemberOf != "":
		c.member()
	case e.TableOnly:
		c.tables()
	case e.Operand || e.Table:
		c.operand()
	case e.Column && c.w.in != nil:
		c.columns(c.w.in.cols)
	}
	if e.Infix && (c.w.in != nil || e.Op != nil) {
		c.addAll(CompleteKeyword, syntax.InfixNames()...)
	}
}
