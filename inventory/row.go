package inventory

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/store"
)

// row is a guest in memory: the stored row with its facets parsed. A row never changes once it is in the projection; an update
// replaces it, so readers may hold it without a lock.
type row struct {
	g     store.Guest // Facets is empty here: f holds them
	f     *facets     // nil while the configuration was never read
	tags  []string
	ips   []string
	lower string // name in lower case, the same string when it is
	state string
}

// The states of a guest in answers.
const (
	stRunning   = "running"
	stStopped   = "stopped"
	stPaused    = "paused"
	stSuspended = "suspended"
	stTemplate  = "template"
	stUnknown   = "unknown"
)

func newRow(g store.Guest) *row {
	r := &row{f: parseFacets(g.Facets), g: g}
	r.g.Facets = ""
	r.finish()
	return r
}

// finish computes what is derived and gives shared strings one copy.
func (r *row) finish() {
	g := &r.g
	for _, s := range []*string{&g.Cluster, &g.Type, &g.Node, &g.Status, &g.Lock, &g.Tags, &g.Pool, &g.HAState, &g.UnknownReason,
		&g.Snapshots, &g.Addresses} {
		*s = intern(*s)
	}
	r.tags = splitTags(g.Tags)
	r.ips = r.addresses()
	r.lower = strings.ToLower(g.Name)
	r.state = r.stateOf()
}

func splitTags(s string) []string {
	tags := pve.SplitTags(s)
	for i, t := range tags {
		tags[i] = intern(clean.Line(t, maxTag))
	}
	return tags
}

func (r *row) stateOf() string {
	switch {
	case !r.g.UnknownSince.IsZero() || r.g.Status == "" || r.g.Status == stUnknown:
		return stUnknown
	case r.g.Template:
		return stTemplate
	case r.g.Status == stStopped && r.g.Lock == "suspended":
		// Hibernated (facts: pve-api.md 48).
		return stSuspended
	}
	return r.g.Status
}

// addresses are the last observed ones, else the configured ones.
func (r *row) addresses() []string {
	var out []string
	for _, a := range decodeAddresses(r.g.Addresses) {
		if useful(a.IP) && !slices.Contains(out, a.IP) {
			out = append(out, a.IP)
		}
	}
	if out == nil && r.f != nil {
		for _, ip := range r.f.IPs {
			if useful(ip) {
				out = append(out, ip)
			}
		}
	}
	return out
}

func (r *row) typ() pve.GuestType { return pve.GuestType(r.g.Type) }

func (r *row) gone() bool { return !r.g.GoneAt.IsZero() }

// stored is the row as the store keeps it.
func (r *row) stored() store.Guest {
	g := r.g
	g.Facets = r.f.encode()
	return g
}

// clone is a copy to change before it replaces r.
func (r *row) clone() *row {
	c := *r
	return &c
}

// restamp is how much newer a bare time of observation must be before it alone makes a row be written again: an unchanged sync
// then writes next to nothing, and "last verified" stays right to within this.
const restamp = 5 * time.Minute

// differs says that b must be written where a is stored.
func (a *row) differs(b *row) bool {
	x, y := a.g, b.g
	if a.f != b.f && a.f.encode() != b.f.encode() {
		return true
	}
	for _, p := range [][2]*time.Time{{&x.LastSeen, &y.LastSeen}, {&x.ConfigAt, &y.ConfigAt}, {&x.SnapshotsAt, &y.SnapshotsAt},
		{&x.AddressesAt, &y.AddressesAt}} {
		if p[0].IsZero() != p[1].IsZero() || p[1].Sub(*p[0]) > restamp {
			return true
		}
		*p[0], *p[1] = time.Time{}, time.Time{}
	}
	for _, p := range [][2]*time.Time{{&x.FirstSeen, &y.FirstSeen}, {&x.UnknownSince, &y.UnknownSince}, {&x.GoneAt, &y.GoneAt}} {
		if !p[0].Equal(*p[1]) {
			return true
		}
		*p[0], *p[1] = time.Time{}, time.Time{}
	}
	if figuresDiffer(&x, &y) {
		return true
	}
	x.Gen, y.Gen = 0, 0
	return x != y
}

// figuresDiffer compares the counters and takes them out of the comparison.
func figuresDiffer(x, y *store.Guest) bool {
	diff := false
	for _, p := range [][2]**float64{{&x.CPU, &y.CPU}, {&x.MaxCPU, &y.MaxCPU}} {
		diff = diff || !same(*p[0], *p[1])
		*p[0], *p[1] = nil, nil
	}
	for _, p := range [][2]**int64{{&x.Mem, &y.Mem}, {&x.MaxMem, &y.MaxMem}, {&x.Disk, &y.Disk}, {&x.MaxDisk, &y.MaxDisk},
		{&x.Uptime, &y.Uptime}, {&x.NetIn, &y.NetIn}, {&x.NetOut, &y.NetOut}} {
		diff = diff || !same(*p[0], *p[1])
		*p[0], *p[1] = nil, nil
	}
	return diff
}

func same[T comparable](a, b *T) bool {
	if a == nil || b == nil {
		return a == b
	}
	return *a == *b
}

// view is the guest as lists show it.
func (r *row) view() Guest {
	g := Guest{Cluster: r.g.Cluster, VMID: r.g.VMID, Name: r.g.Name, Type: r.typ(), Node: r.g.Node, State: r.state,
		Template: r.g.Template, Lock: r.g.Lock, Tags: r.tags, Pool: r.g.Pool, HA: r.g.HAState, CPU: r.g.CPU, MaxCPU: r.g.MaxCPU,
		Mem: r.g.Mem, MaxMem: r.g.MaxMem, Disk: r.g.Disk, MaxDisk: r.g.MaxDisk, Uptime: r.g.Uptime, IPs: r.ips,
		UnknownSince: r.g.UnknownSince, Life: r.g.Life}
	if r.f != nil {
		g.OnBoot, g.OS, g.Agent = &r.f.OnBoot, r.f.OS, r.f.Agent
	}
	if r.state == stUnknown {
		// Figures of a guest that nobody sees are not shown as if they were true now.
		g.CPU, g.Mem, g.Uptime = nil, nil, nil
	}
	return g
}

func (c *GuestCounts) add(r *row) {
	c.Total++
	if r.g.Type == string(pve.LXC) {
		c.CTs++
	} else {
		c.VMs++
	}
	switch r.state {
	case stRunning:
		c.Running++
	case stStopped:
		c.Stopped++
	case stPaused:
		c.Paused++
	case stSuspended:
		c.Suspended++
	case stTemplate:
		c.Templates++
	default:
		c.Unknown++
	}
}

func (c *GuestCounts) plus(o GuestCounts) {
	c.Total += o.Total
	c.Running += o.Running
	c.Stopped += o.Stopped
	c.Paused += o.Paused
	c.Suspended += o.Suspended
	c.Unknown += o.Unknown
	c.Templates += o.Templates
	c.VMs += o.VMs
	c.CTs += o.CTs
}

func decodeAddresses(s string) []Address {
	if s == "" || s == "[]" {
		return nil
	}
	var out []Address
	if json.Unmarshal([]byte(s), &out) != nil {
		return nil
	}
	return out
}

func decodeSnapshots(s string) []Snapshot {
	if s == "" || s == "[]" {
		return nil
	}
	var out []Snapshot
	if json.Unmarshal([]byte(s), &out) != nil {
		return nil
	}
	return out
}
