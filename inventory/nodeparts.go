package inventory

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// part asks for one part of a node and hands the answer to take, an older one too while a new one fails. What is missing is noted.
func part[T any](ctx context.Context, r *nodeRead, name, lane string, keep time.Duration, ask func(ctx context.Context, s Source) (T, error), take func(T, time.Time)) {
	value, at, err := recall(ctx, r.c, asking{key: name + " " + r.d.Name, lane: lane, keep: keep, fresh: r.fresh}, ask)
	r.mu.Lock()
	defer r.mu.Unlock()
	if !at.IsZero() {
		take(value, at)
	}
	r.failed(name, at, err)
}

// failed notes why a part was not read. That an auditor may not see updates is said in their place alone: it is so on each call.
func (r *nodeRead) failed(name string, at time.Time, err error) {
	if err == nil {
		return
	}
	if at.IsZero() {
		r.d.Unread[name] = clean.Line(fault.Of(err).Error(), maxLine)
	}
	if name != partUpdates || fault.CodeOf(err) != fault.Forbidden {
		r.gaps.add(name, at, r.c.inv.now(), err)
	}
}

// status takes the figures of now in place of those that the node last reported to the cluster.
func (r *nodeRead) status(s pve.NodeStatus, at time.Time) {
	d := r.d
	d.older(at, r.c.inv.now())
	d.CPU, d.Wait, d.Uptime, d.Load = optFloat(s.CPU), optFloat(s.Wait), optInt(s.Uptime), nil
	for _, l := range s.LoadAvg {
		d.Load = append(d.Load, clean.Line(string(l), maxTag))
	}
	if s.CPUInfo != nil {
		d.CPUType = clean.Line(string(s.CPUInfo.Model), maxName)
		if s.CPUInfo.CPUs != nil {
			d.MaxCPU = pve.Ptr(float64(*s.CPUInfo.CPUs))
		}
	}
	for _, u := range []struct {
		of          *pve.Usage
		used, total **int64
	}{{s.Memory, &d.Mem, &d.MaxMem}, {s.RootFS, &d.Disk, &d.MaxDisk}, {s.Swap, &d.Swap, &d.MaxSwap}} {
		if u.of != nil {
			*u.used, *u.total = optInt(u.of.Used), optInt(u.of.Total)
		}
	}
	if v := clean.Line(managerVersion(string(s.PVEVersion)), maxName); v != "" {
		d.Version = v
	}
	d.Kernel = cmp.Or(clean.Line(kernelRelease(string(s.KVersion)), maxName), d.Kernel)
}

// kernelRelease takes the release out of "Linux 6.18.44-1-pve #1 SMP ..." (recording 02/045).
func kernelRelease(s string) string {
	if f := strings.Fields(s); len(f) > 1 && f[0] == "Linux" {
		return f[1]
	}
	return s
}

// servicesDown names services that should run and do not: enabled ones that are not active, and failed ones. Corosync does not run on a
// node that stands alone.
func servicesDown(list []pve.ServiceRow, standalone bool) []string {
	out := []string{}
	for _, s := range list {
		failed := s.ActiveState == "failed"
		idle := s.UnitState == "enabled" && s.ActiveState == "inactive"
		if standalone && s.Service == "corosync" || !failed && !idle {
			continue
		}
		name := clean.Line(string(s.Service), maxTag)
		if failed {
			name += " (failed)"
		}
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (r *nodeRead) updates(list []pve.UpdateRow, _ time.Time) {
	r.d.Updates = []string{}
	for _, u := range list {
		r.d.Updates = append(r.d.Updates, clean.Line(string(u.Package), maxTag))
	}
	slices.Sort(r.d.Updates)
}

// nodeDisks are the disks of a node and what is known of their health; at is when that was asked.
type nodeDisks struct {
	list  []pve.DiskRow
	facts []diskFact
	at    time.Time
}

// disksOf lists a node's disks without asking them. Their health is what check_health keeps of the day; without that they are asked as it asks
// them: no disk that may sleep, and none twice a day by this process.
func (c *cluster) disksOf(ctx context.Context, src Source, node string) (nodeDisks, error) {
	now, cv := c.inv.now(), c.inv.proj.cluster(c.name)
	list, err := src.DiskList(ctx, node)
	if err != nil {
		return nodeDisks{}, err
	}
	d := nodeDisks{list: list}
	if s := cv.probes[node+"/disks"]; !s.At.IsZero() && now.Sub(s.At) < daily && json.Unmarshal(s.Data, &d.facts) == nil {
		d.at = s.At
		return d, nil
	}
	if old := c.disksAsked(cv, node); !old.at.IsZero() && now.Sub(old.at) < daily {
		old.list = list
		return old, nil
	}
	p := &prober{c: c, src: src, v: cv}
	if d.facts, err = p.diskFacts(ctx, node, list); err != nil {
		return nodeDisks{}, err
	}
	d.at = now
	c.asked.mu.Lock()
	defer c.asked.mu.Unlock()
	c.asked.item(diskHealth + node).value = d
	return d, nil
}

// diskHealth and a node's name are the key of what this process asked of its disks.
const diskHealth = "health of disks "

// disksAsked is what this process asked of a node's disks last, unless a person said since then that they never sleep.
func (c *cluster) disksAsked(cv *clusterView, node string) nodeDisks {
	c.asked.mu.Lock()
	defer c.asked.mu.Unlock()
	d, ok := c.asked.item(diskHealth + node).value.(nodeDisks)
	if !ok || cv.wokenSince(node, d.at, c.inv.now()) {
		return nodeDisks{}
	}
	return d
}

func (r *nodeRead) disks(d nodeDisks, _ time.Time) {
	r.d.Disks, r.d.DisksAt = []NodeDisk{}, d.at
	for _, row := range d.list {
		text := func(t pve.Text) string { return clean.Line(string(t), maxTag) }
		k := NodeDisk{Path: text(row.DevPath), Model: text(row.Model), Type: text(row.Type), Use: text(row.Used), Size: optInt(row.Size)}
		for _, f := range d.facts {
			if f.Dev != k.Path {
				continue
			}
			switch k.Health, k.Left = f.Health, f.Left; {
			case f.Sleeper:
				k.Health = "not asked"
			case f.Why != "":
				k.Health = "unknown"
			}
		}
		r.d.Disks = append(r.d.Disks, k)
	}
	slices.SortFunc(r.d.Disks, func(a, b NodeDisk) int { return strings.Compare(a.Path, b.Path) })
}

// zfsPools takes a node without the tools of ZFS for one without pools (recording 02/068).
func zfsPools(ctx context.Context, src Source, node string) ([]pve.ZFSRow, error) {
	rows, err := src.ZFSPools(ctx, node)
	if err != nil && strings.Contains(err.Error(), "zfsutils-linux not installed") {
		return []pve.ZFSRow{}, nil
	}
	return rows, err
}

func (r *nodeRead) pools(list []pve.ZFSRow, _ time.Time) {
	r.d.Pools = []NodePool{}
	for _, p := range list {
		r.d.Pools = append(r.d.Pools, NodePool{Name: clean.Line(string(p.Name), maxTag), Health: clean.Line(string(p.Health), maxTag), Size: optInt(p.Size),
			Used: optInt(p.Alloc), Frag: optInt(p.Frag)})
	}
	slices.SortFunc(r.d.Pools, func(a, b NodePool) int { return strings.Compare(a.Name, b.Name) })
}

// network takes the interfaces as list_networks shows them, without the vnets.
func (r *nodeRead) network(n pve.NodeNetwork, users map[netKey][]NetGuest) {
	r.d.Interfaces, r.d.NetPending = []NetInterface{}, n.Changes != ""
	for k := range n.Interfaces {
		i := interfaceOf(r.c.name, r.d.Name, &n.Interfaces[k])
		i.Guests = users[netKey{i.Node, i.Name}]
		r.d.Interfaces = append(r.d.Interfaces, i)
	}
	slices.SortFunc(r.d.Interfaces, compareNets)
}

// certificates finds the one that ends first of those that the node's web server or cluster use; the authority's own is among them.
func (r *nodeRead) certificates(list []pve.CertificateRow, _ time.Time) {
	for _, row := range list {
		end := unix(row.NotAfter)
		if !end.IsZero() && (r.d.CertificateE.IsZero() || end.Before(r.d.CertificateE)) {
			r.d.Certificate, r.d.CertificateE = clean.Line(string(row.Filename), maxTag), end
		}
	}
}

// skew is how far the node's clock is ahead of ours. The node tells whole seconds, so what is below one is no difference.
func (c *cluster) skew(ctx context.Context, src Source, node string) (time.Duration, error) {
	before := c.inv.opt.Clock()
	t, err := src.NodeTime(ctx, node)
	if err != nil {
		return 0, err
	}
	if t.Time == nil {
		return 0, fault.New(fault.BadAnswer, "node %s does not tell its time", node)
	}
	middle := before.Add(c.inv.opt.Clock().Sub(before) / 2)
	by := time.Unix(int64(*t.Time), int64(500*time.Millisecond)).Sub(middle)
	return by.Truncate(time.Second), nil
}
