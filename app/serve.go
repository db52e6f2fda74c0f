package app

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/buildinfo"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// warmUp is how long after its start a server begins to tick even if nobody has called a tool: late enough that the first
// tools/list meets neither database nor network, early enough that the first question finds fresh data.
const warmUp = time.Second

// lazy builds the parts at the first call, so that a server starts and lists its tools even where the configuration is missing: the
// call then says what to do. A failure is not remembered.
type lazy struct {
	open func(ctx context.Context) (*parts, error)

	mu sync.Mutex
	p  *parts
}

func (l *lazy) get(ctx context.Context) (*parts, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.p == nil {
		p, err := l.open(ctx)
		if err != nil {
			return nil, err
		}
		l.p = p
	}
	return l.p, nil
}

func (l *lazy) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.p == nil {
		return nil
	}
	return l.p.Close()
}

// Serve implements cli.Program.
func (a *App) Serve(ctx context.Context, g cli.Globals, o cli.ServeOptions, out, errOut io.Writer) error {
	log := a.logger(g, errOut)
	l := &lazy{open: func(ctx context.Context) (*parts, error) {
		cfg, err := a.loadConfig(ctx, g, log)
		if err != nil {
			return nil, err
		}
		return a.build(cfg, log)
	}}
	return a.serveStdio(ctx, l, tools.Caller{MultiCluster: a.MultiCluster(g)}, o.In, out, log)
}

func (a *App) serveStdio(ctx context.Context, l *lazy, caller tools.Caller, in io.Reader, out io.Writer, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	var ticking sync.WaitGroup
	ticking.Go(func() { tick(ctx, l, log) })
	srv := server.New(server.Options{Version: buildinfo.Read().Version, Specs: tools.All(), Caller: caller, Logger: log,
		Deps: func(ctx context.Context) (tools.Deps, error) {
			p, err := l.get(ctx)
			if err != nil {
				return tools.Deps{}, err
			}
			return a.deps(p), nil
		}})
	err := server.ServeStdio(ctx, srv, in, out, log)
	cancel()
	ticking.Wait()
	if cerr := l.Close(); err == nil {
		err = cerr
	}
	return err
}

// tick keeps the store in step while the server runs.
func tick(ctx context.Context, l *lazy, log *slog.Logger) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(warmUp):
	}
	p, err := l.get(ctx)
	if err != nil {
		log.Warn("not watching the cluster", "err", err)
		return
	}
	if err := p.inv.Serve(ctx); err != nil && ctx.Err() == nil {
		log.Error("watching the cluster ended", "err", err)
	}
}
