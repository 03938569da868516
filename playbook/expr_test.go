package playbook

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// testEnv is an environment with one of everything.
func testEnv() *env {
	m := newMask("nonce")
	m.add("Key", canary)
	ran := map[string]*outcome{
		"http":   {Name: "Http", Status: Failed, Code: "NotFound", Message: "HTTP 404 Not Found", Outputs: map[string]any{"statusCode": int64(404), "headers": map[string]any{"X-Cache": "HIT"}, "body": map[string]any{"A": []any{int64(1), int64(2)}}}},
		"notrun": nil,
	}
	body, _ := decodeJSON([]byte(`{"object":{"name":"n1","Properties":{"number":7,"big":12345678901,"pi":3.5,"list":["a","b"],"nothing":null,"empty":[]}}}`))
	return &env{
		params: map[string]any{"Url": "https://x", "Key": canary, "price": 0.02}, trigger: map[string]any{"name": "t", "outputs": map[string]any{"body": body}},
		workflow: map[string]any{"run": map[string]any{"name": "run1"}}, now: time.Date(2026, 2, 28, 23, 59, 58, 123456700, time.UTC), guid: func() string { return "0f8fad5b-d9cb-469f-a165-70867728950e" }, mask: m,
		action:   func(n string) (*outcome, bool) { o, ok := ran[strings.ToLower(n)]; return o, ok },
		results:  func(string) any { return []any{int64(1)} },
		variable: func(n string) (any, bool) { return int64(5), strings.EqualFold(n, "v") },
		loop:     func(string) (any, bool) { return map[string]any{"Address": "192.0.2.1"}, true },
	}
}

// evalText evaluates a string of a definition and gives its value as JSON, or the error.
func evalText(s string) (string, error) {
	t, err := parseText(s)
	if err != nil {
		return "", err
	}
	v, err := testEnv().value(t)
	if err != nil {
		return "", err
	}
	return encodeJSON(v), nil
}

func TestExpressions(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		got, err := evalText(src)
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got != want {
			t.Errorf("%s = %s, want %s", src, got, want)
		}
	}

	// Text, escapes, interpolation.
	f("plain", `"plain"`)
	f("", `""`)
	f("@", `"@"`)
	f("@@{x}", `"@{x}"`)
	f("@@parameters('x')", `"@parameters('x')"`)
	f("a@b.example", `"a@b.example"`)
	f("x @@{y} @{add(1,2)}", `"x @{y} 3"`)
	f("@{add(1,2)}", `"3"`)
	f("@add(1,2)", `3`)
	f("@ add ( 1 , 2 ) ", `3`)
	f("a @{'}'} b @{'@{x}'}", `"a } b @{x}"`)
	f("@'it''s'", `"it's"`)
	f("@{null}|@{true}|@{1.0}|@{1.50}|@{createArray(1,'x')}", `"|True|1|1.5|[1,\"x\"]"`)
	f("@true", `true`)
	f("@NULL", `null`)
	f("@-5", `-5`)
	f("@+5", `5`)
	f("@1.5e3", `1500.0`)
	f("@12345678901234567890", `1.2345678901234567e+19`)

	// Properties.
	f("@triggerBody()?['object']?['NAME']", `"n1"`)
	f("@triggerBody().object.properties.list[1]", `"b"`)
	f("@triggerbody()?.object?.name", `"n1"`)
	f("@triggerBody()?['x']?['y']?['z']", `null`)
	f("@triggerBody()?.object['properties']?['list']?[9]", `null`)
	f("@triggerBody()['object']['properties'][concat('num','ber')]", `7`)
	f("@triggerOutputs()?['body']?['object']?['name']", `"n1"`)
	f("@trigger()?['name']", `"t"`)
	f("@workflow()?['run']?['name']", `"run1"`)
	f("@items('L')?['Address']", `"192.0.2.1"`)
	f("@item().address", `"192.0.2.1"`)
	f("@variables('V')", `5`)
	f("@parameters('url')", `"https://x"`)
	f("@body('HTTP')?['a'][0]", `1`)
	f("@outputs('Http')?['headers']?['x-cache']", `"HIT"`)
	f("@outputs('Http')?['statusCode']", `404`)
	f("@actions('Http')?['error']?['message']", `"HTTP 404 Not Found"`)
	f("@actions('Http').status", `"Failed"`)
	f("@actions('NotRun')?['status']", `null`)
	f("@body('NotRun')?['a']?['b']", `null`)
	f("@outputs('NotRun')", `null`)

	// Logic; only what is needed is evaluated.
	f("@if(true, 1, div(1,0))", `1`)
	f("@if(equals(1,1.0), 'y', 'n')", `"y"`)
	f("@and(true, not(false), equals('a','a'))", `true`)
	f("@or(true, equals(div(1,0),1))", `true`)
	f("@and(false, equals(div(1,0),1))", `false`)
	f("@or(false, false)", `false`)
	f("@equals('a','A')", `false`)
	f("@equals(null, triggerBody()?['no'])", `true`)
	f("@equals(1, '1')", `false`)
	f("@equals(createArray(1,'a'), createArray(1.0,'a'))", `true`)
	f("@equals(json('{\"a\":{\"b\":1}}'), json('{\"a\":{\"b\":1}}'))", `true`)
	f("@equals(json('{\"a\":1}'), json('{\"a\":2}'))", `false`)
	f("@equals(createArray(), 'x')", `false`)
	f("@coalesce(null, triggerBody()?['no'], '', 'x')", `""`)
	f("@coalesce(null)", `null`)
	f("@greater(2, 1.5)", `true`)
	f("@greaterOrEquals('b', 'a')", `true`)
	f("@less('B', 'a')", `true`)
	f("@lessOrEquals(9007199254740993, 9007199254740992)", `false`)

	// Text functions.
	f("@concat('a', 1, null, true, 2.5)", `"a1True2.5"`)
	f("@concat(createArray(1), createArray('b'))", `[1,"b"]`)
	f("@replace('aXbX', 'X', '')", `"ab"`)
	f("@split('a,b,,c', ',')", `["a","b","","c"]`)
	f("@split('abc', '')", `["abc"]`)
	f("@join(createArray('a', 1, null), '; ')", `"a; 1; "`)
	f("@substring('hello world', 6, 5)", `"world"`)
	f("@substring('hello', 2)", `"llo"`)
	f("@substring('hello', 5)", `""`)
	f("@substring('a😀b', 3, 1)", `"b"`)
	f("@slice('hello', -3, -1)", `"ll"`)
	f("@slice('hello', 4, 2)", `""`)
	f("@length('a😀b')", `4`)
	f("@indexOf('Hello WORLD', 'world')", `6`)
	f("@indexOf('abc', 'x')", `-1`)
	f("@lastIndexOf('abcABC', 'b')", `4`)
	f("@startsWith('Hello', 'hE')", `true`)
	f("@endsWith('Hello', 'LLO')", `true`)
	f("@toUpper('straße')", `"STRAßE"`) // as .NET has it
	f("@toLower('ÄB')", `"äb"`)
	f("@trim(' \tx ')", `"x"`)
	f("@guid()", `"0f8fad5b-d9cb-469f-a165-70867728950e"`)
	f("@guid('N')", `"0f8fad5bd9cb469fa16570867728950e"`)

	// Collections.
	f("@empty(null)", `true`)
	f("@empty('')", `true`)
	f("@empty(createArray())", `true`)
	f("@empty(json('{}'))", `true`)
	f("@empty(createArray(null))", `false`)
	f("@contains('abc', 'B')", `false`)
	f("@contains('abc', 'b')", `true`)
	f("@contains(createArray(1,2), 2.0)", `true`)
	f("@contains(json('{\"Key\":1}'), 'key')", `true`)
	f("@first('abc')", `"a"`)
	f("@first(createArray())", `null`)
	f("@last(createArray(1,2))", `2`)
	f("@take('abc', 2)", `"ab"`)
	f("@take(createArray(1,2,3), 9)", `[1,2,3]`)
	f("@skip(createArray(1,2,3), 1)", `[2,3]`)
	f("@union(createArray(1,2,1), createArray(2,3))", `[1,2,3]`)
	f("@union(json('{\"a\":1}'), json('{\"a\":2,\"b\":3}'))", `{"a":2,"b":3}`)
	f("@intersection(createArray(1,2,2,3), createArray(2,3,4))", `[2,3]`)
	f("@intersection(json('{\"a\":1,\"b\":2}'), json('{\"a\":1,\"b\":3}'))", `{"a":1}`)
	f("@reverse(createArray(1,2))", `[2,1]`)
	f("@sort(createArray('b','a'))", `["a","b"]`)
	f("@sort(json('[{\"k\":2,\"n\":1},{\"k\":1},{\"k\":2,\"n\":0}]'), 'K')", `[{"k":1},{"k":2,"n":1},{"k":2,"n":0}]`)
	f("@chunk(createArray(1,2,3), 2)", `[[1,2],[3]]`)
	f("@range(3, 2)", `[3,4]`)
	f("@setProperty(json('{\"A\":1}'), 'a', 2)", `{"a":2}`)
	f("@addProperty(json('{}'), 'a', null)", `{"a":null}`)
	f("@removeProperty(json('{\"A\":1,\"b\":2}'), 'a')", `{"b":2}`)
	f("@createArray()", `[]`)

	// Numbers.
	f("@add(1, 2.5)", `3.5`)
	f("@sub(1, 3)", `-2`)
	f("@mul(3, 1.5)", `4.5`)
	f("@div(7, 2)", `3`)
	f("@div(7.0, 2)", `3.5`)
	f("@mod(7, 3)", `1`)
	f("@min(3, 1.5, 2)", `1.5`)
	f("@max(createArray(1, 4, 2))", `4`)
	f("@mul(-9223372036854775807, 1)", `-9223372036854775807`)

	// Conversions.
	f("@int('42')", `42`)
	f("@int(3.0)", `3`)
	f("@float('1.5')", `1.5`)
	f("@float('10')", `10.0`)
	f("@string(10)", `"10"`)
	f("@string(null)", `""`)
	f("@string(json('{\"b\":1,\"a\":[true]}'))", `"{\"a\":[true],\"b\":1}"`)
	f("@bool('TRUE')", `true`)
	f("@bool(0)", `false`)
	f("@json('[1, 2.0, 1e2]')", `[1,2.0,100.0]`)
	f("@array('x')", `["x"]`)
	f("@base64('hello')", `"aGVsbG8="`)
	f("@base64ToString('aGVsbG8=')", `"hello"`)
	f("@decodeBase64('aGVsbG8=')", `"hello"`)
	f("@encodeURIComponent('2001:db8::1 /?&')", `"2001%3Adb8%3A%3A1%20%2F%3F%26"`)
	f("@decodeUriComponent('a%20b%2B')", `"a b+"`)
	f("@uriHost('https://a.example:8443/x')", `"a.example"`)
	f("@isInt('5')", `true`)
	f("@isFloat('x')", `false`)

	// Times.
	f("@utcNow()", `"2026-02-28T23:59:58.1234567Z"`)
	f("@utcNow('yyyy-MM-dd')", `"2026-02-28"`)
	f("@addDays(utcNow(), 1)", `"2026-03-01T23:59:58.1234567Z"`)
	f("@addDays('2026-01-01', -1, 'D')", `"Wednesday, 31 December 2025"`)
	f("@addHours('2026-01-01T00:30:00Z', 1.5)", `"2026-01-01T02:00:00.0000000Z"`)
	f("@addMinutes('2026-01-01T00:30:00+02:00', 1)", `"2026-01-01T00:31:00.0000000+02:00"`)
	f("@addSeconds('2026-01-01T00:00:00Z', 2, 'HH:mm:ss')", `"00:00:02"`)
	f("@addToTime('2026-01-31', 1, 'Month', 'yyyy-MM-dd')", `"2026-02-28"`)
	f("@subtractFromTime('2024-02-29', 1, 'Year', 'd')", `"02/28/2023"`)
	f("@getPastTime(1, 'Day', 'dd')", `"27"`)
	f("@getFutureTime(2, 'Weeks', 'yyyy-MM-dd')", `"2026-03-14"`)
	f("@formatDateTime('2026-03-05T14:07:09.5Z', 'dddd, d MMM yy h:mm:ss.ff tt ''at'' zzz')", `"Thursday, 5 Mar 26 2:07:09.50 PM at +00:00"`)
	f("@formatDateTime('2026-03-05 14:07:09', 'r')", `"Thu, 05 Mar 2026 14:07:09 GMT"`)
	f("@startOfDay('2026-03-05T14:07:09Z')", `"2026-03-05T00:00:00.0000000Z"`)
	f("@startOfHour('2026-03-05T14:07:09Z', 's')", `"2026-03-05T14:00:00"`)
	f("@startOfMonth('2026-03-05T14:07:09Z', 'yyyy-MM-dd')", `"2026-03-01"`)
	f("@dayOfWeek('2026-03-05')", `4`)
	f("@dayOfMonth('2026-03-05')", `5`)
	f("@dayOfYear('2026-02-01')", `32`)
	f("@ticks('2026-01-01T00:00:00Z')", `639028224000000000`)
}

func TestExpressionFailures(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		got, err := evalText(src)
		if err == nil {
			t.Errorf("%s = %s, want the error %s", src, got, want)
		} else if err.Error() != want {
			t.Errorf("%s: error %q, want %q", src, err, want)
		}
	}
	// Found when loading.
	f("@nope(1)", "column 1: unknown function 'nope'")
	f("@concat(1, nope())", "column 11: unknown function 'nope'")
	f("@toLower()", "column 1: toLower takes 1 argument, not 0")
	f("@toLower(1)", "column 1: argument 1 of toLower must be a string, not an integer")
	f("@length(and(true))", "column 1: argument 1 of length must be a string or an array, not true or false")
	f("@substring('x')", "column 1: substring takes 2 to 3 arguments, not 1")
	f("@concat()", "column 1: concat takes at least 1 arguments, not 0")
	f("@concat('a'", "column 11: expected ',' or ')' in the arguments of concat, found end")
	f("@concat('a", "column 8: the text is not closed with a single quote")
	f("@a", "column 1: 'a' is neither a function call nor true, false or null; text stands in single quotes")
	f("@triggerBody()?", "column 15: expected '.' or '[' after '?', found end")
	f("@triggerBody()['a'", "column 18: expected ']', found end")
	f("@triggerBody() x", "column 15: unexpected 'x' after the expression")
	f("@triggerBody().'x'", "column 15: expected a property name after '.', found '\\''")
	f("x @{add(1,2)", "column 13: expected '}' after the expression, found end")
	f("@1.2.3", "column 1: \"1.2.3\" is not a number")
	f("@"+strings.Repeat("not(", 300), "column 801: nested deeper than 200 levels")

	// Found when evaluating.
	f("@triggerBody()['x']", "@triggerBody()['x']: property 'x' does not exist; there are: object")
	f("@triggerBody()?['x']['y']", "@triggerBody()?['x']['y']: property 'y' cannot be selected from null; write ?['y'] where it may be missing")
	f("@triggerBody()?['object']?['name']?['x']", "@triggerBody()?['object']?['name']?['x']: property 'x' cannot be selected from a string")
	f("@createArray(1)[1]", "@createArray(1)[1]: index 1 is outside the array of 1 elements")
	f("@createArray(1)?['a']", "@createArray(1)?['a']: an element of an array is selected by an integer, not by a string 'a'")
	f("@length(triggerBody()?['x'])", "@length(triggerBody()?['x']): length: argument 1 must be a string or an array, not null")
	f("@toUpper(body('Http'))", "@toUpper(body('Http')): toUpper: argument 1 must be a string, not an object")
	f("@substring('abc', 2, 5)", "@substring('abc', 2, 5): substring: start 2 and length 5 are outside the text of 3 characters")
	f("@div(1, 0)", "@div(1, 0): div: division by zero")
	f("@add(9223372036854775807, 1)", "@add(9223372036854775807, 1): add: the result does not fit in 64 bits")
	f("@int('x')", "@int('x'): int: 'x' is not an integer")
	f("@json('{')", "@json('{'): json: the text is not JSON: unexpected EOF")
	f("@json('{} x')", "@json('{} x'): json: the text is not JSON: there is more text after the JSON value")
	f("@base64ToString('*')", "@base64ToString('*'): base64ToString: the text is not base64")
	f("@greater(1, 'a')", "@greater(1, 'a'): greater: an integer and a string cannot be compared")
	f("@sort(createArray(1,'a'))", "@sort(createArray(1,'a')): sort: a string and an integer cannot be compared")
	f("@addDays('yesterday', 1)", "@addDays('yesterday', 1): addDays: 'yesterday' is not a timestamp such as 2026-01-31T09:30:00Z")
	f("@addToTime('2026-01-01', 1, 'Fortnight')", "@addToTime('2026-01-01', 1, 'Fortnight'): addToTime: the unit must be Second, Minute, Hour, Day, Week, Month or Year, not 'Fortnight'")
	f("@and(variables('v'), true)", "@and(variables('v'), true): and: argument 1 must be true or false, not an integer")
	f("@variables('w')", "@variables('w'): variables: variable 'w' is not initialized yet")
	f("@addProperty(json('{\"a\":1}'), 'A', 1)", "@addProperty(json('{\"a\":1}'), 'A', 1): addProperty: the object has a property 'A' already; setProperty replaces it")
}

func TestSecretsInDisguise(t *testing.T) {
	f := func(src string) {
		t.Helper()
		e := testEnv()
		tm, err := parseText(src)
		if err != nil {
			t.Fatal(err)
		}
		v, err := e.value(tm)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.mask.hide(text(v)); !strings.Contains(got, "***") || strings.Contains(got, "9f3b") {
			t.Errorf("%s shows %q", src, got)
		}
	}
	f("key @{parameters('Key')}!")
	f("@{base64(parameters('Key'))}")
	f("@{base64(concat('user:', parameters('Key')))}")
	f("@{toUpper(parameters('Key'))}")
	f("@{encodeUriComponent(parameters('Key'))}")
	f("@{substring(parameters('Key'), 3, 12)}")
	f("@{string(createArray(parameters('Key')))}")
	f("@{replace(base64(concat('u:', parameters('Key'))), '=', '')}")

	m := newMask("n1")
	m.add("Key", canary)
	sealed := m.seal(map[string]any{"a": "x" + canary, canary: []any{canary}})
	if s := encodeJSON(sealed); strings.Contains(s, "CANARY") {
		t.Errorf("sealed: %s", s)
	}
	if got := encodeJSON(m.unseal(sealed)); got != encodeJSON(map[string]any{"a": "x" + canary, canary: []any{canary}}) {
		t.Errorf("unsealed: %s", got)
	}
	// A placeholder that a server made up does not get it the secret.
	if got := m.unseal("{{picket:n2:Key}} {{picket::Key}}"); strings.Contains(text(got), "CANARY") {
		t.Errorf("a foreign placeholder was filled: %v", got)
	}
}

func FuzzExpr(f *testing.F) {
	for _, s := range []string{"@add(1,2)", "x @{triggerBody()?['a'].b[0]} @@{", "@'it''s'", "@if(equals(1,null),'a',createArray())", "@formatDateTime('2026-01-01','dddd \\x ''q''')",
		"@-1.5e-3", "@substring('😀', 1, 1)", "@json('{\"a\":[1]}')?['a'][0]", "@split('a','')", "@ticks('2026-01-01')", "@addToTime('2026-01-01', 99999999, 'Year')", "@mul(-9223372036854775808,-1)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		tm, err := parseText(s)
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without text")
			}
			return
		}
		v, err := testEnv().value(tm)
		if err != nil {
			return
		}
		if kindOf(v) == 0 {
			t.Fatalf("%q gives a %T", s, v)
		}
		// What is stored is read back as it was.
		out := encodeJSON(v)
		back, err := decodeJSON([]byte(out))
		if err != nil {
			t.Fatalf("%q: %s: %v", s, out, err)
		}
		if utf8.ValidString(s) && !equal(v, back) {
			t.Fatalf("%q: %s is read back as %s", s, out, encodeJSON(back))
		}
	})
}
