package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"picket"
	"picket/app"
)

// client speaks to a running server.
type client struct {
	url  string
	key  picket.Secret
	http http.Client
}

// errNoServer says that nothing answers where a server was expected.
var errNoServer = errors.New("no Picket server is running there")

// connect finds the server: through the data folder when one is named, else
// through PICKET_URL and PICKET_KEY.
func connect(data string) (*client, error) {
	c := &client{url: os.Getenv("PICKET_URL"), key: picket.Secret(os.Getenv("PICKET_KEY"))}
	if data != "" {
		at, err := app.ReadLocator(data)
		if errors.Is(err, os.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w; start one with \"picket serve --data %s\"", data, errNoServer, data)
		}
		if err != nil {
			return nil, err
		}
		c.url, c.key = at.URL, at.Token
	}
	if c.url == "" {
		return nil, misuse("which server? Give --data DIR, or set PICKET_URL and PICKET_KEY")
	}
	if !strings.HasPrefix(c.url, "http://") && !strings.HasPrefix(c.url, "https://") {
		return nil, misuse("PICKET_URL is %q: want for example http://127.0.0.1:8480", c.url)
	}
	c.url = strings.TrimRight(c.url, "/")
	return c, nil
}

// do sends a request and decodes a JSON answer into out, when out is not nil.
func (c *client) do(ctx context.Context, method, path string, body io.Reader, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	req.Header.Set("Content-Type", "application/json")
	res, err := c.http.Do(req)
	if err != nil {
		var op *net.OpError
		if errors.As(err, &op) && errors.Is(op.Err, syscall.ECONNREFUSED) {
			return fmt.Errorf("%s: %w", c.url, errNoServer)
		}
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode/100 != 2 {
		return answerError(res.StatusCode, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// answerError makes an error of an error answer: the innermost message, which
// for a query points at the place with a caret.
func answerError(status int, body []byte) error {
	type inner struct {
		Message string
		Inner   *inner `json:"innererror"`
	}
	var a struct{ Error inner }
	if err := json.Unmarshal(body, &a); err != nil || a.Error.Message == "" {
		return fmt.Errorf("the server answered %d: %.200s", status, bytes.TrimSpace(body))
	}
	msg := a.Error.Message
	for in := a.Error.Inner; in != nil; in = in.Inner {
		msg = cmp.Or(in.Message, msg)
	}
	return errors.New(msg)
}

// query runs KQL and returns its first table.
func (c *client) query(ctx context.Context, kql string) (result, error) {
	body, err := json.Marshal(map[string]string{"query": kql})
	if err != nil {
		return result{}, err
	}
	c.http.Timeout = 5 * time.Minute
	var a struct {
		Tables []struct {
			Columns []column
			Rows    [][]json.RawMessage
		}
		Error *struct{ Message string }
	}
	if err := c.do(ctx, "POST", "/v1/workspaces/default/query", bytes.NewReader(body), &a); err != nil {
		return result{}, err
	}
	if len(a.Tables) == 0 {
		return result{}, errors.New("the server answered no table")
	}
	r := result{a.Tables[0].Columns, a.Tables[0].Rows}
	r.openDynamic()
	if a.Error != nil {
		return r, fmt.Errorf("the result is not whole: %s", a.Error.Message)
	}
	return r, nil
}

// openDynamic turns dynamic values, which the query API sends as strings that
// hold JSON, into the JSON they hold.
func (r result) openDynamic() {
	for j, c := range r.Columns {
		if c.Type != "dynamic" {
			continue
		}
		for _, row := range r.Rows {
			if s := text(row[j]); s != "" && json.Valid([]byte(s)) {
				row[j] = json.RawMessage(s)
			}
		}
	}
}
