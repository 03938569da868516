package app

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"picket"
)

// Locator is how a command on this machine finds the server of a data folder.
type Locator struct {
	URL    string
	TLSURL string        // "" when there is no TLS
	Token  picket.Secret // may do everything
}

const (
	tokenFile = "admin-token" // mode 0600, made once
	// tokenKeyFile holds what signs bearer tokens; mode 0600, made once.
	tokenKeyFile = "token-key"
	// sharedKeyFile holds what signs posts of the HTTP Data Collector API; mode 0600, made once.
	sharedKeyFile = "shared-key"
	urlFile       = "url" // where the running server listens: the URL, and the one with TLS in the next line
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
	plain, secure, _ := strings.Cut(string(url), "\n")
	return Locator{URL: strings.TrimSpace(plain), TLSURL: strings.TrimSpace(secure), Token: picket.Secret(strings.TrimSpace(string(token)))}, nil
}

// writeLocator tells the commands of this machine where the server is, until it
// is closed: whoever gets the port next is not to be asked with the admin token.
func (a *App) writeLocator() error {
	path := filepath.Join(a.cfg.Data, urlFile)
	if err := picket.WriteFile(path, []byte(a.URL()+"\n"+a.TLSURL()+"\n"), 0o600); err != nil {
		return err
	}
	a.closed = append(a.closed, func() error { return os.Remove(path) })
	return nil
}

// secretOf returns the secret that a file of the data folder holds, making it
// the first time: prefix and random characters.
func secretOf(data, name, prefix string) (picket.Secret, error) {
	return secretFile(data, name, func() string { return prefix + rand.Text() + rand.Text() })
}

// sharedKey is the key of the HTTP Data Collector API: 64 bytes in base64, as
// workspaces of Azure have it.
func sharedKey(data string) (picket.Secret, error) {
	return secretFile(data, sharedKeyFile, func() string {
		key := make([]byte, 64)
		_, _ = rand.Read(key) // never fails
		return base64.StdEncoding.EncodeToString(key)
	})
}

// secretFile returns the secret that a file holds, made the first time.
func secretFile(data, name string, secret func() string) (picket.Secret, error) {
	path := filepath.Join(data, name)
	text, err := readSecret(path)
	if errors.Is(err, os.ErrNotExist) {
		text = secret()
		err = picket.WriteFile(path, []byte(text+"\n"), 0o600)
	}
	return picket.Secret(text), err
}

// readSecret reads a file that must be its owner's alone and not empty.
func readSecret(path string) (string, error) {
	text, err := os.ReadFile(path)
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
	secret := strings.TrimSpace(string(text))
	if secret == "" {
		return "", fmt.Errorf("%s is empty; remove it and a new one is made", path)
	}
	return secret, nil
}
