package playbook

import (
	"encoding/base64"
	"math"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The conversion functions.
var conversionFunctions = []function{
	{name: "int", params: []kind{kNumber | kString | kBool}, min: 1, ret: kInt, call: func(_ *env, a []any) (any, error) {
		switch v := a[0].(type) {
		case int64:
			return v, nil
		case float64:
			if v != math.Trunc(v) || math.Abs(v) >= 1<<63 {
				return nil, evalFail("%s is not an integer", text(v))
			}
			return int64(v), nil
		case bool:
			if v {
				return int64(1), nil
			}
			return int64(0), nil
		}
		n, err := strconv.ParseInt(strings.TrimSpace(a[0].(string)), 10, 64)
		if err != nil {
			return nil, evalFail("'%s' is not an integer", cut(a[0].(string), 40))
		}
		return n, nil
	}},
	{name: "float", params: []kind{kNumber | kString}, min: 1, ret: kFloat, call: func(_ *env, a []any) (any, error) {
		s, ok := a[0].(string)
		if !ok {
			return toFloat(a[0]), nil
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
		if err != nil {
			return nil, evalFail("'%s' is not a number", cut(s, 40))
		}
		return finite(f)
	}},
	{name: "bool", params: []kind{kBool | kNumber | kString}, min: 1, ret: kBool, call: func(_ *env, a []any) (any, error) {
		switch v := a[0].(type) {
		case bool:
			return v, nil
		case string:
			switch strings.ToLower(strings.TrimSpace(v)) {
			case "true", "1":
				return true, nil
			case "false", "0":
				return false, nil
			}
			return nil, evalFail("'%s' is neither true nor false", cut(v, 40))
		}
		return toFloat(a[0]) != 0, nil
	}},
	{name: "string", params: []kind{kAny}, min: 1, ret: kString, call: func(_ *env, a []any) (any, error) { return text(a[0]), nil }},
	{name: "json", params: []kind{kAny}, min: 1, ret: kAny, call: func(_ *env, a []any) (any, error) {
		s, ok := a[0].(string)
		if !ok {
			return a[0], nil
		}
		v, err := decodeJSON([]byte(s))
		if err != nil {
			return nil, evalFail("the text is not JSON: %v", err)
		}
		return v, nil
	}},
	{name: "array", params: []kind{kAny}, min: 1, ret: kArray, call: func(_ *env, a []any) (any, error) {
		if l, ok := a[0].([]any); ok {
			return l, nil
		}
		return []any{a[0]}, nil
	}},
	{name: "isInt", params: []kind{kString}, min: 1, ret: kBool, call: func(_ *env, a []any) (any, error) {
		_, err := strconv.ParseInt(a[0].(string), 10, 64)
		return err == nil, nil
	}},
	{name: "isFloat", params: []kind{kString}, min: 1, ret: kBool, call: func(_ *env, a []any) (any, error) {
		_, err := strconv.ParseFloat(a[0].(string), 64)
		return err == nil, nil
	}},
	{name: "base64", params: []kind{kAny}, min: 1, ret: kString, disguises: true, call: func(_ *env, a []any) (any, error) {
		return base64.StdEncoding.EncodeToString([]byte(text(a[0]))), nil
	}},
	{name: "base64ToString", params: []kind{kString}, min: 1, ret: kString, disguises: true, call: fromBase64},
	{name: "decodeBase64", params: []kind{kString}, min: 1, ret: kString, disguises: true, call: fromBase64},
	{name: "uriComponent", params: []kind{kAny}, min: 1, ret: kString, disguises: true, call: toURI},
	{name: "encodeUriComponent", params: []kind{kAny}, min: 1, ret: kString, disguises: true, call: toURI},
	{name: "uriComponentToString", params: []kind{kString}, min: 1, ret: kString, disguises: true, call: fromURI},
	{name: "decodeUriComponent", params: []kind{kString}, min: 1, ret: kString, disguises: true, call: fromURI},
	{name: "uriHost", params: []kind{kString}, min: 1, ret: kString, call: func(_ *env, a []any) (any, error) {
		u, err := url.Parse(a[0].(string))
		if err != nil {
			return nil, evalFail("the text is not a URI")
		}
		return u.Hostname(), nil
	}},
}

func fromBase64(_ *env, a []any) (any, error) {
	b, err := base64.StdEncoding.DecodeString(a[0].(string))
	if err != nil {
		return nil, evalFail("the text is not base64")
	}
	if !utf8.Valid(b) {
		return nil, evalFail("the decoded bytes are not UTF-8 text")
	}
	return string(b), nil
}

// toURI escapes all but letters, digits and -_.~ (RFC 3986, section 2.3).
func toURI(_ *env, a []any) (any, error) {
	return strings.ReplaceAll(url.QueryEscape(text(a[0])), "+", "%20"), nil
}

func fromURI(_ *env, a []any) (any, error) {
	s, err := url.PathUnescape(a[0].(string))
	if err != nil {
		return nil, evalFail("the text is not percent-encoded rightly")
	}
	return s, nil
}
