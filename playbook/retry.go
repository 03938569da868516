package playbook

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// retryPolicy says how often and how fast a request is repeated (Microsoft
// page "Handle errors and exceptions in Azure Logic Apps").
type retryPolicy struct {
	exponential bool
	count       int // repetitions after the first attempt
	interval    time.Duration
	min, max    time.Duration // bounds of one wait
}

// defaultRetry is Logic Apps' own: 4 repetitions, 7.5 s scaled, 5 to 45 s.
func defaultRetry() retryPolicy {
	return retryPolicy{true, 4, 7500 * time.Millisecond, 5 * time.Second, 45 * time.Second}
}

// maxFixedWait bounds what Retry-After can add to a fixed interval.
const maxFixedWait = time.Hour

func (l *loader) retryPolicy(a *action, n *node) retryPolicy {
	p := defaultRetry()
	if n == nil {
		return p
	}
	typ := strings.ToLower(n.get("type").str())
	switch typ {
	case "none":
		return retryPolicy{}
	case "fixed":
		p.exponential, p.min, p.max = false, 0, maxFixedWait
	case "exponential":
		p.min, p.max = 0, 24*time.Hour
	default:
		l.bad(n.line, "action '%s': retryPolicy type must be none, fixed or exponential, not '%s'", a.name, n.get("type").str())
		return p
	}
	if c := n.get("count"); c != nil {
		v, ok := c.scalar.(int64)
		if !ok || v < 1 || v > 90 {
			l.bad(c.line, "action '%s': retryPolicy count must be an integer from 1 to 90", a.name)
		}
		p.count = int(v)
	} else {
		l.bad(n.line, "action '%s': retryPolicy needs a 'count'", a.name)
	}
	if n.get("interval") == nil {
		l.bad(n.line, "action '%s': retryPolicy needs an 'interval' such as PT10S", a.name)
	}
	for name, to := range map[string]*time.Duration{"interval": &p.interval, "minimumInterval": &p.min, "maximumInterval": &p.max} {
		v := n.get(name)
		if v == nil {
			continue
		}
		d, ok := isoDuration(v.str())
		if !ok || d > 24*time.Hour {
			l.bad(v.line, "action '%s': retryPolicy %s must be an ISO 8601 duration up to P1D such as PT10S, not %q", a.name, name, v.str())
		}
		*to = d
	}
	if p.min > p.max {
		l.bad(n.line, "action '%s': retryPolicy minimumInterval is larger than maximumInterval", a.name)
	}
	return p
}

// wait is how long to wait before repetition n (1 is the first). after is what
// Retry-After asked for; it counts within the policy's bounds.
func (p retryPolicy) wait(n int, after time.Duration) time.Duration {
	d := p.interval
	if p.exponential {
		// A random moment of an interval that doubles: (i, 2i), (2i, 4i), …
		lo, hi := time.Duration(0), p.interval
		for range min(n-1, 20) {
			lo, hi = hi, 2*hi
		}
		lo = min(max(lo, p.min), p.max)
		hi = max(min(hi, p.max), lo)
		d = lo + time.Duration(rand.Int64N(int64(hi-lo)+1))
	}
	return min(max(d, after, p.min), max(p.max, d))
}

// retryAfter reads the Retry-After header: seconds or a date (RFC 9110, section 10.2.3).
func retryAfter(h http.Header, now time.Time) time.Duration {
	v := strings.TrimSpace(h.Get("Retry-After"))
	if n, err := strconv.ParseUint(v, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return max(0, t.Sub(now))
	}
	return 0
}

func retryStatus(code int) bool {
	return code == http.StatusRequestTimeout || code == http.StatusTooManyRequests || code >= 500
}

// sleep waits d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait to try again: %w", ctx.Err())
	}
}

var isoPattern = regexp.MustCompile(`^P(?:(\d{1,4})W)?(?:(\d{1,5})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,7}(?:\.\d{1,9})?)S)?)?$`)

// isoDuration reads an ISO 8601 duration of weeks, days and smaller units.
func isoDuration(s string) (time.Duration, bool) {
	m := isoPattern.FindStringSubmatch(strings.ToUpper(s))
	if m == nil || strings.Join(m[1:], "") == "" {
		return 0, false
	}
	var d float64
	for i, unit := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+1] != "" {
			f, err := strconv.ParseFloat(m[i+1], 64)
			if err != nil {
				return 0, false
			}
			d += f * float64(unit)
		}
	}
	return time.Duration(d), true
}
