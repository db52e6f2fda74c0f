package proxmox

import (
	"maps"
	"sync"
	"sync/atomic"
)

// Counter counts requests by "METHOD /path/{template}". The zero value is ready; it is safe for concurrent use.
type Counter struct {
	mu sync.Mutex
	n  map[string]int
}

// Add counts one request.
func (c *Counter) Add(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = map[string]int{}
	}
	c.n[key]++
}

// Total is the number of requests counted.
func (c *Counter) Total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := 0
	for _, n := range c.n {
		sum += n
	}
	return sum
}

// Calls returns the counts by method and path template.
func (c *Counter) Calls() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.n)
}

// Stats is what a client did since it was made.
type Stats struct {
	Calls     map[string]int // requests sent, retries and logins included, by "METHOD /path/{template}"
	Retries   int
	Failovers int
	Logins    int
	Peak      map[string]int // most requests in flight at once, by node; "" = calls before the entry node's name was known
	Silent    []SilentNode
}

type stats struct {
	all, given                 *Counter
	retries, failovers, logins atomic.Int64
}

func (s *stats) count(c *call) {
	key := c.method + " " + c.template
	s.all.Add(key)
	if s.given != nil {
		s.given.Add(key)
	}
	if c.counter != nil {
		c.counter.Add(key)
	}
}

func (s *stats) retry()    { s.retries.Add(1) }
func (s *stats) failover() { s.failovers.Add(1) }
func (s *stats) login()    { s.logins.Add(1) }
