package inventory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

const daily = 24 * time.Hour

// topics are all that check_health asks for. Disks are asked daily at most (faults.md F50); package lists and certificates change no faster.
var topics = []topic{
	{name: "disks", every: daily, ask: askDisks},
	{name: "zfs", every: daily, ask: askZFS},
	{name: "thin", every: time.Hour, wants: hasThinPool, ask: askThin},
	{name: "updates", every: daily, ask: askUpdates},
	{name: "certificates", every: daily, ask: askCertificates},
	{name: "pressure", every: 5 * time.Minute, ask: askPressure},
	{name: "clock", every: time.Hour, ask: askClock},
	{name: "ha", every: time.Minute, cluster: true, ask: askHA},
	{name: "replication", every: time.Minute, cluster: true, ask: askReplication},
}

// diskFact is a disk as far as it could be asked. Left is what is left of a solid-state disk in percent, nil when it does not say.
type diskFact struct {
	Dev     string `json:"dev"`
	Model   string `json:"model,omitempty"`
	Health  string `json:"health,omitempty"`
	Left    *int   `json:"left,omitempty"`
	Bad     int64  `json:"bad,omitempty"`   // sectors that cannot be read, or were given up
	Fails   string `json:"fails,omitempty"` // attributes below their threshold
	Sleeper bool   `json:"sleeper,omitempty"`
	Why     string `json:"why,omitempty"` // why it could not be asked
}

// Levels of wear: vendors promise nothing below 0 % left; replacing takes days.
const (
	wearWarn     = 15
	wearCritical = 5
	// askedDisks bounds the questions of one node: beyond it disks are named as not asked.
	askedDisks = 8
)

func (d *diskFact) wrong() bool {
	return pve.Failing(d.Health) || d.Left != nil && *d.Left <= wearWarn || d.Bad > 0 || d.Fails != ""
}

// askDisks asks for the health of a node's disks without waking one.
func askDisks(ctx context.Context, p *prober, node string) (any, []string, error) {
	if d := p.c.disksAsked(p.v, node); !d.at.IsZero() && p.c.inv.now().Sub(d.at) < diskKeep {
		return d.facts, wrongDisks(d.facts), nil // get_node asked a moment ago
	}
	list, err := p.src.DiskList(ctx, node)
	if err != nil {
		return []diskFact{}, nil, err
	}
	out, err := p.diskFacts(ctx, node, list)
	return out, wrongDisks(out), err
}

func wrongDisks(list []diskFact) (out []string) {
	for _, f := range list {
		if f.wrong() {
			out = append(out, f.Dev)
		}
	}
	return out
}

// diskFacts is about the disks of a list that was made without asking them anything. Where nothing spins, or a person said that the disks
// never sleep, the list is asked again with their health, in one call; else solid-state disks are asked one by one and the others left alone.
func (p *prober) diskFacts(ctx context.Context, node string, list []pve.DiskRow) ([]diskFact, error) {
	awake := p.v.wants(store.KindNode, node, p.c.inv.now()) == store.WantAwake
	sleepers := slices.ContainsFunc(list, pve.DiskRow.Spins)
	if len(list) > 0 && (!sleepers || awake) {
		var err error
		if list, err = p.src.NodeDisks(ctx, node); err != nil {
			return nil, err
		}
	}
	out, asked := make([]diskFact, 0, len(list)), 0
	for _, d := range list {
		f := diskFact{Dev: clean.Line(string(d.DevPath), maxTag), Model: clean.Line(string(d.Model), maxTag)}
		switch {
		case d.Spins() && !awake:
			f.Sleeper = true
		case !sleepers:
			f.listed(d)
		case asked == askedDisks:
			f.Why = fmt.Sprintf("only %d disks of a node are asked", askedDisks)
		default:
			asked++
			f.listed(d)
			s, err := p.src.DiskSMART(ctx, node, string(d.DevPath))
			f.asked(s, err)
		}
		out = append(out, f)
	}
	return out, nil
}

// listed takes what the list says; without SMART it says UNKNOWN and N/A.
func (d *diskFact) listed(row pve.DiskRow) {
	if h := string(row.Health); h != "UNKNOWN" {
		d.Health = clean.Line(h, maxTag)
	}
	var left int
	if _, err := fmt.Sscanf(string(row.Wearout), "%d", &left); err == nil && left >= 0 && left <= 100 {
		d.Left = &left
	}
}

// The names under which ATA disks count sectors that cannot be read or were given up, and by which solid-state ones tell what is left of
// them (smartmontools' drive database); NVMe ones write "Percentage Used: 3%".
var (
	badSectors = []string{"Current_Pending_Sector", "Offline_Uncorrectable", "Reported_Uncorrect"}
	lifeLeft   = []string{"Media_Wearout_Indicator", "SSD_Life_Left", "Wear_Leveling_Count", "Percent_Lifetime_Remain"}
)

func (d *diskFact) asked(s pve.SMART, err error) {
	if err != nil {
		d.Why = clean.Line(fault.Of(err).Error(), maxName)
		return
	}
	if s.Health != "UNKNOWN" {
		d.Health = clean.Line(string(s.Health), maxTag)
	}
	var fails []string
	for _, a := range s.Attributes {
		var n int64
		if _, err := fmt.Sscanf(string(a.Raw), "%d", &n); err == nil && slices.Contains(badSectors, string(a.Name)) {
			d.Bad += n
		}
		if _, err := fmt.Sscanf(string(a.Value), "%d", &n); err == nil && n >= 0 && n <= 100 && slices.Contains(lifeLeft, string(a.Name)) {
			d.Left = pve.Ptr(int(n))
		}
		if a.Fail == "NOW" {
			fails = append(fails, clean.Line(string(a.Name), maxTag))
		}
	}
	d.Fails = shortList(fails, 3)
	if _, after, ok := strings.Cut(string(s.Text), "Percentage Used:"); ok {
		var used int
		if _, err := fmt.Sscanf(strings.TrimSpace(after), "%d", &used); err == nil {
			d.Left = pve.Ptr(max(0, 100-used))
		}
	}
}

type poolFact struct {
	Name   string `json:"name"`
	Health string `json:"health"`
}

// askZFS asks the kernel, which wakes no disk. A node without ZFS has no pool.
func askZFS(ctx context.Context, p *prober, node string) (any, []string, error) {
	list, err := p.src.ZFSPools(ctx, node)
	if err != nil && strings.Contains(fault.Of(err).Error(), "not installed") {
		list, err = nil, nil
	}
	out, wrong := make([]poolFact, 0, len(list)), []string(nil)
	for _, z := range list {
		f := poolFact{name(string(z.Name)), clean.Line(string(z.Health), maxTag)}
		if out = append(out, f); f.Health != "ONLINE" {
			wrong = append(wrong, f.Name)
		}
	}
	return out, wrong, err
}

// hasThinPool says that the node uses one: its statistics daemon asks LVM every ten seconds anyway, so asking wakes no disk.
func hasThinPool(v *clusterView, node string) bool {
	return slices.ContainsFunc(v.storages, func(s Storage) bool { return s.Type == "lvmthin" && slices.Contains(s.Nodes, node) })
}

type thinFact struct {
	Name string `json:"name"` // vg/lv
	Data int    `json:"data"` // percent used
	Meta int    `json:"meta"`
}

// A thin pool that is full breaks every guest on it, at either limit.
const (
	thinWarn     = 80
	thinCritical = 95
)

func askThin(ctx context.Context, p *prober, node string) (any, []string, error) {
	list, err := p.src.ThinPools(ctx, node)
	out, wrong := make([]thinFact, 0, len(list)), []string(nil)
	for _, t := range list {
		f := thinFact{name(string(t.VG) + "/" + string(t.LV)), filled(t.Used, t.Size), filled(t.MetadataUsed, t.MetadataSize)}
		if out = append(out, f); max(f.Data, f.Meta) > thinWarn {
			wrong = append(wrong, f.Name)
		}
	}
	return out, wrong, err
}

// filled is a fill in percent, -1 when it is not told.
func filled(used, total *pve.Int) int {
	if used == nil || total == nil || *total <= 0 {
		return -1
	}
	return int(float64(*used) / float64(*total) * 100)
}

type updatesFact struct {
	Count int      `json:"count"`
	Names []string `json:"names,omitempty"`
}

// askUpdates keeps the names of a few packages, Proxmox VE's own first.
func askUpdates(ctx context.Context, p *prober, node string) (any, []string, error) {
	list, err := p.src.NodeUpdates(ctx, node)
	f := updatesFact{Count: len(list)}
	for _, own := range []bool{true, false} {
		for _, k := range list {
			if len(f.Names) < 3 && (k.Origin == "Proxmox") == own {
				f.Names = append(f.Names, clean.Line(string(k.Package)+" "+string(k.Version), maxTag))
			}
		}
	}
	if f.Count == 0 {
		return f, nil, err
	}
	return f, []string{"updates"}, err
}

type certFact struct {
	File  string    `json:"file"`
	Until time.Time `json:"until"`
}

// The node renews its own certificate two weeks before its end: one that is nearer was not renewed.
const (
	certWarn     = 14 * 24 * time.Hour
	certCritical = 3 * 24 * time.Hour
)

func askCertificates(ctx context.Context, p *prober, node string) (any, []string, error) {
	list, err := p.src.NodeCertificates(ctx, node)
	out := make([]certFact, 0, len(list))
	for _, c := range list {
		if c.NotAfter != nil {
			out = append(out, certFact{clean.Line(string(c.Filename), maxTag), time.Unix(int64(*c.NotAfter), 0).UTC()})
		}
	}
	return out, nil, err
}

// clockFact is how far a node's clock is ahead of ours, and how sure that is: the answer took its time and holds whole seconds.
type clockFact struct {
	Ahead time.Duration `json:"ahead"`
	Sure  time.Duration `json:"sure"`
}

// Tickets are refused beyond 300 s (faults.md 3.3); corosync and logs suffer before.
const (
	clockWarn     = 10 * time.Second
	clockCritical = 300 * time.Second
)

func (f clockFact) wrong() bool { return f.Ahead.Abs() > clockWarn+f.Sure }

func askClock(ctx context.Context, p *prober, node string) (any, []string, error) {
	before := p.c.inv.now()
	t, err := p.src.NodeTime(ctx, node)
	if err != nil {
		return nil, nil, err
	}
	if t.Time == nil {
		return nil, nil, fault.New(fault.Upstream, "nodes/%s/time did not tell the time", node)
	}
	took := p.c.inv.now().Sub(before)
	f := clockFact{time.Unix(int64(*t.Time), 0).Sub(before.Add(took / 2)), took/2 + time.Second}
	if f.wrong() {
		return f, []string{"clock"}, nil
	}
	return f, nil, nil
}

type haFact struct {
	ID    string `json:"id"` // service:vm:104, lrm:pve1, master
	Node  string `json:"node,omitempty"`
	State string `json:"state"`
}

// askHA keeps what is in error. A local manager whose last word is old is dead or hangs.
func askHA(ctx context.Context, p *prober, _ string) (any, []string, error) {
	list, err := p.src.HAStatus(ctx)
	out, wrong := []haFact{}, []string(nil)
	for _, e := range list {
		state := string(e.State)
		bad := e.Type == "service" && (e.CRMState == "error" || e.State == "error" || e.CRMState == "fence" || e.CRMState == "recovery")
		if e.Type == "lrm" || e.Type == "master" {
			state = string(e.Status)
			bad = strings.Contains(state, "old timestamp") || strings.Contains(state, "dead")
		}
		if bad {
			f := haFact{clean.Line(string(e.ID), maxTag), clean.Line(string(e.Node), maxTag), clean.Line(state, maxName)}
			out, wrong = append(out, f), append(wrong, f.ID)
		}
	}
	return out, wrong, err
}

// replicaFact is what is kept of replication: jobs that fail, and nodes whose jobs could not be asked for their state.
type replicaFact struct {
	Jobs   int               `json:"jobs"`
	Failed []replicaJob      `json:"failed,omitempty"`
	Missed map[string]string `json:"missed,omitempty"`
}

type replicaJob struct {
	ID       string    `json:"id"`
	Guest    int       `json:"guest"`
	Target   string    `json:"target"`
	Fails    int       `json:"fails"`
	Error    string    `json:"error,omitempty"`
	LastSync time.Time `json:"last_sync,omitzero"`
}

// askReplication asks for the jobs, then only the nodes that run some for their state.
func askReplication(ctx context.Context, p *prober, _ string) (any, []string, error) {
	jobs, err := p.src.ReplicationJobs(ctx)
	if err != nil {
		return nil, nil, err
	}
	nodes := map[string]bool{}
	for _, j := range jobs {
		node := string(j.Source)
		if r := p.v.byID[int(j.Guest)]; r != nil {
			node = r.g.Node
		}
		if node != "" && !isTrue(j.Disable) {
			nodes[node] = true
		}
	}
	f, wrong := replicaFact{Jobs: len(jobs), Missed: map[string]string{}}, []string(nil)
	for _, node := range sortedNames(nodes) {
		list, err := p.src.NodeReplication(ctx, node)
		if err != nil {
			f.Missed[node] = clean.Line(fault.Of(err).Error(), maxName)
		}
		for _, j := range list {
			if j.Error == "" && (j.FailCount == nil || *j.FailCount == 0) || isTrue(j.Disable) {
				continue
			}
			k := replicaJob{ID: clean.Line(string(j.ID), maxTag), Guest: int(j.Guest), Target: clean.Line(string(j.Target), maxTag), Error: clean.Line(string(j.Error), maxLine)}
			if j.FailCount != nil {
				k.Fails = int(*j.FailCount)
			}
			if j.LastSync != nil && *j.LastSync > 0 {
				k.LastSync = time.Unix(int64(*j.LastSync), 0).UTC()
			}
			f.Failed, wrong = append(f.Failed, k), append(wrong, k.ID)
		}
	}
	return f, wrong, nil
}
