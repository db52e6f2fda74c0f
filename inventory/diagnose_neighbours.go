package inventory

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

const (
	// neighboursShown are named, those that use most of what is short.
	neighboursShown = 3
	// A neighbour is worth a finding when the node is short of something and it alone uses this share of what all guests there use of it, and
	// at least so much: 10 MiB/s is what a disk notices.
	culpritShare = 0.4
	culpritDisk  = 10 << 20
)

// rates are what the live metrics tell of one guest.
type rates struct {
	cpu, mem, disk, net *float64
}

// liveRates takes gauges at their newest, and counters as the rate from their oldest to their newest value (a counter that went back began
// anew: unknown). The names are Proxmox VE's own for its pulled metrics (faults.md 3.4, 17: PVE/API2/Cluster/MetricServer.pm).
func liveRates(points []pve.MetricPoint) map[string]rates {
	type span struct{ first, last pve.MetricPoint }
	spans := map[[2]string]*span{}
	for _, p := range points {
		key := [2]string{string(p.ID), string(p.Metric)}
		s := spans[key]
		if s == nil {
			spans[key] = &span{p, p}
			continue
		}
		if p.Timestamp < s.first.Timestamp {
			s.first = p
		}
		if p.Timestamp > s.last.Timestamp {
			s.last = p
		}
	}
	out := map[string]rates{}
	for key, s := range spans {
		r := out[key[0]]
		rate := func(into **float64) {
			seconds := float64(s.last.Timestamp - s.first.Timestamp)
			if moved := float64(s.last.Value - s.first.Value); seconds > 0 && moved >= 0 {
				if *into == nil {
					*into = new(float64)
				}
				**into += moved / seconds
			}
		}
		switch key[1] {
		case "cpu_current":
			r.cpu = pve.Ptr(float64(s.last.Value))
		case "mem_used":
			r.mem = pve.Ptr(float64(s.last.Value))
		case "disk_read", "disk_write":
			rate(&r.disk)
		case "net_in", "net_out":
			rate(&r.net)
		}
		out[key[0]] = r
	}
	return out
}

// neighbours ranks the running guests of the node by what is short, and names the one that takes most of it.
func (x *examination) neighbours() {
	x.d.Short = x.short()
	live := liveRates(x.live)
	var all []Neighbour
	var self Neighbour
	total := 0.0
	for _, r := range x.cv.rows {
		if r.g.Node != x.r.g.Node || r.state != stRunning {
			continue
		}
		n := neighbour(r, live[r.g.Type+"/"+strconv.Itoa(r.g.VMID)])
		if use := n.use(x.d.Short); use != nil {
			total += *use
		}
		if r.g.VMID == x.r.g.VMID {
			self = n
			continue
		}
		n.Shares = commonStorages(x.r, r)
		all = append(all, n)
	}
	if !x.limited && len(all) > 0 && !slices.ContainsFunc(all, func(n Neighbour) bool { return n.Disk != nil }) {
		x.unread("traffic of its neighbours", "Proxmox VE has no history of it")
	}
	slices.SortStableFunc(all, func(a, b Neighbour) int {
		return cmp.Or(cmp.Compare(b.weight(x.d.Short), a.weight(x.d.Short)), cmp.Compare(a.VMID, b.VMID))
	})
	x.d.Neighbours = all[:min(len(all), neighboursShown)]
	if x.d.Short == "" || x.d.Short == "memory" {
		return // much memory in use is no fault
	}
	if self.takesMost(x.d.Short, total) {
		x.itself(self, total)
	} else if len(all) > 0 && all[0].takesMost(x.d.Short, total) {
		x.culprit(all[0], total)
	}
}

// short is what the node is short of, the worst first, "" when nothing shows.
func (x *examination) short() string {
	slices.SortStableFunc(x.stress, func(a, b stress) int {
		switch {
		case a.critical == b.critical:
			return 0
		case a.critical:
			return -1
		}
		return 1
	})
	if len(x.stress) > 0 {
		return x.stress[0].resource
	}
	return ""
}

func neighbour(r *row, live rates) Neighbour {
	n := Neighbour{VMID: r.g.VMID, Name: r.g.Name, Type: r.typ(), Mem: r.g.Mem, Disk: live.disk, Net: live.net}
	share := r.g.CPU
	if live.cpu != nil {
		share = live.cpu
	}
	if live.mem != nil {
		n.Mem = pve.Ptr(int64(*live.mem))
	}
	if share != nil && r.g.MaxCPU != nil {
		n.CPU = pve.Ptr(*share * *r.g.MaxCPU)
	}
	return n
}

// use is what it takes of a resource; nil = not known. Without one that is short, it is processors.
func (n *Neighbour) use(resource string) *float64 {
	switch resource {
	case "disk":
		return n.Disk
	case "memory":
		if n.Mem == nil {
			return nil
		}
		return pve.Ptr(float64(*n.Mem))
	}
	return n.CPU
}

func (n *Neighbour) weight(resource string) float64 {
	if u := n.use(resource); u != nil {
		return *u
	}
	return -1
}

func commonStorages(a, b *row) []string {
	var out []string
	for _, s := range a.facets().Storages {
		if slices.Contains(b.facets().Storages, s) {
			out = append(out, s)
		}
	}
	return out
}

// takesMost says that it alone uses most of what is short.
func (n *Neighbour) takesMost(resource string, total float64) bool {
	use := n.use(resource)
	return use != nil && total > 0 && *use >= culpritShare*total && (resource != "disk" || *use >= culpritDisk)
}

// culprit names the neighbour that takes most of what is short.
func (x *examination) culprit(n Neighbour, total float64) {
	f := Finding{Severity: levelOf(x.worst()), Code: "neighbour_" + x.d.Short, Object: strings.TrimSpace(fmt.Sprintf("guest %d %s", n.VMID, n.Name)), Score: 97,
		Title: "a neighbour " + n.load(x.d.Short), Evidence: x.shareOf(n, total), Hint: fmt.Sprintf("diagnose_guest %d; limit its disk (mbps_wr) or move it", n.VMID)}
	if x.d.Short == "cpu" {
		f.Hint = fmt.Sprintf("diagnose_guest %d; cpulimit, or move it", n.VMID)
	}
	if n.Shares != nil {
		f.Evidence += "; both on storage " + strings.Join(n.Shares, ", ")
	}
	x.finding(f)
}

// itself says that the guest is what makes its node short.
func (x *examination) itself(n Neighbour, total float64) {
	x.finding(Finding{Severity: levelOf(x.worst()), Code: "guest_" + x.d.Short + "_load", Score: 97, Title: "it " + n.load(x.d.Short) + " itself", Evidence: x.shareOf(n, total),
		Hint: "look inside for what does that; its neighbours wait for it"})
}

func (n *Neighbour) load(resource string) string {
	if resource == "disk" {
		return "loads the disks with " + amount(*n.Disk, "bytes/s")
	}
	return "uses " + amount(*n.CPU, "") + " CPUs"
}

func (x *examination) shareOf(n Neighbour, total float64) string {
	return fmt.Sprintf("%.0f%% of all guests on %s", *n.use(x.d.Short)/total*100, x.r.g.Node)
}

func (x *examination) worst() int {
	if x.stress[0].critical {
		return 2
	}
	return 1
}
