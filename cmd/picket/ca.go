package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"picket/app"
)

// ca is "picket ca": what a program on this or another machine needs to trust
// the certificate of a data folder's server.
func ca(_ context.Context, args []string, stdio stdio) error {
	fs := flag.NewFlagSet("ca", flag.ContinueOnError)
	data := fs.String("data", "", "`folder` of the server (required)")
	export := fs.Bool("export", false, "print the authority's certificate (PEM), and nothing else")
	operands, err := parse(fs, args, stdio)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return misuse("ca takes no operand, such as %q", operands[0])
	}
	if *data == "" {
		return misuse("ca: --data DIR is required")
	}
	path, err := filepath.Abs(filepath.Join(*data, app.CAFile))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s is not there: the first \"picket serve --data %s\" with TLS makes it", path, *data)
	}
	if err != nil {
		return err
	}
	if *export {
		_, err = stdio.out.Write(text)
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s holds no certificate in PEM", path)
	}
	at, err := app.ReadLocator(*data)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	fmt.Fprintf(stdio.out, "# authority: %s\n# SHA-256:   %x\n# server:    %s\n", path, sha256.Sum256(block.Bytes), cmp.Or(at.TLSURL, "not running, or without TLS"))
	// Quoted for a shell.
	word := "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	fmt.Fprintf(stdio.out, "export SSL_CERT_FILE=%[1]s         # Go, curl, OpenSSL\nexport NODE_EXTRA_CA_CERTS=%[1]s   # Node.js\nexport REQUESTS_CA_BUNDLE=%[1]s    # Python's requests\n", word)
	return nil
}
