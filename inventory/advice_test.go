package inventory

import (
	"maps"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/internal/pve"
)

func TestAdvice(t *testing.T) {
	now := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	good := pve.Config{"scsihw": "virtio-scsi-single", "scsi0": "local-zfs:vm-1-disk-0,iothread=1,size=8G", "ide2": "local:iso/x.iso,media=cdrom",
		"ide3": "local-lvm:vm-1-cloudinit,media=cdrom", "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0", "cpu": "x86-64-v2-AES", "memory": "1024", "agent": "1"}
	with := func(pairs ...string) pve.Config {
		c := maps.Clone(good)
		for i := 0; i < len(pairs); i += 2 {
			if c[pairs[i]] = pairs[i+1]; pairs[i+1] == "" {
				delete(c, pairs[i])
			}
		}
		return c
	}
	snaps := func(n int, age time.Duration) []Snapshot {
		out := make([]Snapshot, n)
		for i := range out {
			out[i].At = now.Add(-age)
		}
		return out
	}
	for _, c := range []struct {
		name  string
		typ   pve.GuestType
		cfg   pve.Config
		snaps []Snapshot
		want  []string
	}{
		{"nothing", pve.Qemu, good, nil, nil},
		{"a disk on IDE", pve.Qemu, with("ide0", "local-lvm:vm-1-disk-1,size=8G"), nil, []string{"emulated_disk ide0"}},
		{"disks on SATA and IDE", pve.Qemu, with("sata1", "a:vm-1-disk-1", "ide0", "a:vm-1-disk-2"), nil, []string{"emulated_disk ide0 sata1"}},
		{"no controller", pve.Qemu, with("scsihw", ""), nil, []string{"emulated_controller scsihw"}},
		{"no iothread", pve.Qemu, with("scsi0", "a:vm-1-disk-0", "virtio1", "a:vm-1-disk-1,iothread=0"), nil, []string{"no_iothread scsi0 virtio1"}},
		{"throttled", pve.Qemu, with("scsi0", "a:vm-1-disk-0,iothread=1,mbps_wr=20", "net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0,rate=5"), nil, []string{"limited scsi0", "limited net0"}},
		{"writes wait", pve.Qemu, with("scsi0", "a:vm-1-disk-0,iothread=1,cache=directsync"), nil, []string{"write_cache scsi0"}},
		{"e1000", pve.Qemu, with("net0", "e1000=BC:24:11:00:00:01,bridge=vmbr0"), nil, []string{"emulated_nic net0"}},
		{"the default CPU", pve.Qemu, with("cpu", ""), nil, []string{"cpu_type cpu"}},
		{"an old CPU with flags", pve.Qemu, with("cpu", "cputype=kvm64,flags=+aes"), nil, []string{"cpu_type cpu"}},
		{"ballooning", pve.Qemu, with("balloon", "512"), nil, []string{"balloon balloon"}},
		{"no ballooning", pve.Qemu, with("balloon", "0"), nil, nil},
		{"no agent", pve.Qemu, with("agent", ""), nil, []string{"no_agent agent"}},
		{"many snapshots of qcow2", pve.Qemu, with("scsi0", "local:1/vm-1-disk-0.qcow2,iothread=1"), snaps(5, time.Hour), []string{"snapshot_chain scsi0"}},
		{"an old snapshot", pve.Qemu, good, snaps(1, 31*24*time.Hour), []string{"old_snapshot snapshots"}},
		{"a container has no agent and no bus", pve.LXC, pve.Config{"rootfs": "a:subvol-2-disk-0,size=4G", "net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:02", "cpulimit": "1.5"}, nil, []string{"limited cpulimit"}},
	} {
		var got []string
		for _, a := range advise(&advised{typ: c.typ, cfg: parseContent(c.cfg), snaps: c.snaps, now: now}) {
			line := a.Code
			for _, k := range a.Keys {
				line += " " + k
			}
			got = append(got, line)
			if a.Title == "" || a.Next == "" {
				t.Errorf("%s: advice without a reason or a next step: %+v", c.name, a)
			}
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}
