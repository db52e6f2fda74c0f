package proxmox

import (
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// endpoint is one address of the cluster with its own connections.
type endpoint struct {
	shown atomic.Value // fingerprint (string) that was last refused
	addr  string       // host:port
	tr    *http.Transport
	slots gate // what is in flight through it
	total int  // its size

	node     atomic.Pointer[string] // the node behind it, once known
	answered atomic.Bool            // it has answered in this process
	failedAt atomic.Int64           // Unix nanoseconds of the last failure to connect, 0 = none since the last answer
}

func newEndpoint(addr string, t *trust, pins []string, o *options) *endpoint {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true) // PVE speaks HTTP/1 only, and HTTP/2 proxies drop the reason phrase (F10)
	return &endpoint{
		addr:  addr,
		total: o.limits.EntryTotal,
		tr: &http.Transport{
			Protocols:           protocols,
			Proxy:               nil, // a cluster is reached directly; a proxy of the environment would see the token
			DialContext:         o.dial,
			TLSClientConfig:     t.tlsConfig(addr, pins),
			TLSHandshakeTimeout: o.limits.Connect,
			// PVE closes idle connections at 5 s; a request sent just then is lost (F01, measured in faults.md 3.7).
			IdleConnTimeout:       4 * time.Second,
			MaxIdleConnsPerHost:   o.limits.EntryTotal,
			MaxConnsPerHost:       o.limits.EntryTotal + 4, // + login and probes
			DisableCompression:    true,                    // asked for by the body layer where it pays
			ExpectContinueTimeout: time.Second,
			WriteBufferSize:       4 << 10,
			ReadBufferSize:        16 << 10,
			// The server refuses requests beyond 8 KiB of headers; answers have a handful.
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

func (e *endpoint) nodeName() string {
	if p := e.node.Load(); p != nil {
		return *p
	}
	return ""
}

func (e *endpoint) setNode(name string) { e.node.Store(&name) }

func (e *endpoint) close() { e.tr.CloseIdleConnections() }

// endpoints is the ordered list of a cluster's endpoints: the configured ones, then learnt ones. The last good one is asked first.
type endpoints struct {
	mu     sync.RWMutex
	all    []*endpoint
	sticky atomic.Pointer[endpoint]
}

// failedRest is how long an endpoint that did not answer is asked last.
const failedRest = 15 * time.Second

// order lists the endpoints to try: the last good one, then those that did not just fail, then the rest.
func (s *endpoints) order(now time.Time) []*endpoint {
	s.mu.RLock()
	defer s.mu.RUnlock()
	good, bad := make([]*endpoint, 0, len(s.all)), []*endpoint(nil)
	if first := s.sticky.Load(); first != nil && !first.resting(now) {
		good = append(good, first)
	}
	for _, e := range s.all {
		switch {
		case len(good) > 0 && e == good[0]:
		case e.resting(now):
			bad = append(bad, e)
		default:
			good = append(good, e)
		}
	}
	return append(good, bad...)
}

func (e *endpoint) resting(now time.Time) bool {
	at := e.failedAt.Load()
	return at != 0 && now.Sub(time.Unix(0, at)) < failedRest
}

// current is the endpoint that the next call will probably use.
func (s *endpoints) current() *endpoint {
	if e := s.sticky.Load(); e != nil {
		return e
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.all[0]
}

func (s *endpoints) add(e *endpoint) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.all {
		if x.addr == e.addr {
			return false
		}
	}
	s.all = append(s.all, e)
	return true
}

func (s *endpoints) has(addr string) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.ContainsFunc(s.all, func(e *endpoint) bool { return e.addr == addr })
}

// everAnswered says that some endpoint has answered in this process: then a refused connection is a restart, not a typing error.
func (s *endpoints) everAnswered() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.all {
		if e.answered.Load() {
			return true
		}
	}
	return false
}

// EndpointState is one address of a cluster at this moment.
type EndpointState struct {
	Addr   string
	Node   string // behind it, once known
	InUse  bool   // the next call will probably take it
	Learnt bool   // told by the cluster, not configured
	Failed bool   // it did not answer of late
}

// Endpoints lists the client's addresses, the configured ones first; it asks nobody.
func (c *Client) Endpoints() []EndpointState {
	current := c.ends.current()
	c.ends.mu.RLock()
	defer c.ends.mu.RUnlock()
	var out []EndpointState
	for _, e := range c.ends.all {
		out = append(out, EndpointState{Addr: e.addr, Node: e.nodeName(), InUse: e == current, Learnt: !slices.Contains(c.set.hosts, e.addr),
			Failed: e.failedAt.Load() != 0})
	}
	return out
}

func (s *endpoints) close() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, e := range s.all {
		e.close()
	}
}

// distrusted is the level at which a refused certificate is logged: a warning the first time that it is seen, not at each request.
func (e *endpoint) distrusted(fingerprint string) slog.Level {
	if e.shown.Swap(fingerprint) == fingerprint {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}
