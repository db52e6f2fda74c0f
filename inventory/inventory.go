package inventory

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/reach"
)

// NamedSource is a configured cluster: its name and how to reach it. Open is called at first use and again after it failed; it
// must not talk to Proxmox VE itself.
type NamedSource struct {
	Name string
	Open func(ctx context.Context) (Source, error)
}

// Options configure an Inventory. Store and Sources are required; what is zero takes the default that is named.
type Options struct {
	Store   func(ctx context.Context) (Store, error) // called once, at first use
	Sources []NamedSource                            // in the order of the configuration

	Clock       func() time.Time                      // time.Now
	Logger      *slog.Logger                          // discards
	Freshness   time.Duration                         // 45 s: a read answers from the store when it is younger
	TickIdle    time.Duration                         // 30 s: the pace of Serve
	TickWatched time.Duration                         // 10 s: its pace while reads come in; Proxmox VE's own statistics move every 10 s
	Waiting     func(context.Context) context.Context // marks calls that a user waits for, for a Source that lends those more room; none
	Owner       string                                // who holds leases: host, process and a random part
	AfterSync   func()                                // called after each sync of this process, once readers have its result; nothing
	Zone        *time.Location                        // time.Local: the zone that texts in warnings use
	OwnLog      func() []OwnLine                      // the newest lines of this process's own log, oldest first; none
}

// The defaults of Options (DESIGN §6).
const (
	defaultFreshness   = 45 * time.Second
	defaultTickIdle    = 30 * time.Second
	defaultTickWatched = 10 * time.Second
)

// Inventory answers reads of all configured clusters and keeps the store in step with them. It is safe for concurrent use. New
// touches neither the store nor the network.
type Inventory struct {
	opt      Options
	clusters []*cluster
	proj     projection
	configs  *configCache

	storeMu sync.Mutex
	store   Store

	life   context.Context // ends with Close: background syncs belong to it
	stop   context.CancelFunc
	wg     sync.WaitGroup
	closed bool
	wgMu   sync.Mutex

	watched watch
	aliases atomic.Pointer[map[string]string] // configured clusters that are other names of one (merge.go)
	news    atomic.Pointer[Warning]           // a merge that no answer has told yet
}

// New checks the options and returns an Inventory.
func New(o Options) (*Inventory, error) {
	if o.Store == nil || len(o.Sources) == 0 {
		return nil, fault.New(fault.Config, "inventory: a store and at least one cluster are needed")
	}
	withDefaults(&o)
	inv := &Inventory{opt: o, configs: newConfigCache(configCacheSize)}
	inv.life, inv.stop = context.WithCancel(context.Background())
	seen := map[string]bool{}
	for _, s := range o.Sources {
		if s.Name == "" || s.Open == nil || seen[s.Name] {
			return nil, fault.New(fault.Config, "inventory: cluster %q has no name, no source or is configured twice", s.Name)
		}
		seen[s.Name] = true
		inv.clusters = append(inv.clusters, &cluster{name: s.Name, open: s.Open, inv: inv, heard: map[string]bool{}})
	}
	inv.proj.init(inv)
	return inv, nil
}

func withDefaults(o *Options) {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Freshness <= 0 {
		o.Freshness = defaultFreshness
	}
	if o.TickIdle <= 0 {
		o.TickIdle = defaultTickIdle
	}
	if o.TickWatched <= 0 {
		o.TickWatched = defaultTickWatched
	}
	if o.Waiting == nil {
		o.Waiting = func(ctx context.Context) context.Context { return ctx }
	}
	if o.Owner == "" {
		host, _ := os.Hostname()
		o.Owner = fmt.Sprintf("%s-%d-%d", host, os.Getpid(), time.Now().UnixNano())
	}
	if o.AfterSync == nil {
		o.AfterSync = func() {}
	}
	if o.Zone == nil {
		o.Zone = time.Local
	}
}

// Close ends background work and waits for it. The store stays open: who opened it closes it.
func (i *Inventory) Close() error {
	i.wgMu.Lock()
	i.closed = true
	i.wgMu.Unlock()
	i.stop()
	i.wg.Wait()
	return nil
}

// background runs f until it ends or Close cancels it; it reports false when the inventory is closed already.
func (i *Inventory) background(f func(ctx context.Context)) bool {
	i.wgMu.Lock()
	defer i.wgMu.Unlock()
	if i.closed {
		return false
	}
	i.wg.Go(func() { f(i.life) })
	return true
}

// now is the clock at the precision of the store, so that a time read back equals the one that was written.
func (i *Inventory) now() time.Time { return i.opt.Clock().UTC().Truncate(time.Millisecond) }

// openStore opens the store at first use. A failure is not remembered: a folder may become writable.
func (i *Inventory) openStore(ctx context.Context) (Store, error) {
	i.storeMu.Lock()
	defer i.storeMu.Unlock()
	if i.store == nil {
		st, err := i.opt.Store(ctx)
		if err != nil {
			return nil, err
		}
		i.store = st
	}
	return i.store, nil
}

// scope resolves the cluster of a read: one, or for "" all that the caller's credential reaches. One that it does not reach is not
// configured as far as the caller learns. It is never empty.
func (i *Inventory) scope(ctx context.Context, name string) ([]*cluster, error) {
	all := i.reached(ctx)
	if len(all) == 0 {
		return nil, fault.New(fault.Denied, "your credential reaches none of the configured clusters")
	}
	if name == "" {
		return all, nil
	}
	want := cmp.Or(i.aliasOf(name), name)
	for _, c := range all {
		if c.name == want && (reach.Cluster(ctx, name) || want == name) {
			return []*cluster{c}, nil
		}
	}
	return nil, fault.BadField("cluster", fmt.Sprintf("no cluster %q is configured; configured: %s", name, strings.Join(i.names(ctx), ", ")), all[0].name)
}

// reached are the active clusters that the caller's credential reaches, by whichever of their names.
func (i *Inventory) reached(ctx context.Context) []*cluster {
	if r, ok := reach.Of(ctx); !ok || r.Clusters == nil {
		return i.active()
	}
	return slices.DeleteFunc(slices.Clone(i.active()), func(c *cluster) bool { return !reach.Cluster(ctx, c.name) && len(i.alsoGivenAs(ctx, c.name)) == 0 })
}

// names lists the configured clusters that the caller may know of, in order.
func (i *Inventory) names(ctx context.Context) []string {
	out := make([]string, 0, len(i.clusters))
	for _, c := range i.clusters {
		if reach.Cluster(ctx, c.name) {
			out = append(out, c.name)
		}
	}
	return out
}

// cluster is one configured cluster at run time.
type cluster struct {
	name string
	open func(ctx context.Context) (Source, error)
	inv  *Inventory

	srcMu sync.Mutex
	src   Source

	mu      sync.Mutex
	running *flight       // the sync in flight of this process, nil when none
	probing chan struct{} // the round of health questions in flight of this process, nil when none
	failed  error         // why the last sync failed, nil after a good one
	failAt  time.Time     // when
	slow    bool          // the last good sync waited long for its first list

	late    atomic.Pointer[flight] // a sync that a fresh read has waited for in vain
	sweep   sweep
	agent   breaker
	asked   asked
	heard   map[string]bool // tasks whose unheard end was asked for; only the running sync touches it
	touched touched
}

// source opens the way to Proxmox VE at first use.
func (c *cluster) source(ctx context.Context) (Source, error) {
	c.srcMu.Lock()
	defer c.srcMu.Unlock()
	if c.src == nil {
		src, err := c.open(ctx)
		if err != nil {
			return nil, err
		}
		c.src = src
	}
	return c.src, nil
}

// lastError is why the last sync failed, and when; nil after a good one.
func (c *cluster) lastError() (at time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.failAt, c.failed
}
