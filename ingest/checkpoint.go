package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Offsets keeps a small JSON value by key over restarts. Load returns nil for a
// key that was never saved. Save replaces the value durably before it returns.
type Offsets struct {
	Load func(ctx context.Context, key string) ([]byte, error)
	Save func(ctx context.Context, key string, value []byte) error
}

// A checkpoint makes each line of a followed file a row exactly once, though
// the file, the place of the checkpoint and the workspace share no transaction:
//
//  1. Read whole lines; they are the bytes [Offset, End) of the file.
//  2. Save the checkpoint with this range: the intent.
//  3. Append the rows under an ID made of Life and the range.
//  4. Go on at End; the next intent says by itself that this one is done.
//
// Whoever starts anew finds the last intent, reads exactly that range again and
// appends under the same ID. Had the rows been committed, this writes nothing.
// Killed before 2, nothing was appended and nothing is known of it; after 2 or
// during 3, the range is repeated; after 3, the repetition has no effect. There
// is one Save for a batch and one for a new file, none while nothing happens.
//
// The ID cannot be made of device and inode, which the system gives to the next
// file again, nor of the content alone, which may repeat: Life is a random word
// for one life of one file, from its first line to its rotation or truncation.
// Device, inode and the first bytes only serve to find the file again.
type checkpoint struct {
	Life     string `json:"life"`
	Device   uint64 `json:"device"`
	Inode    uint64 `json:"inode"`
	HeadSize int    `json:"headSize"` // up to 256
	HeadHash string `json:"headHash"` // SHA-256 of that many first bytes, in hex

	Changed time.Time `json:"changed,omitzero"` // of the file: what was rotated later is newer

	// Format is the name of the one that was told by the first lines: the intent
	// must be repeated in it. Empty if the format is configured.
	Format string `json:"format,omitempty"`

	Offset int64 `json:"offset"`         // all lines before it are committed
	Skip   bool  `json:"skip,omitempty"` // Offset is inside of a line that was cut there
	End    int64 `json:"end,omitempty"`  // the lines up to here may be committed
}

// batchID names the batch of the intent.
func (c *checkpoint) batchID() string {
	return fmt.Sprintf("file:%s:%d-%d", c.Life, c.Offset, c.End)
}

// load returns the checkpoint of the last run, or nil.
func (t *Tail) load(ctx context.Context) (*checkpoint, error) {
	if t.offsets.Load == nil {
		return nil, nil
	}
	var value []byte
	err := retry(ctx, t.opts.Log, "load the position in "+t.opts.Path, func() (err error) {
		value, err = t.offsets.Load(ctx, t.key)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("load the position in %s: %w", t.opts.Path, err)
	}
	if value == nil {
		return nil, nil
	}
	c := new(checkpoint)
	err = json.Unmarshal(value, c)
	if err == nil && (c.Life == "" || c.Offset < 0 || c.End < 0) {
		err = errors.New("its fields make no sense")
	}
	if err != nil {
		return nil, fmt.Errorf("load the position in %s: the saved value %q is no checkpoint; delete it to read the file from its beginning: %w",
			t.opts.Path, value, err)
	}
	return c, nil
}

// save keeps the checkpoint for the next run.
func (t *Tail) save(ctx context.Context, c *checkpoint) error {
	if t.offsets.Save == nil {
		return nil
	}
	value, err := json.Marshal(c)
	if err == nil {
		err = retry(ctx, t.opts.Log, "save the position in "+t.opts.Path, func() error {
			return t.offsets.Save(ctx, t.key, value)
		})
	}
	if err != nil {
		return fmt.Errorf("save the position in %s: %w", t.opts.Path, err)
	}
	return nil
}
