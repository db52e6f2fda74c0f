package app

import (
	"context"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

// intentJSON is an intent as programs read it.
type intentJSON struct {
	Cluster string `json:"cluster"`
	Object  string `json:"object"`
	ID      string `json:"id"` // kind/id
	Want    string `json:"want"`
	State   string `json:"state"`
	Until   string `json:"until,omitempty"`
	Note    string `json:"note,omitempty"`
	Who     string `json:"who"`
	SetAt   string `json:"set_at"`
}

// withStore runs f over the configured clusters. It asks nothing of Proxmox VE: f must read the store alone.
func (a *App) withStore(ctx context.Context, g cli.Globals, f func(ctx context.Context, p *parts) (cli.Report, error)) (cli.Report, error) {
	cfg, log, err := a.loadConfig(ctx, g, a.Stderr)
	if err != nil {
		return cli.Report{}, err
	}
	p, err := a.build(cfg, log)
	if err != nil {
		return cli.Report{}, err
	}
	defer func() { _ = p.Close() }()
	return f(ctx, p)
}

// IntentSet implements cli.Program.
func (a *App) IntentSet(ctx context.Context, g cli.Globals, o cli.IntentOptions) (cli.Report, error) {
	return a.withStore(ctx, g, func(ctx context.Context, p *parts) (cli.Report, error) {
		until, err := tools.Until(tools.Deps{Now: a.Clock, Zone: p.cfg.Location()}, "until", o.Until)
		if err != nil {
			return cli.Report{}, err
		}
		in, err := p.inv.SetIntent(ctx, inventory.IntentRequest{Cluster: o.Cluster, Object: o.Object, Want: store.Want(o.Want), Until: until, Note: o.Note,
			Who: server.LocalPrincipal().String()})
		if err != nil {
			return cli.Report{}, err
		}
		return oneIntent("kept", in, p.cfg.Location()), nil
	})
}

// IntentClear implements cli.Program.
func (a *App) IntentClear(ctx context.Context, g cli.Globals, o cli.IntentOptions) (cli.Report, error) {
	return a.withStore(ctx, g, func(ctx context.Context, p *parts) (cli.Report, error) {
		in, err := p.inv.ClearIntent(ctx, o.Cluster, o.Object)
		if err != nil {
			return cli.Report{}, err
		}
		return oneIntent("forgotten", in, p.cfg.Location()), nil
	})
}

// IntentList implements cli.Program.
func (a *App) IntentList(ctx context.Context, g cli.Globals, cluster string) (cli.Report, error) {
	return a.withStore(ctx, g, func(ctx context.Context, p *parts) (cli.Report, error) {
		all, err := p.inv.Intents(ctx, cluster)
		if err != nil {
			return cli.Report{}, err
		}
		t := tools.Table{Name: "intents", Main: true, Columns: []string{"object", "want", "state", "until", "who", "set", "note"}}
		list := []intentJSON{}
		for _, in := range all {
			j := intentOf(in, p.cfg.Location())
			list = append(list, j)
			t.Rows = append(t.Rows, []string{j.Object, j.Want, j.State, j.Until, j.Who, j.SetAt, j.Note})
		}
		r := cli.Report{Value: list}
		if len(all) == 0 {
			r.View.Line("nothing was said of any object")
		}
		r.View.Table(t)
		return r, nil
	})
}

func oneIntent(what string, in inventory.Intent, zone *time.Location) cli.Report {
	j := intentOf(in, zone)
	r := cli.Report{Value: j}
	until := "until it is cleared"
	if j.Until != "" {
		until = "until " + j.Until
	}
	r.View.Line("%s: %s is meant to be %s, %s", what, j.Object, j.Want, until)
	return r
}

func intentOf(in inventory.Intent, zone *time.Location) intentJSON {
	j := intentJSON{Cluster: in.Cluster, Object: in.Object, ID: string(in.Kind) + "/" + in.ID, Want: string(in.Want), State: in.State, Note: in.Note, Who: in.Who,
		SetAt: in.SetAt.In(zone).Format(time.RFC3339)}
	if !in.Until.IsZero() {
		j.Until = in.Until.In(zone).Format(time.RFC3339)
	}
	return j
}
