package syntax

import (
	"fmt"
	"strings"
	"testing"
)

func TestLex(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		var got []string
		for _, k := range lex(src) {
			if Kind(k.kind) == EOF {
				break
			}
			text := src[k.start:k.end]
			if name := Kind(k.kind).String(); name != text {
				text = name + "<" + text + ">"
			}
			got = append(got, text)
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%q:\n got %s\nwant %s", src, g, want)
		}
	}
	// names, white space, comments
	f("a _b $left c9 größe 4xx 1e3x", "name<a> name<_b> name<$left> name<c9> name<größe> name<4xx> name<1e3x>")
	f("a//b\nc // d\r\ne//", "name<a> name<c> name<e>")
	f("//x\ry", "name<y>")
	f("\ufeffa\u00a0b\u200bc\u202fd", "name<a> name<b> name<c> name<d>")
	// operators
	f("==!= <>=~!~ < <= > >= = => : . .. | , ; @", "== != !=<<>> =~ !~ < <= > >= = => : . .. | , ; @")
	f("+-*/%()[]{}", "+ - * / % ( ) [ ] { }")
	f("in in~ !in !in~ in ~~~x~~~", "name<in> in~ !in !in~ name<in> string<~~~x~~~>")
	f("!has !has_cs !hasprefix_cs !contains !startswith_cs !endswith !between", "!has !has_cs !hasprefix_cs !contains !startswith_cs !endswith !between")
	f("has contains", "name<has> name<contains>") // told apart by the parser
	f("! !x && || & ~ ` ? \\ \x00", "illegal text<!> illegal text<!x> illegal text<&&> illegal text<||> illegal text<&> illegal text<~> illegal text<`> illegal text<?> illegal text<\\> illegal text<\x00>")
	// numbers
	f("0 12 0x1F 0XaB 1.5 1e3 1.5E-3 1e+3 1.", "number<0> number<12> number<0x1F> number<0XaB> number<1.5> number<1e3> number<1.5E-3> number<1e+3> number<1.>")
	f("1..5 a[0].b 0x 0x1g 1.x", "number<1> .. number<5> name<a> [ number<0> ] . name<b> name<0x> name<0x1g> number<1> . name<x>")
	f("1.5x 1.5dd", "illegal text<1.5x> illegal text<1.5dd>")
	for _, u := range strings.Fields("d day days h hr hrs hour hours m min minute minutes s sec second seconds ms milli millis millisec millisecond milliseconds " +
		"micro micros microsec microsecond microseconds nano nanos nanosec nanosecond nanoseconds tick ticks") {
		f("1"+u+" 1.5"+u+" 1"+u+"x", fmt.Sprintf("timespan<1%s> timespan<1.5%s> name<1%sx>", u, u, u))
	}
	// typed literals are raw up to the first )
	f("datetime(2024-01-01 10:00:00.5Z) date(x) time(-1.02:03) timespan(null) guid({a}) int(-1)long(5)", "literal<datetime(2024-01-01 10:00:00.5Z)> literal<date(x)> literal<time(-1.02:03)> literal<timespan(null)> literal<guid({a})> literal<int(-1)> literal<long(5)>")
	f("real(1e3) double(nan) decimal(1.5) bool(true) boolean(0) uniqueid(x) uuid(x)", "literal<real(1e3)> literal<double(nan)> literal<decimal(1.5)> literal<bool(true)> literal<boolean(0)> literal<uniqueid(x)> literal<uuid(x)>")
	f("int long (int, date", "name<int> name<long> ( name<int> , name<date>")
	f("datetime(2024\n)", "illegal text<datetime(2024> )")
	f("74be27de-1e4e-49d9-b579-fe0b331d3642 aabbccdd-1e4e-49d9-b579-fe0b331d3642 aabbccdd-1", "literal<74be27de-1e4e-49d9-b579-fe0b331d3642> literal<aabbccdd-1e4e-49d9-b579-fe0b331d3642> name<aabbccdd> - number<1>")
	// strings
	f(`"a" 'b' "a\"b" 'a\'b' "a'b" "" ''`, `string<"a"> string<'b'> string<"a\"b"> string<'a\'b'> string<"a'b"> string<""> string<''>`)
	f(`@"a\" @"a""b" @'a''b' h"x" H'x' h@"x" H@'x'`, `string<@"a\"> string<@"a""b"> string<@'a''b'> string<h"x"> string<H'x'> string<h@"x"> string<H@'x'>`)
	f("```a\nb`c``` ~~~a\r\nb~~~ h```x```", "string<```a\nb`c```> string<~~~a\r\nb~~~> string<h```x```>")
	f("\"a\nb\" 'c", "illegal text<\"a> name<b> illegal text<\" 'c>")
	f("```a", "illegal text<```a>")
	f(`"\d" "\x4" "\u12" "\8" hello`, `illegal text<"\d"> illegal text<"\x4"> illegal text<"\u12"> illegal text<"\8"> name<hello>`)
	f(`"\a\b\f\n\r\t\v\\\'\"\u00e9\U0001F600\x41\0\12\101\477"`, `string<"\a\b\f\n\r\t\v\\\'\"\u00e9\U0001F600\x41\0\12\101\477">`)
}

func TestMates(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		var got strings.Builder
		for _, k := range lex(src) {
			if Kind(k.kind) >= LPAREN && Kind(k.kind) <= RBRACE {
				fmt.Fprintf(&got, "%s%d ", src[k.start:k.end], k.mate)
			}
		}
		if g := strings.TrimSpace(got.String()); g != want {
			t.Errorf("%q: got %s, want %s", src, g, want)
		}
	}
	f("([{}])", "(5 [4 {3 }2 ]1 )0")
	f("(()", "(-1 (2 )1")
	f("())", "(1 )0 )-1")
	f("([)", "(2 [-1 )0")
	f("(])", "(2 ]-1 )0")
	f("( ; )", "(-1 )-1")
	f("{ ( ; ) }", "{4 (-1 )-1 }0")
	f("(step a; )", "(4 )0") // the steps of scan
	f("({)}", "(2 {-1 )0 }-1")
}

func TestUnquote(t *testing.T) {
	f := func(lit, want string) {
		t.Helper()
		got, err := Unquote(lit)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", lit, got, err, want)
		}
		again, err := Unquote(Quote(want))
		if err != nil || again != want {
			t.Errorf("%q: quoted as %s, read as %q, %v", want, Quote(want), again, err)
		}
	}
	f(`"a\tb\n\\\"\'"`, "a\tb\n\\\"'")
	f(`'a"b'`, `a"b`)
	f(`"\u00e9\U0001F600\x41\101\0\7\12x\477"`, "é😀AA\x00\a\nx'7")
	f(`"\UFFFFFFFF\uD800"`, "\uFFFD\uFFFD")
	f(`@"C:\d+""x"""`, `C:\d+"x"`)
	f(`@'it''s'`, `it's`)
	f("```a\n\"b\"\\n```", "a\n\"b\"\\n")
	f("~~~`~~~", "`")
	f(`h"secret"`, "secret")
	f(`H@'a\b'`, `a\b`)
	f(`""`, "")
	f("'\u00a0\u202e'", "\u00a0\u202e")
	for _, bad := range []string{``, `x`, `"a`, `a"`, `"a" "b"`, `"\d"`, `'a"`, "```a``", `h`, `"a"x`} {
		if s, err := Unquote(bad); err == nil {
			t.Errorf("%s: read as %q, want an error", bad, s)
		}
	}
}

func TestQuote(t *testing.T) {
	f := func(s, want string) {
		t.Helper()
		if got := Quote(s); got != want {
			t.Errorf("%q: got %s, want %s", s, got, want)
		}
	}
	f(`a'b`, `"a'b"`)
	f(`a"b`, `"a\"b"`)
	f(`\d+"`, `@"\d+"""`)
	f("a\\b\n", `"a\\b\n"`)
	f("\x00\u200b\U000e0001", `"\u0000\u200b\U000e0001"`)
}

func TestQuoteName(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := QuoteName(name); got != want {
			t.Errorf("%q: got %s, want %s", name, got, want)
		}
		q, ds := Parse("print " + want)
		if len(ds) > 0 {
			t.Fatalf("%q: %s does not parse: %v", name, want, ds)
		}
		n, ok := q.Stmts[0].(*ExprStmt).X.(*SourceOp).Op.(*PrintOp).Cols[0].(*Name)
		if !ok || n.Text != name {
			t.Errorf("%q: %s is read as %#v", name, want, n)
		}
	}
	f("a", "a")
	f("_Is4", "_Is4")
	f("größe", "größe")
	f("$left", "$left")
	f("4xx", "4xx")
	f("a b", "['a b']")
	f("it's", `['it\'s']`)
	f(`a\b`, `['a\\b']`)
	f("", "['']")
	f("1", "['1']")
	f("1d", "['1d']")
	f("where", "['where']")
	f("has", "['has']")
	f("and", "['and']")
	f("by", "['by']")
	f("true", "['true']")
	f("int", "['int']")
	f("dynamic", "['dynamic']")
	f("a-b", "['a-b']")
	f("a*", "['a*']")
	f("Größe\n", `['Größe\n']`)
	f("kind", "kind")
	f("title", "['title']")
}
