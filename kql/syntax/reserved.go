package syntax

// Words that Microsoft's parser lets be names only in brackets: ['title'].
// Others, such as summarize or count, may be names anywhere.

// reserved holds for the words that cannot name a column, table or function
// where it is used.
func reserved(w string) bool {
	switch w {
	case "accumulate", "as", "by", "contains", "datatable", "earliest", "externaldata", "find", "has", "in", "invoke", "latest",
		"materialize", "mdm", "of", "print", "sample", "search", "set", "sql", "title", "to", "toscalar", "totable", "verbose",
		"viewers", "where":
		return true
	}
	return reservedForNew(w)
}

// reservedForNew holds for the words that cannot even name something where it
// is made: before an equals sign, and in the schemas of tables and functions.
func reservedForNew(w string) bool {
	switch w {
	case "and", "anomalychart", "areachart", "asc", "bagexpansion", "barchart", "between", "bin_legacy", "boolean", "byte",
		"cachingpolicy", "callout", "cancel", "card", "char", "columnchart", "contains_cs", "containscs", "cycles", "dataexport",
		"datascope", "date", "datetime", "decimal", "decodeblocks", "desc", "double", "dynamic", "encodingpolicy", "endswith",
		"endswith_cs", "expandoutput", "extent_tags_retention", "external_data", "first", "flags", "float", "force_remote",
		"harddelete", "hardretention", "has_all", "has_any", "has_cs", "hasprefix", "hasprefix_cs", "hassuffix", "hassuffix_cs",
		"hotcache", "int", "int16", "int32", "int64", "int8", "isfuzzy", "journal", "ladderchart", "last", "like", "likecs",
		"linechart", "long", "missing", "nooptimization", "notcontains", "notcontainscs", "notlike", "notlikecs", "or", "others",
		"pathformat", "piechart", "pivotchart", "project", "queries", "query_results", "real", "relaxed", "restricted_view_access",
		"row_level_security", "rowstore", "rowstore_references", "rowstore_sealinfo", "rowstorepolicy", "rowstores", "scatterchart",
		"seal", "seals", "shards", "simple", "softdelete", "softretention", "stackedareachart", "startswith", "startswith_cs",
		"statistics", "storedqueryresultcontainers", "string", "tablepurge", "time", "timechart", "timeline", "timepivot", "timespan",
		"treemap", "uint", "uint16", "uint32", "uint64", "uint8", "ulong", "union", "uniqueid", "unrestrictedviewers", "views",
		"with_itemindex", "with_match_id", "with_step_name", "writeaheadlog":
		return true
	}
	return false
}

// isType holds for the names of types, old ones included.
func isType(w string) bool {
	switch w {
	case "bool", "boolean", "int", "int32", "long", "int64", "real", "double", "decimal", "string", "datetime", "date",
		"timespan", "time", "dynamic", "guid", "uuid", "uniqueid":
		return true
	}
	return false
}

var typeNames = [...]string{"bool", "int", "long", "real", "decimal", "string", "datetime", "timespan", "dynamic", "guid"}

// bareName reports a word that has to stand in brackets to be a name here. made
// tells that the name is given here, not used.
func (p *parser) bareName(made bool) {
	if p.failed || !p.is(IDENT) {
		return
	}
	if w := p.text(p.pos); made && reservedForNew(w) || !made && reserved(w) {
		p.report(p.span(), CodeExpected, "as a name it is written ['"+w+"']", "'"+w+"' is a keyword and cannot be a name here")
	}
}
