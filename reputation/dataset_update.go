package reputation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// metaFile says beside the files of a set where they came from.
const metaFile = "fetched.json"

// NewFetcher returns the client that data sets are fetched with. Unlike providers'
// answers, files of data are often behind a redirect, and no key goes along.
func NewFetcher() *http.Client { return &http.Client{Timeout: 30 * time.Minute} }

// maxDataset bounds a file that is fetched, in bytes.
const maxDataset = 2 << 30

// A fetched is what is known of the files of a set.
type fetched struct {
	At    time.Time     `json:"at"`
	Files []fetchedFile `json:"files"`
}

type fetchedFile struct {
	URL    string `json:"url"`
	Name   string `json:"name"`
	ETag   string `json:"etag,omitempty"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Update fetches a data set, checks that it can be read, and puts it in place of
// the old files at once: a reader sees the old ones or the new ones. changed is
// false when the sender says that nothing has. progress, when not nil, is told how
// many bytes have come, of how many (-1: not known).
func (l *Datasets) Update(ctx context.Context, client *http.Client, d *Dataset, progress func(file string, done, total int64)) (changed bool, err error) {
	if len(d.URLs) == 0 {
		return false, fmt.Errorf("data set %s is not fetched: its files are %s", d.Name, strings.Join(d.Files, ", "))
	}
	if progress == nil {
		progress = func(string, int64, int64) {}
	}
	return l.replace(d, func(temp string, old fetched) (files []fetchedFile, changed bool, err error) {
		for _, from := range d.URLs {
			f, fresh, err := fetch(ctx, client, l.expand(from), temp, old, progress)
			if err == nil && fresh {
				err = unpack(d, temp, &f)
			}
			if err == nil && !fresh { // the file is still good: it goes along
				err = copyFile(filepath.Join(l.newest(d), f.Name), filepath.Join(temp, f.Name))
			}
			if err != nil {
				return nil, false, err
			}
			changed = changed || fresh
			files = append(files, f)
		}
		return files, changed, nil
	})
}

// Import takes the files of a data set from this machine, where it cannot be
// fetched, as Update does.
func (l *Datasets) Import(d *Dataset, paths ...string) error {
	_, err := l.replace(d, func(temp string, _ fetched) (files []fetchedFile, changed bool, err error) {
		for _, p := range paths {
			f := fetchedFile{URL: p, Name: filepath.Base(p)}
			info, err := os.Stat(p)
			if err == nil {
				err = copyFile(p, filepath.Join(temp, f.Name))
			}
			if err == nil {
				err = unpack(d, temp, &f)
			}
			if err == nil { // taken in, it is as old as it was
				err = os.Chtimes(filepath.Join(temp, f.Name), info.ModTime(), info.ModTime())
			}
			if err != nil {
				return nil, false, err
			}
			files = append(files, f)
		}
		return files, true, nil
	})
	return err
}

// expand puts the month into URLs that have one: {month} is 2026-11.
func (l *Datasets) expand(from string) string {
	return strings.ReplaceAll(from, "{month}", l.now().UTC().Format("2006-01"))
}

// replace fills a folder, checks what is in it, and makes it the newest of the set.
func (l *Datasets) replace(d *Dataset, fill func(temp string, old fetched) (files []fetchedFile, changed bool, err error)) (bool, error) {
	place := filepath.Join(l.dir, d.Name)
	if err := os.MkdirAll(place, 0o755); err != nil {
		return false, err
	}
	temp, err := os.MkdirTemp(place, ".new-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(temp)
	next := fetched{At: l.now().UTC()}
	var changed bool
	next.Files, changed, err = fill(temp, l.meta(d))
	switch {
	case err == nil && changed:
		err = l.install(d, temp, next)
	case err == nil:
		err = l.confirm(d, next.At)
	}
	if err != nil {
		return false, fmt.Errorf("data set %s: %w", d.Name, err)
	}
	return changed, nil
}

// confirm makes the files that are there as old as their sender has just said they are:
// they are today's.
func (l *Datasets) confirm(d *Dataset, at time.Time) error {
	newest := l.newest(d)
	files, err := os.ReadDir(newest)
	for _, f := range files {
		err = errors.Join(err, os.Chtimes(filepath.Join(newest, f.Name()), at, at))
	}
	return err
}

// install checks the files in temp and puts them in place.
func (l *Datasets) install(d *Dataset, temp string, meta fetched) error {
	check := NewDatasets("", []*Dataset{{Name: d.Name, Kind: d.Kind, Format: d.Format, Columns: d.Columns, Reliability: d.Reliability, Says: d.Says, Tier: d.Tier}}, l.now, nil)
	for _, f := range meta.Files {
		check.sets[0].Files = append(check.sets[0].Files, filepath.Join(temp, f.Name))
	}
	if err := check.Load(); err != nil {
		return fmt.Errorf("the old files stay, since the new ones are no good: %w", err)
	}
	text, err := json.MarshalIndent(meta, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(temp, metaFile), append(text, '\n'), 0o644); err != nil {
		return err
	}
	if err := os.Chmod(temp, 0o755); err != nil {
		return err
	}
	before := l.newest(d)
	if err := os.Rename(temp, filepath.Join(l.dir, d.Name, meta.At.Format("20060102T150405.000000000Z"))); err != nil {
		return err
	}
	if before == "" {
		return nil
	}
	return os.RemoveAll(before)
}

// unpack undoes the compression of a file that must be read at any place.
func unpack(d *Dataset, dir string, f *fetchedFile) error {
	if d.Format != "mmdb" {
		return nil // read from the beginning, packed as it is
	}
	packed := filepath.Join(dir, f.Name)
	in, err := os.Open(packed)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := Decompressed(in)
	if err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	out, err := os.Create(packed + ".plain")
	if err != nil {
		return err
	}
	_, err = io.Copy(out, io.LimitReader(r, maxDataset))
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	if err := os.Remove(packed); err != nil {
		return err
	}
	f.Name = strings.TrimSuffix(f.Name, ".gz")
	return os.Rename(packed+".plain", filepath.Join(dir, f.Name))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// meta reads what is known of the files of a set.
func (l *Datasets) meta(d *Dataset) (m fetched) {
	text, err := os.ReadFile(filepath.Join(l.newest(d), metaFile))
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return fetched{}
	}
	return m
}

// fetch gets one file into a folder, unless the one that is there is still good.
func fetch(ctx context.Context, client *http.Client, from, dir string, old fetched, progress func(string, int64, int64)) (f fetchedFile, fresh bool, err error) {
	u, err := url.Parse(from)
	if err != nil {
		return f, false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return f, false, err
	}
	req.Header.Set("User-Agent", "picket")
	for _, o := range old.Files {
		if o.URL == from && o.ETag != "" {
			req.Header.Set("If-None-Match", o.ETag)
			f = o
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return f, false, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified && f.Name != "" {
		return f, false, nil
	}
	if resp.StatusCode != http.StatusOK {
		return f, false, fmt.Errorf("%s answers HTTP %d", u.Host, resp.StatusCode)
	}
	f = fetchedFile{URL: from, Name: path.Base(u.Path), ETag: resp.Header.Get("ETag")}
	if f.Name == "." || f.Name == "/" || strings.HasPrefix(f.Name, ".") || f.Name == metaFile {
		f.Name = "data"
	}
	if _, err := os.Stat(filepath.Join(dir, f.Name)); err == nil { // of two URLs that end alike
		f.Name = path.Base(path.Dir(u.Path)) + "-" + f.Name
	}
	out, err := os.OpenFile(filepath.Join(dir, f.Name), os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o644)
	if err != nil {
		return f, false, err
	}
	sum := sha256.New()
	told := &progressWriter{name: f.Name, total: resp.ContentLength, tell: progress}
	f.Bytes, err = io.Copy(io.MultiWriter(out, sum, told), io.LimitReader(resp.Body, maxDataset+1))
	err = errors.Join(err, out.Sync(), out.Close())
	if err == nil && f.Bytes > maxDataset {
		err = fmt.Errorf("%s is larger than %d bytes", f.Name, int64(maxDataset))
	}
	f.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return f, true, err
}

// progressWriter tells how many bytes have come.
type progressWriter struct {
	name        string
	done, total int64
	tell        func(string, int64, int64)
}

func (p *progressWriter) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	p.tell(p.name, p.done, p.total)
	return len(b), nil
}
