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
	"github.com/proxmox-mcp/proxmox-mcp/internal/near"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// GuestRef names a guest as a person or agent does: by vmid or by name.
type GuestRef struct {
	Name string // "104" or "web"
	ReadOptions
}

// Guest answers everything about one guest. It comes from the store; only addresses of a running guest are asked live when the
// last ones are older than a minute, and with Fresh the status, configuration and snapshots are. Errors: fault.NotFound with the
// nearest names, fault.Ambiguous with the candidates, and those of a store or, with nothing stored yet, of Proxmox VE.
func (i *Inventory) Guest(ctx context.Context, ref GuestRef) (GuestDetail, error) {
	ctx = i.opt.Waiting(ctx)
	stored := ref.ReadOptions
	stored.Fresh = false
	fresh := ctx
	if ref.Fresh {
		var cancel context.CancelFunc
		fresh, cancel = context.WithTimeout(ctx, waitFresh) // finding it and reading it anew, in all
		defer cancel()
	}
	scope, err := i.ready(fresh, stored)
	if err != nil {
		return GuestDetail{}, err
	}
	r, err := i.resolve(scope, ref.Name)
	if err != nil && ref.Fresh {
		// It may have been created a moment ago.
		if scope, err = i.ready(fresh, ref.ReadOptions); err == nil {
			r, err = i.resolve(scope, ref.Name)
		}
	}
	if err != nil {
		return GuestDetail{}, err
	}
	c := i.clusterOf(r.g.Cluster)
	d, err := i.detail(ctx, c, r)
	if err != nil {
		return GuestDetail{}, err
	}
	if ref.Fresh {
		d = c.live(fresh, r, d)
	}
	if d.State == stUnknown && r.g.UnknownReason != "" {
		d.Warnings = append(d.Warnings, Warning{"partial", fmt.Sprintf("guest %d is unknown since %s: %s",
			r.g.VMID, r.g.UnknownSince.In(i.opt.Zone).Format("2006-01-02 15:04"), r.g.UnknownReason)})
	}
	c.liveAddresses(ctx, r, &d)
	d.AllowedActions = allowedActions(d.Guest, r.facets().Protection)
	return d, nil
}

func (i *Inventory) clusterOf(name string) *cluster {
	k := slices.IndexFunc(i.clusters, func(c *cluster) bool { return c.name == name })
	return i.clusters[k]
}

// resolve finds the one guest that a text names: a vmid first, then a name in any case.
func (i *Inventory) resolve(scope []*cluster, text string) (*row, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, fault.BadField("guest", "a vmid or a name is needed", "104 or web")
	}
	v := i.proj.view.Load()
	var found []*row
	if id, ok := vmidOf(text); ok {
		for _, c := range scope {
			if r := v.clusters[c.name].byID[id]; r != nil {
				found = append(found, r)
			}
		}
	}
	if found == nil {
		found = namedRows(v, scope, text)
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, i.unknownGuest(v, scope, text)
	}
	e := fault.New(fault.Ambiguous, "%d guests are called %q: %s", len(found), clean.Line(text, maxName), candidates(found))
	var in []string
	for _, r := range found {
		in = append(in, r.g.Cluster)
	}
	if in = distinct(in); len(in) > 1 {
		return nil, whichCluster(e, in)
	}
	return nil, e.WithHint("name the guest by its vmid")
}

// whichCluster completes an error about a name of objects in several clusters: the input cluster has to say which.
func whichCluster(e *fault.Error, in []string) *fault.Error {
	in = distinct(in)
	e.Field, e.Rule, e.Example = "cluster", "must name the cluster where a name is in several", in[0]
	return e.WithHint("say in which cluster: cluster %s", strings.Join(in, " or "))
}

func namesOf(list []*cluster) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.name)
	}
	return out
}

// distinct are the names once each, in their order.
func distinct(names []string) []string {
	var out []string
	for _, n := range names {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out
}

func namedRows(v *view, scope []*cluster, text string) []*row {
	lower := strings.ToLower(text)
	var found []*row
	for _, c := range scope {
		for _, r := range v.clusters[c.name].rows {
			if r.lower == lower {
				found = append(found, r)
			}
		}
	}
	exact := slices.DeleteFunc(slices.Clone(found), func(r *row) bool { return r.g.Name != text })
	if len(exact) == 1 {
		return exact
	}
	return found
}

func candidates(rows []*row) string {
	var out []string
	for _, r := range rows {
		where := r.g.Node
		if r.g.Cluster != rows[0].g.Cluster || rows[len(rows)-1].g.Cluster != rows[0].g.Cluster {
			where += " of cluster " + r.g.Cluster
		}
		out = append(out, fmt.Sprintf("%d (%s on %s, %s)", r.g.VMID, r.typ().Short(), where, r.state))
	}
	return shortList(out, 8)
}

// unknownGuest says that there is none of that name among those that this token sees, whether one is gone, and what is near.
func (i *Inventory) unknownGuest(v *view, scope []*cluster, text string) error {
	return i.unknown(v, scope, text, "guest", nil)
}

// unknown says it of any object; names are what it could have meant beside guests.
func (i *Inventory) unknown(v *view, scope []*cluster, text, what string, names []string) *fault.Error {
	shown := clean.Line(text, maxName)
	var notes []string
	for _, c := range scope {
		cv := v.clusters[c.name]
		for _, r := range cv.rows {
			names = append(names, r.g.Name)
		}
		if r := lastOf(cv, text); r != nil {
			notes = append(notes, fmt.Sprintf("guest %d %s is gone since %s", r.g.VMID, r.g.Name,
				r.g.GoneAt.In(i.opt.Zone).Format("2006-01-02 15:04")))
		}
		if cv.state.Scope != "" {
			notes = append(notes, "not visible does not mean that it does not exist: "+cv.state.Scope)
		}
		if w, ok := loading(cv, c.flying()); ok {
			notes = append(notes, w.Text)
		}
	}
	e := fault.New(fault.NotFound, "no %s %q is known", what, shown).WithNext("find_guests")
	e.Cause = strings.Join(notes, "; ")
	if slices.ContainsFunc(scope, func(c *cluster) bool { _, ok := loading(v.clusters[c.name], c.flying()); return ok }) {
		return e.WithHint("ask again in a moment, when the first sync has ended").Retry()
	}
	if like := near.Words(text, names, 3); len(like) > 0 {
		return e.WithHint("did you mean %s?", strings.Join(like, ", "))
	}
	return e.WithHint("list guests with find_guests")
}

func lastOf(cv *clusterView, text string) *row {
	if id, ok := vmidOf(text); ok {
		return cv.gone[id]
	}
	for _, id := range sortedIDs(cv.gone) {
		if strings.EqualFold(cv.gone[id].g.Name, text) {
			return cv.gone[id]
		}
	}
	return nil
}

func (c *cluster) flying() *flight {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.running
}

// detail builds the answer from the store.
func (i *Inventory) detail(ctx context.Context, c *cluster, r *row) (GuestDetail, error) {
	v, id := i.proj.cluster(c.name), strconv.Itoa(r.g.VMID)
	d := GuestDetail{Meta: c.meta(i.now()), Guest: r.view(), ConfigAt: r.g.ConfigAt, SnapshotsAt: r.g.SnapshotsAt, FirstSeen: r.g.FirstSeen,
		Intent: v.intentText(store.KindGuest, id, i.now(), i.opt.Zone), Tasks: v.tasks.of(id, lastTasks)}
	d.Snapshots = decodeSnapshots(r.g.Snapshots)
	if r.g.ConfigHash == "" {
		return d, nil
	}
	cfg, err := i.config(ctx, r.g.ConfigHash)
	if err != nil {
		return d, err
	}
	d.setConfig(cfg, r.g.Digest, r.g.Lock)
	return d, nil
}

func (d *GuestDetail) setConfig(cfg *parsedConfig, digest, lock string) {
	d.Config, d.Disks, d.NICs = cfg.whole(digest, lock), cfg.disks, cfg.nics
	d.Description = clean.Block(cfg.content.Str("description"), maxNote)
}

// live replaces what the store says by what Proxmox VE says now, within the time that ctx allows. What cannot be read stays as stored, with a warning.
func (c *cluster) live(ctx context.Context, r *row, d GuestDetail) GuestDetail {
	now := c.inv.now()
	l, err := c.readLive(ctx, r)
	if err != nil {
		d.Warnings = append(d.Warnings, Warning{liveCode(err), fmt.Sprintf("guest %d could not be read now (%s); the answer is from the store, observed %s ago",
			r.g.VMID, fault.Of(err).Error(), ago(d.Age))})
		return d
	}
	content, digest := splitConfig(l.config)
	f := extractFacets(r.typ(), content)
	d.setConfig(parseContent(content), digest, l.config.Str("lock"))
	d.ConfigAt, d.OnBoot, d.OS, d.Agent = now, &f.OnBoot, f.OS, f.Agent
	if f.Name != "" {
		d.Name = f.Name
	}
	d.setStatus(l.status, f.Template)
	if l.snaps != nil {
		d.Snapshots, d.SnapshotsAt = snapshotViews(l.snaps), now
	}
	d.AsOf, d.Age = now, 0
	d.Warnings = slices.DeleteFunc(d.Warnings, func(w Warning) bool { return w.Code == "stale" || w.Code == "unreachable" || w.Code == "loading" })
	if at, err := c.lastError(); err != nil && tellsReaders(err) && !at.Before(c.inv.proj.cluster(c.name).asOf()) {
		d.Warnings = append(d.Warnings, Warning{"partial", "the guest was read now, its pool, HA state and tasks are from the store: " + fault.Of(err).Error()})
	}
	return d
}

func liveCode(err error) string {
	switch code := fault.CodeOf(err); code {
	case fault.NodeSilent, fault.Forbidden:
		return string(code)
	case fault.NotFound:
		return "partial"
	}
	return "unreachable"
}

// setStatus takes GET status/current, which is right at once where lists lag (facts: pve-api.md 47, 48).
func (d *GuestDetail) setStatus(s pve.GuestStatus, template bool) {
	d.Lock = clean.Line(string(s.Lock), maxTag)
	d.State = clean.Line(string(s.Status), maxTag)
	switch {
	case s.QMPStatus == "paused" && s.Status == stRunning:
		d.State = stPaused
	case s.Status == stStopped && s.Lock == "suspended":
		d.State = stSuspended
	case template || isTrue(s.Template):
		d.State, d.Template = stTemplate, true
	}
	d.UnknownSince = time.Time{}
	d.CPU, d.MaxCPU, d.Mem, d.MaxMem = optFloat(s.CPU), optFloat(s.CPUs), optInt(s.Mem), optInt(s.MaxMem)
	d.MaxDisk, d.Uptime = optInt(s.MaxDisk), optInt(s.Uptime)
	d.Disk = usedDisk(s.Disk)
}

// usedDisk leaves out the 0 that Proxmox VE reports where it cannot see the file systems: of every VM, and of a container that does not run.
func usedDisk(v *pve.Int) *int64 {
	if v == nil || *v == 0 {
		return nil
	}
	return optInt(v)
}

// allowedActions are those that make sense in the guest's state; whether policy and privileges allow them is decided elsewhere.
func allowedActions(g Guest, protected bool) []string {
	all := stateActions(g)
	if protected {
		all = slices.DeleteFunc(all, func(a string) bool { return a == "destroy" })
	}
	return all
}

func stateActions(g Guest) []string {
	switch {
	case g.State == stUnknown:
		return nil
	case g.Lock != "" && g.State != stSuspended:
		return nil
	}
	switch g.State {
	case stTemplate:
		return []string{"clone", "backup", "destroy"}
	case stRunning:
		return []string{"shutdown", "reboot", "stop", "suspend", "snapshot", "clone", "backup", "migrate"}
	case stPaused, "suspending":
		return []string{"resume", "stop"}
	case stSuspended:
		return []string{"resume"}
	}
	return []string{"start", "snapshot", "clone", "backup", "migrate", "destroy"}
}
