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
	o, err := a.storeOptions(g)
	if err != nil {
		return "", err
	}
	return store.Place(o.Path)
}

// storeOptions says where the store is; with --state the configuration is not asked.
func (a *App) storeOptions(g cli.Globals) (store.Options, error) {
	state := config.StateAt(a.loadOptions(g), g.StatePath)
	if state.Path == "" {
		cfg, err := a.settings(g)
		if err != nil {
			return store.Options{}, err
		}
		state = cfg.State
	}
	return store.Options{Path: state.Path, Password: state.Password, HeadFile: state.HeadFile, Clock: a.Clock}, nil
}

func (a *App) openDB(ctx context.Context, g cli.Globals) (*store.DB, error) {
	o, err := a.storeOptions(g)
	if err != nil {
		return nil, err
	}
	l := config.Log{File: config.DefaultLogFile()}
	if cfg, err := a.settings(g); err == nil { // with --state the store is of use although the configuration is broken
		l = cfg.Log
	}
	if o.Logger, err = a.logging(g, l, a.Stderr); err != nil {
		return nil, err
	}
	return store.Open(ctx, o)
}

// DBBackup implements cli.Program.
func (a *App) DBBackup(ctx context.Context, g cli.Globals, dest string) (cli.Report, error) {
	ctx, cancel := deadline(ctx, dbLimit)
	defer cancel()
	db, err := a.openDB(ctx, g)
	if err != nil {
		return cli.Report{}, err
	}
	defer func() { _ = db.Close() }()
	if err := db.Backup(ctx, dest); err != nil {
		return cli.Report{}, err
	}
	v := tools.View{}
	v.Line("copied %s to %s", db.Path(), dest)
	return cli.Report{Value: map[string]string{"from": db.Path(), "to": dest}, View: v}, nil
}
