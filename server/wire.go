package server

import (
	"compress/gzip"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// pieceSize is how much of an answer is kept before it is sent.
	pieceSize = 64 << 10
	// writeTimeout bounds how long a caller may take for one piece: a reader that
	// has gone to sleep must not keep the query's connection.
	writeTimeout = time.Minute
)

// wire sends an answer piece by piece, compressed when the caller takes gzip. What
// is in buf has not left yet, so a failure can still be told by the status.
type wire struct {
	w    http.ResponseWriter
	gzip bool
	out  io.Writer // w, or a gzip.Writer before it; nil before the first piece
	buf  []byte
	sent int   // pieces
	gone error // why the caller cannot be reached
}

func newWire(w http.ResponseWriter, r *http.Request) *wire {
	return &wire{w: w, gzip: takesGzip(r.Header.Get("Accept-Encoding"))}
}

// takesGzip reads Accept-Encoding (RFC 9110 section 12.5.3).
func takesGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, q, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			_, q, _ = strings.Cut(q, "=")
			weight, err := strconv.ParseFloat(strings.TrimSpace(q), 64)
			return err != nil || weight > 0
		}
	}
	return false
}

// full sends what there is when it makes a piece, and reports whether the caller
// is still there.
func (o *wire) full() bool {
	if len(o.buf) >= pieceSize {
		o.flush()
	}
	return o.gone == nil
}

// flush sends what there is.
func (o *wire) flush() {
	if o.gone != nil || len(o.buf) == 0 {
		return
	}
	if o.out == nil {
		o.w.Header().Set("Content-Type", "application/json; charset=utf-8")
		o.w.Header().Add("Vary", "Accept-Encoding")
		o.out = o.w
		if o.gzip {
			o.w.Header().Set("Content-Encoding", "gzip")
			z, err := gzip.NewWriterLevel(o.w, gzip.BestSpeed)
			if err != nil { // of a level that does not exist
				panic(err)
			}
			o.out = z
		}
	}
	_ = http.NewResponseController(o.w).SetWriteDeadline(time.Now().Add(writeTimeout)) // none in tests' recorders
	_, o.gone = o.out.Write(o.buf)
	o.buf = o.buf[:0]
	o.sent++
}

// end sends the rest. A caller that is gone cannot be told.
func (o *wire) end() {
	o.gzip = o.gzip && (o.sent > 0 || len(o.buf) > 1<<10) // less is not worth it
	o.flush()
	if z, ok := o.out.(*gzip.Writer); ok && o.gone == nil {
		o.gone = z.Close()
	}
}

// patience keeps the connection's deadlines from ending a query that may run for
// d: they are made for requests that are answered at once.
func patience(w http.ResponseWriter, d time.Duration) {
	c := http.NewResponseController(w)
	_ = c.SetReadDeadline(time.Time{}) // the body is read; a caller that hangs up is still noticed
	_ = c.SetWriteDeadline(time.Now().Add(d + writeTimeout))
}
