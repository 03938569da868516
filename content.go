package picket

import "embed"

// Content is what Picket ships: analytics rules, automation rules and
// playbooks, which a new data folder gets a copy of, and the demo's sample.
//
//go:embed rules automation playbooks demo
var Content embed.FS
