package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/config"
	"github.com/proxmox-mcp/proxmox-mcp/internal/redact"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// demo is a simulated cluster and the program on top of it, with a store that goes away with it.
type demo struct {
	sim   *pvesim.Sim
	end   *pvesim.Endpoint
	parts *parts
	dir   string
}

func (a *App) startDemo(log *slog.Logger, more ...proxmox.Option) (*demo, error) {
	world := pvesim.DemoWorld(a.Clock())
	sim := pvesim.New(world, pvesim.WithClock(a.Clock))
	end, err := sim.Start("")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "proxmox-mcp-demo-")
	if err != nil {
		_ = end.Close()
		return nil, err
	}
	p, err := a.build(&config.Config{
		Clusters: []config.Cluster{{Name: demoCluster, Endpoints: []string{end.URL}, Token: redact.NewSecret(world.RootToken()),
			Fingerprints: []string{end.Fingerprint}}},
		State: config.State{Path: filepath.Join(dir, "state.db")}, Code: config.DefaultCode(),
	}, log, more...)
	if err != nil {
		_ = end.Close()
		_ = os.RemoveAll(dir)
		return nil, err
	}
	// What is allowed on a real cluster says nothing about this one.
	p.grants.Path, p.stop.Path = filepath.Join(dir, "allowed.json"), filepath.Join(dir, "stop")
	return &demo{sim: sim, end: end, parts: p, dir: dir}, nil
}

// Close ends the simulated cluster and removes the temporary store.
func (d *demo) Close() error {
	err := d.parts.Close()
	_ = d.end.Close()
	if rerr := os.RemoveAll(d.dir); err == nil {
		err = rerr
	}
	return err
}

// Demo implements cli.Program.
func (a *App) Demo(ctx context.Context, g cli.Globals, o cli.DemoOptions, out, errOut io.Writer) error {
	switch {
	case o.Story != "":
		return a.tellStory(ctx, g, o.Story, out, errOut)
	case o.Serve:
		return a.serveDemo(ctx, g, o, out, errOut)
	}
	log, err := a.logger(g, errOut)
	if err != nil {
		return err
	}
	d, err := a.startDemo(log)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	ctx, cancel := deadline(ctx, time.Minute)
	defer cancel()
	p := demoPrinter{out: out, deps: a.deps(d.parts, server.LocalPrincipal(), "stdio")} // what an agent reads
	reports, err := d.parts.inv.Sync(ctx, inventory.SyncRequest{})
	if err != nil {
		return err
	}
	for _, r := range reports {
		p.line("A simulated cluster of %d nodes and %d guests was read in %s with %d API calls, into a temporary store.\n",
			r.Nodes, r.Guests, r.Elapsed.Round(time.Millisecond), r.Calls)
	}
	for _, step := range []struct{ title, tool, args string }{
		{"get_overview", "get_overview", `{}`},
		{"check_health", "check_health", `{}`},
		{`find_guests "state:running order:mem"`, "find_guests", `{"query":"state:running order:mem","limit":8}`},
	} {
		if err := p.call(ctx, step.title, step.tool, step.args); err != nil {
			return err
		}
	}
	p.connect(append(selfCommand(), "demo", "--serve"))
	return nil
}

// demoCluster is the name of the simulated cluster.
const demoCluster = "demo"

// serveDemo keeps the simulated cluster up as an MCP server; the world starts at the first call, like any cluster's connection.
func (a *App) serveDemo(ctx context.Context, g cli.Globals, o cli.DemoOptions, out, errOut io.Writer) error {
	granted, err := processGrants(o.Allow)
	if err != nil {
		return err
	}
	log, err := a.logger(g, errOut)
	if err != nil {
		return err
	}
	watch, err := a.watched(config.DefaultTelemetry(), o.Over, log)
	if err != nil {
		return err
	}
	var d *demo
	l := &lazy{granted: granted, clusters: []string{demoCluster}, watch: watch, ready: config.DefaultTelemetry().Ready, allowed: func() string { return "" }, open: func(ctx context.Context) (*parts, error) {
		var err error
		if d, err = a.startDemo(log, proxmox.WithTelemetry(watch)); err != nil {
			return nil, err
		}
		d.parts.grants.Process, d.parts.program = granted, change.Ownerless
		// Some 60 ms: the first question of a demo should not meet a half-read cluster. What fails the first read tells.
		if err = d.parts.inv.Complete(ctx, "", nil); err != nil {
			log.Warn("the demo's first sync failed", "err", err)
		} else if err := d.parts.readSettings(ctx, func(string) {}); err != nil {
			log.Warn("the demo's settings could not be read", "err", err)
		}
		return d.parts, nil
	}}
	if o.Over {
		err = a.serveHTTP(ctx, l, tools.Caller{}, httpOf(&config.Config{}, tools.Toolset{}, o.Address, o.SSE), errOut, log)
	} else {
		err = a.serveStdio(ctx, l, tools.Caller{}, tools.Toolset{}, o.In, out, log)
	}
	if d != nil {
		_ = d.end.Close()
		_ = os.RemoveAll(d.dir)
	}
	return err
}

type demoPrinter struct {
	out  io.Writer
	deps tools.Deps
}

func (p demoPrinter) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p.out, format+"\n", args...)
}

func (p demoPrinter) call(ctx context.Context, title, tool, args string) error {
	spec, err := tools.Find(tool)
	if err != nil {
		return err
	}
	res, err := spec.Call(ctx, p.deps, []byte(args))
	if err != nil {
		return err
	}
	p.line("── what an agent reads from %s %s", title, strings.Repeat("─", max(3, 70-len(title))))
	return cli.WriteView(p.out, res.Answer.View(p.deps))
}

// connect prints the lines that connect a client to the demo.
func (p demoPrinter) connect(command []string) {
	p.line("\n── connect Claude to this demo %s", strings.Repeat("─", 66))
	p.line("Claude Code:\n  claude mcp add proxmox-demo -- %s\n", shellLine(command))
	p.line("Claude Desktop (claude_desktop_config.json):\n%s", desktopSnippet("proxmox-demo", command))
	p.line("\nYour own cluster: %s", shellLine(append(command[:len(command)-2:len(command)-2], "setup")))
}
