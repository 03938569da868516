//go:build !amd64

package address

// classify says of which class each byte of text is, whose length is a
// multiple of 64.
func classify(text []byte, out []mask) { classifyGo(text, out) }
