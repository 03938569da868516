package kql

// ServiceFunctions are functions that Microsoft Sentinel and Defender XDR have
// and a workspace may not: each is defined as a table without rows or as columns
// without values. With them content can be checked that is to run elsewhere. It
// implements [Functions].
type ServiceFunctions struct{}

// serviceFunctions are the definitions, by the pages "Watchlists in Microsoft
// Sentinel", "FileProfile()" and "SeenBy()". What columns a watchlist has beside
// the fixed ones is not known here, so any name answers.
var serviceFunctions = map[string]string{
	"_GetWatchlist": `(watchlistAlias:string, keys:dynamic=dynamic([])) {
		datatable(_DTItemId:string, LastUpdatedTimeUTC:datetime, SearchKey:string, WatchlistItem:dynamic)[] | evaluate bag_unpack(WatchlistItem) }`,
	"_GetWatchlistAlias": `() { datatable(WatchlistAlias:string)[] }`,
	"FileProfile": `(T:(*), x:string="", y:long=100) { T
		| extend GlobalPrevalence=long(null), GlobalFirstSeen=datetime(null), GlobalLastSeen=datetime(null), Signer="", Issuer="", SignerHash="",
			IsCertificateValid=bool(null), IsRootSignerMicrosoft=bool(null), SignatureState="", IsExecutable=bool(null), ThreatName="", Publisher="", SoftwareName="", ProfileAvailability="" }`,
	"SeenBy": `(T:(*)) { T | extend SeenBy=dynamic(null) }`,
}

// Function returns the definition of a service function.
func (ServiceFunctions) Function(name string, _ []string) (string, bool, error) {
	def, ok := serviceFunctions[name]
	return def, ok, nil
}

// IsFunction reports whether the language itself has a function of that name: a
// workspace's function cannot be called by it.
func IsFunction(name string) bool {
	_, scalar := lookupScalar(name)
	_, aggregate := lookupAggregate(name)
	_, refused := refusedFunctions[name]
	return scalar || aggregate || refused
}
