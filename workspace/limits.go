package workspace

import (
	"cmp"
	"math"
	"runtime"
	"time"
)

// Limits bound one query. Zero values mean the defaults, which are those of
// the Log Analytics query API ("Azure Monitor service limits", user query
// throttling; "Timeouts").
type Limits struct {
	Time time.Duration // without the wait for a turn; default 3 minutes
	Rows int           // default 500,000
	// Bytes of result as text, roughly. Default 100 MB.
	Bytes int64
	// Take ends the result after so many rows, which is not told as a limit. 0
	// is all.
	Take int
}

// Concurrency bounds how many queries run and wait. Zero values mean the
// defaults.
type Concurrency struct {
	// Running is how many queries of callers run at once, in all. Default twice
	// the processors, at least 4 and at most 12.
	Running int
	// Reserved is how many more may run that Picket asks itself, such as those of
	// rules: no caller keeps them from running. Default 2.
	Reserved int

	PerCaller int           // running at once for one caller; default 5
	Queue     int           // waiting for one caller; default 200
	Wait      time.Duration // in the queue; default 3 minutes
	// PerPeriod is how many queries one caller may start within Period. Default 200 in 30 s.
	PerPeriod int
	Period    time.Duration
}

// or returns l with what is not set taken from d.
func (l Limits) or(d Limits) Limits {
	return Limits{cmp.Or(l.Time, d.Time), cmp.Or(l.Rows, d.Rows), cmp.Or(l.Bytes, d.Bytes), cmp.Or(l.Take, d.Take)}
}

// defaultLimits returns what holds where nothing is set.
func defaultLimits() Limits { return Limits{Time: 3 * time.Minute, Rows: 500_000, Bytes: 100 << 20} }

func (c Concurrency) withDefaults() Concurrency {
	c.Running = cmp.Or(c.Running, min(max(4, 2*runtime.GOMAXPROCS(0)), 12))
	c.Reserved = cmp.Or(c.Reserved, 2)
	c.PerCaller = cmp.Or(c.PerCaller, 5)
	c.Queue = cmp.Or(c.Queue, 200)
	c.Wait = cmp.Or(c.Wait, 3*time.Minute)
	c.PerPeriod = cmp.Or(c.PerPeriod, 200)
	c.Period = cmp.Or(c.Period, 30*time.Second)
	return c
}

// compiling is what bounds the compiler for callers who may run c: it takes a
// processor and, for the largest texts, seconds. Half of the processors is what
// one caller gets, so that others' short queries get past.
func (c Concurrency) compiling() Concurrency {
	c = c.withDefaults()
	c.Queue += c.PerCaller // all that may run or wait can have come at once
	c.Running = max(2, runtime.GOMAXPROCS(0))
	c.PerCaller = max(1, c.Running/2)
	c.PerPeriod = math.MaxInt // how many may be asked is for the turns to run to say
	return c
}

// Caller is who asks a query, and what it may take. The zero Caller is Picket
// itself: it has the reserved places and no limits of a caller.
type Caller struct {
	// Name tells callers apart: an API key's id, never the key.
	Name string
	// Limits of this query; what is zero is as the workspace has it.
	Limits Limits
}
