package inventory

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// Advice is something in a guest's configuration that costs it speed or insight: which keys, what is wrong, and what to set instead. Weight
// ranks it: what is felt at every access first.
type Advice struct {
	Code   string
	Keys   []string
	Title  string // "IDE is emulated: slow"
	Next   string
	Weight int
}

// advised is what the rules look at. Disks and NICs are those of the configuration.
type advised struct {
	typ   pve.GuestType
	cfg   *parsedConfig
	snaps []Snapshot
	now   time.Time
}

// adviceRules are pure functions of the configuration. What a key does and its default is of the schema (nodes/{node}/qemu/{vmid}/config).
var adviceRules = map[pve.GuestType][]func(*advised) []Advice{
	pve.Qemu: {adviseBus, adviseController, adviseThread, adviseLimits, adviseNIC, adviseCPU, adviseBalloon, adviseAgent, adviseSnapshots},
	pve.LXC:  {adviseLimits, adviseSnapshots},
}

// advise runs the rules of the guest's type, what weighs most first.
func advise(a *advised) []Advice {
	var out []Advice
	for _, rule := range adviceRules[a.typ] {
		out = append(out, rule(a)...)
	}
	slices.SortStableFunc(out, func(x, y Advice) int { return y.Weight - x.Weight })
	return out
}

// slots are the guest's own disks on a bus.
func (a *advised) slots(want func(slot string, d pve.Disk) bool) []string {
	var out []string
	for _, d := range a.cfg.disks {
		if !d.CDROM && !strings.HasSuffix(d.Source, "-cloudinit") && want(d.Slot, d) {
			out = append(out, d.Slot)
		}
	}
	return out
}

func onBus(bus ...string) func(string, pve.Disk) bool {
	return func(slot string, _ pve.Disk) bool {
		return slices.Contains(bus, strings.TrimRight(slot, "0123456789"))
	}
}

func adviseBus(a *advised) []Advice {
	keys := a.slots(onBus("ide", "sata"))
	if keys == nil {
		return nil
	}
	return []Advice{{"emulated_disk", keys, "IDE and SATA disks are emulated: slow, one request at a time on IDE", "move to scsi with scsihw virtio-scsi-single (driver in the guest first)", 90}}
}

// adviseController: without scsihw the controller is an emulated LSI (schema default lsi).
func adviseController(a *advised) []Advice {
	keys := a.slots(onBus("scsi"))
	hw := a.cfg.content.Str("scsihw")
	if keys == nil || strings.HasPrefix(hw, "virtio-scsi") {
		return nil
	}
	if hw == "" {
		hw = "lsi, the default"
	}
	return []Advice{{"emulated_controller", []string{"scsihw"}, "the SCSI controller is emulated (" + name(hw) + ")", "scsihw virtio-scsi-single", 85}}
}

// adviseThread: iothread works on virtio disks, and on SCSI disks with a controller each.
func adviseThread(a *advised) []Advice {
	keys := a.slots(func(slot string, d pve.Disk) bool {
		return onBus("scsi", "virtio")(slot, d) && property(a.cfg.content.Str(slot), "iothread") != "1"
	})
	if keys == nil {
		return nil
	}
	next := "iothread=1"
	if hw := a.cfg.content.Str("scsihw"); hw != "virtio-scsi-single" && len(a.slots(onBus("scsi"))) > 0 {
		next += " with scsihw virtio-scsi-single"
	}
	return []Advice{{"no_iothread", keys, "no iothread: disk IO shares the thread of the whole VM", next, 60}}
}

// throttles are the keys of a disk that slow it on purpose (schema: scsi[n]).
var throttles = []string{"mbps", "mbps_rd", "mbps_wr", "iops", "iops_rd", "iops_wr"}

// adviseLimits names limits that somebody set on purpose and that explain slowness.
func adviseLimits(a *advised) []Advice {
	var out []Advice
	limit := func(key, what string) {
		out = append(out, Advice{"limited", []string{key}, "limited on purpose: " + what, "raise or remove it if that is not wanted", 80})
	}
	for _, d := range a.cfg.disks {
		p, err := pve.ParseProperties(a.cfg.content.Str(d.Slot))
		if err != nil {
			continue
		}
		for _, k := range throttles {
			if v, ok := p.Get(k); ok && v != "0" {
				limit(d.Slot, k+"="+name(v))
			}
		}
		if v, _ := p.Get("cache"); v == "directsync" || v == "writethrough" {
			out = append(out, Advice{"write_cache", []string{d.Slot}, "cache=" + v + ": each write waits for the disk", "cache=none", 70})
		}
	}
	for _, n := range a.cfg.nics {
		if v := property(a.cfg.content.Str(n.Slot), "rate"); v != "" && v != "0" {
			limit(n.Slot, "rate="+name(v)+" MB/s")
		}
	}
	if v := a.cfg.content.Str("cpulimit"); v != "" && v != "0" {
		limit("cpulimit", name(v)+" CPUs")
	}
	return out
}

func adviseNIC(a *advised) []Advice {
	var keys []string
	model := ""
	for _, n := range a.cfg.nics {
		if n.Model != "" && n.Model != "virtio" && n.Model != "vmxnet3" {
			keys, model = append(keys, n.Slot), name(n.Model)
		}
	}
	if keys == nil {
		return nil
	}
	return []Advice{{"emulated_nic", keys, model + " is emulated: slow, costs CPU", "model virtio (driver in the guest first)", 75}}
}

// adviseCPU: without cpu the type is kvm64 (schema default).
func adviseCPU(a *advised) []Advice {
	model := property(a.cfg.content.Str("cpu"), "")
	if model == "" {
		model = property(a.cfg.content.Str("cpu"), "cputype")
	}
	switch model {
	case "", "kvm64", "qemu64", "kvm32", "qemu32":
		if model == "" {
			model = "kvm64 (default)"
		}
		return []Advice{{"cpu_type", []string{"cpu"}, model + " hides AES, SSE4 and AVX of the host", "x86-64-v2-AES, or host where it never moves", 50}}
	}
	return nil
}

// adviseBalloon: below a target under its memory a node that runs full takes memory from the guest (schema: balloon, shares).
func adviseBalloon(a *advised) []Advice {
	target, ok := a.cfg.content.Int("balloon")
	most, err := strconv.ParseInt(strings.TrimPrefix(a.cfg.content.Str("memory"), "current="), 10, 64)
	if !ok || target <= 0 || err != nil || target >= most {
		return nil
	}
	return []Advice{{"balloon", []string{"balloon"}, fmt.Sprintf("a full node takes it down from %d to %d MiB", most, target), "balloon = memory where it must not be slow", 40}}
}

func adviseAgent(a *advised) []Advice {
	if agentEnabled(a.cfg.content.Str("agent")) {
		return nil
	}
	return []Advice{{"no_agent", []string{"agent"}, "no guest agent: no addresses, no frozen file systems in backups", "install qemu-guest-agent, then agent 1", 20}}
}

const (
	// chainLong is how many snapshots of a qcow2 disk make reads noticeably longer: each is one more table to look through.
	chainLong = 5
	// snapshotOld is how long a snapshot is kept before it is worth a word: it holds space and grows with what is written.
	snapshotOld = 30 * 24 * time.Hour
)

func adviseSnapshots(a *advised) []Advice {
	if len(a.snaps) == 0 {
		return nil
	}
	chained := a.slots(func(_ string, d pve.Disk) bool { return strings.HasSuffix(d.Source, ".qcow2") })
	oldest := slices.MinFunc(a.snaps, func(x, y Snapshot) int { return x.At.Compare(y.At) })
	switch age := a.now.Sub(oldest.At); {
	case len(a.snaps) >= chainLong && chained != nil:
		return []Advice{{"snapshot_chain", chained, fmt.Sprintf("%d snapshots in qcow2: every read may go through them", len(a.snaps)), "delete those that are not needed", 65}}
	case len(a.snaps) >= chainLong:
		return []Advice{{"snapshot_chain", []string{"snapshots"}, fmt.Sprintf("%d snapshots hold space and slow writes", len(a.snaps)), "delete those that are not needed", 45}}
	case !oldest.At.IsZero() && age > snapshotOld:
		return []Advice{{"old_snapshot", []string{"snapshots"}, "the oldest snapshot is " + ago(age) + " old", "delete it if it is not needed", 15}}
	}
	return nil
}
