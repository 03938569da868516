package address

import "golang.org/x/sys/cpu"

// classifyAVX2 is classify for n blocks, at least one.
//
//go:noescape
func classifyAVX2(text *byte, out *mask, n int)

var hasAVX2 = cpu.X86.HasAVX2

// classify says of which class each byte of text is, whose length is a
// multiple of 64.
func classify(text []byte, out []mask) {
	n := len(text) / block
	switch out = out[:n]; {
	case n == 0:
	case hasAVX2:
		classifyAVX2(&text[0], &out[0], n)
	default:
		classifyGo(text, out)
	}
}
