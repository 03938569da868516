package reputation

import (
	"net/netip"
	"slices"
	"testing"
	"time"
)

// Sources say v18's or v19's techniques; a profile says v19's and, beside, v18's.
func TestTechniqueVersions(t *testing.T) {
	f := func(ids ...string) Profile {
		return Merge(netip.MustParseAddr("8.8.8.8"), []Finding{{Source: "a", State: Hit, Verdict: Malicious, Reliability: "A", Techniques: ids}}, nil, time.Now())
	}
	if p := f("T1562.001", "T1110", "T1685", "T1070.002"); !slices.Equal(p.Techniques, []string{"T1110", "T1685", "T1685.006"}) ||
		!slices.Equal(p.TechniquesV18, []string{"T1110", "T1562.001", "T1070.002"}) {
		t.Errorf("%v %v", p.Techniques, p.TechniquesV18)
	}
	if p := f("T1110"); p.TechniquesV18 != nil {
		t.Errorf("the same in both: %v", p.TechniquesV18)
	}
	for _, id := range []string{"T1685", "T1685.004", "T1685.006", "T1686", "T1690"} {
		if got := v19Of(v18Of(id)); got != id {
			t.Errorf("%s is %s in v18, which is %s in v19", id, v18Of(id), got)
		}
	}
}
