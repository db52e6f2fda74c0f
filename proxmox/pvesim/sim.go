package pvesim

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Sim is a simulated Proxmox VE cluster: the daemons of all nodes over one World. It is safe for concurrent use.
type Sim struct {
	mu    sync.RWMutex // guards world and acl
	world *World
	acl   *acls

	routes    *table
	schema    *Schema // nil: the tables of this package
	clock     func() time.Time
	seed      uint64
	latency   Latency
	log       *slog.Logger
	authDelay time.Duration
	instant   bool
	// ticketLife is how long tickets live, in nanoseconds.
	ticketLife atomic.Int64
	workers    *workers
	recorded   bool // answer with the certificates of the world instead of those really served
	key        [32]byte
	certs      *certificates
	stats      *counters
	told       *told
	faults     faultList

	rngMu sync.Mutex
	rng   *rand.Rand
}

// Option configures New.
type Option func(*Sim)

// WithClock sets where the simulator's time comes from; the default is time.Now. Waiting (latency, the delay of a
// 401, idle time) always uses real timers, which a testing/synctest bubble makes virtual.
func WithClock(now func() time.Time) Option { return func(s *Sim) { s.clock = now } }

// WithSeed makes all random choices (latency, faults by probability, secrets) repeatable.
func WithSeed(seed uint64) Option { return func(s *Sim) { s.seed = seed } }

// WithLatency makes every request take time; see Latency. The default is none.
func WithLatency(l Latency) Option { return func(s *Sim) { s.latency = l } }

// WithLogger logs each request at debug level. The default is silent.
func WithLogger(l *slog.Logger) Option { return func(s *Sim) { s.log = l } }

// WithAuthDelay sets how long a 401 is held back; the real daemon's 3 s is the default (faults.md 3.1).
func WithAuthDelay(d time.Duration) Option { return func(s *Sim) { s.authDelay = d } }

// WithoutDelays leaves out all waiting that the real daemon does by itself: the delay of a 401 and the search for a
// guest agent that does not answer.
func WithoutDelays() Option {
	return func(s *Sim) { s.authDelay, s.instant = 0, true }
}

// WithWorkers gives each node n proxy workers and n daemon workers, as the real one has 3 (faults.md 3.1): requests
// beyond that wait. 0, the default, is no limit.
func WithWorkers(n int) Option { return func(s *Sim) { s.workers = newWorkers(n) } }

// WithRecordedCertificates makes the API show the certificates of a loaded world, not those that its endpoints
// really serve.
func WithRecordedCertificates() Option { return func(s *Sim) { s.recorded = true } }

// authFailDelay is how long the real daemon holds back a 401 (01/006: 3.03 s).
const authFailDelay = 3 * time.Second

// New makes a simulator over w, which belongs to it from now on: see Update.
func New(w *World, opts ...Option) *Sim {
	s := &Sim{world: w, clock: time.Now, seed: 1, authDelay: authFailDelay,
		log: slog.New(slog.NewTextHandler(io.Discard, nil)), stats: newCounters(), told: newTold()}
	s.ticketLife.Store(int64(ticketLife))
	for _, o := range opts {
		o(s)
	}
	s.routes = newTable(s.schema)
	s.rng = rand.New(rand.NewPCG(s.seed, 0x9e3779b97f4a7c15)) //nolint:gosec // repeatable on purpose
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], s.seed)
	s.key = sha256.Sum256(append([]byte("pvesim authkey "), b[:]...))
	s.certs = newCertificates(w, s.now)
	w.clock = s.now
	w.knowArchives()
	w.startFigures()
	w.startScheduler()
	w.startHA()
	s.refresh()
	return s
}

func (s *Sim) now() time.Time { return s.clock() }

// Update runs f on the world while nothing else uses it. f must not keep references to it.
func (s *Sim) Update(f func(w *World)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settle(s.now())
	s.told.forget()
	f(s.world)
	s.world.accessChanged() // f may have changed anything
	s.world.planJobs()
	s.world.wakeHA()
	s.refresh()
}

// RootToken is World.RootToken for a simulator that is running.
func (s *Sim) RootToken() string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.world.RootToken()
}

// Patterns lists what is implemented as "METHOD /path/{param}".
func Patterns() []string { return patterns() }

// Pattern gives the path pattern of the route that answers a method at a path, and false where there is none.
func Pattern(method, path string) (string, bool) {
	r, _ := routeTable().find(method, path)
	if r == nil {
		return "", false
	}
	return strings.ReplaceAll(r.pattern, "...}", "}"), true
}

// routeTable is built once for Pattern; a Sim has its own.
var routeTable = sync.OnceValue(func() *table { return newTable(nil) })

// chance is true with probability p.
func (s *Sim) chance(p float64) bool {
	s.rngMu.Lock()
	defer s.rngMu.Unlock()
	return s.rng.Float64() < p
}

// wait sleeps unless ctx ends first.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

var _ http.Handler = (*Sim)(nil)
