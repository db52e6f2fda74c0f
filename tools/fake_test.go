package tools

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// now is the clock of the tests.
var now = time.Date(2026, 11, 21, 20, 15, 0, 0, time.UTC)

// fake answers what its fields hold; an unset one is a test that asks what it did not set up.
type fake struct {
	overview inventory.Overview
	page     inventory.GuestPage
	guest    inventory.GuestDetail
	nodes    inventory.NodeList
	task     inventory.TaskDetail
	health   inventory.Health
	changes  inventory.ChangePage
	metrics  inventory.MetricSet
	access   inventory.AccessList
	diagnose inventory.Diagnosis
	clusters inventory.ClusterList
	place    inventory.Place
	agent    inventory.AgentInfo
	synced   []inventory.SyncOutcome
	names    inventory.Names
	err      error
	fakePast
	fakePlaces
	fakeSaving

	query   inventory.GuestQuery
	ref     inventory.GuestRef
	asked   inventory.TaskQuery
	history inventory.ChangeQuery
	sampled inventory.MetricQuery
	placing inventory.PlaceQuery
}

var _ Inventory = (*fake)(nil)

func (f *fake) Names(context.Context, string) (inventory.Names, error) { return f.names, f.err }

func (f *fake) Overview(context.Context, inventory.ReadOptions) (inventory.Overview, error) {
	return f.overview, f.err
}

func (f *fake) FindGuests(_ context.Context, q inventory.GuestQuery) (inventory.GuestPage, error) {
	f.query = q
	return f.page, f.err
}

func (f *fake) Guest(_ context.Context, ref inventory.GuestRef) (inventory.GuestDetail, error) {
	f.ref = ref
	return f.guest, f.err
}

func (f *fake) Nodes(context.Context, inventory.ReadOptions) (inventory.NodeList, error) {
	return f.nodes, f.err
}

func (f *fake) Task(_ context.Context, q inventory.TaskQuery) (inventory.TaskDetail, error) {
	f.asked = q
	return f.task, f.err
}

func (f *fake) Changes(_ context.Context, q inventory.ChangeQuery) (inventory.ChangePage, error) {
	f.history = q
	return f.changes, f.err
}

func (f *fake) Diagnose(_ context.Context, ref inventory.GuestRef) (inventory.Diagnosis, error) {
	f.ref = ref
	return f.diagnose, f.err
}

func (f *fake) AgentInfo(context.Context, inventory.AgentQuery) (inventory.AgentInfo, error) {
	return f.agent, f.err
}

func (f *fake) Metrics(_ context.Context, q inventory.MetricQuery) (inventory.MetricSet, error) {
	f.sampled = q
	return f.metrics, f.err
}

func (f *fake) Health(context.Context, inventory.HealthQuery) (inventory.Health, error) {
	return f.health, f.err
}

func (f *fake) Access(context.Context, inventory.ReadOptions) (inventory.AccessList, error) {
	return f.access, f.err
}

func (f *fake) Clusters(context.Context, inventory.ReadOptions) (inventory.ClusterList, error) {
	return f.clusters, f.err
}

func (f *fake) PlaceFor(_ context.Context, q inventory.PlaceQuery) (inventory.Place, error) {
	f.placing = q
	return f.place, f.err
}

func (f *fake) AskAddresses(context.Context, string, string) ([]string, error) { return nil, f.err }

func (f *fake) SyncWithin(context.Context, inventory.SyncRequest, time.Duration) ([]inventory.SyncOutcome, error) {
	return f.synced, f.err
}

func deps(f *fake) Deps {
	return Deps{Inventory: f, Code: someCode(), Now: func() time.Time { return now }, Zone: time.UTC}
}

func meta(age time.Duration) inventory.Meta {
	return inventory.Meta{AsOf: now.Add(-age), Age: age}
}

const gib = int64(1) << 30

// manyGuests are n guests as a homelab names them: mostly running, some with tags, one in twenty a template.
func manyGuests(n int) inventory.GuestPage {
	p := inventory.GuestPage{Meta: meta(12 * time.Second)}
	names := []string{"web", "db", "cache", "queue", "jellyfin", "home-assistant", "k3s-worker", "docker", "gitea", "backup-proxy"}
	for i := range n {
		g := inventory.Guest{VMID: 100 + i, Name: fmt.Sprintf("%s-%d", names[i%len(names)], i), Type: pve.Qemu, Node: fmt.Sprintf("pve%d", i%5+1),
			State: "running", CPU: pve.Ptr(float64(i%97) / 100), MaxCPU: pve.Ptr(4.0), Mem: pve.Ptr(gib + int64(i)<<20), MaxMem: pve.Ptr(4 * gib)}
		p.Counts.Total++
		switch {
		case i%20 == 7:
			g.State, g.Template = "template", true
			p.Counts.Templates++
		case i%4 == 3:
			g.State = "stopped"
			p.Counts.Stopped++
		default:
			p.Counts.Running++
		}
		if i%3 == 1 {
			g.Type = pve.LXC
			p.Counts.CTs++
		} else {
			p.Counts.VMs++
		}
		if i%5 == 2 {
			g.Tags = []string{"prod"}
		}
		p.Rows = append(p.Rows, g)
	}
	return p
}

// oneGuest is the guest of the budget: 2 disks, 1 NIC, 3 snapshots, 5 tasks.
func oneGuest() inventory.GuestDetail {
	d := inventory.GuestDetail{Meta: meta(8 * time.Second), Guest: inventory.Guest{VMID: 104, Name: "jellyfin", Type: pve.Qemu, Node: "pve2",
		State: "running", Tags: []string{"media", "prod"}, Pool: "home", CPU: pve.Ptr(0.12), MaxCPU: pve.Ptr(4.0), Mem: pve.Ptr(3 * gib),
		MaxMem: pve.Ptr(8 * gib), MaxDisk: pve.Ptr(64 * gib), Uptime: pve.Ptr(int64(86400 * 12)), OnBoot: pve.Ptr(true), OS: "l26"},
		Config: pve.Config{"name": "jellyfin", "cores": "4", "memory": "8192", "scsi0": "local-zfs:vm-104-disk-0,size=64G", "agent": "1", "ostype": "l26",
			"scsihw": "virtio-scsi-single", "net0": "virtio=BC:24:11:00:00:68,bridge=vmbr0,tag=20", "onboot": "1", "boot": "order=scsi0",
			"smbios1": "uuid=37cd2c21-4ea5-4adc-96d8-5b0022e23ed2", "vmgenid": "e91f4064-0b4f-4197-bb70-c3df208d7e17", "digest": "f16cb16353225b5b704e158d06c1003f5ef0a4df",
			"meta": "creation-qemu=9.0.2,ctime=1715292132", "scsi1": "tank:vm-104-disk-1,size=2T,backup=0", "cpu": "host", "description": "media server\nsee wiki"},
		ConfigAt: now.Add(-time.Minute), Description: "media server\nsee wiki",
		Disks: []pve.Disk{{Slot: "scsi0", Source: "local-zfs:vm-104-disk-0", Storage: "local-zfs", Size: 64 * gib},
			{Slot: "scsi1", Source: "tank:vm-104-disk-1", Storage: "tank", Size: 2048 * gib, Backup: pve.Ptr(false)}},
		NICs:        []pve.NIC{{Slot: "net0", Model: "virtio", MAC: "BC:24:11:00:00:68", Bridge: "vmbr0", VLAN: "20"}},
		Addresses:   []inventory.Address{{Interface: "eth0", IP: "192.168.20.14", Source: "agent"}},
		AddressesAt: now.Add(-30 * time.Second), SnapshotsAt: now.Add(-time.Minute),
		AllowedActions: []string{"shutdown", "reboot", "stop", "suspend", "snapshot", "backup", "migrate", "clone"}}
	for i, n := range []string{"clean", "before-upgrade", "v10.9"} {
		d.Snapshots = append(d.Snapshots, inventory.Snapshot{Name: n, At: now.Add(-time.Duration(90-30*i) * 24 * time.Hour)})
	}
	for i, typ := range []string{"vzdump", "qmstart", "qmshutdown", "vzdump", "qmconfig"} {
		t := inventory.Task{UPID: fmt.Sprintf("UPID:pve2:000002DC:0005FBB5:6B01FB0%d:%s:104:root@pam:", i, typ), Type: typ, State: "ok", Exit: "OK",
			Start: now.Add(-time.Duration(i+1) * 7 * time.Hour)}
		t.Handle = pve.TaskHandle(t.UPID)
		d.Tasks = append(d.Tasks, t)
	}
	d.Tasks[3].State, d.Tasks[3].Exit = "failed", "job errors"
	return d
}

func bigOverview() inventory.Overview {
	o := inventory.Overview{Meta: meta(20 * time.Second)}
	c := inventory.ClusterOverview{Name: "default", ClusterName: "lab", Quorate: pve.Ptr(true), Version: "9.2.11", Guests: manyGuests(1000).Counts, TasksKnown: true, Meta: meta(20 * time.Second),
		RunningTasks: 2, FailedTasks: 3}
	for i := range 5 {
		c.Nodes = append(c.Nodes, inventory.Node{Name: fmt.Sprintf("pve%d", i+1), Status: "online", CPU: pve.Ptr(0.3), MaxCPU: pve.Ptr(32.0), Mem: pve.Ptr(90 * gib),
			MaxMem: pve.Ptr(128 * gib), Guests: inventory.GuestCounts{Total: 200}})
		c.Storages = append(c.Storages, inventory.Storage{Name: "local", Nodes: []string{fmt.Sprintf("pve%d", i+1)}, Status: "available",
			Used: pve.Ptr(int64(i+3) * 10 * gib), Total: pve.Ptr(100 * gib)})
	}
	c.Nodes[4].Status, c.Nodes[4].Since, c.Nodes[4].CPU, c.Nodes[4].Mem = "offline", now.Add(-3*time.Hour), nil, nil
	o.Clusters = append(o.Clusters, c)
	for i := range 12 {
		o.Problems = append(o.Problems, inventory.Finding{Severity: inventory.Warn, Code: "storage_full", Object: fmt.Sprintf("storage pve%d/local", i),
			Title: "87 % full, 13 GiB left"})
	}
	return o
}

// longChanges are n changes of long values, each of another guest.
func longChanges(n int) inventory.ChangePage {
	p := inventory.ChangePage{Meta: meta(time.Second), Since: now.Add(-24 * time.Hour), Until: now, Total: n}
	for i := range n {
		long := strings.Repeat("scsi0 of vm-104 ", 30)
		p.Rows = append(p.Rows, inventory.Change{Cluster: "lab", Kind: "guest", ID: strconv.Itoa(100 + i), Name: "web", What: "changed", Field: "description",
			Old: long + "1", New: long + "2", At: now.Add(-time.Duration(i) * time.Minute)})
	}
	return p
}
