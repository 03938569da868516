package kql

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// bagFunctions are the functions over property bags and over text that holds
// structure of its own.
func bagFunctions() []function {
	return []function{
		fn("bag_pack", low(Dynamic, lowerBagPack, Unknown).more(1)),
		fn("bag_pack_columns", low(Dynamic, lowerBagPackColumns, Unknown).more(1)),
		fn("bag_keys", tpl(Dynamic, "CASE WHEN json_type($1) = 'OBJECT' THEN to_json(json_keys($1)) END", Dynamic)),
		fn("bag_has_key", low(Bool, lowerBagHasKey, Dynamic, String)),
		fn("bag_merge", low(Dynamic, func(c *call) (string, error) {
			parts := make([]string, len(c.args))
			for i, a := range c.args {
				parts[i] = entriesOf(a.sql)
			}
			return bagOf("flatten([" + strings.Join(parts, ", ") + "])"), nil
		}, Dynamic).more(2)),
		fn("bag_set_key", low(Dynamic, lowerBagSetKey, Dynamic, String, Unknown)),
		fn("bag_remove_keys", low(Dynamic, lowerBagRemoveKeys, Dynamic, Dynamic)),
		fn("bag_zip", tpl(Dynamic, `CASE WHEN json_type($1) = 'ARRAY' THEN `+bagOf(`list_transform(list_filter(list_transform(list_zip(`+listOf("$1")+`, `+listOf("$2")+`), lambda "$z": {k: "$z"[1], v: "$z"[2]}), lambda "$x": json_type("$x".k) = 'VARCHAR'), lambda "$x": {k: "$x".k->>'$', v: "$x".v})`)+` END`, Dynamic, Dynamic)),
		fn("treepath", tpl(Dynamic, "kql_treepath($1::VARCHAR)::JSON", Dynamic)),
		fn("extract_json", low(Unknown, lowerExtractJSON, String, Unknown, Unknown).from(2).as(func(args []expr) Type {
			if len(args) == 3 {
				if t, ok := args[2].lit.(Type); ok {
					return t
				}
			}
			return String
		})),
		fn("parse_csv", tpl(Dynamic, "kql_csv($1)::JSON", String)),
		fn("parse_url", tpl(Dynamic, parseURL, String)),
		fn("parse_urlquery", tpl(Dynamic, "json_object('Query Parameters', "+queryBag("regexp_replace($1, '^[^?]*[?]', '')")+")", String)),
		fn("parse_path", tpl(Dynamic, parsePath, String)),
		fn("parse_version", tpl(Decimal, `CASE WHEN regexp_full_match($1, '\s*[0-9]{1,8}([.][0-9]{1,8}){0,3}\s*') THEN
list_transform([string_split(trim($1), '.')], lambda "$p": ("$p"[1]::HUGEINT * 100000000 + coalesce("$p"[2], '0')::HUGEINT)::DECIMAL(38,16)
+ (coalesce("$p"[3], '0')::HUGEINT * 100000000 + coalesce("$p"[4], '0')::HUGEINT)::DECIMAL(38,0) * 0.0000000000000001::DECIMAL(17,16))[1]::DECIMAL(38,16) END`, String)),
		fn("parse_command_line", low(Dynamic, lowerParseCommandLine, String, String).ofText()),
	}
}

// entriesOf is the SQL list of the keys and values of a bag; NULL when bag is none.
func entriesOf(bag string) string {
	return once(expr{sql: bag}, func(b string) string {
		return fmt.Sprintf(`CASE WHEN json_type(%s) = 'OBJECT' THEN list_transform(json_keys(%[1]s), lambda "$k": {k: "$k", v: json_extract(%[1]s, '/' || replace(replace("$k", '~', '~0'), '/', '~1'))}) END`, b)
	})
}

// bagOf is the bag of a list of keys and values; of equal keys the first counts.
func bagOf(entries string) string {
	return fmt.Sprintf(`list_transform([%s], lambda "$b": list_transform([list_transform("$b", lambda "$x": "$x".k)], lambda "$n":
('{' || array_to_string(list_transform(list_filter("$b", lambda "$x", "$i": list_position("$n", "$x".k) = "$i"),
lambda "$x": to_json("$x".k)::VARCHAR || ':' || coalesce("$x".v::VARCHAR, 'null')), ',') || '}')::JSON)[1])[1]`, entries)
}

// lowerBagPack lowers bag_pack(key, value, …). An empty key is left out.
func lowerBagPack(c *call) (string, error) {
	if len(c.args)%2 != 0 {
		return "", fmt.Errorf("%s() takes pairs of a key and a value: an even number of arguments, not %d", c.name, len(c.args))
	}
	var parts, entries, named []string
	for i := 0; i < len(c.args); i += 2 {
		if c.args[i].lit == "" {
			continue
		}
		k, v := textOf(c.args[i]).sql, jsonOf(c.args[i+1])
		parts = append(parts, k, v)
		entries = append(entries, "{k: "+k+", v: "+v+"}")
		if c.args[i].lit == nil {
			named = append(named, k+" <> ''")
		}
	}
	object := "json_object(" + strings.Join(parts, ", ") + ")"
	if named == nil {
		return object, nil
	}
	return "CASE WHEN " + strings.Join(named, " AND ") + " THEN " + object + " ELSE " +
		bagOf(`list_filter([`+strings.Join(entries, ", ")+`], lambda "$x": "$x".k <> '')`) + " END", nil
}

func lowerBagPackColumns(c *call) (string, error) {
	var parts []string
	for i, a := range c.args {
		name := c.argName(i)
		if name == "" {
			return "", fmt.Errorf("bag_pack_columns(): argument %d must be a column", i+1)
		}
		parts = append(parts, quoteString(name), jsonOf(a))
	}
	return "json_object(" + strings.Join(parts, ", ") + ")", nil
}

// lowerBagSetKey lowers bag_set_key(bag, key, value). A key that begins with $. or $[
// is a path through bags, which are made where they are missing.
func lowerBagSetKey(c *call) (string, error) {
	value := jsonOf(c.args[2])
	key, ok := c.args[1].lit.(string)
	if !ok {
		return setEntry(c.args[0].sql, c.args[1].sql, value), nil
	}
	if !isJSONPath(key) {
		return setEntry(c.args[0].sql, quoteString(key), value), nil
	}
	steps, ok := parseJSONPath(key)
	if !ok {
		return "", fmt.Errorf("bag_set_key(): %q is no JSONPath: write $.a.b", key)
	}
	keys := make([]string, len(steps))
	for i, s := range steps {
		if keys[i], ok = s.(string); !ok {
			return "", fmt.Errorf("bag_set_key(): the JSONPath %q holds an index, which is not allowed", key)
		}
	}
	return setAt(c.args[0].sql, keys, value), nil
}

// setAt is bag with value at the path of keys.
func setAt(bag string, keys []string, value string) string {
	if len(keys) == 1 {
		return setEntry(bag, quoteString(keys[0]), value)
	}
	return once(expr{sql: bag + " "}, func(b string) string {
		inner := "json_extract(" + b + ", " + quoteString(pointerTo(keys[0])) + ")"
		inner = "CASE WHEN json_type(" + inner + ") = 'OBJECT' THEN " + inner + " ELSE '{}'::JSON END"
		return setEntry(b, quoteString(keys[0]), setAt(inner, keys[1:], value))
	})
}

// pointerTo is the JSON pointer (RFC 6901) to a key.
func pointerTo(key string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(key)
}

// isJSONPath tells a path to a nested key from the name of one.
func isJSONPath(key string) bool { return strings.HasPrefix(key, "$.") || strings.HasPrefix(key, "$[") }

// setEntry is bag with value, which is JSON, at key: in the place of the entry
// of that key, else at the end. It is NULL when bag is none.
func setEntry(bag, key, value string) string {
	sql := `CASE WHEN json_type($1) = 'OBJECT' THEN ` +
		bagOf(`list_concat(list_transform(`+entriesOf("$1")+`, lambda "$x": {k: "$x".k, v: CASE WHEN "$x".k = $2 THEN $3 ELSE "$x".v END}), [{k: $2, v: $3}])`) + ` END`
	return expand(sql, []expr{{sql: bag + " "}, {sql: key + " "}, {sql: value + " "}})
}

func lowerBagHasKey(c *call) (string, error) {
	key, ok := c.args[1].lit.(string)
	if ok && isJSONPath(key) {
		path, ok := jsonPath(key)
		if !ok {
			return "false", nil
		}
		return "coalesce(json_exists(" + c.args[0].sql + ", " + quoteString(path) + "), false)", nil
	}
	if ok {
		return expand("coalesce(list_contains(json_keys($1), $2), false)", c.args), nil
	}
	return expand("coalesce(CASE WHEN starts_with($2, '$.') THEN json_exists($1, $2) ELSE list_contains(json_keys($1), $2) END, false)", c.args), nil
}

// lowerBagRemoveKeys lowers bag_remove_keys(bag, keys); a key that begins with
// $ is a JSONPath, whose value a merge patch takes out.
func lowerBagRemoveKeys(c *call) (string, error) {
	j, ok := c.args[1].constJSON()
	if !ok {
		patched := `list_reduce(list_transform(list_filter(coalesce(json_extract_string($2, '$[*]'), []), lambda "$y": starts_with("$y", '$.')),
lambda "$y": list_transform([string_split("$y"[3:], '.')], lambda "$v": (array_to_string(list_transform("$v", lambda "$w": '{' || to_json("$w")::VARCHAR || ':'), '') || 'null' || repeat('}', len("$v")))::JSON)[1]),
lambda "$u", "$t": json_merge_patch("$u", "$t"), $1)`
		return expand("CASE WHEN json_type($1) = 'OBJECT' THEN "+bagOf(`list_filter(`+entriesOf(patched)+`, lambda "$x": NOT coalesce(list_contains(json_extract_string($2, '$[*]'), "$x".k), false))`)+" END", c.args), nil
	}
	var keys []string
	if err := json.Unmarshal(j, &keys); err != nil {
		return "", errors.New("bag_remove_keys(): argument 2 must be an array of strings")
	}
	var top, patches []string
	for _, k := range keys {
		if !isJSONPath(k) {
			top = append(top, quoteString(k))
			continue
		}
		patch := any(nil)
		path, ok := parseJSONPath(k)
		for i := len(path) - 1; i >= 0 && ok; i-- {
			var name string
			name, ok = path[i].(string) // a merge patch reaches into no array
			patch = map[string]any{name: patch}
		}
		if !ok {
			continue
		}
		b, err := json.Marshal(patch)
		if err != nil {
			return "", fmt.Errorf("bag_remove_keys(): key %q: %w", k, err)
		}
		patches = append(patches, quoteString(string(b)))
	}
	bag := c.args[0].sql
	for _, p := range patches {
		bag = "json_merge_patch(" + bag + ", " + p + "::JSON)"
	}
	if top == nil {
		return ifBag(c.args[0], bag), nil
	}
	return ifBag(c.args[0], bagOf(`list_filter(`+entriesOf(bag)+`, lambda "$x": "$x".k NOT IN (`+strings.Join(top, ", ")+`))`)), nil
}

// ifBag is sql where e is a bag, else NULL.
func ifBag(e expr, sql string) string {
	return "CASE WHEN json_type(" + e.sql + ") = 'OBJECT' THEN " + sql + " END"
}

// lowerExtractJSON lowers extract_json(path, json[, typeof(T)]).
func lowerExtractJSON(c *call) (string, error) {
	path, err := c.constString(0)
	if err != nil {
		return "", err
	}
	doc := c.args[1].sql
	if c.args[1].typ != Dynamic {
		doc = "TRY_CAST(" + textOf(c.args[1]).sql + " AS JSON)"
	}
	e := expr{sql: "NULL::JSON", typ: Dynamic}
	if p, ok := jsonPath(path); ok {
		e.sql = "json_extract(" + doc + ", " + quoteString(p) + ")"
	}
	if len(c.args) < 3 {
		return textOf(e).sql, nil
	}
	t, ok := c.args[2].lit.(Type)
	if !ok {
		return "", errors.New("extract_json(): argument 3 must be typeof(a type)")
	}
	if t == Dynamic {
		return "nullif(" + e.sql + ", 'null'::JSON)", nil
	}
	return castTo(e, t)
}

// queryBag is the bag of a URL's query parameters.
func queryBag(query string) string {
	return bagOf(`list_transform(list_filter(string_split(` + query + `, '&'), lambda "$q": "$q" <> ''), lambda "$q":
{k: split_part("$q", '=', 1), v: to_json(regexp_replace("$q", '^[^=]*=?', ''))})`)
}

// parseURL splits a URL by RFC 3986, appendix B, and the authority by its § 3.2.
var parseURL = `list_transform([regexp_extract($1, '^(?:([a-zA-Z][-+.a-zA-Z0-9]*):)?(?://(?:([^:/?#@]*)(?::([^/?#@]*))?@)?(\[[^\]]*\]|[^:/?#]*)(?::([0-9]*))?)?([^?#]*)(?:[?]([^#]*))?(?:#((?s:.*)))?$',
['scheme', 'user', 'password', 'host', 'port', 'path', 'query', 'fragment'])], lambda "$u":
json_object('Scheme', "$u".scheme, 'Host', "$u".host, 'Port', "$u".port, 'Path', "$u".path, 'Username', "$u".user, 'Password', "$u".password,
'Query Parameters', ` + queryBag(`"$u".query`) + `, 'Fragment', "$u".fragment))[1]`

// parsePath splits a path of Windows or Unix. Its root is a drive: the page has
// none for shares, or for paths of Unix.
const parsePath = `list_transform([{p: regexp_extract($1, '^(?:([a-zA-Z]{2,})://)?(\\\\[?]\\)?([a-zA-Z]:)?(.*?)([^\\/]*)$', ['scheme', 'long', 'root', 'dir', 'file'])}], lambda "$o":
list_transform([{s: "$o".p.scheme, r: "$o".p.root, d: regexp_replace("$o".p.long || "$o".p.root || "$o".p.dir, '[\\/]$', ''), f: regexp_replace("$o".p.file, ':.*$', ''), a: regexp_extract("$o".p.file, ':(.*)$', 1)}], lambda "$w":
json_object('Scheme', "$w".s, 'RootPath', "$w".r, 'DirectoryPath', "$w".d, 'DirectoryName', regexp_extract("$w".d, '([^\\/]*)$', 1),
'Filename', "$w".f, 'Extension', regexp_extract("$w".f, '[.]([^.]*)$', 1), 'AlternateDataStreamName', "$w".a))[1])[1]`

// lowerParseCommandLine splits a command line by the rules of Windows.
func lowerParseCommandLine(c *call) (string, error) {
	kind, err := c.constString(1)
	if err != nil {
		return "", err
	}
	if !strings.EqualFold(kind, "windows") {
		return "", fmt.Errorf(`parse_command_line(): the parser type is "windows", not %q`, kind)
	}
	return nativeCall("kql_command_line", c.args[0].sql) + "::JSON", nil
}
