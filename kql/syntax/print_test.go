package syntax

import "testing"

func TestSeeds(t *testing.T) {
	for _, s := range seeds {
		checkTree(t, s)
		checkPrint(t, s)
	}
}
