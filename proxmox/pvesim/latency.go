package pvesim

import (
	"math"
	"strings"
	"time"
)

// Latency is how long requests take. The zero value takes no time.
type Latency struct {
	// Fixed is the same time for every request.
	Fixed time.Duration
	// Profile adds times as seen on real nodes (facts/performance.md section 3): resources 15 ms + 10 us per guest,
	// configurations lognormal with median 12 ms and p99 60 ms, 5 ms more for what the privileged daemon serves, 3 ms
	// more for another node, 50 ms to 3 s for agent calls, and 2 s for one call in a hundred.
	Profile bool
}

// Parts of the profile; their source is the table that Latency names.
const (
	resourcesBase  = 15 * time.Millisecond
	resourcesGuest = 10 * time.Microsecond
	configMedian   = 12 * time.Millisecond
	configSigma    = 0.692 // ln(60/12) / 2.326, the quantile of 0.99
	protectedExtra = 5 * time.Millisecond
	proxiedExtra   = 3 * time.Millisecond
	agentLeast     = 50 * time.Millisecond
	agentMost      = 3 * time.Second
	stall          = 2 * time.Second
	stallShare     = 0.01
)

func (l Latency) of(s *Sim, x *exchange, r *route) time.Duration {
	if !l.Profile {
		return l.Fixed
	}
	s.rngMu.Lock()
	normal, uniform, unlucky := s.rng.NormFloat64(), s.rng.Float64(), s.rng.Float64() < stallShare
	s.rngMu.Unlock()
	var d time.Duration
	switch {
	case r.pattern == "/cluster/resources":
		s.mu.RLock()
		d = resourcesBase + resourcesGuest*time.Duration(len(s.world.guests))
		s.mu.RUnlock()
	case strings.Contains(r.pattern, "/agent/"):
		d = agentLeast + time.Duration(uniform*float64(agentMost-agentLeast))
	default:
		d = time.Duration(float64(configMedian) * math.Exp(normal*configSigma))
	}
	if r.protected {
		d += protectedExtra
	}
	if x.target != x.entry {
		d += proxiedExtra
	}
	if unlucky {
		d += stall
	}
	return l.Fixed + d
}
