package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/reeflective/readline"

	"picket/kql/syntax"
)

// shell asks for queries on the terminal and answers them.
type shell struct {
	s      *session
	format string
}

// shell runs until the end of input or .quit. Ctrl-C ends what runs, a query or
// the line being typed, and not the shell.
func (s *session) shell(ctx context.Context) error {
	sh := &shell{s: s, format: cmp.Or(s.format, "table")}
	line := readline.NewShell()
	line.Prompt.Primary(func() string { return "kql> " })
	line.Prompt.Secondary(func() string { return "   | " })
	line.AcceptMultiline = func(text []rune) bool { return complete(string(text)) }
	line.Completer = sh.completions
	_ = line.Config.Set("completion-ignore-case", true)
	_ = line.Config.Set("multiline-column", false)
	// The terminal's answer to where the cursor is would be looked for in what is
	// typed ahead, and that be lost. It is at the left: output ends its lines.
	_ = line.Config.Set("cursor-position-probe", false)
	if err := rememberIn(line); err != nil {
		fmt.Fprintln(s.stdio.err, "warning: queries are not remembered:", err)
	}
	fmt.Fprintln(s.stdio.out, "A query ends with ; or an empty line. .help tells more, .quit ends.")
	sh.tables()
	// The interrupt that main takes for the end of the program is a query's end here.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	for {
		for len(interrupts) > 0 { // meant for what has ended
			<-interrupts
		}
		text, err := line.Readline()
		switch {
		case errors.Is(err, readline.ErrInterrupt):
			continue
		case errors.Is(err, io.EOF):
			fmt.Fprintln(s.stdio.out)
			return nil
		case err != nil:
			return err
		}
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		again, err := sh.serve(context.WithoutCancel(ctx), text, interrupts)
		if err != nil {
			fmt.Fprintln(s.stdio.err, err)
		}
		if !again {
			return nil
		}
	}
}

// serve answers one input, and tells whether another may follow.
func (sh *shell) serve(ctx context.Context, text string, interrupts <-chan os.Signal) (again bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-interrupts:
			cancel()
		case <-ctx.Done():
		}
	}()
	if strings.HasPrefix(text, ".") {
		return sh.command(ctx, text)
	}
	if sh.s.explain {
		return true, sh.s.explainQuery(ctx, text)
	}
	return true, sh.s.print(ctx, text, func() printer { return newPrinter(sh.s.stdio.out, sh.format, sh.s.limit) })
}

// complete tells whether what was typed is all of an input: a command, or a
// query that ends with an empty line, or with a semicolon behind more than let
// statements and their like.
func complete(text string) bool {
	trimmed := strings.TrimSpace(text)
	if trimmed == "" || strings.HasPrefix(trimmed, ".") {
		return true
	}
	if last := text[strings.LastIndexByte(text, '\n')+1:]; strings.TrimSpace(last) == "" {
		return true
	}
	if !strings.HasSuffix(trimmed, ";") {
		return false
	}
	tree, _ := syntax.Parse(trimmed)
	if len(tree.Stmts) == 0 {
		return true
	}
	_, ok := tree.Stmts[len(tree.Stmts)-1].(*syntax.ExprStmt)
	return ok
}

// maxHistory is how large the file of past queries may be when it is opened.
const maxHistory = 1 << 20

// rememberIn keeps past queries in the user's state folder (XDG Base Directory
// Specification), for the user's eyes only: they name what is looked for.
func rememberIn(line *readline.Shell) error {
	dir := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(dir) {
		home, err := os.UserHomeDir()
		if err != nil {
			return err
		}
		dir = filepath.Join(home, ".local", "state")
	}
	path := filepath.Join(dir, "picket", "kql_history")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	if err := shorten(f, path); err != nil {
		return err
	}
	past, err := readline.NewHistoryFromFile(path)
	if err != nil {
		return err
	}
	line.History.Delete()
	line.History.Add("queries", past)
	return nil
}

// shorten keeps the newer half of a history that has become too large.
func shorten(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil || info.Size() <= maxHistory {
		return err
	}
	text, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	_, newer, _ := strings.Cut(string(text[len(text)/2:]), "\n")
	return os.WriteFile(path, []byte(newer), 0o600)
}
