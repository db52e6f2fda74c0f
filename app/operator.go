package app

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/change"
	"github.com/proxmox-mcp/proxmox-mcp/cli"
	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/server"
	"github.com/proxmox-mcp/proxmox-mcp/store"
	"github.com/proxmox-mcp/proxmox-mcp/tools"
)

const askPassphrase = "operator's passphrase (not shown while you type): "

// keeper is the operator's side over a store.
func (a *App) keeper(db *store.DB) *change.Keeper {
	k := &change.Keeper{Clock: a.Clock, Local: server.LocalPrincipal().String(), Door: "cli"}
	if db != nil {
		k.Store = db
	}
	return k
}

// withKeeper opens the store alone: no cluster is asked.
func (a *App) withKeeper(ctx context.Context, g cli.Globals, f func(*store.DB, *change.Keeper) error) error {
	db, err := a.openDB(ctx, g)
	if err != nil {
		return err
	}
	err = f(db, a.keeper(db))
	if cerr := db.Close(); err == nil {
		err = cerr
	}
	return err
}

func noPassphrase() error {
	return fault.New(fault.Denied, "no operator's passphrase was set yet").WithHint("on a terminal: proxmox-mcp operator init")
}

// prove asks for the passphrase.
func prove(ctx context.Context, k *change.Keeper, t cli.Terminal) error {
	return proveFor(ctx, k, t, "")
}

// proveFor says what the passphrase is for, where somebody can be asked for it.
func proveFor(ctx context.Context, k *change.Keeper, t cli.Terminal, what string) error {
	known, err := k.Known(ctx)
	if err != nil {
		return err
	}
	if !known {
		return noPassphrase()
	}
	pass, err := t.Secret(what + askPassphrase)
	if err != nil {
		return err
	}
	return k.Prove(ctx, pass)
}

// OperatorInit implements cli.Owner.
func (a *App) OperatorInit(ctx context.Context, g cli.Globals, t cli.Terminal) error {
	return a.withKeeper(ctx, g, func(_ *store.DB, k *change.Keeper) error {
		known, err := k.Known(ctx)
		if err != nil {
			return err
		}
		var old string
		if known {
			t.Say("This store has an operator's passphrase already.")
			if old, err = t.Secret("the one that holds now (not shown while you type): "); err != nil {
				return err
			}
		}
		fresh, err := t.Secret("new operator's passphrase (not shown while you type): ")
		if err != nil {
			return err
		}
		again, err := t.Secret("once more: ")
		if err != nil {
			return err
		}
		if fresh != again {
			return fault.New(fault.Invalid, "the two were not the same; nothing was changed")
		}
		if err := k.Init(ctx, old, fresh); err != nil {
			return err
		}
		t.Say("Set. Keep it from agents: what knows it can approve. Next: proxmox-mcp allow reversible")
		return nil
	})
}

// allowReport is what is allowed now.
type allowReport struct {
	Maximum string     `json:"maximum"` // of the configuration
	Stopped string     `json:"stopped,omitempty"`
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// Allowed implements cli.Owner.
func (a *App) Allowed(ctx context.Context, g cli.Globals) (cli.Report, error) {
	var r cli.Report
	err := a.withKeeper(ctx, g, func(db *store.DB, _ *change.Keeper) (err error) {
		r, err = a.allowed(ctx, g, db)
		return err
	})
	return r, err
}

func (a *App) allowed(ctx context.Context, g cli.Globals, db *store.DB) (cli.Report, error) {
	cfg, err := a.settings(g)
	if err != nil {
		return cli.Report{}, err
	}
	rules := rulesOf(cfg)
	f := change.GrantFile{Path: a.allowedPath(), Seal: func(ctx context.Context) (string, error) { return change.Seal(ctx, db) }}
	grants, err := f.Grants(ctx)
	if err != nil {
		return cli.Report{}, err
	}
	out := allowReport{Maximum: rules.Maximum.String(), Columns: []string{"tier", "for", "until", "given", "by"}, Rows: [][]string{}}
	now := a.Clock()
	for _, gr := range grants {
		if !gr.Until.IsZero() && !now.Before(gr.Until) {
			continue
		}
		until := "it is taken away"
		if !gr.Until.IsZero() {
			until = gr.Until.In(cfg.Location()).Format(time.RFC3339)
		}
		out.Rows = append(out.Rows, []string{gr.Tier.String(), clean.Line(gr.Scope.String(), 100), until, gr.At.In(cfg.Location()).Format(time.RFC3339), gr.By})
	}
	if s := a.stopState(ctx, db); s.On {
		out.Stopped = cmp.Or(clean.Line(s.Reason, 200), "no reason was given")
	}
	v := tools.View{}
	switch {
	case out.Stopped != "":
		v.Line("THE EMERGENCY STOP IS ON: %s. Nothing is changed, whatever is allowed; end it with: proxmox-mcp stop --off", out.Stopped)
	case len(out.Rows) == 0:
		v.Line("Nothing is allowed: all servers only read. To allow more: proxmox-mcp allow reversible")
	default:
		v.Line("Allowed, up to %s (changes.maximum):", out.Maximum)
	}
	v.Table(tools.Table{Name: "allowed", Main: true, Columns: out.Columns, Rows: out.Rows})
	return cli.Report{Value: out, View: v}, nil
}

// stopState is the emergency stop by either place.
func (a *App) stopState(ctx context.Context, db *store.DB) store.StopState {
	if s := (change.StopFile{Path: a.stopPath()}).State(a.Clock()); s.On {
		return s
	}
	s, err := db.Stopped(ctx)
	if err != nil {
		return store.StopState{On: true, Reason: "it cannot be read: " + fault.Of(err).Error()}
	}
	return s
}

// Allow implements cli.Owner.
func (a *App) Allow(ctx context.Context, g cli.Globals, o cli.AllowOptions, t cli.Terminal) (cli.Report, error) {
	var r cli.Report
	err := a.withKeeper(ctx, g, func(db *store.DB, k *change.Keeper) (err error) {
		f := &change.GrantFile{Path: a.allowedPath()}
		if o.None {
			err = k.Close(ctx, f)
		} else {
			err = a.open(ctx, g, o, t, k, f)
		}
		if err == nil {
			r, err = a.allowed(ctx, g, db)
		}
		return err
	})
	return r, err
}

func (a *App) open(ctx context.Context, g cli.Globals, o cli.AllowOptions, t cli.Terminal, k *change.Keeper, f *change.GrantFile) error {
	grant, err := a.grantOf(g, o)
	if err != nil {
		return err
	}
	if err := proveFor(ctx, k, t, fmt.Sprintf("This allows %s.\n", grant)); err != nil {
		return err
	}
	return k.Open(ctx, f, grant)
}

// grantOf checks what is to be allowed, before anybody is asked for a passphrase.
func (a *App) grantOf(g cli.Globals, o cli.AllowOptions) (change.Grant, error) {
	tier, ok := change.TierOf(o.Tier)
	if !ok || tier == change.Read {
		return change.Grant{}, fault.BadField("tier", "must be one of reversible, disruptive, destructive, host", "reversible")
	}
	cfg, err := a.settings(g)
	if err != nil {
		return change.Grant{}, err
	}
	if most := rulesOf(cfg).Maximum; tier > most {
		return change.Grant{}, fault.New(fault.Denied, "%s is more than the configuration permits", tier).
			WithHint("changes.maximum is %s; raise it in the configuration file first", most)
	}
	if o.Cluster != "" {
		if err := configuredCluster(cfg, o.Cluster); err != nil {
			return change.Grant{}, err
		}
	}
	grant := change.Grant{Tier: tier, Scope: change.Scope{Cluster: storedCluster(cfg, o.Cluster), Node: o.Node, Pool: o.Pool, Tag: o.Tag}}
	if o.VMID != "" {
		if grant.VMIDs, err = change.ParseVMIDs(o.VMID); err != nil {
			return change.Grant{}, err
		}
	}
	if o.For > 0 {
		grant.Until = a.Clock().Add(o.For).UTC().Truncate(time.Second)
	}
	return grant, nil
}

// Stop implements cli.Owner. Turning it on works without a store as well.
func (a *App) Stop(ctx context.Context, g cli.Globals, o cli.StopOptions, t cli.Terminal) (cli.Report, error) {
	f := change.StopFile{Path: a.stopPath()}
	if !o.Off {
		return a.stopNow(ctx, g, o, f, t)
	}
	err := a.withKeeper(ctx, g, func(db *store.DB, k *change.Keeper) error {
		if s := a.stopState(ctx, db); !s.On {
			t.Say("The emergency stop is off already.")
			return nil
		}
		if err := prove(ctx, k, t); err != nil {
			return err
		}
		return k.Resume(ctx, f)
	})
	if err != nil {
		return cli.Report{}, err
	}
	return stopReport(store.StopState{}), nil
}

func (a *App) stopNow(ctx context.Context, g cli.Globals, o cli.StopOptions, f change.StopFile, t cli.Terminal) (cli.Report, error) {
	db, err := a.openDB(ctx, g)
	if err != nil {
		t.Say("the store could not be opened; the stop is by its file alone: %v", fault.Of(err))
		db = nil
	}
	k := a.keeper(db)
	var until time.Time
	if o.For > 0 {
		until = a.Clock().Add(o.For).UTC().Truncate(time.Second)
	}
	err = k.Stop(ctx, f, until, o.Reason)
	if db != nil {
		if cerr := db.Close(); err == nil {
			err = cerr
		}
	}
	if err != nil {
		return cli.Report{}, err
	}
	return stopReport(f.State(a.Clock())), nil
}

func stopReport(s store.StopState) cli.Report {
	value := map[string]any{"stopped": s.On}
	v := tools.View{}
	switch {
	case !s.On:
		v.Line("The emergency stop is off: what is allowed counts again.")
	case s.Until.IsZero():
		v.Line("STOPPED: nothing is changed any more. End it with: proxmox-mcp stop --off")
	default:
		value["until"] = s.Until
		v.Line("STOPPED until %s: nothing is changed. End it before with: proxmox-mcp stop --off", s.Until.Local().Format(time.RFC3339))
	}
	return cli.Report{Value: value, View: v}
}

// processGrants are those of --allow.
func processGrants(tier string) ([]change.Grant, error) {
	if tier == "" {
		return nil, nil
	}
	t, ok := change.TierOf(tier)
	if !ok || t == change.Read {
		return nil, fault.BadField("allow", "must be one of reversible, disruptive, destructive, host", "reversible")
	}
	return []change.Grant{{Tier: t, By: fmt.Sprintf("--allow %s", t)}}, nil
}
