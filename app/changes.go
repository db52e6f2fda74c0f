package app

import (
	"context"
	"path/filepath"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

var (
	_ change.Store   = (*store.DB)(nil)
	_ change.Cluster = (*proxmox.Client)(nil)
	_ change.Guests  = guests{}
)

// guests is the inventory as package change wants to see it.
type guests struct{ inv *inventory.Inventory }

// FindOne implements change.Guests.
func (g guests) FindOne(ctx context.Context, cluster, text string) (change.Found, error) {
	list, err := g.inv.Targets(ctx, cluster, text, "")
	if err != nil {
		return change.Found{}, err
	}
	return foundOf(list[0]), nil
}

// FindAll implements change.Guests.
func (g guests) FindAll(ctx context.Context, cluster, query string) ([]change.Found, error) {
	list, err := g.inv.Targets(ctx, cluster, "", query)
	out := make([]change.Found, len(list))
	for k := range list {
		out[k] = foundOf(list[k])
	}
	return out, err
}

// Unsure implements change.Guests.
func (g guests) Unsure(ctx context.Context, cluster, query string) []change.Skip {
	var out []change.Skip
	for _, u := range g.inv.Unsure(ctx, cluster, query) {
		why := "its state is not known, nor whether the query means it"
		if u.Why != "" {
			why += " (" + u.Why + ")"
		}
		out = append(out, change.Skip{Guest: foundOf(u.Target).Label(), Reason: why})
	}
	return out
}

// Stored implements change.Guests.
func (g guests) Stored(ctx context.Context, cluster string, vmid int) (f *change.Found, gone bool) {
	t, gone := g.inv.Stored(ctx, cluster, vmid)
	if t == nil {
		return nil, gone
	}
	found := foundOf(*t)
	return &found, gone
}

// LastBackup implements change.Guests.
func (g guests) LastBackup(ctx context.Context, cluster string, vmid int) (at *time.Time, known bool) {
	return g.inv.LastBackup(ctx, cluster, vmid)
}

// Bridges implements change.Guests.
func (g guests) Bridges(ctx context.Context, cluster, node string) []string {
	return g.inv.Bridges(ctx, cluster, node)
}

// Places implements change.Guests.
func (g guests) Places(ctx context.Context, cluster string) (change.Places, error) {
	seen, err := g.inv.Places(ctx, cluster)
	if err != nil {
		return change.Places{}, err
	}
	p := change.Places{Members: seen.Members, Present: seen.Present}
	for _, n := range seen.Nodes {
		node := change.NodePlace{Name: n.Name, Online: n.Status == "online", CPU: n.CPUType, Memory: n.MaxMem}
		if sum, ok := seen.Committed[n.Name]; ok {
			node.Committed = &sum
		}
		p.Nodes = append(p.Nodes, node)
	}
	for k := range seen.Storages {
		s := &seen.Storages[k]
		p.Storages = append(p.Storages, change.StoragePlace{Name: s.Name, Type: s.Type, Nodes: s.Nodes, Content: strings.Split(s.Content, ","), Shared: s.Shared,
			Off: s.State == inventory.StorageDisabled || s.State == inventory.StorageInactive, Free: s.Room()})
	}
	return p, nil
}

// Resync implements change.Guests.
func (g guests) Resync(ctx context.Context, cluster string, vmid int) {
	g.inv.Touched(ctx, cluster, vmid)
}

func foundOf(t inventory.Target) change.Found {
	return change.Found{
		Target: change.Target{Cluster: t.Cluster, Type: t.Type, VMID: t.VMID, Node: t.Node, Name: t.Name, Pool: t.Pool, HA: t.HAState},
		Life:   t.Life, LinkedClones: t.LinkedClones,
	}
}

// allowedPath is the file of what the operator allows: beside the default configuration, one for all processes of this user.
func (a *App) allowedPath() string {
	return a.beside("allowed.json")
}

// beside is a file beside the default configuration; "" where no home folder is known.
func (a *App) beside(name string) string {
	conf := config.DefaultPath(a.loadOptions(cli.Globals{}))
	if conf == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(conf), name)
}

// stopPath is the file of the emergency stop.
func (a *App) stopPath() string { return a.beside("stop") }

// stopped asks the file and the store: either stops all changes.
func (p *parts) stopped(open func(context.Context) (*store.DB, error), clock func() time.Time) func(context.Context) (bool, string, error) {
	return func(ctx context.Context) (bool, string, error) {
		if s := p.stop.State(clock()); s.On {
			return true, s.Reason, nil
		}
		db, err := open(ctx)
		if err != nil {
			return false, "", err
		}
		s, err := db.Stopped(ctx)
		return s.On, s.Reason, err
	}
}

// newEngine makes the engine of changes over the parts.
func (p *parts) newEngine(clock func() time.Time) *change.Engine {
	open := func(ctx context.Context) (*store.DB, error) { return p.openStore(ctx, clock) }
	p.sheriff = &change.Sheriff{Rules: rulesOf(p.cfg), Grants: p.grants.Grants, Clock: clock,
		Stopped: p.stopped(open, clock), Program: func() string { return p.program },
		Room: func(ctx context.Context) error {
			db, err := open(ctx)
			if err != nil {
				return err
			}
			return db.Room(ctx)
		},
		Created: func(ctx context.Context, cluster string, vmid int, since time.Time) ([]change.Creation, error) {
			db, err := open(ctx)
			if err != nil {
				return nil, err
			}
			return change.Creations(ctx, db, cluster, vmid, since)
		},
		Self: p.here.Is,
		Home: func(ctx context.Context, cluster string) change.Home { return p.home(ctx, cluster, clock()) },
		Count: func(ctx context.Context, f store.StepFilter) (int, error) {
			db, err := open(ctx)
			if err != nil {
				return 0, err
			}
			return db.CountSteps(ctx, f)
		}}
	p.grants.Seal = func(ctx context.Context) (string, error) {
		db, err := open(ctx)
		if err != nil {
			return "", err
		}
		return change.Seal(ctx, db)
	}
	return change.New(change.Options{
		Store:   func(ctx context.Context) (change.Store, error) { return open(ctx) },
		Cluster: func(name string) (change.Cluster, error) { return p.pool.Get(name) },
		Guests:  guests{p.inv}, Policy: p.sheriff, Secrets: p.vault, Programs: programs{p}, Clock: clock, Logger: p.log, Program: func() string { return p.program },
	})
}
