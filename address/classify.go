package address

// block is how many bytes have their classes in one mask.
const block = 64

// A mask has a bit for each byte of a block, the lowest for the first.
type mask struct {
	dot, colon   uint64
	decimal, hex uint64 // digits
}

// classifyGo is classify for any processor.
func classifyGo(text []byte, out []mask) {
	for i := range out {
		var m mask
		for j, b := range text[i*block : i*block+block] {
			bit := uint64(1) << j
			switch {
			case b == '.':
				m.dot |= bit
			case b == ':':
				m.colon |= bit
			case class[b]&isDecimal != 0:
				m.decimal |= bit
				m.hex |= bit
			case class[b]&isHexDigit != 0:
				m.hex |= bit
			}
		}
		out[i] = m
	}
}
