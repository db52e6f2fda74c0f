package app

import (
	"context"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// Names implements cli.Program. Completion runs at each press of a key: it makes no store where there is none, reads no secret (a
// command that gives one might ask for a passphrase) and has no connection that it could use.
func (a *App) Names(ctx context.Context, g cli.Globals, kind cli.NameKind) ([]string, error) {
	cfg, err := a.settings(g)
	if err != nil {
		return nil, err
	}
	if kind == cli.NameCluster {
		var names []string
		for _, c := range cfg.Clusters {
			names = append(names, c.Name)
		}
		return names, nil
	}
	db, err := a.storeThere(ctx, g)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	if kind == cli.NameToken {
		return liveTokens(ctx, db, a.Clock())
	}
	n, err := a.storedNames(ctx, cfg, db)
	if err != nil {
		return nil, err
	}
	switch kind {
	case cli.NameGuest:
		return guestLines(n.Guests), nil
	case cli.NameNode:
		return n.Nodes, nil
	case cli.NameStorage:
		return n.Storages, nil
	case cli.NamePool:
		return n.Pools, nil
	case cli.NameTag:
		return n.Tags, nil
	case cli.NameObject:
		return slices.Concat(guestLines(n.Guests), n.Nodes, n.Storages), nil
	}
	return nil, nil
}

// storeThere opens the store where there is one already.
func (a *App) storeThere(ctx context.Context, g cli.Globals) (*store.DB, error) {
	o, err := a.storeOptions(g)
	if err != nil {
		return nil, err
	}
	if config.IsDatabase(o.Path) {
		return nil, fault.New(fault.Unsupported, "completion asks no database server: it may be slow, and its password may come from a command")
	}
	if _, err := os.Stat(o.Path); err != nil {
		return nil, fault.Wrap(fault.NotFound, err, "there is no state database yet")
	}
	return store.Open(ctx, o)
}

func (a *App) storedNames(ctx context.Context, cfg *config.Config, db *store.DB) (inventory.Names, error) {
	var sources []inventory.NamedSource
	for _, c := range cfg.Clusters {
		sources = append(sources, inventory.NamedSource{Name: storeName(c), Open: func(context.Context) (inventory.Source, error) {
			return nil, fault.New(fault.ReadOnly, "completion asks the store alone")
		}})
	}
	inv, err := inventory.New(inventory.Options{Store: func(context.Context) (inventory.Store, error) { return db, nil }, Sources: sources, Clock: a.Clock})
	if err != nil {
		return inventory.Names{}, err
	}
	defer func() { _ = inv.Close() }()
	return inv.KnownNames(ctx)
}

func guestLines(guests []inventory.GuestName) []string {
	out := make([]string, 0, len(guests))
	for _, g := range guests {
		line := strconv.Itoa(g.VMID)
		if g.Name != "" {
			line += "\t" + g.Name
		}
		out = append(out, line)
	}
	return out
}

func liveTokens(ctx context.Context, db *store.DB, now time.Time) ([]string, error) {
	rows, err := db.Tokens(ctx)
	var out []string
	for k := range rows {
		if rows[k].Live(now) {
			out = append(out, rows[k].Name)
		}
	}
	return out, err
}
