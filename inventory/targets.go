package inventory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Target is a guest that a change is about to touch: where it is, and what only the inventory knows of it. Its state is the last
// known one; a change reads it again.
type Target struct {
	Cluster      string
	VMID         int
	Type         pve.GuestType
	Node         string
	Name         string
	Pool         string
	HAState      string
	Life         int
	LinkedClones []string // "151 web-test": guests whose disks are based on this one's
}

// Targets gives the guests that a change names: one by vmid or name, or those that a query selects. Errors as Guest and FindGuests.
func (i *Inventory) Targets(ctx context.Context, cluster, guest, query string) ([]Target, error) {
	scope, err := i.ready(ctx, ReadOptions{Cluster: cluster})
	if err != nil {
		return nil, err
	}
	rows := []*row{nil}
	if guest != "" {
		rows[0], err = i.resolve(scope, guest)
	} else {
		rows, err = i.selected(ctx, scope, query)
	}
	if err != nil {
		return nil, err
	}
	out := make([]Target, 0, len(rows))
	for _, r := range rows {
		if r.g.Node == "" {
			return nil, fault.New(fault.NodeSilent, "it is not known on which node guest %d is", r.g.VMID).Retry()
		}
		out = append(out, i.target(r))
	}
	return out, nil
}

// Stored is a guest as the store has it, without asking Proxmox VE: nil where it is not known there, gone where it was seen not to exist any
// more.
func (i *Inventory) Stored(ctx context.Context, cluster string, vmid int) (t *Target, gone bool) {
	if i.proj.glance(ctx) != nil {
		return nil, false
	}
	cv := i.proj.cluster(cluster)
	if cv == nil {
		return nil, false
	}
	if r := cv.byID[vmid]; r != nil {
		is := i.target(r)
		return &is, false
	}
	return nil, cv.gone[vmid] != nil
}

// selected are the guests that a query selects. A query about the age of backups asks for them as FindGuests does.
func (i *Inventory) selected(ctx context.Context, scope []*cluster, text string) ([]*row, error) {
	q, err := parseQuery(text)
	if err != nil {
		return nil, err
	}
	rows, _ := i.selectRows(i.proj.view.Load(), scope, &q, i.seenBackups(ctx, scope, &q, false, &Meta{}))
	return rows, nil
}

// Unsure is a guest of which it is not known whether a query means it.
type Unsure struct {
	Target
	Why string // why its state is not known, "" where no reason is kept
}

// Unsure gives the guests that fit a query but for what it asks of their present (state, cpu, mem, disk), while their state is not known: those
// of a silent node, for example. Proxmox VE is not asked; a query that does not parse gives none.
func (i *Inventory) Unsure(ctx context.Context, cluster, text string) []Unsure {
	q, err := parseQuery(text)
	if err != nil {
		return nil
	}
	lasting := slices.DeleteFunc(slices.Clone(q.terms), func(t term) bool { return slices.Contains([]string{"state", "cpu", "mem", "disk"}, t.key) })
	scope, err := i.scope(ctx, cluster)
	if err != nil || len(lasting) == len(q.terms) || q.backups {
		return nil
	}
	meant, _ := i.selectRows(i.proj.view.Load(), scope, &q, nil)
	wide, _ := i.selectRows(i.proj.view.Load(), scope, &query{terms: lasting}, nil)
	var out []Unsure
	for _, r := range wide {
		if r.state == stUnknown && !slices.Contains(meant, r) {
			out = append(out, Unsure{i.target(r), r.g.UnknownReason})
		}
	}
	return out
}

func (i *Inventory) target(r *row) Target {
	cv := i.proj.cluster(r.g.Cluster)
	return Target{Cluster: r.g.Cluster, VMID: r.g.VMID, Type: r.typ(), Node: r.g.Node, Name: name(r.g.Name), Pool: r.g.Pool,
		HAState: r.g.HAState, Life: r.g.Life, LinkedClones: linkedClones(cv, r)}
}

// LastBackup looks for the newest backup of a guest that counts: nil and true where there is none, false where it cannot be known.
func (i *Inventory) LastBackup(ctx context.Context, cluster string, vmid int) (at *time.Time, known bool) {
	page, err := i.Backups(ctx, BackupQuery{Guest: strconv.Itoa(vmid), ReadOptions: ReadOptions{Cluster: cluster}})
	if err != nil || len(page.Guests) != 1 {
		return nil, false
	}
	g := &page.Guests[0]
	if newest := g.Newest(); !newest.IsZero() {
		return &newest, true
	}
	return nil, !g.Unsure
}

// linkedClones are the guests whose volumes name a base volume of this one: local:900/base-900-disk-0.qcow2/151/vm-151-disk-0.qcow2,
// local-lvm:base-900-disk-0/vm-151-disk-0 (facts: pve-api.md 45).
func linkedClones(cv *clusterView, of *row) []string {
	base := fmt.Sprintf("base-%d-", of.g.VMID)
	var out []string
	for _, r := range cv.rows {
		if r.g.VMID == of.g.VMID || r.f == nil {
			continue
		}
		if slices.ContainsFunc(r.f.Volumes, func(v string) bool { return strings.Contains(v, base) }) {
			out = append(out, strings.TrimSpace(strconv.Itoa(r.g.VMID)+" "+clean.Line(r.g.Name, maxName)))
		}
	}
	return out
}
