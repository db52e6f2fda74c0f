package change

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Clone makes a new guest like another one, and may configure, enlarge and start it in the same plan. A full copy stands alone; a linked one
// shares the disks of its template or snapshot, which then cannot be destroyed.
type Clone struct {
	NewID    int    // 0: the next free one
	NewName  string // "": Proxmox VE's own choice
	Linked   bool
	Snapshot string // clone what it holds, not what is now
	Target   string // node; "" = the source's
	Storage  string // for all disks; "" = where the source's are
	Pool     string
	Set      map[string]string // configuration keys, as of Configure
	Grow     string            // "scsi0=32G", or "32G" for the disk that it boots from
	Start    bool
}

// guestName is a DNS name, as names of guests have to be (schema: dns-name).
var guestName = lazy.Regexp(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)

// Name implements Action.
func (c Clone) Name() string { return "guest.clone" }

// Title implements Action.
func (c Clone) Title() string {
	if c.Linked {
		return "clone, linked"
	}
	return "clone"
}

// Needs implements Action.
func (c Clone) Needs() Needs {
	return Needs{Snapshots: c.Snapshot != "", Places: c.Storage != "" || c.Target != "", NewID: &c.NewID}
}

// Steps implements Action.
func (c Clone) Steps(l *Live) ([]Step, error) {
	if err := c.check(l); err != nil {
		return nil, err
	}
	made := c.made(l)
	first := c.clone(l, made)
	rest, err := c.after(made)
	if err != nil {
		return nil, err
	}
	for k := range rest { // what the plan itself made is taken back with it
		rest[k].Tier = Reversible
	}
	return Chained("clone", append([]Step{first}, rest...)...), nil
}

// check refuses what Proxmox VE would refuse (recordings 08/068 to 08/143), at once and with what to do.
func (c Clone) check(l *Live) error {
	switch {
	case c.NewName != "" && (len(c.NewName) > 63 || !guestName().MatchString(c.NewName)):
		return fault.BadField("name", "letters, digits and hyphens, at most 63", "web2")
	case c.Snapshot != "" && !hasSnapshot(l, c.Snapshot):
		return fault.New(fault.NotFound, "%s has no snapshot %s", l.Label(), cleanLine(c.Snapshot)).WithHint("it has: %s", orNone(snapshotNames(l)))
	case c.Pool != "" && (len(c.Pool) > 40 || !poolName().MatchString(c.Pool)):
		return fault.BadField("pool", "it must be the name of a pool", "lab")
	case c.Linked && !l.Target.Template && c.Snapshot == "":
		return fault.New(fault.Conflict, "%s is no template: only a template or a snapshot can be linked to", l.Label()).WithHint("leave linked away for a full copy")
	case c.Linked && c.Storage != "":
		return fault.BadField("storage", "a linked clone stays where its base is", "linked false") // 08/094
	case l.Type == pve.LXC && l.Target.Status == "running" && c.Snapshot == "":
		return fault.New(fault.Conflict, "%s runs: a running container is cloned from a snapshot only", l.Label()).
			WithHint("take one with snapshot_guest and name it, or shut it down first")
	}
	if err := c.noBinds(l); err != nil {
		return err
	}
	return c.placed(l)
}

func hasSnapshot(l *Live, name string) bool {
	for _, s := range l.Snapshots {
		if string(s.Name) == name {
			return true
		}
	}
	return false
}

// noBinds refuses directories of the node that a container mounts: they cannot be cloned.
func (c Clone) noBinds(l *Live) error {
	for _, d := range l.Config.Disks() {
		if l.Type == pve.LXC && strings.HasPrefix(d.Source, "/") {
			return fault.New(fault.Conflict, "%s of %s mounts %s of its node, which cannot be cloned", d.Slot, l.Label(), cleanLine(d.Source)).
				WithHint("restore a backup of it to a new id instead")
		}
	}
	return nil
}

// placed looks whether the node and the storage can take the copy: another node needs storages that both have.
func (c Clone) placed(l *Live) error {
	node := l.Node
	if c.Target != "" && c.Target != l.Node {
		n, err := l.Places.nodeFor(c.Target)
		if err != nil {
			return err
		}
		node = n.Name
		if local := l.Places.localDisks(l.Config); len(local) > 0 {
			return fault.New(fault.Conflict, "%s has disks that only %s has: %s; a clone on another node needs shared storage", l.Label(), l.Node, slotsOf(local)).
				WithHint("clone it on %s and use migrate_guest then", l.Node)
		}
		if c.Storage != "" && len(l.Places.Storages) > 0 && !l.Places.shared(c.Storage) {
			return fault.BadField("storage", "a clone on another node needs a shared one", "leave it away, or target")
		}
	}
	if c.Storage == "" {
		return nil
	}
	return l.Places.storageFor("storage", c.Storage, node, l.Type)
}

// made is the new guest as later steps find it. Of a snapshot's configuration nothing is known; addresses of network cards are made anew.
func (c Clone) made(l *Live) *Live {
	cfg := pve.Config{}
	if c.Snapshot == "" {
		for k, v := range l.Config {
			if !notCloned[k] && !strings.HasPrefix(k, "unused") {
				cfg[k] = v
			}
		}
		for _, n := range l.Config.NICs() {
			if n.MAC != "" {
				cfg[n.Slot] = withoutMAC(l.Config.Str(n.Slot), n.MAC)
			}
		}
	}
	t := Target{New: true, Cluster: l.Cluster, Type: l.Type, VMID: l.NewID, Node: l.Node, Name: c.NewName, Status: "stopped", Pool: c.Pool, Tags: l.Tags,
		Protection: l.Protection}
	if c.Target != "" {
		t.Node = c.Target
	}
	if c.NewName != "" {
		cfg[nameKey(l.Type)] = c.NewName
	}
	return &Live{Target: t, Found: Found{Target: t}, Config: cfg}
}

// notCloned are keys that a clone does not have: what is of snapshots, of this moment, or of the one guest.
var notCloned = map[string]bool{"parent": true, "template": true, "lock": true, "snaptime": true, "snapstate": true, "vmstate": true, "digest": true, "vmgenid": true,
	"smbios1": true, "meta": true}

func nameKey(t pve.GuestType) string {
	if t == pve.LXC {
		return "hostname"
	}
	return "name"
}

// withoutMAC is a network device whose address Proxmox VE chooses.
func withoutMAC(nic, mac string) string {
	var parts []string
	for p := range strings.SplitSeq(nic, ",") {
		key, value, _ := strings.Cut(p, "=")
		switch {
		case value != mac:
			parts = append(parts, p)
		case key != "hwaddr" && key != "macaddr":
			parts = append(parts, key)
		}
	}
	return strings.Join(parts, ",")
}

// clone is the request itself. The source's vmid stands in its task (08/071).
func (c Clone) clone(l *Live, made *Live) Step {
	s := Step{Action: c.Name(), Tier: Reversible, Target: made.Target, Makes: true, Also: []Target{l.Target}, TaskID: l.ID(), made: made,
		Task: l.taskType("clone"), Want: Want{Status: "stopped"}}
	s.Call = Call{Method: "POST", Path: l.path("/clone"), Params: []Param{{"newid", strconv.Itoa(l.NewID)}, {"full", flag(!c.Linked)}}}
	for _, p := range []Param{{nameKey(l.Type), c.NewName}, {"snapname", c.Snapshot}, {"storage", c.Storage}, {"pool", c.Pool}} {
		if p.Value != "" {
			s.Call.Params = append(s.Call.Params, p)
		}
	}
	if c.Target != "" && c.Target != l.Node {
		s.Call.Params = append(s.Call.Params, Param{"target", c.Target})
	}
	kind := "full copy"
	if c.Linked {
		kind = "linked clone"
	}
	s.Diff = []Diff{{Field: "guest", New: fmt.Sprintf("%s of %s on %s", kind, l.Label(), made.Node)}}
	if l.Protection {
		s.NoUndo = "the clone is protected as its source is: its owner takes that off before it can be destroyed"
	}
	return s
}

// after are the steps on the new guest.
func (c Clone) after(made *Live) ([]Step, error) {
	var out []Step
	add := func(a Action) error {
		steps, err := a.Steps(made)
		for _, s := range steps {
			if s.Noop == "" {
				out = append(out, s)
			}
		}
		return err
	}
	if len(c.Set) > 0 {
		if err := add(Configure{Set: maps.Clone(c.Set)}); err != nil {
			return nil, err
		}
	}
	if c.Grow != "" {
		slot, size, ok := strings.Cut(c.Grow, "=")
		if !ok {
			slot, size = bootDisk(made), c.Grow
		}
		if err := add(Disk{Verb: "grow", Slot: slot, Size: size}); err != nil {
			return nil, err
		}
	}
	if c.Start {
		if err := add(Power{Verb: "start"}); err != nil {
			return nil, err
		}
	}
	return out, nil
}
