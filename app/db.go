package app

import (
	"context"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// dbLimit bounds checks and copies of the store: a year of history of 10,000 guests is some 100 MB.
const dbLimit = 10 * time.Minute

// DBPath implements cli.Program.
func (a *App) DBPath(g cli.Globals) (string, error) {
	if g.StatePath != "" {
		return g.StatePath, nil
	}
	cfg, err := a.settings(g)
	if err != nil {
		return "", err
	}
	if cfg.State.Path != "" {
		return cfg.State.Path, nil
	}
	return store.DefaultPath()
}

func (a *App) openDB(ctx context.Context, g cli.Globals) (*store.DB, string, error) {
	path, err := a.DBPath(g)
	if err != nil {
		return nil, "", err
	}
	var l config.Log
	if cfg, err := a.settings(g); err == nil { // with --state the store is of use although the configuration is broken
		l = cfg.Log
	}
	db, err := store.Open(ctx, store.Options{Path: path, Clock: a.Clock, Logger: configured(g, l, a.Stderr)})
	return db, path, err
}

// DBBackup implements cli.Program.
func (a *App) DBBackup(ctx context.Context, g cli.Globals, dest string) (cli.Report, error) {
	ctx, cancel := deadline(ctx, dbLimit)
	defer cancel()
	db, path, err := a.openDB(ctx, g)
	if err != nil {
		return cli.Report{}, err
	}
	defer func() { _ = db.Close() }()
	if err := db.Backup(ctx, dest); err != nil {
		return cli.Report{}, err
	}
	v := tools.View{}
	v.Line("copied %s to %s", path, dest)
	return cli.Report{Value: map[string]string{"from": path, "to": dest}, View: v}, nil
}
