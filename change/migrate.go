package change

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Migrate moves a guest to another node: a VM that runs goes on running, a container that runs is restarted. Everything that stands in the
// way is named at once, before anything is sent.
type Migrate struct {
	Target  string
	Storage string // where local disks go; "" = storages of the same names
}

// Name implements Action.
func (m Migrate) Name() string { return "guest.migrate" }

// Title implements Action.
func (m Migrate) Title() string { return "migrate to " + m.Target }

// Needs implements Action.
func (m Migrate) Needs() Needs { return Needs{Places: true, Migration: true} }

// Migration is what Proxmox VE itself says about moving a guest (GET /nodes/{node}/{type}/{vmid}/migrate; 02/111, schema).
type Migration struct {
	NotAllowed map[string]Hindrance `json:"not_allowed_nodes"`
	Resources  []string             `json:"local_resources"` // devices of the host that bind it to its node
	Mapped     map[string]struct {
		Live pve.Bool `json:"live-migration"`
	} `json:"mapped-resource-info"`
	Dependent []string    `json:"dependent-ha-resources"` // what HA moves with it
	Disks     []localDisk `json:"local_disks"`            // of a VM
}

type localDisk struct {
	VolID pve.Text `json:"volid"`
}

// Hindrance is what keeps a guest from a node.
type Hindrance struct {
	Storages  []string `json:"unavailable_storages"`
	Resources []string `json:"unavailable-resources"`
	HA        []struct {
		SID   pve.Text `json:"sid"`
		Cause pve.Text `json:"cause"`
	} `json:"blocking-ha-resources"`
}

// migration asks what stands in the way of moving a guest. Containers write the same with hyphens.
func migration(ctx context.Context, c Cluster, l *Live) (*Migration, error) {
	raw, err := c.Raw(ctx, "GET", l.path("/migrate"), nil)
	if err != nil {
		return nil, err
	}
	var m Migration
	var ct struct {
		NotAllowed map[string]Hindrance `json:"not-allowed-nodes"`
	}
	if err := json.Unmarshal(raw, &m); err != nil {
		return nil, fault.Wrap(fault.BadAnswer, err, "whether %s can be moved cannot be read", l.Label())
	}
	if l.Type == pve.LXC && json.Unmarshal(raw, &ct) == nil {
		m.NotAllowed = ct.NotAllowed
	}
	return &m, nil
}

// Steps implements Action.
func (m Migrate) Steps(l *Live) ([]Step, error) {
	to, err := l.Places.nodeFor(m.Target)
	switch {
	case m.Target == l.Node:
		s := l.step(m.Name(), Disruptive, "POST", "/migrate")
		s.Noop = "it is there already"
		return []Step{s}, nil
	case err != nil:
		return nil, err
	case m.Storage != "":
		if err := l.Places.storageFor("storage", m.Storage, m.Target, l.Type); err != nil {
			return nil, err
		}
	}
	if why := m.hindrances(l, to); len(why) > 0 {
		if tight := crowded(to.Name, to.left(), l); tight != "" {
			why = append(why, tight)
		}
		return nil, fault.New(fault.Conflict, "%s cannot move to %s: %s", l.Label(), to.Name, strings.Join(why, "; "))
	}
	return []Step{m.step(l)}, nil
}

// Cautions implements cautious: Proxmox VE lets a guest go where memory is promised twice, a drain does not send it there.
// Guests that go there together are counted together.
func (m Migrate) Cautions(kept []*Live) []string {
	if len(kept) == 0 {
		return nil
	}
	to := kept[0].Places.node(m.Target)
	if to == nil {
		return nil
	}
	if tight := crowded(to.Name, to.left(), kept...); tight != "" {
		return []string{tight}
	}
	return nil
}

// crowded says that guests which run may take more memory than a node has left; "" where they may not, or that is not known.
func crowded(node string, left *int64, come ...*Live) string {
	needs, n := int64(0), 0
	for _, l := range come {
		if l.Target.Status != "stopped" {
			needs, n = needs+memoryOf(l.Config), n+1
		}
	}
	if left == nil || n == 0 || *left >= needs {
		return ""
	}
	who := "this one may take " + exactSize(needs)
	if n > 1 {
		who = fmt.Sprintf("the %d that come may take %s together", n, exactSize(needs))
	}
	return fmt.Sprintf("%s has %s of memory left beside what its running guests may take, %s", node, exactSize(max(0, *left)>>20<<20), who)
}

func (m Migrate) step(l *Live) Step {
	s := l.step(m.Name(), Disruptive, "POST", "")
	s.Call, s.Task = m.call(l, l.Node, m.Target, m.Storage), l.taskType("migrate")
	if l.Type == pve.Qemu {
		s.Task = "qmigrate"
	}
	if l.HA != "" { // its manager moves it, after the task has ended (F26)
		s.Task, s.Patience = "hamigrate", haPatience
	}
	s.Want = Want{Node: m.Target, Status: l.Target.Status}
	how := map[bool]string{true: m.Target + " (restarted)", false: m.Target}[l.Type == pve.LXC && l.Target.Status == "running"]
	s.Diff = []Diff{{"node", l.Node, how}}
	if local := m.localVolumes(l); len(local) > 0 {
		s.Diff = append(s.Diff, Diff{Field: "copied", New: strings.TrimSuffix(slotsOf(local)+" to "+m.Storage, " to ")})
	}
	if l.Migration != nil {
		for _, other := range l.Migration.Dependent {
			s.Diff = append(s.Diff, Diff{Field: "moves too", New: cleanLine(other)})
		}
	}
	if l.HA != "" && l.HA != "ignored" {
		s.Diff = append(s.Diff, Diff{Field: "HA", New: "its manager may move it back where its rules prefer " + l.Node})
	}
	back, ok := m.storageBack(l)
	if !ok {
		s.NoUndo = "its disks come from several storages: where each was is not kept"
		return s
	}
	s.Undo = []Call{m.call(l, m.Target, l.Node, back)}
	return s
}

// haPatience is how long the HA manager may take to move a guest with its memory.
const haPatience = 15 * time.Minute

// call is the request that moves a guest from one node to another.
func (m Migrate) call(l *Live, from, to, storage string) Call {
	c := Call{Method: "POST", Path: "/nodes/" + from + "/" + string(l.Type) + "/" + l.ID() + "/migrate", Params: []Param{{"target", to}}}
	add := func(key, value string) { c.Params = append(c.Params, Param{key, value}) }
	local := len(m.localVolumes(l)) > 0
	running := l.Target.Status != "stopped"
	switch {
	case l.Type == pve.LXC:
		if running {
			add("restart", "1")
		}
		if storage != "" && local {
			add("target-storage", storage)
		}
		return c
	case running:
		add("online", "1")
	}
	if local {
		if running {
			add("with-local-disks", "1")
		}
		if storage != "" {
			add("targetstorage", storage)
		}
	}
	return c
}

// storageBack is where disks go when they come back; false where they came from several storages.
func (m Migrate) storageBack(l *Live) (string, bool) {
	if m.Storage == "" {
		return "", true
	}
	from := map[string]bool{}
	for _, d := range m.localVolumes(l) {
		from[d.Storage] = true
	}
	names := slices.Collect(maps.Keys(from))
	if len(names) == 0 {
		return "", true
	}
	return names[0], len(names) == 1
}

// local are the disks that its node alone has: by the storages, or where those are not known, as Proxmox VE says.
func (m Migrate) local(l *Live) []pve.Disk {
	if len(l.Places.Storages) > 0 || l.Migration == nil {
		return l.Places.localDisks(l.Config)
	}
	return slices.DeleteFunc(l.Config.Disks(), func(d pve.Disk) bool {
		return d.Source == "none" || d.Storage != "" && !slices.ContainsFunc(l.Migration.Disks, func(x localDisk) bool { return string(x.VolID) == d.Source })
	})
}

// localVolumes are the volumes that have to be copied.
func (m Migrate) localVolumes(l *Live) []pve.Disk {
	return slices.DeleteFunc(m.local(l), func(d pve.Disk) bool { return d.Storage == "" || isMedium(d) })
}

// isMedium is a CD that lies in a drive; a cloud-init drive is none.
func isMedium(d pve.Disk) bool { return d.CDROM && !strings.Contains(d.Source, "cloudinit") }

// hindrances are all reasons why a guest cannot go to a node.
func (m Migrate) hindrances(l *Live, to *NodePlace) []string {
	out := m.devices(l, to)
	out = append(out, m.volumes(l, to)...)
	if l.Migration != nil {
		h := l.Migration.NotAllowed[to.Name]
		for _, b := range h.HA {
			out = append(out, fmt.Sprintf("HA rules keep it from there (%s, %s)", cleanLine(string(b.Cause)), cleanLine(string(b.SID))))
		}
	}
	if mem := memoryOf(l.Config); to.Memory != nil && mem > *to.Memory {
		out = append(out, fmt.Sprintf("it may take %s of memory, %s has %s in all", exactSize(mem), to.Name, exactSize(*to.Memory>>20<<20)))
	}
	return out
}

// devices are those of the host that it uses, and a processor that the other node does not have.
func (m Migrate) devices(l *Live, to *NodePlace) []string {
	var out []string
	running := l.Target.Status != "stopped"
	if l.Migration != nil {
		for _, r := range l.Migration.Resources {
			out = append(out, "it uses "+cleanLine(r)+" of its node")
		}
		for _, r := range l.Migration.NotAllowed[to.Name].Resources {
			out = append(out, "the mapped device "+cleanLine(r)+" is not on "+to.Name)
		}
		for _, name := range slices.Sorted(maps.Keys(l.Migration.Mapped)) {
			if running && !bool(l.Migration.Mapped[name].Live) {
				out = append(out, "the mapped device "+cleanLine(name)+" moves only while it is stopped")
			}
		}
	}
	from := l.Places.node(l.Node)
	cpu, _, _ := strings.Cut(strings.TrimPrefix(l.Config.Str("cpu"), "cputype="), ",")
	if l.Type == pve.Qemu && running && cpu == "host" && from != nil && from.CPU != to.CPU && from.CPU != "" && to.CPU != "" {
		out = append(out, fmt.Sprintf("its processor type is host, and %s has another one (%s) than %s (%s): stop it first, or set cpu", to.Name, cleanLine(to.CPU), from.Name, cleanLine(from.CPU)))
	}
	return out
}

// volumes are what of its disks does not fit.
func (m Migrate) volumes(l *Live, to *NodePlace) []string {
	var out []string
	var away []pve.Disk
	for _, d := range m.local(l) {
		switch {
		case d.Storage == "" && l.Type == pve.LXC:
			if !strings.Contains(l.Config.Str(d.Slot), "shared=1") {
				out = append(out, fmt.Sprintf("%s mounts %s of its node", d.Slot, cleanLine(d.Source)))
			}
		case d.Storage == "":
			out = append(out, fmt.Sprintf("%s is %s of its node", d.Slot, cleanLine(d.Source)))
		case isMedium(d):
			out = append(out, fmt.Sprintf("%s holds %s, which only its node has: eject it", d.Slot, cleanLine(d.Source)))
		case m.Storage == "" && m.absent(l, d.Storage, to.Name):
			away = append(away, d)
		}
	}
	for _, d := range l.Config.Disks() { // a shared storage may be limited to some nodes
		if d.Storage != "" && l.Places.shared(d.Storage) && l.Places.storage(d.Storage, to.Name) == nil {
			away = append(away, d)
		}
	}
	if len(away) > 0 {
		out = append(out, fmt.Sprintf("%s has no such storage for %s: name one in storage (it has %s)", to.Name, slotsOf(away), orNone(l.Places.fitting(to.Name, diskContent(l.Type)))))
	}
	if local := m.localVolumes(l); len(local) > 0 && l.Config.Has("parent") {
		out = append(out, m.snapshots(l, local)...)
	}
	return out
}

func (m Migrate) absent(l *Live, storage, node string) bool {
	s := l.Places.storage(storage, node)
	return len(l.Places.Storages) > 0 && (s == nil || s.Off)
}

// snapshots on local storages move only with formats that can be sent with them, and not while a VM runs.
func (m Migrate) snapshots(l *Live, local []pve.Disk) []string {
	if l.Type == pve.Qemu && l.Target.Status != "stopped" {
		return []string{"it has snapshots on local disks, which move only while it is stopped"}
	}
	for _, d := range local {
		s := l.Places.storage(d.Storage, l.Node)
		if s != nil && s.Type != "zfspool" && s.Type != "btrfs" && !strings.HasSuffix(d.Source, ".qcow2") && !strings.Contains(d.Source, "cloudinit") {
			return []string{fmt.Sprintf("it has snapshots, which do not move with %s on %s", d.Slot, d.Storage)}
		}
	}
	return nil
}

// memoryOf is the memory that a guest may take, in bytes; 512 MiB where it is not set (schema).
func memoryOf(c pve.Config) int64 {
	text, _, _ := strings.Cut(strings.TrimPrefix(c.Str("memory"), "current="), ",")
	n, ok := pve.Config{"memory": text}.Int("memory")
	if !ok {
		n = 512
	}
	return n << 20
}
