package reputation

import "embed"

// Shipped holds the descriptions of providers that come with Picket, in the
// folder providers.
//
//go:embed providers/*.yaml
var Shipped embed.FS
