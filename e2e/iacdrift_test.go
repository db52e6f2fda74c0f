package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/proxmox-mcp/proxmox-mcp/iac"
	"github.com/proxmox-mcp/proxmox-mcp/proxmox/pvesim"
)

// drift is one change of one guest after its import. What the real provider makes of it (facts terraform-real-rules.md F): seen, unseen or
// replaced, which is a destruction and a creation.
type drift struct {
	key   string
	value any    // nil = the key goes
	field string // what our own comparison names, "" = the key
	plan  string
}

const (
	seen     = "update"
	unseen   = "no-op"
	replaced = "delete,create"
)

// witness is a machine, or a container, with much set, so that each change is one of something.
var (
	machineBase = pvesim.Object{"name": "witness", "memory": "2048", "cores": 2, "sockets": 1, "cpu": "host", "scsihw": "virtio-scsi-single", "ostype": "l26",
		"scsi0": "local:1/vm-1-disk-0.qcow2,size=8G", "net0": "virtio=BC:24:11:00:00:01,bridge=vmbr0", "agent": "1", "hotplug": "disk,network,usb", "cpuunits": 1024,
		"smbios1": "uuid=11111111-0000-4000-8000-000000000001,base64=1,serial=MTIz", "boot": "order=scsi0;net0", "ide2": "local:1/vm-1-cloudinit.qcow2,media=cdrom",
		"ciuser": "admin", "ipconfig0": "ip=dhcp", "efidisk0": "local:1/vm-1-disk-1.raw,efitype=4m,size=528K", "bios": "ovmf", "machine": "q35", "vmgenid": "a",
		"usb4": "spice", "numa": 1, "vga": "virtio", "description": "first"}
	containerBase = pvesim.Object{"hostname": "witness", "memory": 1024, "swap": 256, "cores": 2, "ostype": "debian", "arch": "amd64", "unprivileged": 1,
		"rootfs": "local:1/vm-1-disk-0.raw,size=8G", "net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:02,ip=dhcp", "features": "nesting=1", "console": 1,
		"env": "A=1", "cpuunits": 100, "dev0": "/dev/fuse", "description": "first\n"}
)

var machineDrifts = []drift{
	{"cores", 4, "", seen}, {"sockets", 2, "", seen}, {"cpu", "kvm64", "", seen}, {"memory", "4096", "", seen}, {"balloon", 512, "", seen},
	{"name", "other", "", seen}, {"description", "second", "", seen}, {"tags", "new", "", seen}, {"onboot", 1, "", seen}, {"boot", "order=net0", "boot.order", seen},
	{"scsihw", "lsi", "", seen}, {"agent", "0", "", seen}, {"bios", "seabios", "", seen}, {"machine", "pc", "", seen}, {"ostype", "win11", "", seen},
	{"scsi0", "local:1/vm-1-disk-0.qcow2,size=8G,ssd=1", "scsi0.ssd", seen}, {"scsi0", "local:1/vm-1-disk-0.qcow2,size=16G", "scsi0.size", seen}, {"scsi0", nil, "", seen},
	{"net0", "virtio=BC:24:11:00:00:01,bridge=vmbr1", "net0.bridge", seen}, {"net1", "virtio=BC:24:11:00:00:09,bridge=vmbr0", "", seen},
	{"net0", "virtio=BC:24:11:00:00:01,bridge=vmbr0,link_down=1", "net0.link_down", seen}, {"ipconfig0", "ip=10.0.0.9/24", "ipconfig0.ip", seen},
	{"nameserver", "9.9.9.9", "", seen}, {"ciuser", "root", "", seen}, {"sshkeys", "ssh-ed25519%20AAAA", "", seen}, {"vga", "qxl", "", seen}, {"serial0", "socket", "", seen},
	{"protection", 1, "", seen}, {"numa", nil, "", seen}, {"startup", "order=1", "", seen}, {"tablet", 0, "", seen}, {"args", "-no-hpet", "", seen}, {"cpulimit", "2", "", seen},
	{"usb0", "host=1234:5678", "", seen}, {"hostpci0", "01:00.0", "", seen}, {"rng0", "source=/dev/urandom", "", seen}, {"watchdog", "model=i6300esb", "", seen},
	{"hookscript", "local:snippets/h", "", seen}, {"keyboard", "de", "", seen}, {"acpi", 0, "", seen}, {"affinity", "0-1", "", seen}, {"ivshmem", "size=8", "", seen},
	{"hotplug", "0", "", seen}, {"cpuunits", 500, "", seen}, {"smbios1", "uuid=22222222-0000-4000-8000-000000000002,base64=1,serial=MTIz", "life,smbios1.uuid", seen},
	{"cpu", "host,hidden=1", "cpu.hidden", unseen}, {"shares", 500, "", unseen}, {"agent", "1,freeze-fs-on-backup=0", "agent.freeze-fs-on-backup", unseen},
	{"scsi0", "local:1/vm-1-disk-0.qcow2,size=8G,ro=1", "scsi0.ro", unseen}, {"scsi0", "local:1/vm-1-disk-0.qcow2,size=8G,wwn=0x5000c50015ea71ab", "scsi0.wwn", unseen},
	{"scsi1", "local:1/vm-1-disk-2.qcow2,size=8G", "", unseen}, {"cipassword", "hidden-password", "", unseen}, {"cicustom", "user=local:snippets/u", "", unseen},
	{"ciupgrade", 0, "", unseen}, {"citype", "nocloud", "", unseen}, {"numa0", "cpus=0,memory=256", "", unseen}, {"localtime", 1, "", unseen}, {"freeze", 1, "", unseen},
	{"kvm", 0, "", unseen}, {"reboot", 0, "", unseen}, {"allow-ksm", 0, "", unseen}, {"tdf", 1, "", unseen}, {"spice_enhancements", "foldersharing=1", "", unseen},
	{"parallel0", "/dev/parport0", "", unseen}, {"usb4", "host=1-1", "usb4.host", unseen}, {"vmgenid", "b", "", unseen}, {"efidisk0", nil, "", unseen},
	{"startdate", "now", "", unseen}, {"autostart", 1, "", unseen}, {"ide0", "local:iso/x.iso,media=cdrom", "", unseen}, {"unused0", "local:1/vm-1-disk-5.raw", "", unseen},
	{"amd-sev", "std", "", replaced},
	{"lock", "backup", "lock", unseen}, {"+snapshot", "before", "parent", unseen}, {"+pool", "later", "pool", unseen},
}

var containerDrifts = []drift{
	{"cores", 4, "", seen}, {"memory", 2048, "", seen}, {"swap", 0, "", seen}, {"hostname", "other", "", seen}, {"description", "second\n", "", seen}, {"tags", "new", "", seen},
	{"onboot", 1, "", seen}, {"features", "nesting=1,keyctl=1", "features.keyctl", seen}, {"rootfs", "local:1/vm-1-disk-0.raw,size=16G", "rootfs.size", seen},
	{"net0", "name=eth0,bridge=vmbr1,hwaddr=BC:24:11:00:00:02,ip=dhcp", "net0.bridge", seen}, {"net1", "name=eth1,bridge=vmbr0,hwaddr=BC:24:11:00:00:08", "", seen},
	{"nameserver", "9.9.9.9", "", seen}, {"startup", "order=1", "", seen}, {"cpulimit", "2", "", seen}, {"cpuunits", 500, "", seen}, {"protection", 1, "", seen},
	{"ostype", "ubuntu", "", seen}, {"tty", 4, "", seen}, {"cmode", "shell", "", seen}, {"console", 0, "", seen}, {"hookscript", "local:snippets/h", "", seen},
	{"dev0", "/dev/fuse,gid=5", "dev0.gid", seen}, {"env", "A=2", "", seen}, {"entrypoint", "/bin/x", "", seen}, {"arch", "arm64", "", seen},
	{"net0", "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:02,ip=dhcp,link_down=1", "net0.link_down", unseen}, {"debug", 1, "", unseen}, {"timezone", "host", "", unseen},
	{"unprivileged", 0, "", replaced}, {"mp0", "local:1/vm-1-disk-1.raw,mp=/data,size=1G", "", replaced},
}

// TestTerraformCodeDrift changes one key of each imported guest: our own comparison names each, and the real plan shows those that the
// provider can see.
func TestTerraformCodeDrift(t *testing.T) {
	t.Parallel()
	w := pvesim.DemoWorld(time.Now())
	w.Node("pve3").Online = true
	w.Pools = append(w.Pools, &pvesim.Pool{ID: "later"})
	drifts := map[int]drift{}
	for kind, list := range map[string][]drift{"qemu": machineDrifts, "lxc": containerDrifts} {
		for i, d := range list {
			vmid, base := 3000+i, machineBase
			if kind == "lxc" {
				vmid, base = 4000+i, containerBase
			}
			d.value = ownVolumes(d.value, vmid)
			drifts[vmid] = d
			config := pvesim.Object{}
			for k, v := range base {
				config[k] = ownVolumes(v, vmid)
			}
			w.AddGuest(&pvesim.Guest{VMID: vmid, Type: kind, Node: "pve1", Config: config})
			addVolume(w.Node("pve1"), fmt.Sprintf("local:%d/vm-%d-disk-1.raw", vmid, vmid), pvesim.Object{"format": "raw", "size": 528 << 10})
		}
	}
	c := startCoded(t, w)
	c.allowReplacements(t)
	c.wantClean(t)
	before := c.world
	c.change(t, drifts)
	c.refresh(t)
	wantNamed(t, drifts, iac.Diff(before, c.world))
	c.wantPlanned(t, before, drifts)
}

// ownVolumes makes volumes of guest 1 in a value those of another guest.
func ownVolumes(v any, vmid int) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	id := strconv.Itoa(vmid)
	return strings.ReplaceAll(text, "local:1/vm-1-", "local:"+id+"/vm-"+id+"-")
}

// allowReplacements takes away what makes terraform refuse a plan that replaces a guest.
func (c *coded) allowReplacements(t *testing.T) {
	t.Helper()
	for _, name := range []string{"vms.tf", "containers.tf"} {
		path := filepath.Join(c.tf.dir, name)
		text, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, []byte(strings.ReplaceAll(string(text), "    prevent_destroy = true\n", "")), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// change makes each guest's change in the simulator.
func (c *coded) change(t *testing.T, drifts map[int]drift) {
	t.Helper()
	c.sim.Update(func(w *pvesim.World) {
		for vmid, d := range drifts {
			switch d.key {
			case "+snapshot":
				w.AddSnapshot(vmid, fmt.Sprint(d.value), "")
			case "+pool":
				w.Guest(vmid).Pool = fmt.Sprint(d.value)
			default:
				w.SetConfig(vmid, d.key, d.value)
			}
		}
	})
}

// wantNamed wants each change, and nothing else of its guest, to be named.
func wantNamed(t *testing.T, drifts map[int]drift, found []iac.Difference) {
	t.Helper()
	want, got := map[string][]string{}, map[string][]string{}
	for vmid, d := range drifts {
		field := d.field
		if field == "" {
			field = d.key
		}
		want[strconv.Itoa(vmid)] = strings.Split(field, ",")
	}
	for _, f := range found {
		if _, ok := want[f.ID]; ok {
			got[f.ID] = append(got[f.ID], f.Field)
		}
	}
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Errorf("differences that were named: %s", diff)
	}
}

// wantPlanned wants the real provider to see what it is known to see.
func (c *coded) wantPlanned(t *testing.T, before *iac.World, drifts map[int]drift) {
	t.Helper()
	c.tf.run(t, 2, c.token, "plan", "-detailed-exitcode", "-out=drift.tfplan")
	var plan struct {
		Changes []struct {
			Address string
			Change  struct{ Actions []string }
		} `json:"resource_changes"`
	}
	if err := json.Unmarshal([]byte(c.tf.run(t, 0, c.token, "show", "-json", "drift.tfplan")), &plan); err != nil {
		t.Fatal(err)
	}
	actions := map[string]string{}
	for _, ch := range plan.Changes {
		actions[ch.Address] = strings.Join(ch.Change.Actions, ",")
	}
	n := map[string]int{}
	for _, vmid := range slices.Sorted(maps.Keys(drifts)) {
		d := drifts[vmid]
		g := before.Guest(vmid)
		n[d.plan]++
		if got := actions[before.Known[g.Key("terraform")]]; got != d.plan {
			t.Errorf("%s %d: %s = %v: the plan says %q, want %q", g.Type, vmid, d.key, d.value, got, d.plan)
		}
	}
	t.Logf("%d changes: %v", len(drifts), n)
}
