package ingest

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"picket"
)

// What an arena and names have given out stays as it is, whatever comes later.
func TestArena(t *testing.T) {
	var a arena
	var n names
	var got, want []string
	line := make([]byte, 0, 100)
	for i := range 5000 {
		line = fmt.Appendf(line[:0], "line %d%s", i, strings.Repeat("é", i%40))
		if i%100 == 0 {
			line = append(line, 0xff)
		}
		text := a.clean(line)
		v, ok := n.value(text[:6]).(string)
		if !ok {
			t.Fatal("a text is no string")
		}
		got = append(got, text, v)
		want = append(want, clean(line), clean(line)[:6])
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("%q, want %q", got[i], want[i])
		}
	}
	if len(n.known) > maxNames {
		t.Errorf("%d names are kept", len(n.known))
	}
	long := strings.Repeat("x", arenaSize+1)
	if a.clean([]byte(long)) != long || a.clean([]byte("next")) != "next" {
		t.Error("a long line")
	}
}

// Rows that come together are spread over as many batches as they need, in order.
func TestAddAll(t *testing.T) {
	var got []int
	b := NewBatcher(func(_ context.Context, batch picket.Batch) error {
		if len(batch.Rows) > 10 {
			t.Errorf("a batch of %d rows", len(batch.Rows))
		}
		for _, row := range batch.Rows {
			n, _ := row[0].(int)
			got = append(got, n)
		}
		return nil
	}, "T", []string{"N"}, BatchOptions{MaxRows: 10})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	for first := range 4 {
		var rows [][]any
		for i := range 25 {
			rows = append(rows, []any{first*25 + i})
		}
		if n, err := b.AddAll(ctx, rows); n != 25 || err != nil {
			t.Fatalf("%d rows taken, %v", n, err)
		}
	}
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if i >= len(got) || got[i] != i {
			t.Fatalf("%d rows, number %d is not there in its place: %v", len(got), i, got)
		}
	}
	if n, err := b.AddAll(t.Context(), [][]any{{1}}); n != 0 || err != ErrStopped {
		t.Errorf("after the stop: %d rows, %v", n, err)
	}
}
