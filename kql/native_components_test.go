package kql

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"strconv"
	"strings"
	"testing"
)

// TestComponents compares the components of random graphs with what the
// definition says: nodes that reach each other.
func TestComponents(t *testing.T) {
	rnd := rand.New(rand.NewSource(1))
	for range 200 {
		n, m := 1+rnd.Intn(9), rnd.Intn(12)
		reach, both := map[[2]int]bool{}, map[[2]int]bool{}
		for i := range n {
			reach[[2]int{i, i}], both[[2]int{i, i}] = true, true
		}
		var text []string
		for range m {
			a, b := rnd.Intn(n), rnd.Intn(n)
			text = append(text, strconv.Itoa(a), strconv.Itoa(b))
			reach[[2]int{a, b}], both[[2]int{a, b}], both[[2]int{b, a}] = true, true, true
		}
		for k := range n {
			for i := range n {
				for j := range n {
					reach[[2]int{i, j}] = reach[[2]int{i, j}] || reach[[2]int{i, k}] && reach[[2]int{k, j}]
					both[[2]int{i, j}] = both[[2]int{i, j}] || both[[2]int{i, k}] && both[[2]int{k, j}]
				}
			}
		}
		for kind, rel := range map[string]map[[2]int]bool{"weak": both, "strong": reach} {
			out, ok := components(kind, strconv.Itoa(n), strings.Join(text, " "))
			var got []int
			if err := json.Unmarshal([]byte(out), &got); !ok || err != nil || len(got) != n {
				t.Fatalf("%s %d %v gave %q, %v", kind, n, text, out, ok)
			}
			next := 0
			for i := range n {
				want := next
				for j := range i {
					if rel[[2]int{i, j}] && rel[[2]int{j, i}] {
						want = got[j]
					}
				}
				if got[i] != want {
					t.Fatalf("%s %d %v: component of %d in %v, want %d", kind, n, text, i, got, want)
				}
				next = max(next, want+1)
			}
		}
	}
	for _, bad := range [][3]string{{"weak", "2", "0 2"}, {"weak", "2", "0"}, {"strong", "-1", ""}, {"weak", "x", ""}, {"weak", fmt.Sprint(maxNodes + 1), ""}, {"weak", "2", "a b"}} {
		if _, ok := components(bad[0], bad[1], bad[2]); ok {
			t.Errorf("components(%q) is taken", bad)
		}
	}
}
