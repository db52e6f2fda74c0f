package pvesim

import (
	"strings"
)

func qemuRoutes() []route {
	base := "/nodes/{node}/qemu/{vmid}"
	return []route{
		index(base, "subdir", "config cloudinit pending status unlink vncproxy termproxy migrate resize move rrd rrddata monitor "+
			"agent snapshot spiceproxy sendkey firewall mtunnel remote_migrate"),
		index(base+"/status", "subdir", "current start stop reset shutdown suspend reboot"),
		get(base+"/migrate", need("/vms/{vmid}", "VM.Migrate"), of(typeQEMU, migratePreconditions)),
	}
}

// nicMAC takes the address of a VM's network device: virtio=AA:..,bridge=vmbr0.
func nicMAC(nic string) string {
	first, _, _ := strings.Cut(nic, ",")
	_, mac, _ := strings.Cut(first, "=")
	return mac
}

// migratePreconditions is what GET migrate says before a migration: where to, and the disks that stand in the way.
func migratePreconditions(c *call, g *Guest) (any, error) {
	allowed := []string{}
	for _, n := range c.w.Nodes {
		if n.Name != g.Node && n.Online {
			allowed = append(allowed, n.Name)
		}
	}
	disks := []Object{}
	for _, key := range append(g.disks(), g.cdroms()...) {
		if d := c.localDisk(g, key); d != nil {
			disks = append(disks, d)
		}
	}
	return Object{"running": bit(g.Live.Running), "allowed_nodes": allowed, "not_allowed_nodes": Object{}, "local_disks": disks,
		"local_resources": []any{}, "mapped-resources": []any{}, "mapped-resource-info": Object{}, "has-dbus-vmstate": 1}, nil
}

func (g *Guest) cdroms() []string {
	var out []string
	for key, v := range g.Config {
		if isDisk(key) && strings.Contains(text(v), "media=cdrom") {
			out = append(out, key)
		}
	}
	return out
}

// localDisk describes a volume on a storage that is not shared; nil for others.
func (c *call) localDisk(g *Guest, key string) Object {
	drive := text(g.Config[key])
	volid := driveVolume(drive)
	store, _, ok := strings.Cut(volid, ":")
	cloudinit := strings.Contains(volid, "cloudinit")
	if def := c.w.Storage(store); !ok || def == nil || truth(def["shared"]) {
		return nil
	}
	o := Object{"volid": volid, "drivename": key, "cdrom": bit(strings.Contains(drive, "media=cdrom")), "is_attached": 1,
		"is_cloudinit": bit(cloudinit), "is_tpmstate": bit(key == "tpmstate0"), "is_unused": 0, "is_vmstate": 0, "replicate": 1, "shared": 0}
	if size := driveSize(drive); size > 0 {
		o["size"] = size
	}
	if refs := g.references(key, volid); len(refs) > 0 {
		o["referenced_in_snapshot"] = refs
	}
	return o
}

func (g *Guest) references(key, volid string) Object {
	out := Object{}
	for _, s := range g.Snapshots {
		if driveVolume(text(s.Config[key])) == volid {
			out[s.Name] = 1
		}
	}
	return out
}
