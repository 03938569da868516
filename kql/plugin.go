package kql

import (
	"picket/kql/syntax"
)

// pluginArgs splits a plugin's arguments into those by position and those by name.
func pluginArgs(call *syntax.Call) (pos []syntax.Expr, named map[string]syntax.Expr) {
	named = map[string]syntax.Expr{}
	for _, a := range call.Args {
		if n, ok := a.(*syntax.NamedExpr); ok && len(n.Names) == 1 {
			named[n.Names[0].Text] = n.X
			continue
		}
		pos = append(pos, a)
	}
	return pos, named
}

// plugins are the plugins there are.
var plugins = [...]string{"active_users_count", "activity_counts_metrics", "activity_engagement", "activity_metrics", "autocluster", "bag_unpack", "basket",
	"dcount_intersect", "diffpatterns", "funnel_sequence", "funnel_sequence_completion", "ipv4_lookup", "ipv6_lookup", "narrow", "new_activity_metrics", "pivot", "preview",
	"rolling_percentile", "rows_near", "schema_merge", "sequence_detect", "session_count", "sliding_window_counts"}
