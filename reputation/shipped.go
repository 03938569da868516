package reputation

import "embed"

// Shipped holds the descriptions that come with Picket: of providers in the
// folder providers, of data sets in the folder datasets.
//
//go:embed providers/*.yaml datasets/*.yaml
var Shipped embed.FS
