package change

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// BackupPlace is where the backups of a node go, chosen beforehand. Free is what is free there, nil when that is not known.
type BackupPlace struct {
	Storage string
	Free    *int64
}

// BackupGuests backs up guests: one task per node, with the list of its guests, which Proxmox VE queues behind other backups and which goes on
// without this program. Nothing older is pruned (remove=0). Places are by node, Sizes what each guest's backup is expected to take.
type BackupGuests struct {
	Places     map[string]BackupPlace
	Everywhere *BackupPlace // in place of Places: the same storage on each node
	Sizes      map[int]int64
	Mode       string // snapshot, suspend, stop; "" = snapshot
	Compress   string // zstd, gzip, lzo, 0; "" = zstd
	Notes      string
	Protected  bool
	Templates  bool // take templates too
}

var _ Together = BackupGuests{}

// Name implements Action.
func (BackupGuests) Name() string { return "guest.backup" }

// Title implements Action.
func (BackupGuests) Title() string { return "back up" }

// Needs implements Action.
func (BackupGuests) Needs() Needs { return Needs{} }

// Steps implements Action: the step of one guest alone, as a batch asks for it.
func (b BackupGuests) Steps(l *Live) ([]Step, error) {
	steps, skipped, err := b.Join([]*Live{l})
	if err == nil && len(steps) == 0 {
		err = fault.New(fault.Conflict, "%s cannot be backed up: %s", skipped[0].Guest, skipped[0].Reason)
	}
	return steps, err
}

// Join implements Together.
func (b BackupGuests) Join(lives []*Live) (steps []Step, left []Skip, err error) {
	if err := b.check(); err != nil {
		return nil, nil, err
	}
	byNode, nodes := map[string][]*Live{}, []string(nil)
	for _, l := range lives {
		why := b.leaves(l)
		if why == "" && l.Lock != "" && len(lives) > 1 { // one that is locked would keep the others of its node from being saved
			why = "it is locked (" + cleanLine(l.Lock) + ")"
		}
		if why != "" {
			left = append(left, Skip{l.Label(), why})
			continue
		}
		if byNode[l.Node] == nil {
			nodes = append(nodes, l.Node)
		}
		byNode[l.Node] = append(byNode[l.Node], l)
	}
	slices.Sort(nodes)
	for _, n := range nodes {
		steps = append(steps, b.step(b.place(n), byNode[n]))
	}
	return steps, left, nil
}

// The values that the schema of POST /nodes/{node}/vzdump has.
var (
	backupModes    = []string{"snapshot", "suspend", "stop"}
	backupCompress = []string{"zstd", "gzip", "lzo", "0"}
)

func (b BackupGuests) check() error {
	switch {
	case b.Mode != "" && !slices.Contains(backupModes, b.Mode):
		return fault.BadField("mode", "it must be one of "+strings.Join(backupModes, ", "), "snapshot")
	case b.Compress != "" && !slices.Contains(backupCompress, b.Compress):
		return fault.BadField("compress", "it must be one of "+strings.Join(backupCompress, ", "), "zstd")
	case len(b.Notes) > maxNotes:
		return fault.BadField("notes", fmt.Sprintf("at most %d bytes", maxNotes), "before the upgrade")
	}
	return nil
}

// maxNotes is the longest template of notes (schema: notes-template, maxLength).
const maxNotes = 1024

// leaves says why a guest is left out, "" for one that is taken.
func (b BackupGuests) leaves(l *Live) string {
	switch {
	case l.Target.Template && !b.Templates:
		return "a template; named as guest it is backed up"
	case b.place(l.Node).Storage == "":
		return "node " + l.Node + " has no active storage for backups"
	}
	return ""
}

func (b BackupGuests) place(node string) BackupPlace {
	if b.Everywhere != nil {
		return *b.Everywhere
	}
	return b.Places[node]
}

// step is the one request for the guests of a node.
func (b BackupGuests) step(place BackupPlace, lives []*Live) Step {
	node := lives[0].Node
	s := Step{Action: b.Name(), Tier: b.tier(lives), Target: backupTarget(lives), Task: "vzdump", Also: targets(lives), Finds: true}
	if len(lives) == 1 { // of several the task names none (09/015)
		s.TaskID = lives[0].ID()
	}
	s.Call = Call{Method: "POST", Path: "/nodes/" + node + "/vzdump", Params: []Param{{"vmid", vmidList(lives)}, {"storage", place.Storage},
		{"mode", cmp.Or(b.Mode, "snapshot")}, {"compress", cmp.Or(b.Compress, "zstd")}, {"remove", "0"}}}
	if b.Notes != "" {
		s.Call.Params = append(s.Call.Params, Param{"notes-template", notesTemplate(b.Notes)})
	}
	if b.Protected {
		s.Call.Params = append(s.Call.Params, Param{"protected", "1"})
		s.Finds, s.NoUndo = false, "its backups are protected: whoever wants them gone takes the protection off first"
	}
	s.Want.Backups = place.Storage
	s.Diff = append([]Diff{{"backup of " + strings.ReplaceAll(vmidList(lives), ",", ", "), "", "on " + place.Storage}}, b.room(place, lives)...)
	for _, l := range lives {
		if out := leftOut(l); len(out) > 0 {
			s.Diff = append(s.Diff, Diff{Field: l.ID() + " without", New: strings.Join(out, ", ")})
		}
	}
	return s
}

// tier: a snapshot disturbs nobody; suspend and stop interrupt guests that run. A guest that is off is read as it is.
func (b BackupGuests) tier(lives []*Live) Tier {
	if (b.Mode == "suspend" || b.Mode == "stop") && slices.ContainsFunc(lives, func(l *Live) bool { return l.Target.Status != "stopped" }) {
		return Disruptive
	}
	return Reversible
}

// room compares what is expected with what is free, in whole GiB, so that a plan stays the same while a disk breathes.
func (b BackupGuests) room(place BackupPlace, lives []*Live) []Diff {
	var sum int64
	about := "about "
	for _, l := range lives {
		n, ok := b.Sizes[l.VMID]
		if !ok {
			n, about = diskBytes(l), "at most "
		}
		sum += n
	}
	d := Diff{"room", freeText(place.Free), about + gibText(sum) + " expected"}
	if place.Free != nil && sum > *place.Free {
		d.New += ", which may not fit"
	}
	return []Diff{d}
}

// diskBytes is the size of the disks that a backup holds, used or not.
func diskBytes(l *Live) int64 {
	var sum int64
	for _, d := range l.Config.Disks() {
		if saved(l.Type, d) {
			sum += d.Size
		}
	}
	return sum
}

func freeText(free *int64) string {
	if free == nil {
		return "free space unknown"
	}
	return gibText(*free) + " free"
}

func gibText(n int64) string {
	if n < 1<<30 {
		return "1 GiB"
	}
	return strconv.FormatInt((n+1<<29)>>30, 10) + " GiB"
}

// leftOut names the disks and mounts that a backup does not hold.
func leftOut(l *Live) []string {
	var out []string
	for _, d := range l.Config.Disks() {
		if isDrive(d) && !saved(l.Type, d) {
			name := d.Slot
			if d.Storage == "" {
				name += " (a directory of the node)"
			}
			out = append(out, name)
		}
	}
	return out
}

// isDrive says whether a disk is one that a guest keeps data on.
func isDrive(d pve.Disk) bool {
	return !d.CDROM && d.Source != "none" && d.Source != "" && !strings.HasPrefix(d.Slot, "unused")
}

// saved says whether a backup holds a disk: of a VM unless it has backup=0, of a container its root and the volumes with backup=1 (schema:
// qemu and lxc config; 15/030).
func saved(t pve.GuestType, d pve.Disk) bool {
	switch {
	case !isDrive(d):
		return false
	case t == pve.LXC:
		return d.Slot == "rootfs" || d.Storage != "" && d.Backup != nil && *d.Backup
	}
	return d.Backup == nil || *d.Backup
}

// notesTemplate escapes what vzdump takes for an escape; variables ({{guestname}}, {{vmid}}, {{node}}, {{cluster}}) are its own.
func notesTemplate(s string) string {
	return strings.NewReplacer(`\`, `\\`, "\r", "", "\n", `\n`).Replace(s)
}

func vmidList(lives []*Live) string {
	ids := make([]string, len(lives))
	for k, l := range lives {
		ids[k] = l.ID()
	}
	return strings.Join(ids, ",")
}

// backupTarget is the backup of some guests as an object: rules are asked about the first here, and about all of them as Also.
func backupTarget(lives []*Live) Target {
	t := lives[0].Target
	return Target{Kind: "backup", Object: vmidList(lives), Cluster: t.Cluster, Type: t.Type, VMID: t.VMID, Node: t.Node, Name: t.Name, Pool: t.Pool,
		Tags: slices.Clone(t.Tags)}
}
