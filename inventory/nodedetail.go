package inventory

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

const (
	// diskKeep: the list wakes no disk; what disks say of themselves is check_health's to ask, once a day.
	diskKeep = time.Hour
	// softwareKeep: the node itself looks for updates once a day, and certificates live for months.
	softwareKeep = time.Hour
)

// NodeDisk is a disk with what SMART said of it when check_health or somebody else last asked, daily at most. Health is "not asked" of a disk
// that may sleep, "unknown" where it could not be asked. Left is what is left of its life in percent, nil where the disk does not tell.
type NodeDisk struct {
	Path, Model, Type, Health, Use string
	Size                           *int64
	Left                           *int
}

// NodePool is a ZFS pool. Sizes are bytes.
type NodePool struct {
	Name, Health string
	Size, Used   *int64
	Frag         *int64
}

// NodeDetail is one node in full. What a part's Unread names was not read, with the reason; its fields then say nothing. The load is of now,
// Skew is how far the node's clock is ahead of ours, Committed the memory that running guests may take.
type NodeDetail struct {
	Meta
	Node
	Wait         *float64 // share of CPU time that waits for I/O, 0..1
	Stale        bool     // its statistics do not move
	Updates      []string // packages that wait for an update
	Services     []string // enabled services that do not run
	Disks        []NodeDisk
	DisksAt      time.Time // when their health was asked
	Pools        []NodePool
	Interfaces   []NetInterface
	NetPending   bool
	Committed    *int64 // nil while the node is away
	Running      []Task
	Certificate  string // the first certificate to end
	CertificateE time.Time
	Skew         *time.Duration
	Unread       map[string]string // part: why
}

// The parts of a NodeDetail that Unread names.
const (
	partStatus   = "status"
	partServices = "services"
	partUpdates  = "updates"
	partDisks    = "disks"
	partPools    = "zfs"
	partNetwork  = "network"
	partCerts    = "certificates"
	partClock    = "clock"
)

// NodeDetail answers everything about one node: what the store has, and eight calls to the node for the rest, all at once and kept for the time of
// freshness (software and disks an hour); what the disks say of their health is asked once a day, and none is woken for it (faults.md F50). A part that fails is named in Unread. Errors: fault.NotFound, and those of FindGuests.
func (i *Inventory) NodeDetail(ctx context.Context, name string, ro ReadOptions) (NodeDetail, error) {
	began := i.now()
	scope, err := i.ready(ctx, ro)
	if err != nil {
		return NodeDetail{}, err
	}
	name = strings.TrimSpace(name)
	if name == "" {
		return NodeDetail{}, fault.BadField("node", "the name of a node is needed", "pve1")
	}
	var found []NodeDetail
	var at []*cluster
	for _, c := range scope {
		cv := i.proj.cluster(c.name)
		for _, n := range cv.nodeViews() {
			if strings.EqualFold(n.Name, name) {
				found, at = append(found, cv.nodeDetail(n, i.now())), append(at, c)
			}
		}
	}
	if len(found) > 1 {
		return NodeDetail{}, whichCluster(fault.New(fault.Ambiguous, "%d clusters have a node %s", len(found), clean.Line(name, maxName)), namesOf(at))
	}
	if len(found) == 0 {
		return NodeDetail{}, i.knownNode(scope, name)
	}
	d := &found[0]
	d.Meta = at[0].meta(i.now())
	ctx, cancel := i.budget(ctx, ro.Fresh, began)
	defer cancel()
	at[0].askNode(ctx, d, ro.Fresh)
	return *d, nil
}

// nodeDetail is what the store knows of a node.
func (c *clusterView) nodeDetail(n Node, now time.Time) NodeDetail {
	d := NodeDetail{Node: n, Unread: map[string]string{}, Stale: c.stale(n.Name)}
	if n.Status == "online" {
		d.Committed = pve.Ptr(c.committed(n.Name))
	}
	for _, k := range c.tasks.list {
		if k.Node == n.Name && running(k, now) {
			d.Running = append(d.Running, taskView(k))
		}
	}
	return d
}

// committed is the memory that the running guests of a node may take together.
func (c *clusterView) committed(node string) (sum int64) {
	for _, r := range c.rows {
		if r.g.Node == node && r.state == stRunning && r.g.MaxMem != nil {
			sum += *r.g.MaxMem
		}
	}
	return sum
}

// nodeRead puts the questions to one node.
type nodeRead struct {
	c     *cluster
	d     *NodeDetail
	fresh bool
	mu    sync.Mutex
	gaps  gaps
}

// askNode fills in what only the node can tell.
func (c *cluster) askNode(ctx context.Context, d *NodeDetail, fresh bool) {
	cv := c.inv.proj.cluster(c.name)
	if why := cv.nodeAway(d.Name); why != "" {
		for _, part := range []string{partStatus, partServices, partUpdates, partDisks, partPools, partNetwork, partCerts, partClock} {
			d.Unread[part] = why
		}
		return
	}
	r := &nodeRead{c: c, d: d, fresh: fresh}
	node, now := d.Name, c.inv.opt.Freshness
	var wg sync.WaitGroup
	wg.Go(func() {
		part(ctx, r, partStatus, "", now, func(ctx context.Context, s Source) (pve.NodeStatus, error) { return s.NodeStatus(ctx, node) }, r.status)
	})
	wg.Go(func() {
		part(ctx, r, partServices, "", now, func(ctx context.Context, s Source) ([]pve.ServiceRow, error) { return s.NodeServices(ctx, node) },
			func(list []pve.ServiceRow, _ time.Time) { d.Services = servicesDown(list, cv.state.Standalone) })
	})
	wg.Go(func() {
		part(ctx, r, partUpdates, "", softwareKeep, func(ctx context.Context, s Source) ([]pve.UpdateRow, error) { return s.NodeUpdates(ctx, node) }, r.updates)
	})
	wg.Go(func() {
		part(ctx, r, partDisks, "node "+node, diskKeep, func(ctx context.Context, s Source) (nodeDisks, error) { return c.disksOf(ctx, s, node) }, r.disks)
	})
	wg.Go(func() {
		part(ctx, r, partPools, "node "+node, now, func(ctx context.Context, s Source) ([]pve.ZFSRow, error) { return zfsPools(ctx, s, node) }, r.pools)
	})
	wg.Go(func() {
		part(ctx, r, partNetwork, "", now, func(ctx context.Context, s Source) (pve.NodeNetwork, error) { return s.NodeNetwork(ctx, node) },
			func(n pve.NodeNetwork, _ time.Time) { r.network(n, cv.netUsers()) })
	})
	wg.Go(func() {
		part(ctx, r, partCerts, "", softwareKeep, func(ctx context.Context, s Source) ([]pve.CertificateRow, error) {
			return s.NodeCertificates(ctx, node)
		}, r.certificates)
	})
	wg.Go(func() {
		part(ctx, r, partClock, "", now, func(ctx context.Context, s Source) (time.Duration, error) { return c.skew(ctx, s, node) },
			func(by time.Duration, _ time.Time) { d.Skew = &by })
	})
	wg.Wait()
	d.tell(c, r.gaps.warnings("node "+node))
}
