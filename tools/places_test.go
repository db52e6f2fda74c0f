package tools

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
	"github.com/proxmox-mcp/proxmox-mcp/inventory"
)

// fakePlaces answers about nodes, storages and networks.
type fakePlaces struct {
	node     inventory.NodeDetail
	storages inventory.StoragePage
	volumes  inventory.VolumePage
	backups  inventory.BackupPage
	networks inventory.NetworkPage

	files inventory.BackupFiles

	filesAsked   inventory.BackupFilesQuery
	backupsAsked inventory.BackupQuery
	volumesAsked inventory.VolumeQuery
}

func (f *fakePlaces) NodeDetail(context.Context, string, inventory.ReadOptions) (inventory.NodeDetail, error) {
	return f.node, nil
}

func (f *fakePlaces) Storages(context.Context, inventory.StorageQuery) (inventory.StoragePage, error) {
	return f.storages, nil
}

func (f *fakePlaces) Volumes(_ context.Context, q inventory.VolumeQuery) (inventory.VolumePage, error) {
	f.volumesAsked = q
	return f.volumes, nil
}

func (f *fakePlaces) Backups(_ context.Context, q inventory.BackupQuery) (inventory.BackupPage, error) {
	f.backupsAsked = q
	return f.backups, nil
}

func (f *fakePlaces) BackupFiles(_ context.Context, q inventory.BackupFilesQuery) (inventory.BackupFiles, error) {
	f.filesAsked = q
	return f.files, nil
}

func (f *fakePlaces) Networks(context.Context, inventory.NetworkQuery) (inventory.NetworkPage, error) {
	return f.networks, nil
}

// somePlaces has one of each thing that views tell apart.
func somePlaces() fakePlaces {
	day := 24 * time.Hour
	missing := meta(5 * time.Second)
	missing.Warnings = []inventory.Warning{{Code: "node_silent", Text: "backups not read: pve3/local: node pve3 is offline"}}
	backup := func(ago time.Duration, verified string, protected bool) inventory.Backup {
		at := now.Add(-ago)
		return inventory.Backup{Cluster: "lab", Volume: "nas:backup/vzdump-qemu-104-" + at.Format("2006_01_02-15_04_05") + ".vma.zst", Storage: "nas", VMID: 104, Type: pve.Qemu,
			At: at, Size: pve.Ptr(3 * gib), Format: "vma.zst", Notes: "media server", Verified: verified, Protected: protected}
	}
	return fakePlaces{
		backups: inventory.BackupPage{Meta: missing, MissingSince: now.Add(-7 * day), Total: 4, All: 25, Unsure: 1, Templates: 1, Excluded: 1, JobsKnown: true,
			Jobs: []inventory.BackupJob{{Cluster: "lab", ID: "nightly", Enabled: true, All: true, Exclude: []int{108}, Schedule: "02:30", Storage: "nas", NextRun: now.Add(6 * time.Hour), Keep: "keep-daily=7"},
				{Cluster: "lab", ID: "old", VMIDs: []int{100, 101}, Schedule: "sat", Storage: "nas"}},
			Guests: []inventory.GuestBackups{
				{Cluster: "lab", VMID: 108, Name: "test", Node: "pve1", Type: pve.Qemu, Excluded: []string{"nightly"}},
				{Cluster: "lab", VMID: 109, Name: "ollama", Node: "pve3", Type: pve.LXC, Unsure: true, Jobs: []string{"nightly"}, NextRun: now.Add(6 * time.Hour)},
				{Cluster: "lab", VMID: 104, Name: "jellyfin", Node: "pve2", Type: pve.Qemu, Jobs: []string{"nightly"}, NextRun: now.Add(6 * time.Hour),
					Backups: []inventory.Backup{backup(day, "failed", false), backup(9*day, "ok", true)}},
				{Cluster: "lab", VMID: 900, Name: "debian13", Node: "pve1", Type: pve.Qemu, Template: true}}},
		volumes: inventory.VolumePage{Meta: meta(4 * time.Second), Total: 4, Bytes: 200 * gib, Orphans: 1, OrphanBytes: 64 * gib, Unknown: 1, Unsized: 1, Storages: 3, NextCursor: "4-x",
			Rows: []inventory.Volume{
				{Cluster: "lab", ID: "local-lvm:vm-104-disk-0", Storage: "local-lvm", Node: "pve2", Content: "images", Format: "raw", Size: pve.Ptr(100 * gib), Owner: 104, OwnerName: "jellyfin",
					At: now.Add(-40 * day), Use: inventory.UseUsed},
				{Cluster: "lab", ID: "local-lvm:vm-131-disk-0", Storage: "local-lvm", Node: "pve1", Content: "images", Format: "raw", Size: pve.Ptr(64 * gib), Owner: 131,
					Use: inventory.UseOrphan, Why: "guest 131 does not exist"},
				{Cluster: "lab", ID: "local-lvm:vm-109-disk-1", Storage: "local-lvm", Node: "pve1", Content: "rootdir", Format: "raw", Size: pve.Ptr(36 * gib), Owner: 109, OwnerName: "ollama",
					Use: inventory.UseUnknown, Why: "guest 109 is locked (disk)"},
				{Cluster: "lab", ID: "nas:iso/debian.iso", Storage: "nas", Content: "iso", Format: "iso", Protected: true}}},
		storages: inventory.StoragePage{Meta: meta(20 * time.Second), Total: 3, Rows: []inventory.StorageUse{
			{Storage: inventory.Storage{Cluster: "lab", Name: "local-lvm", Nodes: []string{"pve1"}, Type: "lvmthin", Content: "images,rootdir", Used: pve.Ptr(410 * gib), Total: pve.Ptr(794 * gib)},
				State: inventory.StorageActive, Meta: pve.Ptr(0.031)},
			{Storage: inventory.Storage{Cluster: "lab", Name: "local-lvm", Nodes: []string{"pve3"}, Type: "lvmthin", Content: "images,rootdir"}, State: inventory.StorageUnknown,
				Why: "node pve3 is offline", Silent: []string{"pve3"}},
			{Storage: inventory.Storage{Cluster: "lab", Name: "nas", Nodes: []string{"pve1", "pve2", "pve3"}, Type: "nfs", Content: "backup,iso", Shared: true, Used: pve.Ptr(2 * gib), Total: pve.Ptr(9 * gib)},
				State: inventory.StorageActive, Idle: []string{"pve2"}, Silent: []string{"pve3"}}}},
		networks: inventory.NetworkPage{Meta: meta(2 * time.Second), Total: 2, Zones: 1,
			Interfaces: []inventory.NetInterface{
				{Cluster: "lab", Node: "pve1", Name: "vmbr0", Type: "bridge", Addresses: []string{"192.168.1.11/24"}, Gateway: "192.168.1.1", Ports: "eno1", VLANAware: true, VLANs: "2-4094", Active: pve.Ptr(true),
					Guests: []inventory.NetGuest{{VMID: 101, Name: "pihole"}, {VMID: 104, Name: "jellyfin", Tag: "20"}}},
				{Cluster: "lab", Node: "pve1", Name: "eno1", Type: "eth", Active: pve.Ptr(true)}},
			Vnets:   []inventory.Vnet{{Cluster: "lab", Name: "vlab", Zone: "lab", ZoneType: "simple", Tag: "100", State: "new", Guests: []inventory.NetGuest{{VMID: 208, Name: "test"}}}},
			Lost:    []inventory.NetInterface{{Cluster: "lab", Node: "pve1", Name: "vmbr7", Guests: []inventory.NetGuest{{VMID: 209, Name: "x"}}}},
			Pending: []inventory.NodeChanges{{Cluster: "lab", Node: "pve1", Patch: "+auto vmbr9"}}},
		node: someNode(),
	}
}

func someNode() inventory.NodeDetail {
	skew := 42 * time.Second
	return inventory.NodeDetail{Meta: meta(time.Second), Wait: pve.Ptr(0.034), Services: []string{"chrony", "pvescheduler (failed)"}, Committed: pve.Ptr(48 * gib),
		Node: inventory.Node{Cluster: "lab", Name: "pve1", Status: "online", IP: "192.168.1.11", CPU: pve.Ptr(0.18), MaxCPU: pve.Ptr(12.0), Mem: pve.Ptr(41 * gib), MaxMem: pve.Ptr(64 * gib),
			Disk: pve.Ptr(31 * gib), MaxDisk: pve.Ptr(94 * gib), Swap: pve.Ptr(int64(0)), MaxSwap: pve.Ptr(8 * gib), Uptime: pve.Ptr(int64(41 * 86400)), Load: []string{"1.20", "1.10", "0.90"},
			Version: "9.2.11", Kernel: "6.17.4-2-pve", CPUType: "Intel(R) Core(TM) i5-12600H", Guests: inventory.GuestCounts{Total: 12, Running: 9, Stopped: 2, Templates: 1}},
		Disks: []inventory.NodeDisk{{Path: "/dev/nvme0n1", Model: "Samsung SSD 990 PRO 1TB", Type: "nvme", Health: "PASSED", Use: "LVM", Size: pve.Ptr(931 * gib), Left: new(int)},
			{Path: "/dev/sda", Model: "WDC_WD40EFPX", Type: "hdd", Health: "FAILED", Use: "ZFS", Size: pve.Ptr(3726 * gib)}},
		DisksAt: now.Add(-time.Hour), Pools: []inventory.NodePool{{Name: "tank", Health: "DEGRADED", Size: pve.Ptr(3686 * gib), Used: pve.Ptr(3386 * gib), Frag: pve.Ptr(int64(11))}},
		Interfaces: []inventory.NetInterface{{Node: "pve1", Name: "vmbr0", Type: "bridge", Addresses: []string{"192.168.1.11/24"}, Ports: "eno1"}, {Node: "pve1", Name: "eno1", Type: "eth"}},
		NetPending: true, Running: []inventory.Task{{Handle: "t-7k3f9q2m", Type: "vzdump", Object: "104", Start: now.Add(-9 * time.Minute)}},
		Certificate: "pve-ssl.pem", CertificateE: now.Add(20 * 24 * time.Hour), Skew: &skew, Unread: map[string]string{"updates": "Sys.Modify on /nodes/pve1 is missing"}}
}

// TestPlacesAsked: what calls ask of the inventory.
func TestPlacesAsked(t *testing.T) {
	f := &fake{fakePlaces: somePlaces()}
	for _, c := range []struct{ tool, args string }{
		{"list_backups", `{"missing_since":"7d","guest":" 104 "}`}, {"list_volumes", `{"orphans":true,"guest":"nas","content":"images","node":"pve1"}`},
	} {
		text(t, f, c.tool, c.args)
	}
	if q := f.backupsAsked; !q.MissingSince.Equal(now.Add(-7*24*time.Hour)) || q.Guest != "104" {
		t.Errorf("backups %+v", q)
	}
	if q := f.volumesAsked; !q.Orphans || q.Guest != "nas" || q.Content != "images" || q.Node != "pve1" {
		t.Errorf("volumes %+v", q)
	}
	for _, c := range []struct{ tool, args string }{{"list_backups", `{"missing_since":"soon"}`}, {"list_volumes", `{"content":"disks"}`}, {"get_node", `{}`}} {
		s, err := Find(c.tool)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Call(t.Context(), deps(f), json.RawMessage(c.args)); fault.CodeOf(err) != fault.Invalid {
			t.Errorf("%s %s: %v", c.tool, c.args, err)
		}
	}
}

// TestPlacesUnknown: what is not known is null in JSON, never 0 or an empty list.
func TestPlacesUnknown(t *testing.T) {
	p := somePlaces()
	p.backups.JobsKnown, p.backups.Jobs = false, nil
	f := &fake{fakePlaces: p}
	for tool, parts := range map[string][]string{
		"list_storage": {`"state":"unknown","why":"node pve3 is offline","unknown_on":["pve3"],"used_bytes":null,"total_bytes":null`},
		"list_backups": {`"jobs":null`, `[109,"ollama","ct","pve3",null,0,null,0,null,0`},
		"list_volumes": {`"nas:iso/debian.iso",null,"iso","iso",null,null,null`},
		"get_node":     {`"updates":null`, `"unread":{"updates":`},
	} {
		s, err := Find(tool)
		if err != nil {
			t.Fatal(err)
		}
		res, err := s.Call(t.Context(), deps(f), json.RawMessage(map[string]string{"get_node": `{"node":"pve1"}`}[tool]))
		if err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(res.Answer)
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			if !strings.Contains(string(raw), part) {
				t.Errorf("%s: %s lacks %s", tool, raw, part)
			}
		}
	}
}

// TestNodesUnknown: how many guests of a node run is unknown while nothing is known of any of them, never 0.
func TestNodesUnknown(t *testing.T) {
	nodes := []inventory.Node{
		{Name: "pve1", Status: "online", Guests: inventory.GuestCounts{Total: 3, Stopped: 2, Templates: 1}},
		{Name: "pve2", Status: "online", Guests: inventory.GuestCounts{Total: 9, Running: 7, Unknown: 2}},
		{Name: "pve3", Status: "unknown", Guests: inventory.GuestCounts{Total: 13, Unknown: 12, Templates: 1}},
	}
	f := &fake{nodes: inventory.NodeList{Meta: meta(time.Second), Nodes: nodes}}
	want := []string{"pve1 3 0 0", "pve2 9 7 (2 unknown) 7", "pve3 13 ? null"}
	s, err := Find("list_nodes")
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.Call(t.Context(), deps(f), nil)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(res.Answer)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Nodes []struct {
			Guests struct{ Running json.RawMessage }
		}
	}
	if err := json.Unmarshal(raw, &answer); err != nil {
		t.Fatal(err)
	}
	blocks := res.Answer.View(deps(f)).Blocks
	table := blocks[len(blocks)-1].Table
	col := func(row []string, name string) string { return row[slices.Index(table.Columns, name)] }
	var got []string
	for k, row := range table.Rows {
		got = append(got, strings.Join([]string{col(row, "node"), col(row, "guests"), col(row, "running"), string(answer.Nodes[k].Guests.Running)}, " "))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
