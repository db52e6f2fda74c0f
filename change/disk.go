package change

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/lazy"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// DiskVerbs are what Disk knows, in the order in which they are shown.
var DiskVerbs = []string{"add", "grow", "move", "detach", "attach", "remove"}

// Disk changes one disk of a VM or one volume of a container.
type Disk struct {
	Verb    string
	Slot    string // scsi1, mp0, unused0; add: chosen when empty, a bus such as virtio is enough; attach: the unused one, the only one when empty
	To      string // attach: the slot that it comes to, chosen when empty
	Storage string // add, move; add: that of the first disk when empty
	Size    string // add: 32G; grow: 64G or +32G
	Format  string // raw, qcow2: where the storage keeps files
	Mount   string // of a container's volume: /data
	Options string // more properties: discard=on,ssd=1
	Keep    bool   // move: keep the source as an unused disk
}

// Name implements Action.
func (d Disk) Name() string { return "disk." + d.Verb }

// Title implements Action.
func (d Disk) Title() string { return strings.TrimSpace(d.Verb + " disk " + d.Slot) }

// Needs implements Action. What only moves volumes between slots a snapshot brings back.
func (d Disk) Needs() Needs {
	return Needs{Places: d.Verb == "add" || d.Verb == "move", Backups: d.Verb == "remove",
		Savable: d.Verb == "add" || d.Verb == "attach" || d.Verb == "detach"}
}

// Steps implements Action.
func (d Disk) Steps(l *Live) ([]Step, error) {
	do := map[string]func(*Live) ([]Step, error){"add": d.add, "grow": d.grow, "move": d.move, "detach": d.detach, "attach": d.attach, "remove": d.remove}[d.Verb]
	switch {
	case do == nil:
		return nil, fault.BadField("action", "it must be one of "+strings.Join(DiskVerbs, ", "), "add")
	case !slotForm().MatchString(d.Slot) || !slotForm().MatchString(d.To):
		return nil, fault.BadField("disk", "a slot of the guest", "scsi1").WithHint("get_guest lists its disks")
	case d.Options != "" && !optionForm().MatchString(d.Options):
		return nil, fault.BadField("options", "properties, without volume and size", "discard=on,ssd=1")
	}
	return do(l)
}

var (
	slotForm   = lazy.Regexp(`^([a-z]{2,8}[0-9]{0,3})?$`)
	optionForm = lazy.Regexp(`^[a-z_]+=[A-Za-z0-9_.:-]+(,[a-z_]+=[A-Za-z0-9_.:-]+)*$`)
	mountForm  = lazy.Regexp(`^/[A-Za-z0-9_.][A-Za-z0-9_./-]*$`)
)

// buses are where disks of a VM can be, with how many each takes (schema: scsi[n], virtio[n], sata[n], ide[n]).
var buses = map[string]int{"scsi": 31, "virtio": 16, "sata": 6, "ide": 4}

// mounts is how many volumes a container can mount (schema: mp[n]).
const mounts = 256

// leastSize is below every disk that anybody means: a number without its unit is bytes to Proxmox VE.
const leastSize = 1 << 20

// find is a disk that the guest has.
func (d Disk) find(l *Live) (pve.Disk, error) {
	disks := l.Config.Disks()
	var names []string
	var plain []pve.Disk // those that are meant where none is named
	for _, x := range disks {
		if x.Slot == d.Slot {
			return x, d.usable(l, x)
		}
		if !x.CDROM {
			names = append(names, x.Slot)
			if x.Storage != "" && !isFirmware(x.Slot) && strings.HasPrefix(x.Slot, "unused") == (d.Verb == "attach") {
				plain = append(plain, x)
			}
		}
	}
	switch {
	case d.Slot != "":
		return pve.Disk{}, fault.BadField("disk", fmt.Sprintf("%s has no disk %s; it has %s", l.Label(), quoted(d.Slot), orNone(names)), names0(names))
	case len(plain) == 1 && d.Verb != "remove" && d.Verb != "detach": // what is taken away is named
		return plain[0], nil
	}
	return pve.Disk{}, fault.BadField("disk", fmt.Sprintf("which disk of %s is meant; it has %s", l.Label(), orNone(names)), names0(names))
}

// isFirmware says that a slot holds no disk of the guest's own: EFI variables, or the state of a TPM.
func isFirmware(slot string) bool {
	return strings.HasPrefix(slot, "efidisk") || strings.HasPrefix(slot, "tpmstate")
}

func names0(names []string) string {
	if len(names) == 0 {
		return "scsi1"
	}
	return names[0]
}

func (d Disk) usable(l *Live, x pve.Disk) error {
	switch {
	case x.CDROM && d.Verb != "move":
		return fault.New(fault.Conflict, "%s of %s is a CD drive", x.Slot, l.Label()).WithHint("update_guest sets and deletes it")
	case x.Storage == "":
		return fault.New(fault.Conflict, "%s of %s is %s of its node, no volume of a storage", x.Slot, l.Label(), cleanLine(x.Source)).WithHint("update_guest sets and deletes it")
	}
	return nil
}

// slotFor is the slot that was asked for, or the next free one of a bus.
func slotFor(l *Live, want, field string) (string, error) {
	bus := strings.TrimRight(want, "0123456789")
	most := buses[bus]
	switch {
	case l.Type == pve.LXC:
		if want == "" {
			bus = "mp"
		}
		if most = mounts; bus != "mp" {
			return "", fault.BadField(field, "volumes of a container are mp0 to mp255", "mp0")
		}
	case want == "":
		bus = strings.TrimRight(bootDisk(l), "0123456789")
		if most = buses[bus]; most == 0 {
			bus, most = "scsi", buses["scsi"]
		}
	case most == 0:
		return "", fault.BadField(field, "disks of a VM are on scsi, virtio, sata or ide", "scsi1")
	}
	if want != "" && want != bus {
		if n, err := strconv.Atoi(strings.TrimPrefix(want, bus)); err != nil || n >= most {
			return "", fault.BadField(field, fmt.Sprintf("%s has places 0 to %d", bus, most-1), bus+"1")
		}
		if l.Config.Has(want) {
			return "", fault.New(fault.Conflict, "%s of %s holds %s already", want, l.Label(), shown(l.Config, want)).WithHint("leave %s away to use a free one", field)
		}
		return want, nil
	}
	if slot := firstFree(l.Config, bus, most); slot != "" {
		return slot, nil
	}
	return "", fault.New(fault.Conflict, "%s has no free place for a disk on %s", l.Label(), bus)
}

// firstFree is the lowest unused number of a key; "" where there is none.
func firstFree(c pve.Config, key string, most int) string {
	for n := range most {
		if slot := key + strconv.Itoa(n); !c.Has(slot) {
			return slot
		}
	}
	return ""
}

// bootDisk is the disk that a guest starts from, else its first; "" without any.
func bootDisk(l *Live) string {
	disks := slices.DeleteFunc(l.Config.Disks(), func(d pve.Disk) bool {
		return d.CDROM || strings.HasPrefix(d.Slot, "unused") || d.Storage == "" || strings.HasPrefix(d.Slot, "efidisk") || strings.HasPrefix(d.Slot, "tpmstate")
	})
	for _, d := range disks {
		if d.Slot == "rootfs" {
			return d.Slot
		}
	}
	_, order, _ := strings.Cut(l.Config.Str("boot"), "order=")
	for dev := range strings.SplitSeq(order, ";") {
		if slices.ContainsFunc(disks, func(d pve.Disk) bool { return d.Slot == dev }) {
			return dev
		}
	}
	if len(disks) > 0 {
		return disks[0].Slot
	}
	return ""
}

// configured makes the steps of a disk's change that is one of the configuration.
func (d Disk) configured(l *Live, c Configure) ([]Step, error) {
	steps, err := c.Steps(l)
	for k := range steps {
		steps[k].Action = d.Name()
	}
	return steps, err
}

func (d Disk) add(l *Live) ([]Step, error) {
	slot, err := slotFor(l, d.Slot, "disk")
	if err != nil {
		return nil, err
	}
	bytes, ok := pve.ReadSize(d.Size)
	if !ok || bytes < leastSize {
		return nil, fault.BadField("size", "how large it is to be, with its unit", "32G")
	}
	storage := d.Storage
	if storage == "" {
		storage = storageOf(l, bootDisk(l))
	}
	if storage == "" {
		return nil, fault.BadField("storage", "where it is to be", strings.Join(l.Places.fitting(l.Node, diskContent(l.Type)), ", "))
	}
	if err := l.Places.storageFor("storage", storage, l.Node, l.Type); err != nil {
		return nil, err
	}
	value := storage + ":" + strconv.FormatFloat(float64(bytes)/(1<<30), 'f', -1, 64) // in GiB (schema: STORAGE_ID:SIZE_IN_GiB)
	if d.Format != "" && l.Type == pve.Qemu {
		value += ",format=" + d.Format
	}
	if value, err = d.options(l, value); err != nil {
		return nil, err
	}
	return d.configured(l, Configure{Set: map[string]string{slot: value}})
}

// options adds the mount point of a container's volume and what else was asked for.
func (d Disk) options(l *Live, value string) (string, error) {
	if l.Type == pve.LXC {
		if !mountForm().MatchString(d.Mount) || strings.Contains(d.Mount, "..") {
			return "", fault.BadField("mount", "a container's volume needs its mount point", "/data")
		}
		value += ",mp=" + d.Mount
	}
	if d.Options != "" {
		value += "," + d.Options
	}
	return value, nil
}

func storageOf(l *Live, slot string) string {
	for _, x := range l.Config.Disks() {
		if x.Slot == slot {
			return x.Storage
		}
	}
	return ""
}

// guarded refuses to take disks from a guest that is protected, as Proxmox VE does, and from a container's running system.
func (d Disk) guarded(l *Live, x pve.Disk) error {
	switch {
	case l.Protection:
		return fault.New(fault.Conflict, "%s is protected (protection: 1): its disks stay", l.Label()).WithHint("its owner takes the protection off first")
	case x.Slot == "rootfs":
		return fault.New(fault.Conflict, "a container cannot be without its root file system")
	case l.Type == pve.LXC && l.Target.Status == "running":
		return fault.New(fault.Conflict, "%s runs: a container lets go of a volume only when it is stopped", l.Label()).WithHint("shut it down first (power_guest)")
	}
	return nil
}

func (d Disk) detach(l *Live) ([]Step, error) {
	x, err := d.find(l)
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(x.Slot, "unused") {
		return nil, fault.New(fault.Conflict, "%s of %s is detached already", x.Slot, l.Label())
	}
	if err := d.guarded(l, x); err != nil {
		return nil, err
	}
	return d.configured(l, Configure{Delete: []string{x.Slot}})
}

func (d Disk) attach(l *Live) ([]Step, error) {
	x, err := d.find(l)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(x.Slot, "unused") {
		return nil, fault.New(fault.Conflict, "%s of %s is attached already", x.Slot, l.Label()).WithHint("detach it first to put it elsewhere")
	}
	to, err := slotFor(l, d.To, "to")
	if err != nil {
		return nil, err
	}
	value, err := d.options(l, x.Source)
	if err != nil {
		return nil, err
	}
	steps, err := d.configured(l, Configure{Set: map[string]string{to: value}})
	for k := range steps {
		steps[k].Want.Unset = []string{x.Slot}
		steps[k].Diff = append(steps[k].Diff, Diff{Field: x.Slot, Old: cleanLine(x.Source)})
	}
	return steps, err
}

// remove erases a volume. A VM's is detached and erased by one request, which also holds where it waits for a restart; a container's only by two.
func (d Disk) remove(l *Live) ([]Step, error) {
	x, err := d.find(l)
	if err != nil {
		return nil, err
	}
	if err := d.guarded(l, x); err != nil {
		return nil, err
	}
	steps, err := d.configured(l, Configure{Delete: []string{x.Slot}})
	if err != nil || strings.HasPrefix(x.Slot, "unused") {
		return steps, err
	}
	s := &steps[0]
	s.Tier, s.Undo, s.NoUndo = Destructive, nil, "an erased volume cannot be brought back"
	s.Lost = []string{fmt.Sprintf("the volume %s of %s is erased", cleanLine(x.Source), x.Slot)}
	if l.Type == pve.Qemu {
		s.Call.Params = append(s.Call.Params, Param{"force", "1"})
		return steps, nil
	}
	unused := firstFree(l.Config, "unused", mounts)
	e := l.step(d.Name(), Destructive, "PUT", "/config", Param{"delete", unused})
	e.Want.Unset, e.NoUndo = []string{unused}, s.NoUndo
	e.Diff = []Diff{{Field: "volume", Old: cleanLine(x.Source)}}
	return append(steps, e), nil
}
