package kql

import (
	"picket/kql/syntax"
)

// refusedFunctions are documented functions that are known and not done, with
// the reason and, where there is one, what to use instead.
var refusedFunctions = func() map[string]string {
	const (
		cells    = "the cells of H3 and S2 are not implemented; use geo_point_to_geohash()"
		overlay  = "polygons are not cut, joined or widened here; ask geo_point_in_polygon() or geo_distance_point_to_polygon() of each point"
		who      = "a query is not told who asks"
		crossing = "where lines and polygons meet is not computed here; ask whether they do with geo_intersects_2lines() and its like"
	)
	out := map[string]string{
		"graph":                          "there are no stored graph models; make the graph with make-graph",
		"hash_combine":                   "how it mixes is not documented; use hash(strcat(…)) of the values",
		"hash_many":                      "how it mixes is not documented; use hash(strcat(…)) of the values",
		"current_principal":              who,
		"current_principal_details":      who,
		"current_principal_is_member_of": who,
		"current_cluster_endpoint":       "a query is not told by which name the server was reached",
		"stored_query_result":            "there are no stored results; save the query as a function",
		"entity_group":                   "there are no entity groups: a workspace is one database",
		"row_id":                         "number the rows with row_number()",
	}
	for _, f := range [...]string{
		"geo_point_to_h3cell", "geo_h3cell_children", "geo_h3cell_level", "geo_h3cell_neighbors", "geo_h3cell_parent", "geo_h3cell_rings",
		"geo_h3cell_to_central_point", "geo_h3cell_to_polygon", "geo_polygon_to_h3cells",
		"geo_point_to_s2cell", "geo_line_to_s2cells", "geo_polygon_to_s2cells", "geo_s2cell_neighbors", "geo_s2cell_to_central_point", "geo_s2cell_to_polygon",
	} {
		out[f] = cells
	}
	for _, f := range [...]string{
		"geo_line_buffer", "geo_point_buffer", "geo_polygon_buffer", "geo_simplify_polygons_array", "geo_union_lines_array", "geo_union_polygons_array",
		"geo_line_simplify", "geo_polygon_simplify",
	} {
		out[f] = overlay
	}
	for _, f := range [...]string{"geo_intersection_2lines", "geo_intersection_2polygons", "geo_intersection_line_with_polygon"} {
		out[f] = crossing
	}
	for _, f := range [...]string{"all", "map", "inner_nodes", "node_id", "node_degree_in", "node_degree_out", "labels"} {
		out[f] = "it has a meaning only within graph-match and graph-shortest-paths"
	}
	return out
}()

// refusedPlugins are the documented plugins that are not done, with the reason.
var refusedPlugins = func() map[string]string {
	const (
		outside = "a query reaches neither the network nor files"
		code    = "a query runs no code but KQL"
		command = "a query runs no control commands"
	)
	out := map[string]string{
		"diffpatterns_text": "compare the patterns that reduce finds in either half",
		"geo_line_lookup":   "join on geo_distance_point_to_line() <= radius", "geo_polygon_lookup": "join on geo_point_in_polygon()",
		"estimate_rows_count": "count the rows with count",
		"identity":            "use the table itself", "identity_v3": "use the table itself",
		"execute_show_command": command, "execute_query": "a workspace is one database; write the query itself",
	}
	for _, p := range [...]string{"sql_request", "http_request", "http_request_post", "cosmosdb_sql_request", "mysql_request", "postgresql_request", "dax_request", "azure_digital_twins_query_request",
		"infer_storage_schema", "infer_storage_schema_with_suggestions", "external_datatable", "ai_embeddings", "ai_embed_text", "ai_chat_completion", "ai_chat_completion_prompt"} {
		out[p] = outside
	}
	for _, p := range [...]string{"python", "r", "csharp"} {
		out[p] = code
	}
	return out
}()

// refuseFunction reports a call of a documented function that is not done.
func (b *binder) refuseFunction(x *syntax.Call) bool {
	why, ok := refusedFunctions[x.Func.Text]
	if ok {
		b.errorf(x, "SEM0003", "%s() is not supported: %s", x.Func.Text, why)
	}
	return ok
}

// refusePlugin reports a plugin that there is not.
func (b *binder) refusePlugin(name *syntax.Name) {
	if why, ok := refusedPlugins[name.Text]; ok {
		b.errorf(name, "SEM0064", "the plugin %s is refused: %s", name.Text, why)
		return
	}
	b.report(name.Span(), "SEM0064", didYouMean(name.Text, plugins[:]), "there is no plugin named "+name.Text)
}
