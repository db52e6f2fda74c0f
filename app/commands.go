package app

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim/replay"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// Doctor implements cli.Program.
func (a *App) Doctor(ctx context.Context, g cli.Globals) (cli.Report, error) {
	r, err := Doctor(ctx, DoctorOptions{Config: a.loadOptions(g), StatePath: g.StatePath, Clock: a.Clock})
	if err != nil {
		return cli.Report{}, err
	}
	return cli.Report{Value: r, View: r.View(), Failed: r.Worst() == CheckFail}, nil
}

// Init implements cli.Program.
func (a *App) Init(ctx context.Context, g cli.Globals, o cli.InitOptions, out io.Writer) error {
	return Init(ctx, InitOptions{In: o.In, Out: out, ReadSecret: o.ReadSecret, Command: selfCommand(), Config: a.loadOptions(g),
		Endpoint: o.Endpoint, Name: o.Name, Force: o.Force, Clock: a.Clock})
}

// DBCheck implements cli.Program: it also judges files that are too damaged to open, and changes nothing.
func (a *App) DBCheck(ctx context.Context, g cli.Globals) (cli.Report, error) {
	ctx, cancel := deadline(ctx, dbLimit)
	defer cancel()
	o, err := a.storeOptions(g)
	if err != nil {
		return cli.Report{}, err
	}
	r, err := store.Inspect(ctx, o)
	if err != nil {
		return cli.Report{}, err
	}
	return cli.Report{Value: r, View: checkView(r), Failed: !r.OK()}, nil
}

func checkView(r store.CheckReport) tools.View {
	v := tools.View{}
	v.Line("%s: %.1f MB, schema %s, generation %d", r.Path, float64(r.Bytes)/1e6, r.Schema, r.Generation)
	t := tools.Table{Name: "rows", Main: true, Columns: []string{"table", "rows"}}
	for _, name := range []string{"clusters", "guests", "objects", "object_versions", "contents", "changes", "tasks", "syncs", "intents"} {
		t.Rows = append(t.Rows, []string{name, strconv.FormatInt(r.Rows[name], 10)})
	}
	v.Table(t)
	if r.OK() {
		v.Line("sound: %d contents verified", r.Contents)
		return v
	}
	v.Line("PROBLEMS:\n%s", strings.Join(r.Problems, "\n"))
	return v
}

// SimServe implements cli.Program.
func (a *App) SimServe(ctx context.Context, o cli.SimServeOptions, out io.Writer) error {
	return pvesim.ServeForever(ctx, pvesim.ServeOptions{World: o.World, Now: o.Now, Seed: o.Seed, Nodes: o.Nodes, Guests: o.Guests, Addr: o.Addr, AllNodes: o.AllNodes,
		Latency: o.Latency, Faults: o.Faults, Schema: o.Schema}, out)
}

// SimFaults implements cli.Program.
func (a *App) SimFaults() cli.Report {
	list := pvesim.FaultList()
	t := tools.Table{Name: "faults", Main: true, Columns: []string{"fault", "what goes wrong"}}
	for _, f := range list {
		t.Rows = append(t.Rows, []string{f.Usage, f.About})
	}
	v := tools.View{}
	v.Table(t)
	v.Line("Those that hit requests also take node=, vmid=, path=, method=, after=, count= and p=, as in F46:status=503,path=/cluster/*,count=2.")
	return cli.Report{Value: list, View: v}
}

// SimReplay implements cli.Program.
func (a *App) SimReplay(ctx context.Context, o cli.SimReplayOptions, out io.Writer) error {
	return replay.Main(ctx, out, o.Dirs, replay.Options{Methods: o.Methods, SchemaFile: o.Schema, Min: o.Min})
}
