package reputation

import (
	"math"
	"sync"
	"time"
)

// A Caller says who asks for an address, and how much that may cost.
type Caller struct {
	Playbook, Incident string // for the ledger

	// Analyst says that a person asks: the reserve of a quota is for them.
	Analyst bool
	// Refresh asks again although a kept answer is still good.
	Refresh bool
	// Many says that many different addresses are asked about.
	Many bool
	// Patience is how long to wait for a provider's turn. What takes longer is
	// [Waiting], with the time.
	Patience time.Duration
	// Purse, when not nil, is what may be spent.
	Purse *Purse
}

// A Purse is an amount of money for lookups. It is safe for concurrent use.
type Purse struct {
	mu       sync.Mutex
	microUSD int64
}

// NewPurse returns a purse that holds an amount.
func NewPurse(usd float64) *Purse { return &Purse{microUSD: int64(math.Round(usd * 1e6))} }

// take takes a price out, if there is as much.
func (p *Purse) take(microUSD int64) bool {
	if p == nil || microUSD == 0 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.microUSD < microUSD {
		return false
	}
	p.microUSD -= microUSD
	return true
}

func (p *Purse) giveBack(microUSD int64) {
	if p != nil {
		p.mu.Lock()
		p.microUSD += microUSD
		p.mu.Unlock()
	}
}
