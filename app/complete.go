package app

import (
	"context"
	"os"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// GuestNames implements cli.Program. Completion runs at each press of a key: it makes no store where there is none, reads no secret (a
// command that gives one might ask for a passphrase) and has no connection that it could use.
func (a *App) GuestNames(ctx context.Context, g cli.Globals) ([]string, error) {
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
	cfg, err := a.settings(g)
	if err != nil {
		return nil, err
	}
	db, err := store.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { _ = db.Close() }()
	var sources []inventory.NamedSource
	for _, c := range cfg.Clusters {
		sources = append(sources, inventory.NamedSource{Name: storeName(c), Open: func(context.Context) (inventory.Source, error) {
			return nil, fault.New(fault.ReadOnly, "completion asks the store alone")
		}})
	}
	inv, err := inventory.New(inventory.Options{Store: func(context.Context) (inventory.Store, error) { return db, nil }, Sources: sources, Clock: a.Clock})
	if err != nil {
		return nil, err
	}
	defer func() { _ = inv.Close() }()
	return inv.GuestNames(ctx)
}
