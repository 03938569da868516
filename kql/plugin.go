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

// refusePlugin reports a plugin that there is not.
func (b *binder) refusePlugin(name *syntax.Name) {
	switch name.Text {
	case "sql_request", "http_request", "http_request_post", "cosmosdb_sql_request", "mysql_request", "postgresql_request", "azure_digital_twins_query_request", "infer_storage_schema",
		"infer_storage_schema_with_suggestions", "ai_embeddings", "ai_embed_text", "ai_chat_completion", "ai_chat_completion_prompt":
		b.errorf(name, "SEM0064", "the plugin %s is refused: a query reaches neither the network nor files", name.Text)
	case "python", "r":
		b.errorf(name, "SEM0064", "the plugin %s is refused: a query runs no code but KQL", name.Text)
	default:
		b.report(name.Span(), "SEM0064", didYouMean(name.Text, plugins[:]), "the plugin "+name.Text+" is not supported")
	}
}

// plugins are the plugins there are.
var plugins = [...]string{"active_users_count", "activity_counts_metrics", "activity_engagement", "activity_metrics", "autocluster", "bag_unpack", "basket",
	"dcount_intersect", "diffpatterns", "funnel_sequence", "funnel_sequence_completion", "ipv4_lookup", "ipv6_lookup", "narrow", "new_activity_metrics", "pivot", "preview",
	"rolling_percentile", "rows_near", "schema_merge", "sequence_detect", "session_count", "sliding_window_counts"}
