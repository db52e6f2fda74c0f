package change

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Saved is a backup as it was found: where it can be restored, what it is of, and the configuration that it holds.
type Saved struct {
	Cluster, Node, VolID string
	Type                 pve.GuestType
	VMID                 int
	At                   time.Time
	Config               pve.Config
}

// Restore makes a new guest out of a backup. Apart gives it addresses of its own and takes its network links down, so that it can run beside
// the one that it was saved from; Itself keeps its identity and addresses, for one that is gone; else both are made anew.
type Restore struct {
	Saved
	NewID   int
	NewName string // "" = as saved
	Storage string // "" = where its disks were
	Pool    string
	Apart   bool
	Itself  bool
	Start   bool
}

// restoring is the request that both kinds of restore begin with (09/053, 09/073).
func (b *Saved) restoring(vmid int, storage string) Call {
	c := Call{Method: "POST", Path: "/nodes/" + b.Node + "/" + string(b.Type), Params: []Param{{"vmid", strconv.Itoa(vmid)}}}
	if b.Type == pve.LXC {
		c.Params = append(c.Params, Param{"ostemplate", b.VolID}, Param{"restore", "1"})
	} else {
		c.Params = append(c.Params, Param{"archive", b.VolID})
	}
	if storage != "" {
		c.Params = append(c.Params, Param{"storage", storage})
	}
	return c
}

var _ Direct = Restore{}

// Name implements Direct.
func (Restore) Name() string { return "guest.restore" }

// Title implements Direct.
func (r Restore) Title() string {
	return fmt.Sprintf("restore %d of %s as %d", r.VMID, unixDay(r.At.Unix()), r.NewID)
}

// Steps implements Direct.
func (r Restore) Steps(concerned *Found) ([]Step, error) {
	t := Target{New: true, Cluster: r.Cluster, Type: r.Type, VMID: r.NewID, Node: r.Node, Name: r.NewName, Pool: r.Pool, Tags: splitTags(r.Config.Str("tags")), Status: "stopped"}
	key := nameKey(r.Type)
	s := Step{Action: r.Name(), Tier: Reversible, Target: t, Makes: true, Call: r.restoring(r.NewID, r.Storage), Task: (&Live{Target: t}).taskType("restore")}
	s.Want.Set = map[string]string{}
	s.Diff = []Diff{{"guest " + t.ID(), "", "as " + strconv.Itoa(r.VMID) + " was at " + unixDay(r.At.Unix())}, {"backup", "", cleanVolume(r.VolID)},
		{"disks on", "", cmp.Or(r.Storage, "the storages that they were on")}}
	set := func(k, v string) {
		s.Call.Params, s.Want.Set[k] = append(s.Call.Params, Param{k, v}), v
		s.Diff = append(s.Diff, Diff{k, r.Config.Str(k), v})
	}
	if r.NewName != "" && r.NewName != r.Config.Str(key) {
		set(key, r.NewName)
	}
	if r.Pool != "" {
		s.Call.Params = append(s.Call.Params, Param{"pool", r.Pool})
	}
	if r.Apart {
		for _, k := range nicKeys(r.Config) {
			set(k, apart(r.Type, r.Config.Str(k), r.VolID, r.NewID, k))
		}
		if r.Config.Bool("onboot") { // a copy to look at; a swap gives it back
			set("onboot", "0")
		}
	}
	if !r.Itself && (r.Type == pve.Qemu || !r.Apart) { // of a container it would make the cards anew, with their links up (source)
		s.Call.Params = append(s.Call.Params, Param{"unique", "1"})
	}
	if concerned != nil {
		s.Also = []Target{{Cluster: concerned.Cluster, Type: concerned.Type, VMID: concerned.VMID, Node: concerned.Node, Name: concerned.Name,
			Pool: concerned.Pool, Tags: slices.Clone(concerned.Tags)}}
	}
	s.made = r.predicted(t, &s.Want)
	steps := []Step{s}
	if r.Start {
		more, err := Power{Verb: "start"}.Steps(s.made)
		if err != nil {
			return nil, err
		}
		steps = append(steps, more...)
	}
	return Chained("restore", steps...), nil
}

// predicted is the guest that a restore makes, for what is planned on it.
func (r Restore) predicted(t Target, w *Want) *Live {
	l := &Live{Target: t, Config: pve.Config{}}
	maps.Copy(l.Config, r.Config)
	l.expect(w)
	l.Target.Template, l.Target.New = l.Config.Bool("template"), true
	return l
}

func nicKeys(c pve.Config) []string {
	var out []string
	for _, n := range c.NICs() {
		out = append(out, n.Slot)
	}
	return out
}

// apart is a network card with an address of its own and its link down. The address follows from the backup, the vmid and the slot, so that
// a plan is the same each time; it begins as those that Proxmox VE makes.
func apart(t pve.GuestType, card, volid string, vmid int, slot string) string {
	sum := sha256.Sum256([]byte(volid + "\x00" + strconv.Itoa(vmid) + "\x00" + slot))
	return rewired(t, card, fmt.Sprintf("BC:24:11:%02X:%02X:%02X", sum[0], sum[1], sum[2]), true)
}

// rewired is a network card with another address and its link up or down.
func rewired(t pve.GuestType, card, mac string, down bool) string {
	props, err := pve.ParseProperties(card)
	if err != nil {
		return card
	}
	var out []string
	for k, p := range props {
		switch {
		case p.Key == "link_down":
			continue
		case t == pve.LXC && p.Key == "hwaddr", t == pve.Qemu && p.Key == "macaddr", t == pve.Qemu && k == 0 && p.Key != "" && p.Key != "model":
			p.Value = mac
		case t == pve.Qemu && k == 0 && p.Key == "": // a model without an address
			p = pve.Property{Key: p.Value, Value: mac}
		}
		if p.Key == "" {
			out = append(out, p.Value)
			continue
		}
		out = append(out, p.Key+"="+p.Value)
	}
	if down {
		out = append(out, "link_down=1")
	}
	return strings.Join(out, ",")
}

// RestoreOver puts a backup in the place of the guest that it is of, or of another one. What the guest is now is backed up first, to Place,
// unless Discard.
type RestoreOver struct {
	Saved
	Storage string
	Place   BackupPlace
	Size    *int64
	Discard bool
	Start   bool // also where it was off
}

var _ Action = RestoreOver{}

// Name implements Action.
func (RestoreOver) Name() string { return "guest.restore_over" }

// Title implements Action.
func (r RestoreOver) Title() string { return "put back as of " + unixDay(r.At.Unix()) }

// Needs implements Action.
func (RestoreOver) Needs() Needs { return Needs{Snapshots: true, Backups: true} }

// Steps implements Action.
func (r RestoreOver) Steps(l *Live) ([]Step, error) {
	switch {
	case l.Target.Protection:
		return nil, fault.New(fault.Conflict, "%s is protected (protection: 1)", l.Label()).WithHint("its owner takes the protection off first")
	case l.Type != r.Type:
		return nil, fault.New(fault.Conflict, "%s is no %s: the backup is of one", l.Label(), r.Type.Short())
	case l.Node != r.Node:
		return nil, fault.New(fault.Conflict, "%s is on node %s, the backup can be read on %s alone", l.Label(), l.Node, r.Node).
			WithHint("restore it beside, or migrate the guest first")
	case len(l.Found.LinkedClones) > 0:
		return nil, fault.New(fault.Conflict, "linked clones use the disks of %s: %v", l.Label(), l.Found.LinkedClones)
	}
	var steps []Step
	add := func(more []Step, err error) error { steps = append(steps, more...); return err }
	on := l.Target.Status != "stopped"
	off := *l
	off.Target.Status = "stopped"
	if !r.Discard {
		if err := add(r.keeping(l)); err != nil {
			return nil, err
		}
	}
	if on {
		if err := add(halt(l)); err != nil {
			return nil, err
		}
	}
	steps = append(steps, r.over(&off))
	if on || r.Start {
		if err := add(Power{Verb: "start"}.Steps(&off)); err != nil {
			return nil, err
		}
		last := &steps[len(steps)-1]
		last.Undo, last.NoUndo = nil, "it goes with the restore before it"
	}
	return Chained("restore", steps...), nil
}

// keeping backs up what the guest is now.
func (r RestoreOver) keeping(l *Live) ([]Step, error) {
	b := BackupGuests{Places: map[string]BackupPlace{l.Node: r.Place}, Sizes: map[int]int64{}, Notes: "{{guestname}} before it was put back", Templates: true}
	if r.Size != nil {
		b.Sizes[l.VMID] = *r.Size
	}
	steps, err := b.Steps(l)
	if err != nil {
		return nil, fault.Of(err).WithHint("discard: true restores over it without a backup of what it is now")
	}
	steps[0].Stays = "it is what the guest was before it was put back"
	return steps, nil
}

// halt ends a guest: by shutting it down, and by force where it does not react or cannot.
func halt(l *Live) ([]Step, error) {
	p := Power{Verb: "shutdown", Timeout: time.Minute, Force: true}
	if l.Target.Status == "paused" {
		p = Power{Verb: "stop"}
	}
	return p.Steps(l)
}

// over is the restore itself. The guest under its vmid is another one afterwards.
func (r RestoreOver) over(l *Live) Step {
	s := Step{Action: r.Name(), Tier: Destructive, Target: l.Target, Makes: true, Call: r.restoring(l.VMID, r.Storage), Task: l.taskType("restore")}
	s.Call.Params = append(s.Call.Params, Param{"force", "1"})
	s.Want.Status = "stopped"
	s.NoUndo = "what the guest was is gone"
	if !r.Discard {
		s.NoUndo += " from its disks; the backup that was made before it holds it: restore_guest brings it back"
	}
	s.Diff = []Diff{{"guest", "as it is now", "as it was at " + unixDay(r.At.Unix())}, {"backup", "", cleanVolume(r.VolID)},
		{"disks on", "", cmp.Or(r.Storage, "the storages that they were on")}}
	since := "everything that became of it since " + unixDay(r.At.Unix())
	if !r.Discard {
		since += ", but for what the backup before it holds"
	}
	s.Lost = []string{since}
	for _, n := range snapshotNames(l) {
		s.Lost = append(s.Lost, "snapshot "+cleanLine(n))
	}
	for _, d := range l.Config.Disks() {
		if isDrive(d) && !saved(l.Type, d) && l.Type == pve.LXC && d.Storage != "" {
			s.Lost = append(s.Lost, d.Slot+" "+cleanLine(d.Source)+", which no backup holds")
		}
	}
	return s
}
