package app

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"picket"
)

// Locator is how a command on this machine finds the server of a data folder.
type Locator struct {
	URL   string
	Token picket.Secret // may do everything
}

const (
	tokenFile = "admin-token" // mode 0600, made once
	urlFile   = "url"         // where the running server listens
)

// ReadLocator reads where the server of a data folder is and its admin token.
// The error is os.ErrNotExist when no server has run there yet.
func ReadLocator(data string) (Locator, error) {
	token, err := os.ReadFile(filepath.Join(data, tokenFile))
	if err != nil {
		return Locator{}, err
	}
	url, err := os.ReadFile(filepath.Join(data, urlFile))
	if err != nil {
		return Locator{}, err
	}
	return Locator{URL: strings.TrimSpace(string(url)), Token: picket.Secret(strings.TrimSpace(string(token)))}, nil
}

// adminToken returns the data folder's admin token, making it the first time.
func adminToken(data string) (picket.Secret, error) {
	path := filepath.Join(data, tokenFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		token := "pka_" + rand.Text() + rand.Text()
		if err := os.WriteFile(path, []byte(token+"\n"), 0o600); err != nil {
			return "", err
		}
		return picket.Secret(token), nil
	}
	if err != nil {
		return "", err
	}
	fi, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return "", fmt.Errorf("%s can be read by others (mode %#o); run: chmod 600 %s", path, fi.Mode().Perm(), path)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return "", fmt.Errorf("%s is empty; remove it and a new one is made", path)
	}
	return picket.Secret(token), nil
}
