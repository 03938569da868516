package reputation

// ATT&CK v19 (2026) has retired some techniques of v18, most of them for TA0112
// Defense Impairment. Sources say either; a profile says v19's, and beside it what
// v18 has called them.

// v19Of returns the id that a technique has in ATT&CK v19.
func v19Of(id string) string {
	switch id {
	case "T1562.001": // Disable or Modify Tools
		return "T1685"
	case "T1562.012": // Disable or Modify Linux Audit System
		return "T1685.004"
	case "T1070.002": // Clear Linux or Mac System Logs
		return "T1685.006"
	case "T1562.004": // Disable or Modify System Firewall
		return "T1686"
	case "T1562.003": // Impair Command History Logging
		return "T1690"
	}
	return id
}

// v18Of returns the id that a technique of ATT&CK v19 had in v18; most have the same.
func v18Of(id string) string {
	switch id {
	case "T1685":
		return "T1562.001"
	case "T1685.004":
		return "T1562.012"
	case "T1685.006":
		return "T1070.002"
	case "T1686":
		return "T1562.004"
	case "T1690":
		return "T1562.003"
	case "T1680": // Local Storage Discovery, new in v19
		return "T1082"
	}
	return id
}

// v18Techniques returns the techniques of a profile as ATT&CK v18 has them, or nil
// when it has them all alike.
func v18Techniques(ids []string) []string {
	var out []string
	differs := false
	for _, id := range ids {
		old := v18Of(id)
		differs = differs || old != id
		out = union(out, []string{old})
	}
	if !differs {
		return nil
	}
	return out
}
