package inventory

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/fault"
	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

// TestStorages: where a storage is active, and that what is not known has no figures; one call per node with a thin pool.
func TestStorages(t *testing.T) {
	w := newWorld(3, 3)
	w.nodes["pve3"].online = false
	gone := storageRow("pve2", "nas", "nfs", "backup", true)
	gone.Status = "unknown"
	w.extra = []pve.Resource{storageRow("pve1", "thin", "lvmthin", "images", false), storageRow("pve2", "thin", "lvmthin", "images", false),
		storageRow("pve1", "nas", "nfs", "backup", true), gone, storageRow("pve3", "nas", "nfs", "backup", true)}
	cold := storageRow("pve2", "usb", "dir", "backup", false)
	cold.Status = "unknown"
	w.extra = append(w.extra, cold)
	r := newRig(t, w)
	r.sync()
	before := w.Calls()
	p, err := r.Storages(t.Context(), StorageQuery{})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, s := range p.Rows {
		got = append(got, fmt.Sprintf("%s %v %s used=%t idle=%v silent=%v", s.Name, s.Nodes, s.State, s.Used != nil, s.Idle, s.Silent))
	}
	want := []string{"ceph1 [pve1 pve2 pve3] active used=true idle=[] silent=[pve3]", "local-zfs [pve1] active used=true idle=[] silent=[]",
		"local-zfs [pve2] active used=true idle=[] silent=[]", "local-zfs [pve3] unknown used=false idle=[] silent=[pve3]",
		"nas [pve1 pve2 pve3] active used=true idle=[pve2] silent=[pve3]", "thin [pve1] active used=true idle=[] silent=[]", "thin [pve2] active used=true idle=[] silent=[]",
		"usb [pve2] inactive used=false idle=[pve2] silent=[]"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if n := w.Calls() - before; n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
}

// TestNetworks: guests by bridge and tag, changes that wait, a bridge that its node has not, and vnets that are new; 2 calls and one per node.
func TestNetworks(t *testing.T) {
	w := newWorld(2, 4)
	w.guests[100].config["net0"], w.guests[100].config["net1"] = "virtio=BC:24:11:00:00:01,bridge=vmbr0,tag=20", "virtio=BC:24:11:00:00:02,bridge=v1"
	w.guests[102].config["net0"] = "virtio=BC:24:11:00:00:03,bridge=vmbr9"
	bridge := pve.NodeNetwork{Interfaces: []pve.InterfaceRow{{Iface: "eno1", Type: "eth"}, {Iface: "vmbr0", Type: "bridge", CIDR: "10.0.0.2/24", Ports: "eno1"}}}
	waits := bridge
	waits.Changes = "+auto vmbr1"
	w.host.network = map[string]pve.NodeNetwork{"pve1": bridge, "pve2": waits}
	w.host.zones = []pve.ZoneRow{{Zone: "z2", Type: "vlan"}}
	w.host.vnets = []pve.VnetRow{{Vnet: "v1", State: "new", Pending: []byte(`{"zone":"z2","tag":100}`)}}
	r := newRig(t, w)
	r.sync()
	before := w.Calls()
	p, err := r.Networks(t.Context(), NetworkQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if n := w.Calls() - before; n != 4 {
		t.Errorf("%d calls, want 4", n)
	}
	if p.Total != 4 || p.Interfaces[0].Name != "vmbr0" || !cmp.Equal(p.Interfaces[0].Guests, []NetGuest{{100, "vm100", "20"}}) || !cmp.Equal(p.Interfaces[0].Addresses, []string{"10.0.0.2/24"}) {
		t.Errorf("interfaces %+v", p.Interfaces)
	}
	if len(p.Pending) != 1 || p.Pending[0].Node != "pve2" || len(p.Lost) != 1 || p.Lost[0].Name != "vmbr9" || p.Lost[0].Node != "pve1" {
		t.Errorf("pending %+v, lost %+v", p.Pending, p.Lost)
	}
	if v := p.Vnets; len(v) != 1 || v[0].Zone != "z2" || v[0].Tag != "100" || v[0].ZoneType != "vlan" || v[0].State != "new" || len(v[0].Guests) != 1 {
		t.Errorf("vnets %+v", v)
	}
}

// TestNodeDetailWakesNoDisk: a disk that may sleep is listed and not asked, and solid-state ones once a day, whatever is fresh (faults.md F50).
func TestNodeDetailWakesNoDisk(t *testing.T) {
	w := newWorld(2, 4)
	r := newRig(t, w)
	w.host.disks = []pve.DiskRow{hdd("/dev/sdb"), ssd("/dev/sda", "PASSED", "90")}
	w.host.smart = map[string]pve.SMART{"/dev/sda": {Health: "PASSED", Text: "Percentage Used: 7%"}}
	r.sync()
	for range 5 {
		d, err := r.NodeDetail(t.Context(), "pve1", ReadOptions{Fresh: true})
		if err != nil || len(d.Disks) != 2 || d.Disks[0].Health != "PASSED" || d.Disks[0].Left == nil || *d.Disks[0].Left != 93 || d.Disks[1].Health != "not asked" {
			t.Errorf("%+v, %v", d.Disks, err)
		}
		r.clock.advance(4 * time.Hour)
	}
	if n := w.count("smart"); n != 1 || len(w.awoke) > 0 {
		t.Errorf("%d disks asked in 20 h, awoken: %v", n, w.awoke)
	}
}

// TestNodeDetail: each part, a part that fails, a node that is away; nine calls, and none again while the answers are young.
func TestNodeDetail(t *testing.T) {
	w := newWorld(2, 4)
	r := newRig(t, w)
	now := r.clock.now()
	w.host.disks = []pve.DiskRow{{DevPath: "/dev/sda", Type: "ssd", Health: "PASSED", Wearout: "N/A"}, {DevPath: "/dev/nvme0n1", Type: "nvme", Health: "PASSED", Wearout: "97"}}
	w.host.services = []pve.ServiceRow{{Service: "pvestatd", ActiveState: "active", UnitState: "enabled"}, {Service: "chrony", ActiveState: "inactive", UnitState: "enabled"},
		{Service: "postfix", ActiveState: "inactive", UnitState: "disabled"}, {Service: "x", ActiveState: "failed", UnitState: "disabled"}}
	w.host.certs = []pve.CertificateRow{{Filename: "pve-root-ca.pem", NotAfter: pve.Ptr(pve.Int(now.Unix() + 9e8))}, {Filename: "pve-ssl.pem", NotAfter: pve.Ptr(pve.Int(now.Unix() + 1e6))}}
	w.host.ahead, w.clock = 42*time.Second, r.clock.now
	w.fail = func(call, _ string, _ int) error {
		switch call {
		case "zfs":
			return fault.New(fault.Upstream, "zfsutils-linux not installed")
		case "updates":
			return fault.New(fault.Forbidden, "Sys.Modify is missing")
		}
		return nil
	}
	r.sync()
	before := w.Calls()
	for range 2 {
		d, err := r.NodeDetail(t.Context(), "PVE1", ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Warnings) != 0 || d.Updates != nil || d.Unread["updates"] == "" || d.Pools == nil || len(d.Pools) != 0 || !cmp.Equal(d.Services, []string{"chrony", "x (failed)"}) {
			t.Errorf("%+v", d)
		}
		if len(d.Disks) != 2 || d.Disks[0].Left == nil || *d.Disks[0].Left != 97 || d.Disks[1].Left != nil || d.Certificate != "pve-ssl.pem" || d.Skew == nil || *d.Skew != 42*time.Second {
			t.Errorf("%+v", d)
		}
		if d.Committed == nil || *d.Committed != 2<<30 {
			t.Errorf("committed %v", d.Committed)
		}
	}
	if n := w.Calls() - before; n != 9 {
		t.Errorf("%d calls, want 9", n)
	}
	w.set(func() { w.nodes["pve1"].online = false })
	r.tick()
	d, err := r.NodeDetail(t.Context(), "pve1", ReadOptions{})
	if err != nil || d.CPU != nil || d.Committed != nil || d.Skew != nil || d.Disks != nil || len(d.Unread) != 8 || !hasWarning(d.Warnings, "node_silent") {
		t.Errorf("a node that is away: %+v, %v", d, err)
	}
	if _, err := r.NodeDetail(t.Context(), "pve9", ReadOptions{}); fault.CodeOf(err) != fault.NotFound {
		t.Errorf("an unknown node: %v", err)
	}
}
