package app

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
	"github.com/proxmox-mcp/proxmox-mcp/server"
)

// watched makes what measures a serving process; nil where nothing is asked for.
func (a *App) watched(c config.Telemetry, metrics bool, log *slog.Logger) (*telemetry.T, error) {
	o := telemetry.Options{Metrics: metrics || c.Metrics != "", SlowTool: c.SlowTool, SlowPVE: c.SlowPVE, Clock: a.Clock,
		Log: log.With(telemetry.Channel(telemetry.ChannelSlow))}
	if c.Traces != "" {
		var err error
		o.Traces, err = telemetry.NewExporter(telemetry.ExporterOptions{URL: c.Traces, Headers: config.HeadersOf(c.Headers), Service: c.Service, Log: log})
		if err != nil {
			return nil, err
		}
	}
	return telemetry.New(o), nil
}

// gathers are read at each look at /metrics: of what is open, because a look opens nothing.
func (l *lazy) gathers() []telemetry.Gather {
	return []telemetry.Gather{{Part: "proxmox", Read: func(_ context.Context, page telemetry.Page) error {
		if p := l.peek(); p != nil {
			p.gatherClients(page)
		}
		return nil
	}}, {Part: "store", Read: func(ctx context.Context, page telemetry.Page) error {
		if p := l.peek(); p != nil {
			return p.gatherStore(ctx, page)
		}
		return nil
	}}}
}

// peek gives the parts if they are open.
func (l *lazy) peek() *parts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.p
}

func (p *parts) gatherClients(page telemetry.Page) {
	for _, name := range p.pool.Names() {
		c, err := p.pool.Get(name)
		if err != nil {
			continue
		}
		s := c.Stats()
		page.Set(telemetry.Retries, float64(s.Retries), name)
		page.Set(telemetry.Failovers, float64(s.Failovers), name)
		page.Set(telemetry.Logins, float64(s.Logins), name)
		for node := range s.Peak {
			if node != "" {
				page.Set(telemetry.NodeSilent, 0, name, node)
			}
		}
		for _, n := range s.Silent {
			page.Set(telemetry.NodeSilent, 1, name, n.Node)
		}
	}
}

// gatherLimit bounds what a look at /metrics may ask of the store.
const gatherLimit = 3 * time.Second

func (p *parts) gatherStore(ctx context.Context, page telemetry.Page) error {
	ctx, cancel := context.WithTimeout(ctx, gatherLimit)
	defer cancel()
	db, err := p.openStore(ctx, p.clock)
	if err != nil {
		return err
	}
	c, err := db.Counts(ctx)
	if err != nil {
		return err
	}
	page.Set(telemetry.StoreBytes, float64(c.Bytes))
	for state, n := range c.Plans {
		page.Set(telemetry.Plans, float64(n), state)
	}
	names := p.pool.Names()
	for _, g := range c.Guests {
		if slices.Contains(names, g.Cluster) { // the store remembers clusters that are configured no more
			page.Set(telemetry.GuestsKnown, float64(g.N), g.Cluster, g.Type, cmp.Or(g.Status, "unknown"))
		}
	}
	for _, name := range names {
		if at, ok := c.Synced[name]; ok {
			page.Set(telemetry.SyncAge, p.clock().Sub(at).Seconds(), name)
		}
	}
	return nil
}

// routes are those of health, which need no authentication and name nothing that is configured, and of metrics, which do.
func (a *App) routes(l *lazy) (open, closed map[string]http.Handler) {
	return map[string]http.Handler{
			"GET /healthz": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answerHealth(w, nil) }),
			"GET /readyz":  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answerHealth(w, l.unready(r.Context(), a.Clock)) }),
		}, map[string]http.Handler{
			"GET /metrics": http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { answerMetrics(w, r, l.watch) }),
		}
}

func answerHealth(w http.ResponseWriter, reasons []string) {
	w.Header().Set("Content-Type", "application/json")
	if len(reasons) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(struct { // who went away reads nothing
		OK      bool     `json:"ok"`
		Reasons []string `json:"reasons,omitempty"`
	}{len(reasons) == 0, reasons})
}

// answerMetrics answers whom every cluster is open to: the page speaks of all.
func answerMetrics(w http.ResponseWriter, r *http.Request, t *telemetry.T) {
	if server.IdentityOf(r.Context()).Scope.Clusters != nil {
		http.Error(w, "the metrics speak of all clusters, and this credential reaches some", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	_ = t.Write(r.Context(), w) // who went away reads nothing
}

// readyFor is how long an answer of /readyz holds: everybody may ask, and asking must not cost the database.
const readyFor = time.Second

// readiness is the newest answer of /readyz. The zero value is ready.
type readiness struct {
	mu      sync.Mutex
	at      time.Time
	reasons []string
}

// unready says why requests cannot be answered as they should be, nil = they can.
func (l *lazy) unready(ctx context.Context, clock func() time.Time) []string {
	r := &l.readiness
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := clock(); r.at.IsZero() || now.Sub(r.at) >= readyFor {
		r.at, r.reasons = now, l.look(ctx, now)
	}
	return r.reasons
}

// look finds out whether the configuration is read, the store opens and every cluster was read not too long ago.
func (l *lazy) look(ctx context.Context, now time.Time) []string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), gatherLimit) // others wait for the same answer
	defer cancel()
	p, err := l.get(ctx)
	if err != nil {
		return []string{"the configuration cannot be used: " + string(fault.CodeOf(err))}
	}
	db, err := p.openStore(ctx, p.clock)
	if err != nil {
		return []string{"the store cannot be opened: " + string(fault.CodeOf(err))}
	}
	synced, err := db.Synced(ctx)
	if err != nil {
		return []string{"the store cannot be read: " + string(fault.CodeOf(err))}
	}
	names := slices.DeleteFunc(p.pool.Names(), func(name string) bool { _, alias := p.inv.Merged()[name]; return alias })
	return unreadOf(names, synced, now, l.ready)
}

// unreadOf counts the clusters that were never read or not within the limit. It names none: who asks was not asked who he is, and the metrics
// name them.
func unreadOf(names []string, synced map[string]time.Time, now time.Time, limit time.Duration) (reasons []string) {
	var never, late int
	var oldest time.Duration
	for _, name := range names {
		switch at, ok := synced[name]; {
		case !ok:
			never++
		case now.Sub(at) > limit:
			late, oldest = late+1, max(oldest, now.Sub(at))
		}
	}
	if never > 0 {
		reasons = append(reasons, fmt.Sprintf("not read yet: %d of %d clusters", never, len(names)))
	}
	if late > 0 {
		reasons = append(reasons, fmt.Sprintf("not read for over %s: %d of %d clusters, the oldest %s ago", limit, late, len(names), oldest.Round(time.Second)))
	}
	return reasons
}

// measure gives l what measures this process, and the listener for it where one is asked for. Of several servers of one configuration
// one gets the address: the others say so in the log and go on, while --metrics is an error.
func (a *App) measure(ctx context.Context, l *lazy, c config.Telemetry, o cli.ServeOptions, log *slog.Logger) error {
	flag := o.MetricsAddr != ""
	c.Metrics, l.ready = cmp.Or(o.MetricsAddr, c.Metrics), c.Ready
	if wrong := config.Loopback(c.Metrics); wrong != "" && c.Metrics != "" {
		return fault.BadField("metrics", wrong, "127.0.0.1:9464")
	}
	var err error
	if l.watch, err = a.watched(c, o.Over, log); err != nil || c.Metrics == "" {
		return err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Metrics)
	if err == nil {
		l.side = func(ctx context.Context) { a.serveSide(ctx, l, listener, log) }
		return nil
	}
	if flag {
		return fault.New(fault.Invalid, "--metrics %s: %v", c.Metrics, err).WithHint("another server may listen there: choose another port")
	}
	log.Warn("metrics are not served: another server of this configuration may do it", "address", c.Metrics, "err", err)
	return nil
}

func (a *App) serveSide(ctx context.Context, l *lazy, listener net.Listener, log *slog.Logger) {
	open, closed := a.routes(l)
	if err := server.ServeSide(ctx, listener, open, closed, log); err != nil {
		log.Warn("serving metrics ended", "err", err)
	}
}
