package app

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// levelEvery is how often a server looks whether what is allowed changed: the emergency stop has to show within a second.
const levelEvery = 300 * time.Millisecond

// watchLevel calls changed whenever what is allowed becomes more or less.
func watchLevel(ctx context.Context, level func(context.Context) tools.Tier, changed func()) {
	last := level(ctx)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(levelEvery):
		}
		if now := level(ctx); now != last && ctx.Err() == nil {
			last = now
			changed()
		}
	}
}

// stopOnSignal turns the emergency stop on at each signal.
func (a *App) stopOnSignal(ctx context.Context, signals <-chan os.Signal, l *lazy, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-signals:
		}
		path := a.stopPath()
		k := a.keeper(nil)
		k.Door = "signal"
		if p, err := l.get(ctx); err == nil {
			path = p.stop.Path
			if db, err := p.openStore(ctx, a.Clock); err == nil {
				k.Store = db
			}
		}
		if err := k.Stop(ctx, change.StopFile{Path: path}, time.Time{}, "a signal to the server"); err != nil {
			log.Error("the emergency stop that a signal asked for", "err", fault.Of(err))
			continue
		}
		log.Warn("emergency stop by signal: nothing is changed any more", "end", "proxmox-mcp stop --off")
	}
}
