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
	}
}

// nicMAC takes the address of a VM's network device: virtio=AA:..,bridge=vmbr0.
func nicMAC(nic string) string {
	first, _, _ := strings.Cut(nic, ",")
	_, mac, _ := strings.Cut(first, "=")
	return mac
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

func (g *Guest) references(key, volid string) Object {
	out := Object{}
	for _, s := range g.Snapshots {
		if driveVolume(text(s.Config[key])) == volid {
			out[s.Name] = 1
		}
	}
	return out
}
