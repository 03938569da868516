package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"picket/kql/syntax"
)

const kqlFmtUsage = `Usage: picket kql fmt [-w | --check] [FILE...]

Lay out KQL queries: one operator a line, long lists broken, comments kept. What a query means does not change.
Without a file, or for -, the query is read from standard input. The result goes to standard output.

Flags of picket kql fmt:
`

// kqlFmt is "picket kql fmt".
func kqlFmt(args []string, stdio stdio) error {
	fs := flag.NewFlagSet("kql fmt", flag.ContinueOnError)
	write := fs.Bool("w", false, "write the result back to each file")
	check := fs.Bool("check", false, "write nothing, name the files that are not laid out so, and fail when there are any")
	files, err := parseWith(fs, kqlFmtUsage, args, stdio)
	if err != nil {
		return err
	}
	if *write && *check {
		return misuse("kql fmt takes -w or --check, not both")
	}
	if len(files) == 0 {
		files = []string{"-"}
	}
	var failed []error
	differ := 0
	for _, file := range files {
		if file == "-" && *write {
			return misuse("kql fmt -w needs files: standard input cannot be written back")
		}
		src, out, err := formatFile(file, stdio.in)
		switch {
		case err != nil:
			failed = append(failed, err)
			continue
		case *check && src != out:
			differ++
			fmt.Fprintln(stdio.out, file)
		case *write && src != out:
			err = replaceFile(file, out)
		case !*check && !*write:
			_, err = io.WriteString(stdio.out, out)
		}
		if err != nil {
			failed = append(failed, err)
		}
	}
	if differ > 0 {
		failed = append(failed, fmt.Errorf("%d of %d not formatted: picket kql fmt -w does it", differ, len(files)))
	}
	return errors.Join(failed...)
}

// formatFile reads a query from a file, or from in for -, and formats it.
func formatFile(file string, in io.Reader) (src, out string, err error) {
	var b []byte
	if file == "-" {
		b, err = io.ReadAll(in)
	} else {
		b, err = os.ReadFile(file)
	}
	if err != nil {
		return "", "", err
	}
	src = string(b)
	out, err = syntax.Format(strings.TrimPrefix(src, "\ufeff"))
	if err != nil {
		return "", "", fmt.Errorf("%s: %w", file, pointed(err, src))
	}
	return src, out, nil
}

// replaceFile puts text in the place of a file's, whole or not at all. The file
// keeps its permissions; of a link, the file that it leads to is replaced.
func replaceFile(file, text string) error {
	file, err := filepath.EvalSymlinks(file)
	if err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".picket-fmt-*")
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(text)
	err = errors.Join(err, tmp.Chmod(info.Mode().Perm()), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}
