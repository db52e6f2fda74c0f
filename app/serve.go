package app

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/buildinfo"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/sealed"
	"github.com/proxmox-mcp/proxmox-mcp/internal/telemetry"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// sealKey names the variable of the environment whose key seals what clients carry between a question to their user and the answer:
// replicas behind one address share it.
const sealKey = "PROXMOX_MCP_SEAL_KEY"

// warmUp is how long after its start a server begins to tick even if nobody has called a tool: late enough that the first
// tools/list meets neither database nor network, early enough that the first question finds fresh data.
const warmUp = time.Second

// lazy builds the parts at the first call, so that a server starts and lists its tools even where the configuration is missing: the
// call then says what to do. A failure is not remembered.
type lazy struct {
	open     func(ctx context.Context) (*parts, error)
	granted  []change.Grant // to this process alone
	allowed  func() string  // the file of what is allowed, "" = there is none; nil = that of this user
	clusters []string       // configured when the server began
	prompts  string         // folder of the owner\'s prompts, "" = none

	side  func(ctx context.Context) // serves metrics on an address of their own, nil = not
	watch *telemetry.T              // what measures this process, nil = nothing
	ready time.Duration             // how old a cluster's last sync may be for /readyz

	readiness readiness

	opened atomic.Pointer[[]string] // clusters of p

	mu      sync.Mutex
	p       *parts
	trouble string
}

func (l *lazy) get(ctx context.Context) (*parts, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.p == nil {
		p, err := l.open(ctx)
		if err != nil {
			return nil, err
		}
		names := p.pool.Names()
		l.p = p
		l.opened.Store(&names)
	}
	return l.p, nil
}

// news says whether this trouble is another one than that of the last time: it is asked for several times a second.
func (l *lazy) news(trouble string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	is := trouble != l.trouble
	l.trouble = trouble
	return is
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
	granted, err := processGrants(o.Allow)
	if err != nil {
		return err
	}
	l := &lazy{granted: granted}
	l.open = func(ctx context.Context) (*parts, error) {
		cfg, log, err := a.loadConfig(ctx, g, errOut)
		if err != nil {
			return nil, err
		}
		p, err := a.build(cfg, log, proxmox.WithTelemetry(l.watch))
		if err == nil {
			p.grants.Process, p.program = granted, a.ownLine(g)
		}
		return p, err
	}
	l.prompts = config.PromptsFolder(a.loadOptions(g))
	var caller tools.Caller
	logging, measuring := config.Log{File: config.DefaultLogFile()}, config.DefaultTelemetry()
	set := tools.Toolset(o.ToolOptions)
	cfg, cerr := a.settings(g)
	if cerr == nil {
		caller.MultiCluster, caller.Exec, l.clusters = len(cfg.Clusters) > 1, len(cfg.Agent.Exec.Allow) > 0, clusterNames(cfg)
		logging, measuring = cfg.Log, cfg.Telemetry
		set, err = within(cfg.Toolset, set)
	} else {
		err = set.Check()
	}
	if err != nil {
		return err
	}
	log, err := a.logging(g, logging, errOut)
	defer a.logs.Close()
	if err != nil && g.LogFile != "" { // that of the configuration is told by the first call
		return err
	}
	if err := a.measure(ctx, l, measuring, o, log); err != nil {
		return err
	}
	switch {
	case !o.Over: // a broken configuration is told by the first call, which a client shows
		return a.serveStdio(ctx, l, caller, set, o.In, out, log)
	case cerr != nil:
		return cerr
	}
	return a.serveHTTP(ctx, l, caller, httpOf(cfg, set, o.Address, o.SSE), errOut, log)
}

// within are the flags' tools within the configuration's: the flags narrow, they never widen.
func within(conf config.Toolset, flags tools.Toolset) (tools.Toolset, error) {
	upper := tools.Toolset(conf)
	if err := upper.Check(); err != nil {
		return upper, fault.Wrap(fault.Config, err, "toolset of the configuration: %s", fault.Of(err).Message)
	}
	if err := flags.Check(); err != nil || len(flags.Families)+len(flags.Tools)+len(flags.Exclude) == 0 {
		return upper, err
	}
	var both tools.Toolset
	for _, s := range tools.All() {
		if upper.Has(s) && flags.Has(s) {
			both.Tools = append(both.Tools, s.Name)
		} else {
			both.Exclude = append(both.Exclude, s.Name)
		}
	}
	if both.Tools == nil {
		return upper, fault.New(fault.Invalid, "the configuration's toolset leaves nothing of the tools that the flags name")
	}
	return both, nil
}

// door is one way in: it serves the MCP server until its client goes or ctx ends.
type door struct {
	name    string // as audit rows name it
	tools   tools.Toolset
	refused func(ctx context.Context, tool, why string)
	serve   func(ctx context.Context, srv *server.MCP) error
}

func (a *App) serveStdio(ctx context.Context, l *lazy, caller tools.Caller, set tools.Toolset, in io.Reader, out io.Writer, log *slog.Logger) error {
	return a.serveDoor(ctx, l, caller, log, door{name: "stdio", tools: set, serve: func(ctx context.Context, srv *server.MCP) error {
		return server.ServeStdio(ctx, srv, in, out, log)
	}})
}

// serveDoor keeps the program up behind one door.
func (a *App) serveDoor(ctx context.Context, l *lazy, caller tools.Caller, log *slog.Logger, d door) error {
	state, err := sealed.New(a.Env(sealKey), a.Clock)
	if err != nil {
		return fault.Wrap(fault.Config, err, "%s", sealKey).WithHint("openssl rand -base64 32 makes a good one; without one each process has its own")
	}
	resume := a.rested()
	defer resume()
	ctx, cancel := context.WithCancel(ctx)
	var ticking sync.WaitGroup
	ticking.Go(func() { tick(ctx, l, log, resume) })
	signals, end := stopSignals()
	defer end()
	ticking.Go(func() { a.stopOnSignal(ctx, signals, l, log) })
	level := func(ctx context.Context) tools.Tier { return a.level(ctx, l, log) }
	deps := func(ctx context.Context) (tools.Deps, error) {
		resume()
		p, err := l.get(ctx)
		if err != nil {
			return tools.Deps{}, err
		}
		deps := a.deps(p, server.PrincipalOf(ctx), d.name)
		deps.State = state
		return deps, nil
	}
	res, prm := newParts(l, deps, offeredTo(level, d.tools), log)
	ticking.Go(func() { res.Serve(ctx) })
	defer l.watch.Close()
	l.watch.Gather(l.gathers()...)
	if l.side != nil {
		ticking.Go(func() { l.side(ctx) })
	}
	srv := server.New(server.Options{Version: buildinfo.Read().Version, Specs: d.tools.Of(tools.All()), Caller: caller, Logger: log, Telemetry: l.watch,
		Level: level, Deps: deps, Refused: d.refused, Parts: []server.Part{res, prm}})
	ticking.Go(func() {
		watchLevel(ctx, level, func() {
			srv.SendNotificationToAllClients("notifications/tools/list_changed", nil)
			srv.SendNotificationToAllClients("notifications/prompts/list_changed", nil)
		})
	})
	err = d.serve(ctx, srv)
	cancel()
	ticking.Wait()
	if cerr := l.Close(); err == nil {
		err = cerr
	}
	return err
}

// level is the highest tier that is allowed now. Where nothing is, neither configuration nor store is opened for it.
func (a *App) level(ctx context.Context, l *lazy, log *slog.Logger) tools.Tier {
	path := a.allowedPath
	if l.allowed != nil {
		path = l.allowed
	}
	if grants, err := (&change.GrantFile{Path: path(), Process: l.granted}).Grants(ctx); err == nil && len(grants) == 0 {
		return tools.R0
	}
	p, err := l.get(ctx)
	if err != nil {
		return tools.R0
	}
	level, err := p.sheriff.Level(ctx, change.Caller{Principal: server.PrincipalOf(ctx).String()})
	if err != nil {
		if l.news(err.Error()) {
			log.Warn("what is allowed cannot be read: only reading is offered", "err", err)
		}
		return tools.R0
	}
	l.news("")
	return level
}

// tick keeps the store in step while the server runs.
func tick(ctx context.Context, l *lazy, log *slog.Logger, warm func()) {
	select {
	case <-ctx.Done():
		return
	case <-time.After(warmUp):
	}
	warm()
	p, err := l.get(ctx)
	if err != nil {
		log.Warn("not watching the cluster", "err", err)
		return
	}
	if err := p.eng.Recover(ctx); err != nil {
		log.Warn("changes that were cut off cannot be followed", "err", err)
	}
	learning := sync.WaitGroup{}
	learning.Go(func() { p.learnPins(ctx) })
	learning.Go(func() { p.watchTwins(ctx) })
	learning.Go(func() { p.watchSettings(ctx, log) })
	defer learning.Wait()
	if err := p.inv.Serve(ctx); err != nil && ctx.Err() == nil {
		log.Error("watching the cluster ended", "err", err)
	}
}

// learnLimit bounds learning of one cluster: each node is asked for its certificates and probed once.
const learnLimit = 2 * time.Minute

// learnPins lets each client learn the other nodes' certificates and addresses through the one that is trusted, once per process, so
// that failover works with one configured endpoint. It is no part of any answer: what fails is logged.
func (p *parts) learnPins(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, learnLimit)
	defer cancel()
	var wg sync.WaitGroup
	for _, name := range p.pool.Names() {
		wg.Go(func() { p.learnFrom(ctx, name) })
	}
	wg.Wait()
}

func (p *parts) learnFrom(ctx context.Context, name string) {
	c, err := p.pool.Get(name)
	if err != nil {
		return
	}
	nodes, err := c.LearnPins(ctx)
	if err != nil {
		p.log.Debug("other nodes' certificates were not learnt", "cluster", name, "err", err)
	}
	for _, n := range nodes {
		p.log.Debug("node learnt", "cluster", name, "node", n.Node, "usable", n.Usable, "err", n.Err)
	}
}
