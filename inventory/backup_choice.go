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
)

// BackupAsk says which guests are to be backed up: one by vmid or name, those of a query, or all; with MissingSince only those of them, no
// templates, that have no backup newer. Storage "" lets the one with the most room be chosen for each node.
type BackupAsk struct {
	Guest, Query, Storage string
	MissingSince          time.Time
	ReadOptions
}

// BackupChoice is what a backup needs to be planned: the guests, where their nodes' backups go, what they are expected to take (the newest
// backup's size, else the disks' when they are that of a container or a guest that was never backed up and tells its use), and which no job
// covers. Sizes lacks guests of which nothing is known; Uncovered is nil when the jobs could not be read.
type BackupChoice struct {
	Cluster   string
	Guests    []string // vmids
	Places    map[string]BackupPlace
	Sizes     map[int]int64
	Uncovered []string // "104 web"
	Warnings  []Warning
}

// BackupPlace is a storage of a node that takes backups, with what is free on it; nil when that is not known.
type BackupPlace struct {
	Storage string
	Free    *int64
}

// BackupChoice chooses what BackupAsk leaves open. It asks Proxmox VE as Backups does. Errors: those of Targets, fault.NotFound for a storage
// that is not known, fault.Invalid for one that takes no backups, and for guests of several clusters.
func (i *Inventory) BackupChoice(ctx context.Context, q BackupAsk) (BackupChoice, error) {
	began := i.now()
	scope, err := i.ready(ctx, q.ReadOptions)
	if err != nil {
		return BackupChoice{}, err
	}
	rows, err := i.meant(ctx, scope, q.Guest, q.Query)
	if err != nil {
		return BackupChoice{}, err
	}
	if err := i.knownStorage(scope, q.Storage); err != nil {
		return BackupChoice{}, err
	}
	c, err := oneCluster(scope, rows)
	if err != nil {
		return BackupChoice{}, err
	}
	ctx, cancel := i.budget(ctx, q.Fresh, began)
	defer cancel()
	read := c.readBackups(ctx, &BackupQuery{MissingSince: i.now().Add(time.Hour), ReadOptions: q.ReadOptions}, nil) // all guests, with their backups
	out := BackupChoice{Cluster: c.name, Places: map[string]BackupPlace{}, Sizes: map[int]int64{}, Warnings: read.warnings}
	if read.jobsKnown {
		out.Uncovered = []string{}
	}
	for _, r := range rows {
		k := slices.IndexFunc(read.guests, func(g GuestBackups) bool { return g.VMID == r.g.VMID })
		if k < 0 || !q.MissingSince.IsZero() && (r.g.Template || !read.guests[k].Newest().Before(q.MissingSince)) {
			continue
		}
		out.add(r, &read.guests[k], read.jobsKnown)
	}
	if len(out.Guests) == 0 {
		return out, nil
	}
	return out, out.places(i.proj.cluster(c.name), q.Storage, rows)
}

// meant are the guests that a question is about: one, those of a query, or all.
func (i *Inventory) meant(ctx context.Context, scope []*cluster, guest, query string) ([]*row, error) {
	if guest != "" {
		r, err := i.resolve(scope, guest)
		return []*row{r}, err
	}
	return i.selected(ctx, scope, query)
}

// oneCluster is the cluster of all rows.
func oneCluster(scope []*cluster, rows []*row) (*cluster, error) {
	if len(rows) == 0 {
		return nil, fault.New(fault.NotFound, "no guest fits the query").WithNext("find_guests")
	}
	for _, r := range rows {
		if r.g.Cluster != rows[0].g.Cluster {
			return nil, fault.BadField("cluster", "the guests are of several clusters; one plan changes one cluster", r.g.Cluster)
		}
	}
	k := slices.IndexFunc(scope, func(c *cluster) bool { return c.name == rows[0].g.Cluster })
	return scope[k], nil
}

func (b *BackupChoice) add(r *row, g *GuestBackups, jobsKnown bool) {
	b.Guests = append(b.Guests, strconv.Itoa(g.VMID))
	if jobsKnown && !g.Template && len(g.Jobs) == 0 && len(g.Excluded) == 0 {
		b.Uncovered = append(b.Uncovered, strings.TrimSpace(strconv.Itoa(g.VMID)+" "+name(g.Name)))
	}
	for k := range g.Backups {
		if g.Backups[k].Size != nil {
			b.Sizes[g.VMID] = *g.Backups[k].Size
			return
		}
	}
	if r.g.Disk != nil && *r.g.Disk > 0 { // told of containers that run; a VM's use is not known (pve-api.md 52)
		b.Sizes[g.VMID] = *r.g.Disk
	}
}

// places chooses the storage of each node that has one of the guests.
func (b *BackupChoice) places(cv *clusterView, only string, rows []*row) error {
	for _, r := range rows {
		n := r.g.Node
		if _, done := b.Places[n]; done || n == "" || !slices.Contains(b.Guests, strconv.Itoa(r.g.VMID)) {
			continue
		}
		if p := cv.roomiest(n, "backup", only); p != nil {
			b.Places[n] = *p
		}
	}
	if only != "" && !slices.ContainsFunc(cv.storages, func(s Storage) bool { return s.Name == only && s.takes("backup") }) {
		return fault.BadField("storage", fmt.Sprintf("storage %s takes no backups", clean.Line(only, maxName)), "").
			WithHint("these do: %s", strings.Join(cv.backupStores(""), ", "))
	}
	return nil
}

// roomiest is the active storage of a node that takes a kind of content and has the most room; only "" = any. nil: there is none.
func (c *clusterView) roomiest(node, kind, only string) *BackupPlace {
	var best *BackupPlace
	for k := range c.storages {
		s := &c.storages[k]
		if !s.takes(kind) || only != "" && s.Name != only || !slices.Contains(s.Nodes, node) ||
			decodeState[storageState](c.usage[node+"/"+s.Name].State).Status != "available" {
			continue
		}
		p := &BackupPlace{Storage: s.Name}
		if s.Used != nil && s.Total != nil {
			free := max(0, *s.Total-*s.Used)
			p.Free = &free
		}
		if best == nil || best.Free == nil && p.Free != nil || best.Free != nil && p.Free != nil && *p.Free > *best.Free {
			best = p
		}
	}
	return best
}
