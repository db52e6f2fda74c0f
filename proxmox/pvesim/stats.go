package pvesim

import (
	"maps"
	"slices"
	"sync"
)

// Request is one request that came in, as recorded for tests.
type Request struct {
	Method string
	// Path is without /api2/json, decoded; Template the route's pattern, "" when there is none.
	Path, Template, Query string
	// Node is the node that the request is about: that of the path, else the entry node.
	Node string
	// Principal is user@realm or user@realm!token, "" without a valid login.
	Principal string
}

// Stats are counters since the start or the last ResetStats.
type Stats struct {
	Requests int
	// ByRoute counts by "METHOD /template"; requests without a route by "METHOD ?".
	ByRoute map[string]int
	// Writes counts requests other than GET, logins (POST /access/ticket) apart; Logins counts those.
	Writes, Logins int
	Handshakes     int
	// Connections counts accepted connections, Open those that are open now.
	Connections, Open int
	// MaxInFlight is the most requests at one time by node (see Request.Node).
	MaxInFlight map[string]int
}

// requestsKept bounds the record of requests so that a long-running simulator does not grow.
const requestsKept = 200_000

type counters struct {
	mu       sync.Mutex
	s        Stats
	inFlight map[string]int
	requests []Request
}

func newCounters() *counters {
	c := &counters{inFlight: map[string]int{}}
	c.clear()
	return c
}

func (c *counters) clear() {
	c.s = Stats{ByRoute: map[string]int{}, MaxInFlight: map[string]int{}, Open: c.s.Open}
	c.requests = nil
}

// begin counts a request as in flight and gives what ends that.
func (c *counters) begin(x *exchange) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	node := x.target
	c.inFlight[node]++
	c.s.MaxInFlight[node] = max(c.s.MaxInFlight[node], c.inFlight[node])
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.inFlight[node]--
	}
}

func (c *counters) end(x *exchange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Requests++
	route := x.template
	if route == "" {
		route = "?"
	}
	c.s.ByRoute[x.method+" "+route]++
	switch {
	case x.method == "POST" && x.apiPath == "/access/ticket":
		c.s.Logins++
	case x.method != "GET":
		c.s.Writes++
	}
	if len(c.requests) < requestsKept {
		c.requests = append(c.requests, Request{x.method, x.apiPath, x.template, x.query, x.target, x.principal})
	}
}

func (c *counters) connected() func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Connections++
	c.s.Open++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.s.Open--
	}
}

func (c *counters) handshake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s.Handshakes++
}

// Stats gives the counters; the maps are the caller's.
func (s *Sim) Stats() Stats {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	out := s.stats.s
	out.ByRoute, out.MaxInFlight = maps.Clone(out.ByRoute), maps.Clone(out.MaxInFlight)
	return out
}

// ResetStats starts counting anew.
func (s *Sim) ResetStats() {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	s.stats.clear()
}

// Requests gives the requests since the start or the last ResetStats, in the order in which they ended; at most
// 200,000 are kept.
func (s *Sim) Requests() []Request {
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	return slices.Clone(s.stats.requests)
}
