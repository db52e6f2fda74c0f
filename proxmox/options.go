package proxmox

import (
	"context"
	"log/slog"
	"net"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
)

// Limits are the client's manners. The zero value of a field means its default.
type Limits struct {
	Background  int // requests in flight per node; default 2
	UserWaiting int // the same while a user waits; default 3 = the workers of a node, more gains nothing (faults.md 3.7, 2)
	MayBlock    int // of them, calls that can hang on a dead storage or guest; default 1 (faults.md 3.7, 3)

	// EntryTotal bounds what is in flight through one entry node; the overflow goes to further endpoints. Default 24 = 8 nodes with 3
	// each: the entry node proxies without blocking a worker and its own limit, 4 per worker and target, is never met by 3 per
	// target; past 8 nodes several entry nodes share the work (performance.md 5, 13). In the background a third of it.
	EntryTotal int

	Connect      time.Duration // to connect, and for the TLS handshake; default 5 s
	Timeout      time.Duration // of one try on the entry node itself; default 10 s: a 401 takes 3 s by design (faults.md 3.1, 10)
	NodeTimeout  time.Duration // of one try below /nodes/; default 35 s: the proxying node gives up at 30 s (faults.md 3.3, 1)
	WriteTimeout time.Duration // of a write; default 65 s: lock contention alone takes 10 s (pve-api.md 40)
	RetryFor     time.Duration // no further try of a GET begins later than this; default 30 s (F47)
	ProbeEvery   time.Duration // how often a silent node is asked again; default 10 s, pvestatd's own period
}

func (l Limits) withDefaults() Limits {
	for _, f := range []struct {
		v *int
		d int
	}{{&l.Background, 2}, {&l.UserWaiting, 3}, {&l.MayBlock, 1}, {&l.EntryTotal, 24}} {
		if *f.v <= 0 {
			*f.v = f.d
		}
	}
	for _, f := range []struct {
		v *time.Duration
		d time.Duration
	}{
		{&l.Connect, 5 * time.Second}, {&l.Timeout, 10 * time.Second}, {&l.NodeTimeout, 35 * time.Second},
		{&l.WriteTimeout, 65 * time.Second}, {&l.RetryFor, 30 * time.Second}, {&l.ProbeEvery, 10 * time.Second},
	} {
		if *f.v <= 0 {
			*f.v = f.d
		}
	}
	return l
}

// Dialer opens a network connection; net.Dialer.DialContext is one.
type Dialer func(ctx context.Context, network, addr string) (net.Conn, error)

type options struct {
	now     func() time.Time
	dial    Dialer
	system  bool // dial is the operating system's
	log     *slog.Logger
	limits  Limits
	counter *Counter
	permits bool // writes need WithPermit
	watch   *telemetry.T
}

// Option changes how a Client works.
type Option func(*options)

// WithClock sets the clock that ages tickets, breakers and caches. Default time.Now.
func WithClock(now func() time.Time) Option { return func(o *options) { o.now = now } }

// WithDialer replaces the network below TLS, for tests in memory.
func WithDialer(d Dialer) Option { return func(o *options) { o.dial = d } }

// WithLogger sets where failovers, retries and odd rows are logged (debug, except an untrusted endpoint). Default: nowhere.
func WithLogger(l *slog.Logger) Option { return func(o *options) { o.log = l } }

// WithLimits changes the client's manners.
func WithLimits(l Limits) Option { return func(o *options) { o.limits = l } }

// WithCounter also counts every request of the client in c.
func WithCounter(c *Counter) Option { return func(o *options) { o.counter = c } }

// WithPermits makes the client refuse every write whose context carries no permit (WithPermit): only the engine of changes has one, so
// that nothing else in the program can send a write by mistake.
func WithPermits() Option { return func(o *options) { o.permits = true } }

// WithTelemetry measures every request: its duration, and its place in the trace of the call that it is made for. Nothing of it goes to
// Proxmox VE.
func WithTelemetry(t *telemetry.T) Option { return func(o *options) { o.watch = t } }

func buildOptions(opts []Option) options {
	o := options{now: time.Now, log: slog.New(slog.DiscardHandler)}
	for _, f := range opts {
		f(&o)
	}
	o.limits = o.limits.withDefaults()
	if o.dial == nil {
		o.system = true
		o.dial = (&net.Dialer{Timeout: o.limits.Connect, KeepAlive: 15 * time.Second}).DialContext
	}
	return o
}
