package kql

import (
	"math"
	"strings"
	"unicode/utf8"
)

// The parameters of Punycode, RFC 3492 section 5.
const (
	punyBase, punyMin, punyMax       = 36, 1, 26
	punySkew, punyDamp               = 38, 700
	punyStart                        = 72
	punyFirst                  int32 = 128
)

// punyAdapt is the bias after a delta, RFC 3492 section 6.1.
func punyAdapt(delta, points int32, first bool) int32 {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := int32(0)
	for ; delta > (punyBase-punyMin)*punyMax/2; k += punyBase {
		delta /= punyBase - punyMin
	}
	return k + (punyBase-punyMin+1)*delta/(delta+punySkew)
}

func punyThreshold(k, bias int32) int32 { return min(max(k-bias, punyMin), punyMax) }

// punycodeDecode decodes by RFC 3492 section 6.2.
func punycodeDecode(s string) (string, bool) {
	if len(s) > 1<<12 || !utf8.ValidString(s) {
		return "", false
	}
	var out []rune
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		out, s = []rune(s[:i]), s[i+1:]
	}
	n, bias, at := punyFirst, int32(punyStart), int32(0)
	for len(s) > 0 {
		old, w := at, int32(1)
		for k := int32(punyBase); ; k += punyBase {
			if len(s) == 0 {
				return "", false
			}
			d := int32(strings.IndexByte("abcdefghijklmnopqrstuvwxyz0123456789", s[0]|0x20))
			if s[0] >= '0' && s[0] <= '9' {
				d = int32(s[0]-'0') + 26
			}
			s = s[1:]
			if d < 0 || d > (math.MaxInt32-at)/w {
				return "", false
			}
			at += d * w
			t := punyThreshold(k, bias)
			if d < t {
				break
			}
			if w > math.MaxInt32/(punyBase-t) {
				return "", false
			}
			w *= punyBase - t
		}
		points := int32(len(out)) + 1
		bias = punyAdapt(at-old, points, old == 0)
		if at/points > utf8.MaxRune-n {
			return "", false
		}
		n += at / points
		at %= points
		out = append(out, 0)
		copy(out[at+1:], out[at:])
		out[at] = n
		at++
	}
	return string(out), true
}

// punycodeEncode encodes by RFC 3492 section 6.3.
func punycodeEncode(s string) (string, bool) {
	if len(s) > 1<<12 || !utf8.ValidString(s) {
		return "", false
	}
	const digits = "abcdefghijklmnopqrstuvwxyz0123456789"
	var b strings.Builder
	runes := []rune(s)
	for _, r := range runes {
		if r < punyFirst {
			b.WriteRune(r)
		}
	}
	basic := int32(b.Len())
	if basic > 0 {
		b.WriteByte('-')
	}
	n, delta, bias := punyFirst, int32(0), int32(punyStart)
	for done := basic; int(done) < len(runes); {
		next := int32(math.MaxInt32)
		for _, r := range runes {
			if r >= n && r < next {
				next = r
			}
		}
		if next-n > (math.MaxInt32-delta)/(done+1) {
			return "", false
		}
		delta += (next - n) * (done + 1)
		n = next
		for _, r := range runes {
			if r < n {
				delta++
			}
			if r != n {
				continue
			}
			q := delta
			for k := int32(punyBase); ; k += punyBase {
				t := punyThreshold(k, bias)
				if q < t {
					break
				}
				b.WriteByte(digits[t+(q-t)%(punyBase-t)])
				q = (q - t) / (punyBase - t)
			}
			b.WriteByte(digits[q])
			bias = punyAdapt(delta, done+1, done == basic)
			delta = 0
			done++
		}
		delta++
		n++
	}
	return b.String(), true
}

// punycodeDomain applies f to the labels of a domain, which any of the four full
// stops of RFC 3490 section 3.1 separates.
func punycodeDomain(s string, f func(label string) (string, bool)) (string, bool) {
	labels := strings.Split(strings.NewReplacer("\u3002", ".", "\uff0e", ".", "\uff61", ".").Replace(s), ".")
	for i, l := range labels {
		var ok bool
		if labels[i], ok = f(l); !ok {
			return "", false
		}
	}
	return strings.Join(labels, "."), true
}

// punycodePrefix is that of encoded labels, RFC 3490 section 5.
const punycodePrefix = "xn--"

func encodeLabel(label string) (string, bool) {
	if strings.IndexFunc(label, func(r rune) bool { return r >= punyFirst }) < 0 {
		return label, true
	}
	s, ok := punycodeEncode(label)
	return punycodePrefix + s, ok
}

func decodeLabel(label string) (string, bool) {
	if len(label) <= len(punycodePrefix) || !strings.EqualFold(label[:len(punycodePrefix)], punycodePrefix) {
		return label, true
	}
	return punycodeDecode(label[len(punycodePrefix):])
}
