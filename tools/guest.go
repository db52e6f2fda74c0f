package tools

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/clean"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

type guestIn struct {
	Guest  string `json:"guest" req:"true" rule:"must be a vmid or a name" example:"104" help:"vmid or name"`
	Detail string `json:"detail" enum:"summary,full" desc:"full: whole config"`
	Common
}

type guestOut struct {
	Envelope
	VMID           int           `json:"vmid"`
	Cluster        string        `json:"cluster,omitempty"`
	Name           string        `json:"name"`
	Type           string        `json:"type"`
	Node           string        `json:"node"`
	State          string        `json:"state"`
	UnknownSince   string        `json:"unknown_since,omitempty"`
	Template       bool          `json:"template"`
	Lock           string        `json:"lock,omitempty"`
	Tags           []string      `json:"tags,omitempty"`
	Pool           string        `json:"pool,omitempty"`
	HA             string        `json:"ha,omitempty"`
	CPU            *float64      `json:"cpu,omitempty"`
	CPUs           *float64      `json:"cpus,omitempty"`
	Mem            *int64        `json:"mem_bytes,omitempty"`
	MaxMem         *int64        `json:"maxmem_bytes,omitempty"`
	MaxDisk        *int64        `json:"maxdisk_bytes,omitempty"`
	Uptime         *int64        `json:"uptime_s,omitempty"`
	OnBoot         *bool         `json:"onboot,omitempty"`
	Description    string        `json:"description,omitempty"`
	Intent         string        `json:"intent,omitempty"`  // what a person means it to be
	Pending        []string      `json:"pending,omitempty"` // settings that wait for its next start
	Disks          []diskOut     `json:"disks"`             // this list and those below are null while they were not read
	NICs           []nicOut      `json:"nics"`
	Addresses      []addressOut  `json:"addresses"`
	AddressNote    string        `json:"address_note,omitempty"`
	Snapshots      []snapshotOut `json:"snapshots"`
	Tasks          []taskRef     `json:"tasks"`
	AllowedActions []string      `json:"allowed_actions"`
	ConfigAsOf     string        `json:"config_as_of,omitempty"`
	Config         pve.Config    `json:"config,omitempty"`
	src            inventory.GuestDetail
	full           bool
}

type diskOut struct {
	Slot    string `json:"slot"`
	Volume  string `json:"volume"`
	Storage string `json:"storage,omitempty"`
	Size    int64  `json:"size_bytes,omitempty"`
	CDROM   bool   `json:"cdrom,omitempty"`
	Mount   string `json:"mount,omitempty"`
	Backup  *bool  `json:"backup,omitempty"`
}

type nicOut struct {
	Slot   string `json:"slot"`
	Model  string `json:"model,omitempty"`
	MAC    string `json:"mac,omitempty"`
	Bridge string `json:"bridge,omitempty"`
	VLAN   string `json:"vlan,omitempty"`
	IP     string `json:"ip,omitempty"`
}

type addressOut struct {
	Interface string `json:"interface,omitempty"`
	IP        string `json:"ip"`
	Source    string `json:"source"`
}

type snapshotOut struct {
	Name   string `json:"name"`
	At     string `json:"at,omitempty"`
	Parent string `json:"parent,omitempty"`
	RAM    bool   `json:"ram,omitempty"`
	Note   string `json:"note,omitempty"`
}

type taskRef struct {
	Task  string `json:"task"`
	Type  string `json:"type"`
	State string `json:"state"`
	Exit  string `json:"exit,omitempty"`
	Start string `json:"started"`
}

func getGuest() Spec {
	return define(Spec{
		Name: "get_guest", Title: "Guest", Family: "guest", Command: "guest show", Args: []string{"guest"},
		Needs:   []Need{needGuests.orNothing(), needAgent, needTasks, needPools, needRunning},
		Summary: "One guest: live state, addresses, disks, NICs, snapshots, last tasks, allowed actions; full adds the config.",
		Examples: []Example{
			{CLI: "guest show 104", Args: map[string]any{"guest": "104"}, Why: "by vmid"},
			{CLI: "guest show jellyfin --detail full", Args: map[string]any{"guest": "jellyfin", "detail": "full"}, Why: "by name, with the whole configuration"},
		},
	}, func(ctx context.Context, d Deps, in *guestIn) (*guestOut, error) {
		g, err := d.Inventory.Guest(ctx, inventory.GuestRef{Name: strings.TrimSpace(in.Guest), ReadOptions: in.read()})
		if err != nil {
			return nil, err
		}
		return guestOf(d, g, in.Detail == "full"), nil
	})
}

func guestOf(d Deps, g inventory.GuestDetail, full bool) *guestOut {
	out := &guestOut{Envelope: envelope(d, g.Meta), VMID: g.VMID, Cluster: g.Cluster, Name: cell(g.Name, 100), Type: g.Type.Short(), Node: g.Node,
		State: g.State, Template: g.Template, Lock: g.Lock, Tags: g.Tags, Pool: g.Pool, HA: g.HA, CPU: g.CPU, CPUs: g.MaxCPU, Mem: g.Mem,
		MaxMem: g.MaxMem, MaxDisk: g.MaxDisk, Uptime: g.Uptime, OnBoot: g.OnBoot, Description: clean.Block(g.Description, 500),
		AddressNote: g.AddressNote, Intent: cell(g.Intent, 120), AllowedActions: g.AllowedActions, Pending: pendingOf(&g), src: g, full: full}
	if everKnown(g) && !g.UnknownSince.IsZero() {
		out.UnknownSince = stamp(d, g.UnknownSince)
	}
	if g.Config != nil {
		out.ConfigAsOf, out.Disks, out.NICs, out.Tasks = stamp(d, g.ConfigAt), []diskOut{}, []nicOut{}, []taskRef{}
	}
	if !g.AddressesAt.IsZero() {
		out.Addresses = []addressOut{}
	}
	if !g.SnapshotsAt.IsZero() || g.Config != nil && !g.Config.Has("parent") {
		out.Snapshots = []snapshotOut{}
	}
	for _, x := range g.Disks {
		out.Disks = append(out.Disks, diskOut{x.Slot, cell(x.Source, 200), x.Storage, x.Size, x.CDROM, x.Mount, x.Backup})
	}
	for _, x := range g.NICs {
		out.NICs = append(out.NICs, nicOut{x.Slot, x.Model, x.MAC, x.Bridge, x.VLAN, x.IP})
	}
	for _, x := range g.Addresses {
		out.Addresses = append(out.Addresses, addressOut{cell(x.Interface, 40), x.IP, x.Source})
	}
	for _, x := range g.Snapshots {
		out.Snapshots = append(out.Snapshots, snapshotOut{cell(x.Name, 60), stamp(d, x.At), cell(x.Parent, 60), x.VMState, cell(x.Description, 200)})
	}
	for _, x := range g.Tasks {
		out.Tasks = append(out.Tasks, taskRef{x.Handle, x.Type, x.State, cell(x.Exit, 300), stamp(d, x.Start)})
	}
	if full {
		out.Config = cleanConfig(g.Config)
	}
	return out
}

// everKnown says that a guest's state was seen at least once; since when it is unknown means something only then.
func everKnown(g inventory.GuestDetail) bool { return g.UnknownSince.After(g.FirstSeen) }

// cleanConfig makes the texts of a configuration safe; notes keep their lines.
func cleanConfig(c pve.Config) pve.Config {
	out := make(pve.Config, len(c))
	for k, v := range c {
		if s, ok := v.(string); ok {
			// 8 KiB is Proxmox VE's own limit for notes.
			v = clean.Block(s, 8192)
		}
		out[k] = v
	}
	return out
}

// View implements Answer.
func (o *guestOut) View(d Deps) View {
	g := o.src
	v := View{Warnings: g.Warnings}
	v.Text(guestHead(d, o))
	if live := guestLive(g); live != "" {
		v.Text(live)
	}
	if len(o.Pending) > 0 {
		v.Line("pending, at its next start: %s", strings.Join(o.Pending, ", "))
	}
	if meta := guestMeta(o); meta != "" {
		v.Text(meta)
	}
	if o.Intent != "" {
		v.Line("intent: %s", o.Intent)
	}
	if o.Description != "" {
		v.Line("notes: %s", cell(o.Description, 200))
	}
	for _, x := range o.Disks {
		v.Text(diskLine(x))
	}
	for _, x := range o.NICs {
		v.Text(nicLine(x))
	}
	v.Line("ip: %s", addressLine(d, o))
	snapshotLines(&v, d, o)
	taskLines(&v, d, g)
	if len(o.AllowedActions) > 0 {
		v.Line("state allows: %s", strings.Join(o.AllowedActions, " "))
	}
	switch {
	case g.Config == nil:
		v.Line("config: not read yet")
	case o.full:
		configLines(&v, o.Config)
	default:
		v.Line("left out: %d config keys (detail: full)", len(g.Config))
	}
	return v
}

func guestHead(d Deps, o *guestOut) string {
	g := o.src
	head := strings.TrimRight(g.Type.Short()+" "+strconv.Itoa(g.VMID)+" "+o.Name, " ") + " on " + g.Node + ": " + g.State
	switch {
	case g.UnknownSince.IsZero():
	case everKnown(g):
		head += " since " + ago(d, g.UnknownSince)
	default:
		head += " (never seen)"
	}
	if g.Lock != "" {
		head += ", locked (" + cell(g.Lock, 20) + ")"
	}
	return head + ", " + asOf(d, g.Meta)
}

// pendingOf are the settings of a running machine that wait for its next start: its configuration has them, what runs has others. A
// container takes them at once.
func pendingOf(g *inventory.GuestDetail) []string {
	if g.Config == nil || g.Type != pve.Qemu || ifRunning(&g.Guest, "x") == "" {
		return nil
	}
	var out []string
	if mib, err := strconv.ParseInt(strings.TrimPrefix(g.Config.Str("memory"), "current="), 10, 64); err == nil && g.MaxMem != nil && *g.MaxMem != mib<<20 {
		out = append(out, fmt.Sprintf("memory %d > %d MiB", *g.MaxMem>>20, mib))
	}
	cores, err := strconv.ParseFloat(g.Config.Str("cores"), 64)
	sockets, sErr := strconv.ParseFloat(cmp.Or(g.Config.Str("sockets"), "1"), 64)
	if err == nil && sErr == nil && g.MaxCPU != nil && !g.Config.Has("vcpus") && *g.MaxCPU != cores*sockets {
		out = append(out, fmt.Sprintf("cpus %g > %g", *g.MaxCPU, cores*sockets))
	}
	return out
}

// guestLive is the load of a guest that runs, else its limits.
func guestLive(g inventory.GuestDetail) string {
	var parts []string
	if g.MaxCPU != nil {
		cpu := whole(g.MaxCPU) + " cpu"
		if p := ifRunning(&g.Guest, fraction(g.CPU)); p != "" {
			cpu += " " + p + "%"
		}
		parts = append(parts, cpu)
	}
	switch {
	case ifRunning(&g.Guest, "x") != "" && g.Mem != nil:
		parts = append(parts, "mem "+usage(g.Mem, g.MaxMem))
	case g.MaxMem != nil:
		parts = append(parts, "mem "+size(*g.MaxMem))
	}
	if g.Type == pve.LXC && g.Disk != nil && *g.Disk > 0 {
		parts = append(parts, "disk "+usage(g.Disk, g.MaxDisk))
	}
	if up := seconds(g.Uptime); up != "" && up != "-" {
		parts = append(parts, "up "+up)
	}
	return strings.Join(parts, ", ")
}

func guestMeta(o *guestOut) string {
	var parts []string
	add := func(label, value string) {
		if value != "" {
			parts = append(parts, label+" "+value)
		}
	}
	add("tags", cell(strings.Join(o.Tags, ";"), 120))
	add("pool", cell(o.Pool, 60))
	add("ha", cell(o.HA, 20))
	add("os", cell(o.src.OS, 20))
	add("onboot", yesNo(o.OnBoot))
	return strings.Join(parts, ", ")
}

func diskLine(x diskOut) string {
	line := x.Slot + " " + x.Volume
	if x.Size > 0 {
		line += " " + size(x.Size)
	}
	if x.Mount != "" {
		line += " at " + cell(x.Mount, 80)
	}
	if x.CDROM {
		line += " cdrom"
	}
	if x.Backup != nil && !*x.Backup {
		line += " not backed up"
	}
	return line
}

func nicLine(x nicOut) string {
	parts := []string{x.Slot}
	for _, part := range []string{x.Model, x.MAC, x.Bridge} {
		if part != "" {
			parts = append(parts, cell(part, 40))
		}
	}
	if x.VLAN != "" {
		parts = append(parts, "vlan", cell(x.VLAN, 10))
	}
	if x.IP != "" {
		parts = append(parts, "ip", cell(x.IP, 45))
	}
	return strings.Join(parts, " ")
}

func addressLine(d Deps, o *guestOut) string {
	if len(o.Addresses) == 0 {
		if o.AddressNote == "" {
			return "unknown"
		}
		return "unknown: " + cell(o.AddressNote, 160)
	}
	var ips []string
	for _, a := range o.Addresses {
		ips = append(ips, a.IP)
	}
	line := strings.Join(ips, " ") + " (" + o.Addresses[0].Source
	if age := ago(d, o.src.AddressesAt); age != "" && o.src.AddressesAt.Before(o.src.AsOf.Add(-time.Minute)) {
		line += ", seen " + age + " ago"
	}
	return line + ")"
}

func snapshotLines(v *View, d Deps, o *guestOut) {
	g := o.src
	switch {
	case len(g.Snapshots) > 0:
		var parts []string
		for _, s := range g.Snapshots {
			part := cell(s.Name, 60)
			if !s.At.IsZero() {
				part += " " + ago(d, s.At)
			}
			if s.VMState {
				part += " +ram"
			}
			parts = append(parts, part)
		}
		v.Line("snapshots: %s", strings.Join(parts, ", "))
	case g.SnapshotsAt.IsZero():
		v.Line("snapshots: not read yet")
	}
}

// tasksShown is how many of a guest's last tasks one answer names.
const tasksShown = 5

func taskLines(v *View, d Deps, g inventory.GuestDetail) {
	t := Table{Name: "last tasks"}
	for i, x := range g.Tasks {
		if i == tasksShown {
			break
		}
		state := x.State
		if x.State == "failed" || x.State == "warning" {
			state += ": " + cell(x.Exit, 80)
		}
		t.Rows = append(t.Rows, []string{x.Handle, x.Type, ago(d, x.Start), state})
	}
	v.Table(t)
}

func configLines(v *View, c pve.Config) {
	v.Line("config:")
	for _, k := range c.Keys() {
		value := c.Str(k)
		if value == "" && c.Has(k) && c[k] != nil && c[k] != "" {
			value = "(nested)"
		}
		v.Line("%s: %s", k, clean.Line(value, 500))
	}
}
