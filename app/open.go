package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/iac/code"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// parts is an open program: the inventory over the configured clusters, and what has to be closed after it.
type parts struct {
	cfg   *config.Config
	inv   *inventory.Inventory
	pool  *proxmox.Pool
	log   *slog.Logger
	clock func() time.Time

	grants    *change.GrantFile
	stop      change.StopFile
	vault     *change.Vault
	here      change.Here
	homes     homes
	program   string // how its owner starts this program, for lines to paste
	sheriff   *change.Sheriff
	eng       *change.Engine
	code      *code.Service
	following follower
	wanted    chan struct{}          // somebody wants settings that were not read yet
	learnt    atomic.Pointer[func()] // told after each synchronisation; nil until somebody asks for it

	mu sync.Mutex
	db *store.DB
}

// build makes the parts out of a configuration. It touches neither the store nor the network: both open at first use. more are
// options for the clients of all clusters.
func (a *App) build(cfg *config.Config, log *slog.Logger, more ...proxmox.Option) (*parts, error) {
	p := &parts{cfg: cfg, log: log, clock: a.Clock, program: "proxmox-mcp", wanted: make(chan struct{}, 1)}
	if a.Here != nil {
		p.here = a.Here()
	}
	var clusters []proxmox.ClusterConfig
	for _, c := range cfg.Clusters {
		clusters = append(clusters, clientConfig(c))
	}
	pool, err := proxmox.NewPool(clusters, append([]proxmox.Option{proxmox.WithLogger(log), proxmox.WithClock(a.Clock), proxmox.WithPermits()}, more...)...)
	if err != nil {
		return nil, err
	}
	p.pool = pool
	var sources []inventory.NamedSource
	for _, name := range pool.Names() {
		sources = append(sources, inventory.NamedSource{Name: name, Open: func(context.Context) (inventory.Source, error) {
			c, err := pool.Get(name)
			if err != nil {
				return nil, err
			}
			return source{c}, nil
		}})
	}
	p.inv, err = inventory.New(inventory.Options{
		Store: func(ctx context.Context) (inventory.Store, error) { return p.openStore(ctx, a.Clock) }, Sources: sources,
		Clock: a.Clock, Waiting: proxmox.WithUserWaiting, Logger: log, Freshness: cfg.Freshness, TickIdle: cfg.Tick, Zone: cfg.Location(), AfterSync: p.synced, OwnLog: a.own.read,
	})
	if err != nil {
		pool.Close()
		return nil, err
	}
	p.grants, p.stop = &change.GrantFile{Path: a.allowedPath()}, change.StopFile{Path: a.stopPath()}
	p.vault = a.vault(func(ctx context.Context) (*store.DB, error) { return p.openStore(ctx, a.Clock) })
	p.eng = p.newEngine(a.Clock)
	if p.code, err = a.newCode(p); err != nil {
		pool.Close()
		return nil, err
	}
	return p, nil
}

// storeName is the name under which a cluster is stored. One of the file has its own. The one of the environment is named by its
// endpoint, because the same variables point to another cluster tomorrow, whose guests must not be taken for those of the first; on
// loopback (a tunnel, a simulator) the pinned certificate tells what is behind.
func storeName(c config.Cluster) string {
	if !c.FromEnv || len(c.Endpoints) == 0 {
		return c.Name
	}
	u, err := url.Parse(c.Endpoints[0])
	if err != nil {
		return c.Name
	}
	name := c.Name + "@" + u.Host
	if ip := net.ParseIP(u.Hostname()); (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()) && len(c.Fingerprints) > 0 {
		name += "#" + strings.ToLower(strings.ReplaceAll(c.Fingerprints[0], ":", ""))[:8]
	}
	return name
}

func clientConfig(c config.Cluster) proxmox.ClusterConfig {
	return proxmox.ClusterConfig{Name: storeName(c), Endpoints: c.Endpoints, Token: c.Token, Username: c.Username, Password: c.Password,
		Fingerprints: c.Fingerprints, CAFile: c.CAFile, Insecure: c.Insecure, ReadOnly: c.ReadOnly}
}

// openStore opens the store once; a failure is not remembered, because a folder may become writable.
func (p *parts) openStore(ctx context.Context, clock func() time.Time) (*store.DB, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.db != nil {
		return p.db, nil
	}
	db, err := store.Open(ctx, store.Options{Path: p.cfg.State.Path, Password: p.cfg.State.Password, HeadFile: p.cfg.State.HeadFile,
		Clock: clock, Logger: p.log})
	if err != nil {
		return nil, err
	}
	p.db = db
	p.knownTwins(ctx, db)
	return db, nil
}

// synced is called after each synchronisation of this process.
func (p *parts) synced() {
	giveBack()
	p.follow()
	if told := p.learnt.Load(); told != nil {
		(*told)()
	}
}

// Close ends background work, then connections, then the store.
func (p *parts) Close() error {
	p.following.end()
	err := errors.Join(p.code.Close(), p.eng.Close(), p.inv.Close())
	p.pool.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.db != nil {
		err = errors.Join(err, p.db.Close())
		p.db = nil
	}
	return err
}

// deps are what a call works with. door says which door it came through; who it is for the transport tells.
func (a *App) deps(p *parts, who server.Principal, door string) tools.Deps {
	caller := change.Caller{Principal: who.String(), Door: door}
	return tools.Deps{Inventory: p.inv, Changes: p.eng, Code: p.code, Who: caller, Now: a.Clock, Zone: p.cfg.Location(), Program: p.program,
		SSHKeys: p.cfg.Changes.SSHKeys, ShowFiles: p.cfg.Backups.Files, Exec: len(p.cfg.Agent.Exec.Allow) > 0,
		Several: len(p.pool.Names())-len(p.inv.Merged()) > 1,
		Granted: func(ctx context.Context, cluster string) ([]string, error) { return p.sheriff.Granted(ctx, cluster) },
		Level:   func(ctx context.Context) (tools.Tier, error) { return p.sheriff.Level(ctx, caller) }}
}

// Open implements cli.Program.
func (a *App) Open(ctx context.Context, g cli.Globals) (cli.Session, error) {
	cfg, log, err := a.loadConfig(ctx, g, a.Stderr)
	if err != nil {
		return cli.Session{}, err
	}
	p, err := a.build(cfg, log)
	if err != nil {
		return cli.Session{}, err
	}
	p.program = a.ownLine(g)
	complete := func(ctx context.Context, progress func(string, int, int)) error {
		ctx, cancel := deadline(ctx, syncLimit)
		defer cancel()
		p.firstTwins(ctx)
		return p.inv.Complete(ctx, "", func(e inventory.Progress) { progress(e.Cluster+": first sync, "+e.Phase, e.Done, e.Total) })
	}
	settings := func(ctx context.Context, progress func(string, int, int)) error {
		limited, cancel := deadline(ctx, settingsLimit)
		defer cancel()
		if err := p.readSettings(limited, func(name string) { progress(name+": its settings", 0, 0) }); err != nil {
			log.Info("the settings of a cluster could not be read", "err", err)
		}
		return context.Cause(ctx) // of what was not read the answer warns
	}
	return cli.Session{Deps: a.deps(p, server.LocalPrincipal(), "cli"), Complete: complete, Settings: settings, Settle: p.inv.Wait, Close: p.Close}, nil
}
